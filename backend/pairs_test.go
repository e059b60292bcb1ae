// What if one request hangs in storage, at any one step, while another one runs? For
// every pair of requests: no grant leaks, none in use is revoked, nothing dead is
// handed out, and storage holds in the end what it should.

package backend_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// deed is one thing that is done to crm while something else is.
type deed struct {
	// prepare runs before anything hangs, and returns the deed.
	prepare func(m *mount) func()
	deletes bool
}

// attempt makes a deed of a request that may be refused, but not with a 500.
func (m *mount) attempt(op logical.Operation, path string, d data) func() {
	return func() {
		_, err := m.try(op, path, d)
		if r, ok := err.(*refusal); err != nil && (!ok || r.status == 500) {
			m.t.Errorf("%s %s: %v", op, path, err)
		}
	}
}

// selfCode returns a code of the self client that the mount is configured with.
func (m *mount) selfCode() string {
	m.t.Helper()
	code, err := m.zoho.SelfClientCode(m.read("config")["client_id"].(string), "us", 0, "ZohoCRM.modules.ALL", "AaaServer.profile.READ")
	if err != nil {
		m.t.Fatal(err)
	}
	return code
}

func deeds() map[string]deed {
	write := func(d func(m *mount) data) func(m *mount) func() {
		return func(m *mount) func() { return m.attempt(logical.UpdateOperation, "creds/crm", d(m)) }
	}
	return map[string]deed{
		"connecting":              {prepare: write(func(m *mount) data { return data{"code": m.selfCode()} })},
		"settings":                {prepare: write(func(*mount) data { return data{"max_age": "20m"} })},
		"importing":               {prepare: write(func(m *mount) data { return data{"refresh_token": m.zoho.RefreshTokens()[1].Token} })},
		"importing its own":       {prepare: write(func(m *mount) data { return data{"refresh_token": m.zoho.RefreshTokens()[2].Token} })},
		"importing a retired one": {prepare: write(func(m *mount) data { return data{"refresh_token": m.grant()} })},
		"importing its own elsewhere": {prepare: func(m *mount) func() {
			return m.attempt(logical.UpdateOperation, "creds/other", data{"refresh_token": m.zoho.RefreshTokens()[2].Token})
		}},
		"deleting":           {deletes: true, prepare: func(m *mount) func() { return m.attempt(logical.DeleteOperation, "creds/crm", nil) }},
		"deleting the other": {prepare: func(m *mount) func() { return m.attempt(logical.DeleteOperation, "creds/other", nil) }},
		"revoking":           {prepare: func(m *mount) func() { return m.attempt(logical.UpdateOperation, "revoke/crm", nil) }},
		"reading":            {prepare: func(m *mount) func() { return m.attempt(logical.ReadOperation, "creds/crm", nil) }},
		"its status":         {prepare: func(m *mount) func() { return m.attempt(logical.ReadOperation, "status/crm", nil) }},
		"probing":            {prepare: func(m *mount) func() { return m.attempt(logical.UpdateOperation, "status/crm", data{"probe": true}) }},
		"sweeping":           {prepare: func(m *mount) func() { return m.minute }},
		"reconfiguring": {prepare: func(m *mount) func() {
			return m.attempt(logical.UpdateOperation, "config", data{"max_age": "5m", "verify": false})
		}},
	}
}

func TestWhateverHangsAtAnyStepWhileSomethingElseRuns(t *testing.T) {
	for hanging, a := range deeds() {
		for running, b := range deeds() {
			t.Run(hanging+"/"+running, func(t *testing.T) {
				t.Parallel()
				for nth, reached := 1, true; reached; nth += stride {
					if nth > 80 {
						t.Fatal("the road has no end")
					}
					inBubble(t, func(t *testing.T, m *mount) {
						self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
						m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
						for _, name := range []string{"crm", "other", "crm"} { // crm has had a grant before
							m.write("creds/"+name, data{"code": m.selfCode()})
						}
						passes(2 * time.Hour) // the first is due for revocation
						first, second := a.prepare(m), b.prepare(m)
						reached = m.hangs(nth, first, second)
						m.consistent(fmt.Sprintf("%s hangs at step %d while %s runs", hanging, nth, running), a.deletes || b.deletes)
					})
				}
			})
		}
	}
}

// hangs runs first, which hangs at its nth storage operation, while second runs.
// It reports whether there was such a step.
func (m *mount) hangs(nth int, first, second func()) (reached bool) {
	m.t.Helper()
	return m.hangsAt(&m.storage.before, nth, first, second)
}

// hangsAt is hangs before or after the operation.
func (m *mount) hangsAt(when *atomic.Pointer[func(op, key string) error], nth int, first, second func()) (reached bool) {
	var n atomic.Int64
	var off atomic.Bool
	open := make(chan struct{})
	hook := func(op, key string) error {
		if !off.Load() && n.Add(1) == int64(nth) {
			<-open
		}
		return nil
	}
	when.Store(&hook)
	var work sync.WaitGroup
	work.Go(first)
	synctest.Wait()
	off.Store(true)
	work.Go(second)
	synctest.Wait()
	passes(time.Second) // whoever waits for Zoho has its answer
	close(open)
	work.Wait()
	synctest.Wait()
	m.storage.working()
	return n.Load() >= int64(nth)
}

// consistent checks that hours later just what is in use lives at Zoho, that what
// exists can be read, and that storage holds nothing that nobody owns.
func (m *mount) consistent(when string, deleted bool) {
	m.t.Helper()
	m.hours()
	stored := m.storage.contents(m.t)
	used := map[string]bool{}
	for key, value := range stored {
		if strings.HasPrefix(key, "creds/") {
			for _, rt := range m.zoho.RefreshTokens() {
				if strings.Contains(value, rt.Token) {
					used[rt.Token] = true
				}
			}
		}
		if strings.HasPrefix(key, "due/") {
			m.t.Errorf("%s: then %s is due for ever: %s", when, key, value)
		}
	}
	if n := len(m.zoho.RefreshTokens()); n != len(used) {
		m.t.Errorf("%s: then %d grants live at Zoho, %d are in use", when, n, len(used))
	}
	for _, name := range []string{"crm", "other"} {
		if _, exists := stored["creds/"+name]; !exists {
			continue
		}
		resp, err := m.try(logical.ReadOperation, "creds/"+name, nil)
		if err != nil {
			m.t.Errorf("%s: then %s is not readable: %v", when, name, err)
		} else if !m.zoho.Alive(resp.Data["access_token"].(string)) {
			m.t.Errorf("%s: then a dead token of %s is handed out", when, name)
		}
	}
	if _, exists := stored["creds/crm"]; !exists && !deleted {
		m.t.Errorf("%s: then crm is gone", when)
	}
	// In the end nothing is left but config.
	for _, name := range []string{"crm", "other"} {
		m.delete("creds/" + name)
	}
	m.hours()
	for _, key := range m.storage.keys(m.t) {
		if key != "config" && key != "epoch" && !strings.HasPrefix(key, "owner/") {
			m.t.Errorf("%s, and all is deleted: then %s is left", when, key)
		}
	}
}
