// What if two things happen to one credential at once? Whoever comes second, no
// grant leaks, nothing good is revoked, and the credential works afterwards.

package backend_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// settled checks, hours later, that just as many grants live at Zoho as are used.
func (m *mount) settled(grants int) {
	m.t.Helper()
	m.hours()
	if n := len(m.zoho.RefreshTokens()); n != grants {
		m.t.Errorf("%d grants live at Zoho; want %d", n, grants)
	}
}

func TestSweepDuringASlowExchangeForgetsNoOldGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 8 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		m.tick() // Vault's own minute comes round
		others.Wait()
		m.token("crm")
		m.settled(1)
	})
}

func TestTwoConsentsAtOnceLeaveOneGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 3 * time.Second, Endpoint: "token"})
		var others sync.WaitGroup
		for range 5 {
			code, err := m.zoho.SelfClientCode(self.ID, "us", 0, "ZohoCRM.modules.ALL")
			if err != nil {
				t.Fatal(err)
			}
			others.Go(func() {
				// Whoever is late was asked for create, which replaces nothing.
				if _, err := m.try(logical.UpdateOperation, "creds/crm", data{"code": code}); err != nil && !strings.Contains(err.Error(), "create capability") {
					t.Error(err)
				}
			})
		}
		others.Wait()
		m.zoho.ClearFaults()
		m.token("crm")
		m.settled(1)
		m.token("crm")
	})
}

func TestOneCallbackPastedTwiceAtOnceIsExchangedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 3 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		var mu sync.Mutex
		connected := 0
		for range 20 {
			others.Go(func() {
				_, err := m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					connected++
				} else if r, ok := err.(*refusal); !ok || r.status != 400 {
					t.Errorf("the second of two gets %v", err)
				}
			})
		}
		others.Wait()
		if connected != 1 {
			t.Errorf("%d of 20 connected", connected)
		}
		m.token("crm")
		m.settled(1)
	})
}

func TestConsentThatIsStartedWhileAnOlderOneIsTidiedUpCanBeFinished(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.write("authorize/crm", nil)
			passes(2 * time.Hour)
			// The sweep has read what it acts on when the new one is started.
			reached = m.hangsAt(&m.storage.after, nth, m.minute, func() { m.landed = m.consent("crm", nil, zohotest.Consent{}) })
			m.write("creds/crm", data{"callback_url": m.landed})
			m.token("crm")
		})
	}
}

func TestDeleteDuringAnExchangeLeavesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 8 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "deleted", "authorize/crm")
		})
		synctest.Wait()
		m.delete("creds/crm")
		m.tick()
		others.Wait()
		m.refused(logical.ReadOperation, "creds/crm", nil, 404)
		m.settled(0)
	})
}

func TestSecondDeleteSaysThatTheFirstIsStillRevoking(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		m.write("creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 5 * time.Second, Endpoint: "revoke", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.delete("creds/crm") })
		synctest.Wait()
		if resp := m.delete("creds/crm"); resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "another request is deleting") {
			t.Errorf("tokens live, and the second delete says %v", resp)
		}
		others.Wait()
		if resp := m.delete("creds/crm"); resp != nil {
			t.Errorf("when all is done it says %v", resp)
		}
	})
}

func TestDeleteLeavesAReplacedGrantToTheImportThatIsUnderWay(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			held, replaced := m.token("crm"), m.grant()
			m.connect("crm")
			if forgotten {
				m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false}) // the replaced grant is revoked in an hour
			}
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
			var others sync.WaitGroup
			others.Go(func() { m.write("creds/other", data{"refresh_token": replaced}) })
			synctest.Wait()
			resp := m.delete("creds/crm")
			if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "connecting a credential with the same grant") {
				t.Errorf("forgotten %v: the delete says %v", forgotten, resp)
			}
			if !m.zoho.Alive(held) {
				t.Errorf("forgotten %v: a token is revoked that the import's readers may have", forgotten)
			}
			others.Wait()
			m.token("other")
			m.endOrphans() // the one that was only forgotten
		})
	}
}

