// What if storage fails under a request that crash_test.go does not walk: one that looks,
// starts, polls or ends something? It is told as Vault's own failure, nothing of the cause
// gets out, and what was connected works when storage does.

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// lookers are requests, each after its preparation.
func lookers() map[string]func(m *mount) func() error {
	asks := func(op logical.Operation, path string, d data) func(m *mount) func() error {
		return func(m *mount) func() error {
			m.connect("crm")
			m.connect("crm") // the first one's grant is to be revoked in an hour
			m.restart()
			return func() error {
				_, err := m.try(op, path, d)
				return err
			}
		}
	}
	after := func(first func(m *mount), op logical.Operation, path string, d data) func(m *mount) func() error {
		ask := asks(op, path, d)
		return func(m *mount) func() error {
			asked := ask(m)
			first(m)
			m.restart()
			return asked
		}
	}
	byDevice := func(during func(m *mount, userCode string)) func(m *mount) func() error {
		return func(m *mount) func() error {
			code := m.device("tv")
			passes(31 * time.Second)
			m.restart()
			if during != nil {
				during(m, code)
			}
			return func() error {
				_, err := m.try(logical.ReadOperation, "creds/tv", nil)
				return err
			}
		}
	}
	declines := func(m *mount, code string) {
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{Reject: true}); err != nil {
			m.t.Fatal(err)
		}
	}
	lives := func(m *mount, code string) {
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{DataCenter: "eu"}); err != nil {
			m.t.Fatal(err)
		}
	}
	return map[string]func(m *mount) func() error{
		"listing":                        asks(logical.ListOperation, "creds/", nil),
		"status":                         asks(logical.ReadOperation, "status/crm", nil),
		"status of a consent":            asks(logical.ReadOperation, "status/books", nil),
		"reading config":                 asks(logical.ReadOperation, "config", nil),
		"deleting config":                asks(logical.DeleteOperation, "config", nil),
		"data centres":                   asks(logical.ListOperation, "datacenters/", nil),
		"one data centre":                asks(logical.ReadOperation, "datacenters/eu", nil),
		"probing":                        asks(logical.UpdateOperation, "status/crm", data{"probe": true}),
		"withdrawing":                    asks(logical.DeleteOperation, "authorize/crm", nil),
		"starting to add scopes":         asks(logical.UpdateOperation, "authorize/crm", data{"add_scopes": "ZohoCRM.users.READ"}),
		"client credentials, elsewhere":  asks(logical.UpdateOperation, "creds/other", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "data_center": "eu"}),
		"revoking":                       asks(logical.UpdateOperation, "revoke/crm", nil),
		"revoking all":                   asks(logical.UpdateOperation, "revoke", nil),
		"forgetting":                     asks(logical.DeleteOperation, "creds/crm", data{"revoke": false}),
		"forgetting what is deleted":     after(unrevoked, logical.DeleteOperation, "creds/crm", data{"revoke": false}),
		"deleting what is deleted":       after(unrevoked, logical.DeleteOperation, "creds/crm", nil),
		"a complaint":                    after(func(m *mount) { m.token("crm") }, logical.ReadOperation, "creds/crm", data{"rejected": "0123456789abcdef"}),
		"a device that waits":            byDevice(nil),
		"a device that is too fast":      byDevice(func(m *mount, _ string) { m.answersOnce("slow_down") }),
		"a device in another place":      byDevice(lives),
		"a device whose person declines": byDevice(declines),
		"a device whose code is over":    byDevice(func(*mount, string) { passes(5 * time.Minute) }),
		"deleting the last config": func(m *mount) func() error {
			return func() error {
				_, err := m.try(logical.DeleteOperation, "config", nil)
				return err
			}
		},
		"revoking what a crash left": func(m *mount) func() error {
			m.connect("crm")
			landed := m.consent("crm", nil, zohotest.Consent{})
			die := func(op, key string) error {
				if op == "put" && key == "creds/crm" {
					m.wire.dead.Store(true)
				}
				if m.wire.dead.Load() {
					return errDisk
				}
				return nil
			}
			m.storage.before.Store(&die)
			_, _ = finish(m, landed)
			m.reborn()
			return func() error {
				_, err := m.try(logical.UpdateOperation, "revoke/crm", nil)
				return err
			}
		},
		"the minute of a grant that waits": func(m *mount) func() error {
			m.connect("crm")
			m.connect("crm")
			m.restart()
			return func() error { m.tick(); return nil }
		},
		"the minute of a grant that Zoho replaced": func(m *mount) func() error {
			m.connect("crm")
			m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
			die := func(op, key string) error {
				if op == "put" && key == "creds/crm" || m.wire.dead.Load() {
					m.wire.dead.Store(true)
					return errDisk
				}
				return nil
			}
			m.storage.before.Store(&die)
			_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
			m.reborn()
			return func() error { m.tick(); return nil }
		},
		"the minute of a grant that is due": func(m *mount) func() error {
			m.connect("crm")
			unrevoked(m)
			m.restart()
			return func() error { m.tick(); return nil }
		},
		"scopes that were added": func(m *mount) func() error {
			m.connect("crm")
			landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
			m.restart()
			return func() error {
				_, err := finish(m, landed)
				return err
			}
		},
		"scopes that were declined": func(m *mount) func() error {
			m.connect("crm")
			landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{Reject: true})
			m.restart()
			return func() error {
				_, err := finish(m, landed)
				return err
			}
		},
		"scopes of a grant that was replaced": func(m *mount) func() error {
			m.connect("crm")
			landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
			m.write("creds/crm", data{"refresh_token": m.anotherGrant()}) // which ends no consent
			m.restart()
			return func() error {
				_, err := finish(m, landed)
				return err
			}
		},
		"a browser that comes back": func(m *mount) func() error {
			m.behindVault(data{"verify": false})
			landed := m.consent("crm", nil, zohotest.Consent{})
			m.restart()
			return func() error {
				got, err := m.tryLand(landed)
				if err == nil && (strings.Contains(got.page, "disk full") || got.status == 500) {
					err = &refusal{got.status, got.page}
				}
				return err
			}
		},
	}
}

