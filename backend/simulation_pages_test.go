// What may a browser be told? What is true, whatever failed on the way.

package backend_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// simHeadings are those of pages.
var simHeadings = map[string]string{
	"Zoho is connected": "connected", "Nothing was connected": "declined", "Zoho was not connected": "failed", "Not connected yet": "busy", "This link does not work": "unknown", "This link is no longer good": "over",
}

var (
	simHeading = regexp.MustCompile(`<h1>(.*?)</h1>`)
	simTags    = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>|\s+`)
)

// readPage reads what a browser is answered; h.mu is held.
func (r *simRequest) readPage(resp *logical.Response) {
	if u, err := url.Parse(resp.Redirect); err == nil && resp.Redirect != "" {
		r.result = u.Query().Get("result")
		if r.status, r.text = 400, "on to "+resp.Redirect; r.result == "connected" {
			r.status = 200
		}
		if !strings.HasPrefix(resp.Redirect, returns+"?") || u.Query().Get("credential") != r.name {
			r.h.wrongf("a browser is led astray", "#%d %s: %s", r.number, r.what, resp.Redirect)
		}
		return
	}
	r.status, _ = resp.Data[logical.HTTPStatusCode].(int)
	page, _ := resp.Data[logical.HTTPRawBody].(string)
	if h := simHeading.FindStringSubmatch(page); h != nil {
		r.result = simHeadings[html.UnescapeString(h[1])]
	}
	r.text = html.UnescapeString(simTags.ReplaceAllString(page, " "))
	if strings.Contains(r.text, "This link is for") {
		r.result = "other account"
	}
}

// void reports whether a consent may have come to its end by something else than its
// address, leaving aside one request; h.mu is held.
func (h *simulation) void(c *simConsent, but *simRequest) bool {
	for _, o := range h.changes[c.name] {
		// A credential that is connected without a consent ends the one that waits.
		if o != but && o != c.by && !(o.connects() && o.consent == c) && !o.refused() && (o.over == 0 || o.over > c.by.begun) {
			return true
		}
	}
	return false
}

// refused reports whether a request changed nothing.
func (r *simRequest) refused() bool { return r.over > 0 && r.status == 400 }

// unknown reports whether the state of a consent may be one of another time.
func (h *simulation) unknown(c *simConsent) bool {
	for _, o := range h.changes[c.name] {
		if o.endsConfig() && !o.refused() && (o.over == 0 || o.over > c.by.begun) {
			return true
		}
	}
	return false
}

// remembered reports whether what came of a consent must still be known.
func (h *simulation) remembered(c *simConsent) bool {
	if c.connected == nil || !c.stored || time.Since(c.uses[0].began) > 59*time.Minute {
		return false
	}
	for _, o := range h.changes[c.name] {
		switch {
		case o.over > 0 && o.over < c.uses[0].begun, o.refused() && !o.connects(), o.consent == c:
		case o.connects() && o.data["code"] == nil && o.data["callback_url"] == nil: // an import
		default:
			return false
		}
	}
	return true
}

// alone reports whether nobody else brought the same state at the same time.
func (c *simConsent) alone(r *simRequest) bool {
	for _, o := range c.uses {
		if o != r && o.begun < r.over && (o.over == 0 || o.over > r.begun) {
			return false
		}
	}
	return true
}

// judgePage checks what a browser is told; h.mu is held.
func (h *simulation) judgePage(r *simRequest) {
	c := r.consent
	troubled := !r.node.failed.Before(r.began.Add(-time.Minute))
	wrong := func(kind string) { h.wrongf(kind, "#%d %s: %d %s: %s", r.number, r.what, r.status, r.result, r.text) }
	if c == nil { // made up
		switch {
		case r.calls.Load() > 0 || r.writes.Load() > 0 || r.operations.Load() > 1:
			wrong("a state that was made up costs something")
		case r.result != "unknown" && !(troubled && r.status == 503):
			wrong("a state that was made up is known")
		}
		return
	}
	if first := c.connected; first != nil && first.over < r.begun && h.remembered(c) {
		switch {
		case r.calls.Load() > 0 || r.writes.Load() > 0 && !r.lags():
			wrong("a page that is loaded again does something")
		case r.result != "connected" && !(troubled && r.status == 503) && !(r.patience > 0 && r.result == "busy") && r.whole() && !r.lags():
			wrong("a page that is loaded again forgets that it is connected")
		}
	}
	switch r.result {
	case "":
		wrong("a page of no known kind")
	case "unknown":
		if !h.unknown(c) && !r.lags() { // with an earlier key, or none
			wrong("a genuine state is unknown")
		}
	case "busy":
		if r.codeSent > 0 && r.patience == 0 && !troubled {
			wrong("a page with a spent code is to be loaded again")
		}
	case "connected":
		if c.connected == nil {
			c.connected, c.stored = r, !troubled
		}
	case "declined":
		if len(c.uses) == 1 && r.visit != nil && !r.visit.reject {
			wrong("nobody declined")
		}
	case "other account":
		if r.visit != nil && c.expects(r.visit.who) {
			wrong("the right account is refused")
		}
	}
	if strings.Contains(r.text, "expired at") && time.Now().Before(c.expires) {
		wrong("a consent expires early")
	}
}

// whole reports whether a browser brings more than a state.
func (r *simRequest) whole() bool {
	return r.data["code"] != nil || r.data["error"] != nil || r.data["status"] != nil
}

// learnsStarted: nobody's consent that waits was replaced by somebody else, unless they
// insisted; h.mu is held.
func (h *simulation) learnsStarted(r *simRequest) {
	if r.data["force"] == true {
		return
	}
	for _, c := range h.consents[r.name] {
		waits := c.by.over < r.begun && time.Now().Before(c.expires) && len(c.uses) == 0 && !h.void(c, r)
		if waits && c.by.entity != r.entity {
			h.wrongf("somebody else's consent is replaced", "#%d %s by %q, the one that #%d started by %q", r.number, r.what, r.entity, c.by.number, c.by.entity)
		}
	}
}
