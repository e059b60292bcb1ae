// Does anything pile up? Weeks of a busy fleet pass in seconds, with faults, and with
// operators who connect anew, delete, revoke and leave consents unfinished. At the end
// there are as many goroutines and stored values as after a day, and as much memory.

package backend_test

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// footprint is what a mount takes when nothing is under way.
type footprint struct {
	goroutines int
	keys       []string // of storage, without what is random in them
	heap       int64
}

// soak runs a fleet for so many days.
type soak struct {
	*mount
	random *rand.Rand
	reads  int
	failed int // reads that got no token
}

// ZOHO_SOAK_DAYS makes it weeks: 56 days take some ten seconds.
// A process of its own has nobody else's goroutines and memory.
func TestWeeksOfABusyFleetLeaveNothingBehind(t *testing.T) {
	if os.Getenv("ZOHO_SOAK_ALONE") == "" {
		alone := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
		alone.Env = append(os.Environ(), "ZOHO_SOAK_ALONE=1")
		out, err := alone.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "stored values") {
			t.Errorf("%v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "stored values") {
				t.Log(strings.TrimSpace(line))
			}
		}
		return
	}
	days, err := strconv.Atoi(cmp.Or(os.Getenv("ZOHO_SOAK_DAYS"), "2"))
	if err != nil || days < 2 {
		t.Fatal("ZOHO_SOAK_DAYS is a number of days, at least 2")
	}
	day, end := fleet(t, 1), fleet(t, days)
	if end.goroutines != day.goroutines {
		t.Errorf("%d goroutines after %d days, %d after one", end.goroutines, days, day.goroutines)
	}
	if !slices.Equal(end.keys, day.keys) {
		t.Errorf("after %d days storage holds %q, after one %q", days, end.keys, day.keys)
	}
	if end.heap > day.heap+64<<10 {
		t.Errorf("%d KiB after %d days, %d KiB after one", end.heap>>10, days, day.heap>>10)
	}
	t.Logf("after %d days: %d goroutines, %d stored values, %d KiB; after one %d KiB", days, end.goroutines, len(end.keys), end.heap>>10, day.heap>>10)
}

// fleet is what is left of so many days.
func fleet(t *testing.T, days int) (f footprint) {
	runtime.GC()
	synctest.Test(t, func(t *testing.T) {
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		m := newMount(t)
		m.log = io.Discard
		m.restart()
		s := &soak{mount: m, random: rand.New(rand.NewPCG(1, 9))}
		m.configure(data{"max_age": "30m", "scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ", "verify": false})
		for _, name := range fleetNames {
			m.connect(name)
			passes(2 * time.Minute) // ten codes in ten minutes
		}
		for range days {
			s.day() // the process is the same all the time: what it forgets to forget adds up
		}
		s.hours()
		for _, name := range fleetNames {
			m.token(name)
		}
		if s.failed*10 > s.reads {
			t.Errorf("%d of %d reads got no token", s.failed, s.reads)
		}
		m.noGrantButThoseInUse(fmt.Sprint(days, " days"))
		for _, v := range m.zoho.Violations() {
			t.Errorf("violation: %v", v)
		}
		// Tokens have run out, and who looks at them is done.
		s.hours()
		// The runtime has some of its own, which come and go.
		all := make([]byte, 1<<20)
		f.goroutines = strings.Count(string(all[:runtime.Stack(all, true)]), "synctest bubble")
		for _, key := range m.storage.keys(t) {
			prefix, _, _ := strings.Cut(key, "/")
			if prefix == "pending" || prefix == "former" || prefix == "client" {
				// Results of consents are listed for a week; former names are noted for a day; one
				// mint limit that two throttles made a shared one goes with config.
				continue
			}
			f.keys = append(f.keys, prefix)
		}
		// What Zoho and the test know is not the mount's.
		m.zoho, m.wire.zoho = nil, nil
		m.events.Events = nil
		m.shown, m.logs = &syncBuffer{}, &syncBuffer{}
		runtime.GC()
		runtime.GC() // what the first made reachable no more
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		f.heap = int64(now.HeapAlloc) - int64(before.HeapAlloc)
		runtime.KeepAlive(m.backend)
	})
	return f
}