// unrevoked deletes crm while Zoho revokes nothing.
func unrevoked(m *mount) {
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
	m.delete("creds/crm")
	m.zoho.ClearFaults()
}

// answersOnce lets the next question about a device be answered by an error word.
func (m *mount) answersOnce(word string) {
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: word, Endpoint: "device", Times: 1})
}

// anotherGrant is a refresh token that this mount has for another name.
func (m *mount) anotherGrant() string {
	m.t.Helper()
	m.connect("other")
	all := m.zoho.RefreshTokens()
	return all[len(all)-1].Token
}

// unreadable makes another node change config while storage can't be read any more.
func (m *mount) unreadable() {
	m.storage.failing("get", "config")
	m.backend.(invalidated).InvalidateKey(context.Background(), "config")
}

type invalidated interface {
	InvalidateKey(ctx context.Context, key string)
}

func TestGrantEndsThoughConfigBecomesUnreadableWhileZohoIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		hook := m.unreadable
		m.wire.after.Store(&hook)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "could not store the grant", "retried until Zoho agrees", "authorize/crm")
		m.refused(logical.ReadOperation, "creds/crm", nil, 500, "Vault's log")
		m.wire.after.Store(nil)
		m.storage.working()
		if m.token("crm") == "" || !m.zoho.Alive(held) {
			t.Error("the old grant does not work")
		}
		m.settled(1)
	})
}

func TestRevokingNeedsConfigOnlyAtItsBeginning(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		for _, scope := range []string{"ZohoCRM.org.READ", "ZohoCRM.users.READ"} {
			m.write("creds/crm", data{"grant_type": "client_credentials", "scopes": scope, "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		}
		hook := m.unreadable
		m.wire.after.Store(&hook)
		resp := m.write("revoke/crm", nil)
		m.wire.after.Store(nil)
		m.storage.working()
		if resp.Data["revoked"] != 2 || len(resp.Warnings) != 0 {
			t.Errorf("the answer is %v %q", resp.Data, resp.Warnings)
		}
	})
}

// What Zoho could not do is handed out no more; what Vault could not do may be.
func TestRevokingTellsOfVaultsFailureRatherThanOfZohos(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", Times: 1})
		m.storage.failing("get", "due/")
		m.refused(logical.UpdateOperation, "revoke/crm", nil, 500, "Vault's log")
		m.storage.working()
		if again := m.write("revoke/crm", nil); again.Data["revoked"] != 2 || len(again.Warnings) != 0 {
			t.Errorf("then %v %q", again.Data, again.Warnings)
		}
	})
}

