// What if storage fails, or the plugin dies, at any one step of a write? For every
// storage operation of every road: the old credential still works, no grant leaks,
// no code is sent twice, and the answer says what to do.

package backend_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// road is one thing that can be done to a mount, after some preparation.
type road struct {
	prepare func(m *mount) any
	walk    func(m *mount, prepared any) (*logical.Response, error)
	// deletes: afterwards the credential may be gone.
	deletes bool
}

// callback prepares a consent of crm and returns what the browser landed on.
func callback(m *mount) any { return m.consent("crm", nil, zohotest.Consent{}) }

func finish(m *mount, landed any) (*logical.Response, error) {
	return m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
}

func roads() map[string]road {
	return map[string]road{
		"connecting": {prepare: callback, walk: finish},
		"reconnecting": {
			prepare: func(m *mount) any { m.connect("crm"); return callback(m) },
			walk:    finish,
		},
		"a self client's code in place of a grant": {
			prepare: func(m *mount) any {
				self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
				m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
				for range 2 {
					code, err := m.zoho.SelfClientCode(self.ID, "us", 0, "ZohoCRM.modules.ALL")
					if err != nil {
						m.t.Fatal(err)
					}
					if len(m.zoho.RefreshTokens()) == 1 {
						return code
					}
					m.write("creds/crm", data{"code": code})
				}
				return nil
			},
			walk: func(m *mount, code any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "creds/crm", data{"code": code})
			},
		},
		"importing": {
			prepare: func(m *mount) any { m.connect("other"); return m.grant() },
			walk: func(m *mount, token any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": token})
			},
		},
		"importing in place of a grant": {
			prepare: func(m *mount) any {
				m.connect("other")
				m.connect("crm")
				return m.grant()
			},
			walk: func(m *mount, token any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": token})
			},
		},
		"starting a consent": {
			prepare: func(m *mount) any { m.connect("crm"); return nil },
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "authorize/crm", nil)
			},
		},
		"changing settings": {
			prepare: func(m *mount) any { m.connect("crm"); m.restart(); return nil },
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "creds/crm", data{"max_age": "20m"})
			},
		},
		"changing config": {
			prepare: func(m *mount) any { m.connect("crm"); return nil },
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "config", data{"max_age": "20m"})
			},
		},
		"reading a cold credential": {
			prepare: func(m *mount) any { m.connect("crm"); m.restart(); return nil },
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.ReadOperation, "creds/crm", nil)
			},
		},
		"accepting on a device in place of a grant": {
			prepare: func(m *mount) any {
				device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
				// With max_age the read itself is warm: what is counted is the background's.
				m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL", "max_age": "50m"})
				for range 2 {
					code := m.write("authorize/crm", data{"flow": "device"}).Data["user_code"].(string)
					if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
						m.t.Fatal(err)
					}
					passes(31 * time.Second)
					if len(m.zoho.RefreshTokens()) == 1 {
						break
					}
					m.read("creds/crm")
				}
				return nil
			},
			walk: func(m *mount, _ any) (*logical.Response, error) {
				resp, err := m.try(logical.ReadOperation, "creds/crm", nil)
				synctest.Wait() // a consent beside a good credential is followed in the background
				return resp, err
			},
		},
		"client credentials": {
			prepare: func(m *mount) any {
				self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
				m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
				return nil
			},
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
			},
		},
		"revoking access tokens": {
			prepare: func(m *mount) any { m.connect("crm"); m.token("crm"); return nil },
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.UpdateOperation, "revoke/crm", nil)
			},
		},
		"deleting": {
			deletes: true,
			prepare: func(m *mount) any { m.connect("crm"); return nil },
			walk: func(m *mount, _ any) (*logical.Response, error) {
				return m.try(logical.DeleteOperation, "creds/crm", nil)
			},
		},
		"sweeping": {
			prepare: func(m *mount) any {
				m.connect("crm")
				m.connect("crm")
				m.connect("crm")
				passes(2 * time.Hour)
				return nil
			},
			walk: func(m *mount, _ any) (*logical.Response, error) { m.tick(); return nil, nil },
		},
	}
}

// failures are the ways in which the nth storage operation goes wrong. Each returns
// how many operations there were, and ends the trouble with working.
func failures() map[string]func(m *mount, nth int) (count func() int) {
	return map[string]func(m *mount, nth int) func() int{
		"the operation fails": func(m *mount, nth int) func() int {
			var n atomic.Int64
			hook := func(op, key string) error {
				if n.Add(1) == int64(nth) {
					return errDisk
				}
				return nil
			}
			m.storage.before.Store(&hook)
			return func() int { return int(n.Load()) }
		},
		"the write is done but fails to say so": func(m *mount, nth int) func() int {
			var n atomic.Int64
			hook := func(op, key string) error {
				if n.Add(1) == int64(nth) && (op == "put" || op == "delete") {
					return errors.New("timed out")
				}
				return nil
			}
			m.storage.after.Store(&hook)
			return func() int { return int(n.Load()) }
		},
		"storage stays away": func(m *mount, nth int) func() int {
			var n atomic.Int64
			hook := func(op, key string) error {
				if n.Add(1) >= int64(nth) {
					return errDisk
				}
				return nil
			}
			m.storage.before.Store(&hook)
			return func() int { return int(n.Load()) }
		},
	}
}

