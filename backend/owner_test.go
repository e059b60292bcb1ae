// Whose is it? What one request found out is not written onto what another has put in
// its place meanwhile.

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestTwoWritesOfConfigLoseNoFieldOfOneAnother(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			reached = m.hangs(nth,
				func() { m.write("config", data{"max_age": "5m", "verify": false}) },
				func() { m.write("config", data{"min_ttl": "7m", "verify": false}) })
			if c := m.read("config"); c["max_age"] != 300 || c["min_ttl"] != 420 {
				t.Errorf("one hangs at step %d: max_age is %v, min_ttl %v", nth, c["max_age"], c["min_ttl"])
			}
		})
	}
}

func TestStandbyLeasesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.write("creds/crm", data{"leased": true})
		m.token("crm")
		m.standby(consts.ReplicationPerformanceStandby, false)
		if resp, err := m.request(t.Context(), logical.ReadOperation, "creds/crm", nil); !errors.Is(err, logical.ErrReadOnly) {
			t.Errorf("got %v, %v; a standby can't store a lease", resp, err)
		}
		m.standby(0, false)
	})
}

func TestPersonIsNotNotedOnAGrantThatCameMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ"})
		m.connect("crm")
		ada := m.read("status/crm")["zoho_user"]
		grace := m.zoho.AddUser(zohotest.User{Email: "grace@example.com"})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "api", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("status/crm", data{"probe": true}) })
		synctest.Wait()
		m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{Email: grace.Email})})
		others.Wait()
		if user := m.read("status/crm")["zoho_user"]; user != grace.ZUID {
			t.Errorf("the account is told to be %v's; want %v, and not %v", user, grace.ZUID, ada)
		}
	})
}

func TestPersonOfAGrantThatIsNotMovedForwardYetIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": profileScopes})
		m.connect("crm")
		m.withoutLedger()
		m.restart()
		if probed := m.write("status/crm", data{"probe": true}).Data["zoho_user"]; probed != m.zoho.User("us").ZUID {
			t.Errorf("the account is told to be %v's", probed)
		}
	})
}

func TestRotatedRefreshTokenIsNotStoredOverAGrantThatCameMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		passes(61 * time.Minute)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.ReadOperation, "creds/crm", nil) })
		synctest.Wait()
		m.write("creds/crm", data{"callback_url": landed})
		stored := m.storage.contents(t)["creds/crm"]
		others.Wait()
		if now := m.storage.contents(t)["creds/crm"]; now != stored {
			t.Error("the new consent's grant was overwritten")
		}
		m.token("crm")
		m.settled(1)
		m.token("crm")
	})
}

func TestDeletingASiblingKillsNoGrantInUseWhateverStepOfTheImportFailed(t *testing.T) {
	for how, fail := range failures() {
		for nth, reached := 1, true; reached; nth++ {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("first")
				count := fail(m, nth)
				_, err := m.try(logical.UpdateOperation, "creds/second", data{"refresh_token": m.grant()})
				reached = count() >= nth
				m.storage.working()
				if nth%2 == 0 {
					m.restart()
				}
				m.delete("creds/first")
				connected := strings.Contains(fmt.Sprint(m.storage.keys(t)), "creds/second")
				m.hours()
				if !connected && err == nil {
					t.Errorf("%s %d: the import succeeded and left nothing", how, nth)
				}
				if connected {
					m.token("second")
					m.settled(1)
				} else {
					m.settled(0)
				}
			})
		}
	}
}

func TestFormerGrantEndsThoughItsReplacementWasNotSettledWhenAllIsDeleted(t *testing.T) {
	for how, fail := range failures() {
		for nth, reached := 1, true; reached; nth++ {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				landed := m.consent("crm", nil, zohotest.Consent{})
				count := fail(m, nth)
				_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
				reached = count() >= nth
				m.storage.working()
				m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
				m.hours()
				if n := len(m.zoho.RefreshTokens()); n > 1 {
					t.Errorf("%s %d: %d grants live on; only that which was to be forgotten may", how, nth, n)
				}
				if keys := fmt.Sprint(m.storage.keys(t)); keys != "[config]" {
					t.Errorf("%s %d: left are %s", how, nth, keys)
				}
				for _, left := range m.zoho.RefreshTokens() {
					m.zoho.RevokeRefreshToken(left.Token)
				}
			})
		}
	}
}

func TestWhatBecomesDueWhileASweepLooksIsNotOverlooked(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.tick()
		m.restart()
		open := make(chan struct{})
		seen := func(op, key string) error {
			if op == "list" && key == "due/" {
				<-open
			}
			return nil
		}
		m.storage.after.Store(&seen)
		m.minute()
		synctest.Wait()
		m.storage.after.Store(nil)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		m.delete("creds/crm")
		m.zoho.ClearFaults()
		close(open)
		synctest.Wait()
		m.settled(0)
	})
}

func TestImportThatFailsDoesNotUndoADeleteThatWasNotSettled(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		gone := false
		fail := func(op, key string) error {
			if gone {
				return errDisk
			}
			gone = op == "delete" && key == "creds/crm"
			return nil
		}
		m.storage.before.Store(&fail)
		m.delete("creds/crm")
		m.storage.working()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 1})
		m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": token}, 503)
		m.settled(0)
	})
}

// withoutLedger makes storage as format 1 has it, which had no ledger.
func (m *mount) withoutLedger() {
	m.t.Helper()
	for _, key := range m.storage.keys(m.t) {
		if strings.HasPrefix(key, "grant/") {
			if err := m.storage.Storage.Delete(context.Background(), key); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

func TestGrantOfAnEarlierReleaseEndsWhateverStepOfItsReplacementCrashed(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(data{"verify": false})
			m.connect("crm")
			m.withoutLedger()
			m.restart()
			old := m.grant()
			landed := m.consent("crm", nil, zohotest.Consent{})
			n := 0
			die := func(op, key string) error {
				if n++; n < nth {
					return nil
				}
				m.wire.dead.Store(true)
				return errDisk
			}
			m.storage.before.Store(&die)
			_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
			reached = n >= nth
			m.storage.working()
			m.wire.dead.Store(false)
			m.restart()
			for _, lost := range m.zoho.Orphans(m.storage.refreshTokens(t)...) {
				if lost.Token == old {
					t.Errorf("crash at step %d: the replaced grant is lost", nth)
				}
				m.zoho.RevokeRefreshToken(lost.Token) // known to the dead process alone
			}
			m.settled(1)
			m.token("crm")
		})
	}
}

func TestTokensOfAReplacedGrantLiveOnThoughItHasToBeKnownAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		m.connect("crm")
		m.withoutLedger()
		m.restart()
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_code", Endpoint: "token", Times: 1})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400)
		m.tick()
		m.tick()
		if !m.zoho.Alive(held) {
			t.Error("a connect that failed ended the token that an app has of the grant before")
		}
		m.settled(1)
	})
}

func TestConnectLeavesNoConsentBehindForLong(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		passes(8 * 24 * time.Hour) // until then its result is listed
		m.tick()
		for _, key := range m.storage.keys(t) {
			if strings.HasPrefix(key, "pending/") {
				t.Errorf("%s is left", key)
			}
		}
	})
}