func TestImportWhileTheSameGrantIsBeingDeletedElsewhereEndsWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("first")
		token := m.grant()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 3 * time.Second, Times: 2})
		var others sync.WaitGroup
		others.Go(func() { m.delete("creds/first") })
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/second", data{"refresh_token": token}) })
		others.Wait()
		passes(20 * time.Minute) // a refusal is waited out
		left := len(m.zoho.RefreshTokens())
		_, err := m.try(logical.ReadOperation, "creds/second", nil)
		switch {
		case err == nil && left == 1: // the import won
		case err != nil && left == 0: // the delete won, and the credential says so
			if r, ok := err.(*refusal); !ok || r.status == 400 && !strings.Contains(r.text, "authorize/second") {
				t.Errorf("a credential whose grant was deleted answers %v", err)
			}
		default:
			t.Errorf("%d grants left at Zoho; the read gives %v", left, err)
		}
	})
}

func TestTokenFingerprintIsKnownThoughConfigChangesMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.cold()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.token("crm") })
		synctest.Wait()
		m.backend.InvalidateKey(t.Context(), "config")
		others.Wait()
		for line := range strings.Lines(m.logs.String()) {
			if strings.Contains(line, "minted an access token") && strings.Contains(line, `token_fingerprint="" `) {
				t.Errorf("a mint cannot be told from others: %s", line)
			}
		}
	})
}

func TestSettingsWriteWithUnreadableStorageDoesNotSayNotConnected(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.restart()
		m.read("config")
		m.read("datacenters/eu")
		m.storage.failing("get", "creds/crm")
		m.refused(logical.UpdateOperation, "creds/crm", data{"max_age": "20m"}, 500, "Vault's log")
		m.storage.working()
		m.write("creds/crm", data{"max_age": "20m"})
	})
}

func TestReadThatIsOvertakenByADeleteGetsNoDeadToken(t *testing.T) {
	for _, reported := range []error{nil, errDisk} { // what storage says of the deletion, which is done
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(data{"max_age": "30m"})
			m.connect("crm")
			m.token("crm")
			m.backend.InvalidateKey(t.Context(), "creds/crm")
			open := make(chan struct{})
			once := sync.OnceFunc(func() { <-open })
			late := func(op, key string) error {
				if op == "get" && key == "creds/crm" {
					once()
				}
				return nil
			}
			m.storage.after.Store(&late)
			var err error
			var others sync.WaitGroup
			others.Go(func() { _, err = m.try(logical.ReadOperation, "creds/crm", nil) })
			synctest.Wait()
			overtaken := func(op, key string) error {
				if op == "delete" && strings.HasPrefix(key, "token/") {
					return reported
				}
				return nil
			}
			m.storage.after.Store(&overtaken)
			m.delete("creds/crm")
			m.storage.working()
			close(open)
			others.Wait()
			if r, ok := err.(*refusal); !ok || r.status != 404 {
				t.Errorf("storage reported %v: a credential that is gone is read with %v", reported, err)
			}
		})
	}
}

func TestReadThatIsOvertakenByAReconnectGetsATokenOfTheNewGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.restart()
		release := m.storage.blocking("get", "token/")
		var others sync.WaitGroup
		var err error
		others.Go(func() { _, err = m.try(logical.ReadOperation, "creds/crm", nil) })
		synctest.Wait()
		m.storage.before.Store(nil) // for all others
		m.connect("crm")
		passes(61 * time.Minute)
		m.tick() // the grant that the read is about is revoked, and forgotten
		release()
		others.Wait()
		if err != nil {
			t.Errorf("a credential that is there is read with %v", err)
		}
	})
}

func TestReadThatIsOvertakenTwiceIsToldToComeBack(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.restart()
		overtake := func() {
			m.connect("crm")
			passes(61 * time.Minute)
			m.tick() // the grant that the read is about is revoked, and forgotten
			m.backend.(invalidated).InvalidateKey(t.Context(), "creds/crm")
		}
		release := m.storage.blocking("get", "token/")
		var others sync.WaitGroup
		others.Go(func() { m.refused(logical.ReadOperation, "creds/crm", nil, 503, "replaced a moment ago", "read again") })
		synctest.Wait()
		m.storage.before.Store(nil) // for all others
		overtake()
		looked := func(op, key string) error {
			if op == "get" && key == "creds/crm" {
				m.storage.after.Store(nil)
				overtake()
			}
			return nil
		}
		m.storage.after.Store(&looked)
		release()
		others.Wait()
		m.token("crm")
	})
}