func TestStorageFailureAtAnyStepLosesNothing(t *testing.T) {
	t.Parallel()
	for way, r := range roads() {
		for how, fail := range failures() {
			t.Run(way+"/"+how, func(t *testing.T) {
				for nth, reached := 1, true; reached; nth += stride {
					if nth > 60 {
						t.Fatal("the road has no end")
					}
					inBubble(t, func(t *testing.T, m *mount) {
						m.configure(data{"verify": false})
						prepared := r.prepare(m)
						exchanges := m.zoho.Counts().Exchanges
						count := fail(m, nth)
						_, err := r.walk(m, prepared)
						spent := m.zoho.Counts().Exchanges > exchanges
						reached = count() >= nth
						m.storage.working()
						m.explained(err, spent, fmt.Sprintf("%s %d", how, nth))
						m.survives(r, prepared, err, fmt.Sprintf("%s %d", how, nth))
					})
				}
			})
		}
	}
}

func TestCrashAtAnyStepLosesNothingButWhatOnlyTheDeadProcessKnew(t *testing.T) {
	t.Parallel()
	for way, r := range roads() {
		t.Run(way, func(t *testing.T) {
			lost := 0
			for nth, reached := 1, true; reached; nth += stride {
				inBubble(t, func(t *testing.T, m *mount) {
					m.configure(data{"verify": false})
					prepared := r.prepare(m)
					var n atomic.Int64
					var next string // what the process was about to do
					die := func(op, key string) error {
						now := n.Add(1)
						if now == int64(nth) {
							next = op + " " + key
						}
						if now < int64(nth) {
							return nil
						}
						m.wire.dead.Store(true)
						return errDisk
					}
					m.storage.before.Store(&die)
					_, err := r.walk(m, prepared)
					reached = n.Load() >= int64(nth)
					m.storage.working()
					m.wire.dead.Store(false)
					m.restart()
					if orphans := m.zoho.Orphans(m.storage.refreshTokens(t)...); len(orphans) == 1 {
						// A grant that existed in the dead process alone.
						if lost++; !strings.HasPrefix(next, "put due/") {
							t.Errorf("dying before %q loses a grant", next)
						}
						m.zoho.RevokeRefreshToken(orphans[0].Token)
					}
					if !reached {
						return
					}
					m.survives(r, prepared, err, fmt.Sprintf("crash before %s", next))
				})
			}
			if lost > 1 {
				t.Errorf("a grant is lost at %d steps; the first thing after an exchange is the write that keeps it", lost)
			}
		})
	}
}

// explained checks that a failure has a status that fits and a text that helps.
// After a code was spent it must be a 400: API clients send a write again on 5xx.
func (m *mount) explained(err error, spent bool, when string) {
	m.t.Helper()
	if err == nil {
		return
	}
	r, ok := err.(*refusal)
	switch {
	case !ok:
		m.t.Errorf("%s: %T %v", when, err, err)
	case spent && r.status != 400:
		m.t.Errorf("%s: the code is spent, and the answer is %v; want 400", when, r)
	case r.status == 500 && !strings.Contains(r.text, "Vault's log"), r.status != 400 && r.status != 503 && r.status != 500:
		m.t.Errorf("%s: unhelpful answer %v", when, r)
	}
}

// survives checks, with storage and Zoho well again, that what was there still is,
// and that in time no grant is left at Zoho but those in use.
func (m *mount) survives(r road, prepared any, failed error, when string) {
	m.t.Helper()
	existed := false
	for _, key := range m.storage.keys(m.t) {
		existed = existed || key == "creds/crm"
	}
	if existed {
		resp, err := m.try(logical.ReadOperation, "creds/crm", nil)
		if err != nil {
			m.t.Errorf("%s: then the credential is not readable: %v", when, err)
		} else if !m.zoho.Alive(resp.Data["access_token"].(string)) {
			m.t.Errorf("%s: then a dead token is handed out", when)
		}
	}
	if refused, ok := failed.(*refusal); ok && refused.status >= 500 {
		_, _ = r.walk(m, prepared) // as API clients do; whatever it gets, the code must not be sent twice
	}
	if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err != nil && !(r.deletes || !existed) {
		m.t.Errorf("%s, and again: then the credential is not readable: %v", when, err)
	}
	m.hours()
	m.noGrantButThoseInUse(when)
}

// noGrantButThoseInUse checks that what lives at Zoho is what credentials point to, but
// for what reached nobody, and that nothing is left to do about any grant.
func (m *mount) noGrantButThoseInUse(when string) {
	m.t.Helper()
	stored := ""
	for key, value := range m.storage.contents(m.t) {
		if strings.HasPrefix(key, "creds/") {
			stored += value
		}
		if strings.HasPrefix(key, "due/") {
			m.t.Errorf("%s: something about a grant is due for ever: %s", when, key)
		}
	}
	for _, rt := range m.zoho.RefreshTokens() {
		if rt.Delivered && !strings.Contains(stored, rt.Token) {
			m.t.Errorf("%s: a grant lives at Zoho and is not in use", when)
		}
	}
}
