// Browser guard: requests that a page of another site makes a person's browser send.

package zohotest

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// otherSites tells a change that a page of another origin asks for, by Sec-Fetch-Site and
// Origin. Programs that are no browsers send neither, and are let through.
var otherSites = http.NewCrossOriginProtection()

// refusesOtherSites refuses such a change, and says so.
func refusesOtherSites(w http.ResponseWriter, r *http.Request) bool {
	if otherSites.Check(r) == nil {
		return false
	}
	forbid(w, "a page of another site asked for this change, and the simulator takes changes only from its own pages and from programs that are no browsers")
	return true
}

// refusesHost refuses a request over a socket whose Host is a name that the simulator does
// not know, and says so. A page at such a name, which its owner lets point to this machine
// (DNS rebinding), could otherwise read answers as if it were the simulator's own. An IP
// address cannot be pointed elsewhere.
func (s *Simulator) refusesHost(w http.ResponseWriter, r *http.Request, hosts []string) bool {
	if r.Context().Value(http.LocalAddrContextKey) == nil {
		return false // no socket, so no browser
	}
	host := hostname(r.Host)
	switch {
	case net.ParseIP(host) != nil, host == "localhost", strings.HasSuffix(host, ".localhost"):
		return false
	case slices.ContainsFunc(hosts, func(known string) bool { return strings.EqualFold(known, host) }):
		return false
	}
	s.mu.Lock()
	known := slices.ContainsFunc(s.sites, func(dc *site) bool {
		for _, listens := range dc.bases {
			if base, err := url.Parse(listens); err == nil && strings.EqualFold(base.Hostname(), host) {
				return true
			}
		}
		return false
	})
	s.mu.Unlock()
	if !known {
		forbid(w, "the control API is not reached at this host name; start zoho-sim with -url and that name, or use the IP address")
	}
	return !known
}

// hostname is a Host header without its port and brackets, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(strings.TrimSuffix(host, "."), "[]"))
}

func forbid(w http.ResponseWriter, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	json.NewEncoder(w).Encode(map[string]string{"error": reason}) // a browser that left needs no answer
}