// Whether a grant that it had is somebody else's by now cannot be seen, so nothing is
// said of that one.
func TestRevokingSaysSoWhenWhoElseHasAFormerGrantCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		token := m.elsewhere()
		m.write("creds/crm", data{"refresh_token": token})
		m.write("creds/books", data{"refresh_token": token})
		m.token("books")
		m.connect("crm")
		m.restart()
		m.storage.failing("get", "creds/books")
		resp := m.write("revoke/crm", nil)
		m.storage.working()
		if resp.Data["revoked"] != 2 || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "Write again") {
			t.Errorf("the answer is %v %q", resp.Data, resp.Warnings)
		}
		if again := m.write("revoke/crm", nil); again.Data["revoked"] == 0 || len(again.Warnings) != 0 {
			t.Errorf("then %v %q", again.Data, again.Warnings)
		}
	})
}

func TestWriteThatWasDoneAllTheSameIsToldAsThat(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		failing := 0
		done := func(op, key string) error {
			if op == "put" && key == "creds/crm" {
				failing = 2 // this answer, and the look whether it was done
				return errors.New("timed out")
			}
			return nil
		}
		look := func(op, key string) error {
			if key == "creds/crm" && op == "get" && failing > 0 {
				if failing--; failing == 1 {
					return errDisk
				}
			}
			return nil
		}
		m.storage.after.Store(&done)
		m.storage.before.Store(&look)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "is connected", "see status/crm")
		m.storage.working()
		m.land(landed).shows(t, 200, "Zoho is connected")
		m.token("crm")
		m.settled(1)
	})
}

func TestGrantThatIsNotRevokedYetIsNotSaidToBe(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		full := false
		fail := func(op, key string) error {
			if full = full || op == "put" && key == "creds/crm"; full && op == "put" {
				return errDisk
			}
			return nil
		}
		m.storage.before.Store(&fail)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "not yet revoked", "retried until Zoho agrees")
		m.storage.working()
		m.settled(0)
	})
}

func TestDeleteThatFailsLogsWhatElseFailed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		deleted := false
		fail := func(op, key string) error {
			switch {
			case op == "delete" && key == "creds/crm":
				deleted = true
				return errDisk
			case deleted:
				return errors.New("no route to storage")
			}
			return nil
		}
		m.storage.before.Store(&fail)
		all := strings.Join(m.logged(func() { m.refused(logical.DeleteOperation, "creds/crm", nil, 500, "Vault's log") }), "")
		m.storage.working()
		if !strings.Contains(all, errDisk.Error()) || !strings.Contains(all, "no route to storage") {
			t.Errorf("logged is %q", all)
		}
		m.token("crm")
	})
}

func TestCodeThatStorageKeptFromLeavingMayBeWrittenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.storage.failing("put", "pending/")
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 500)
		m.storage.working()
		m.write("creds/crm", data{"callback_url": landed})
		m.token("crm")
	})
}

func TestStorageThatFailsUnderAnyRequestIsToldAsThatAndHarmsNothing(t *testing.T) {
	for what, looker := range lookers() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for nth, reached := 1, true; reached; nth++ {
				if nth > 80 {
					t.Fatal("the request has no end")
				}
				inBubble(t, func(t *testing.T, m *mount) {
					m.mayMiss = true // if storage fails first
					m.configure(data{"verify": false})
					ask := looker(m)
					count := failures()["the operation fails"](m, nth)
					err := ask()
					synctest.Wait()
					reached = count() >= nth
					m.storage.working()
					if r, refused := err.(*refusal); err != nil && (!refused || strings.Contains(r.text, "disk full")) {
						t.Errorf("%d: %v", nth, err)
					}
					m.restart()
					if strings.HasPrefix(what, "the minute") {
						m.tick() // the next one
					}
					if resp, err := m.try(logical.ReadOperation, "status/crm", nil); err == nil && resp.Data["state"] == "ready" {
						m.token("crm")
					} else if r, refused := err.(*refusal); err != nil && (!refused || r.status != 404 && r.status != 400) {
						t.Errorf("%d: afterwards status says %v", nth, err)
					}
					m.hours()
					if strings.HasPrefix(what, "forgetting") {
						m.endOrphans() // left to whoever else has them
					}
					m.noGrantButThoseInUse(fmt.Sprint(what, nth))
				})
			}
		})
	}
}