var fleetNames = []string{"books", "crm", "desk", "mail", "people", "sign"}

// day is 24 hours: each app reads every five minutes, and each hour brings some trouble
// and some work.
func (s *soak) day() {
	for range 24 {
		s.trouble()
		s.work()
		for range 12 {
			for _, name := range fleetNames {
				s.app(name)
			}
			passes(5 * time.Minute)
			s.tick()
		}
		s.zoho.ClearFaults()
	}
	s.shown = &syncBuffer{}
}

// app reads a credential and uses its token; one that is dead it complains about.
func (s *soak) app(name string) {
	s.t.Helper()
	s.reads++
	resp, err := s.try(logical.ReadOperation, "creds/"+name, nil)
	if err == nil && !s.zoho.Alive(resp.Data["access_token"].(string)) {
		resp, err = s.try(logical.ReadOperation, "creds/"+name, data{"rejected": resp.Data["token_id"]})
	}
	if err != nil || !s.zoho.Alive(resp.Data["access_token"].(string)) {
		s.failed++
	}
}

// trouble is what Zoho, or the network, does for an hour or less.
func (s *soak) trouble() {
	kinds := faultKinds()
	for range s.random.IntN(3) {
		f := kinds[s.random.IntN(len(kinds))].fault
		if f.Error == "invalid_code" || f.Error == "access_denied" {
			continue // Zoho ends no grant without a reason
		}
		f.Times = 1 + s.random.IntN(4)
		f.Endpoint = []string{"token", "token", "revoke", "api", "enhance"}[s.random.IntN(5)]
		s.zoho.Fault(f)
	}
}

// work is what an operator does. What it is refused is tried again another day.
func (s *soak) work() {
	name := fleetNames[s.random.IntN(len(fleetNames))]
	write := func(path string, d data) { _, _ = s.try(logical.UpdateOperation, path, d) }
	connect := func(name string) {
		started, err := s.try(logical.UpdateOperation, "authorize/"+name, data{"force": true})
		if err != nil {
			return
		}
		if landed, err := s.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{Reject: s.random.IntN(5) == 0}); err == nil {
			write("creds/"+name, data{"callback_url": landed})
		}
	}
	switch s.random.IntN(10) {
	case 0:
		connect(name)
	case 1: // somebody who came and left
		connect("guest" + strconv.Itoa(s.random.IntN(1000)))
		for _, key := range s.storage.keys(s.t) {
			if strings.HasPrefix(key, "creds/guest") {
				_, _ = s.try(logical.DeleteOperation, key, nil)
			}
		}
	case 2:
		write("authorize/never"+strconv.Itoa(s.random.IntN(1000)), data{"ttl": "1h"})
	case 3:
		write("revoke/"+name, nil)
	case 4:
		write("config", data{"mint_window": "10m"})
	case 5:
		write("status/"+name, data{"probe": true})
	case 6:
		write("creds/"+name, data{"custom_metadata": map[string]any{"hour": time.Now().String()}})
	case 7:
		write("creds/"+name, data{"callback_url": "https://app.example.com/callback?code=1000." + strconv.Itoa(s.random.IntN(1000)) + "&state=x"})
		write("creds/"+name, data{"code": "1000.made.up" + strconv.Itoa(s.random.IntN(1000))})
	case 8:
		write("authorize/"+name, data{"add_scopes": "ZohoCRM.users.READ", "force": true})
	case 9:
		if all := s.zoho.RefreshTokens(); len(all) > 0 {
			token := all[s.random.IntN(len(all))].Token
			s.zoho.MintElsewhere(token)
			write("creds/sibling", data{"refresh_token": token})
			_, _ = s.try(logical.DeleteOperation, "creds/sibling", nil)
		}
	}
}
