// What did a second look at the lives of grants and consents find? Two troubles at
// once, mostly: a request that is cut short, and another that comes before anybody
// has tidied up.

package backend_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// dying makes storage and Zoho end for this process with the nth storage operation,
// and returns how many there were until then.
func (m *mount) dying(nth int) (count func() int) {
	var n atomic.Int64
	die := func(op, key string) error {
		if n.Add(1) < int64(nth) {
			return nil
		}
		m.wire.dead.Store(true)
		return errDisk
	}
	m.storage.before.Store(&die)
	return func() int { return int(n.Load()) }
}

// reborn starts a new process after one that died.
func (m *mount) reborn() {
	m.storage.working()
	m.wire.dead.Store(false)
	m.restart()
}

// endOrphans revokes what no storage knows.
func (m *mount) endOrphans() {
	for _, orphan := range m.zoho.Orphans(m.storage.refreshTokens(m.t)...) {
		m.zoho.RevokeRefreshToken(orphan.Token)
	}
}

// endAll revokes what was left alone on purpose.
func (m *mount) endAll() {
	for _, rt := range m.zoho.RefreshTokens() {
		m.zoho.RevokeRefreshToken(rt.Token)
	}
}

// nothingLeft checks that, with all credentials deleted, storage is empty in the end.
func (m *mount) nothingLeft(when string) {
	m.t.Helper()
	m.hours()
	passes(8 * 24 * time.Hour) // until then the result of a consent is listed
	m.tick()
	for _, key := range m.storage.keys(m.t) {
		// A grant that was forgotten and not revoked still counts at Zoho.
		if key != "config" && key != "epoch" && !strings.HasPrefix(key, "owner/") {
			m.t.Errorf("%s: then %s is left", when, key)
		}
	}
}

func TestDeleteIsKeptToThoughAnImportOfItsGrantComesToNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/other", data{"refresh_token": token}) })
		synctest.Wait()
		m.delete("creds/crm") // the import may need its grant
		m.delete("creds/other")
		others.Wait()
		m.settled(0)
		m.nothingLeft("an import came to nothing")
	})
}

func TestDeleteIsKeptToThoughAnImportOfItsGrantWasNotedAndFailed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		noted := false
		after := func(op, key string) error {
			if noted = noted || op == "put" && strings.HasPrefix(key, "due/"); noted {
				return errDisk // though it is done
			}
			return nil
		}
		m.storage.after.Store(&after)
		m.refused(logical.UpdateOperation, "creds/other", data{"refresh_token": token}, 500)
		m.storage.working()
		m.delete("creds/crm") // the import may need its grant, for all that is stored
		if resp := m.delete("creds/crm"); resp != nil {
			t.Errorf("nobody needs it, and a second delete says %q", resp.Warnings)
		}
		if n := len(m.zoho.RefreshTokens()); n != 0 {
			t.Errorf("%d grants live on", n)
		}
	})
}

// pointsAndDies connects a credential anew, and the process dies when that points to the
// new grant and nothing more is noted of the former one.
func (m *mount) pointsAndDies(name, landed string) {
	m.t.Helper()
	pointed := func(op, key string) error {
		if op == "put" && key == "creds/"+name {
			m.dying(1)
		}
		return nil
	}
	m.storage.after.Store(&pointed)
	_, _ = m.try(logical.UpdateOperation, "creds/"+name, data{"callback_url": landed})
}

func TestDeleteEndsAGrantThatOnlyDeadProcessesLeftToOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		m.write("creds/second", data{"refresh_token": token})
		m.write("creds/other", data{"refresh_token": token})
		m.connect("other")
		for _, name := range []string{"crm", "second"} {
			m.pointsAndDies(name, m.consent(name, nil, zohotest.Consent{}))
			m.reborn()
		}
		m.delete("creds/other")
		if m.lives(token) {
			t.Error("the grant lives on, though nobody uses it")
		}
		m.token("crm")
	})
}

// Two things are under way when the process dies: an import of the grant, and the
// reconnect that leaves it. Whoever tidies up first must not take apps for gone.
func TestTokensOfAReplacedGrantLiveOnWhoeverTidiesUpAfterACrash(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		token := m.grant()
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/other", data{"refresh_token": token}) })
		synctest.Wait()
		m.pointsAndDies("crm", landed)
		others.Wait()
		m.reborn()
		former := "due/" + zoho.Fingerprint(m.zoho.AccountsURL("us"), m.zoho.DefaultClient().ID, token)
		alone := func(op, key string) error {
			if op == "get" && strings.HasPrefix(key, "due/") && key != former {
				return errDisk
			}
			return nil
		}
		m.storage.before.Store(&alone)
		m.delete("creds/none") // looks at the former grant first
		m.storage.working()
		m.tick()
		if !m.zoho.Alive(held) {
			t.Error("a token that apps hold was killed")
		}
		m.settled(1)
		m.delete("creds/crm")
		m.nothingLeft("tidied up")
	})
}

func TestReplacedGrantEndsThoughItsCredentialIsForgottenBeforeThatWasNoted(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			landed := m.consent("crm", nil, zohotest.Consent{})
			count := m.dying(nth)
			_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
			reached = count() >= nth
			m.reborn()
			m.endOrphans() // only the dead process knew it
			m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
			m.nothingLeft(fmt.Sprintf("crash at %d, and forgotten", nth))
			if n := len(m.zoho.RefreshTokens()); n != 1 {
				t.Errorf("crash at %d, and forgotten: %d grants live; only the last one was to be left alone", nth, n)
			}
			m.endAll()
		})
	}
}

func TestDeleteThatFailedDoesNotDecideForTheNext(t *testing.T) {
	for how, fail := range failures() {
		for nth, reached := 1, true; reached; nth++ {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				count := fail(m, nth)
				_, err := m.try(logical.DeleteOperation, "creds/crm", nil)
				reached = count() >= nth
				m.storage.working()
				if _, exists := m.storage.contents(t)["creds/crm"]; err == nil || !exists {
					return // deleted after all
				}
				m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
				m.nothingLeft(how)
				if n := len(m.zoho.RefreshTokens()); n != 1 {
					t.Errorf("%s at %d: the grant that was to be forgotten only is revoked", how, nth)
				}
				m.endAll()
			})
		}
	}
}

func TestDeleteThatFailedEndsNoGrantEarly(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		m.storage.failing("delete", "creds/crm")
		m.refused(logical.DeleteOperation, "creds/crm", nil, 500)
		m.storage.working()
		m.connect("crm")
		m.outlives(held)
	})
}

func TestRotationThatFailsOnTheWayForgetsNoHolder(t *testing.T) {
	t.Parallel()
	for how, fail := range failures() {
		for nth, reached := 1, true; reached; nth += stride {
			for range 2 { // whose turn comes first is chance
				inBubble(t, func(t *testing.T, m *mount) {
					m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
					m.configure(nil)
					m.connect("crm")
					names := []string{"crm", "second", "third"}
					for _, name := range names[1:] {
						m.write("creds/"+name, data{"refresh_token": m.grant()})
					}
					passes(61 * time.Minute)
					count := fail(m, nth)
					_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
					synctest.Wait()
					reached = count() >= nth
					m.storage.working()
					when := fmt.Sprintf("%s at %d", how, nth)
					for range 2 {
						if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err != nil {
							passes(2 * time.Minute)
						}
					}
					for i, name := range names {
						for _, left := range names[i:] {
							resp, err := m.try(logical.ReadOperation, "creds/"+left, data{"max_age": "1h"})
							if err != nil {
								t.Errorf("%s: then %s is not readable: %v", when, left, err)
							} else if !m.zoho.Alive(resp.Data["access_token"].(string)) {
								t.Errorf("%s: then a dead token of %s is handed out", when, left)
							}
						}
						m.delete("creds/" + name)
					}
					m.nothingLeft(when)
					if n := len(m.zoho.RefreshTokens()); n != 0 {
						t.Errorf("%s: %d grants live on", when, n)
					}
				})
			}
		}
	}
}

func TestScopesAreAddedThoughTheRefreshTokenIsReplacedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
		passes(time.Minute)
		m.token("crm")
		m.write("creds/crm", data{"callback_url": landed})
		if granted := fmt.Sprint(m.read("status/crm")["granted_scopes"]); !strings.Contains(granted, "ZohoCRM.users.READ") {
			t.Errorf("the scopes were not added: %s", granted)
		}
		m.token("crm")
		m.delete("creds/crm")
		m.settled(0)
	})
}

func TestImportThatCouldNotBeStoredLosesNoTokenThatZohoReplacedMeanwhile(t *testing.T) {
	for how, fail := range failures() {
		for nth, reached := 1, true; reached; nth += stride {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("elsewhere")
				token := m.grant()
				m.do(logical.DeleteOperation, "creds/elsewhere", data{"revoke": false})
				m.nothingLeft("forgotten")
				m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
				count := fail(m, nth)
				_, err := m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": token})
				reached = count() >= nth
				m.storage.working()
				m.tick()
				when := fmt.Sprintf("%s at %d", how, nth)
				if err != nil {
					passes(10 * time.Minute)
					m.tick()
					_, err = m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": token})
				}
				if err == nil {
					m.token("crm")
				} // otherwise what took the place of the token is revoked
				m.delete("creds/crm")
				m.nothingLeft(when)
				if n := len(m.zoho.RefreshTokens()); n != 0 {
					t.Errorf("%s: %d grants live on", when, n)
				}
				m.endAll()
			})
		}
	}
}

func TestSweepForgetsNoTokenThatCouldNotBeStored(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret, "max_age": "30m"})
		for _, name := range []string{"crm", "other"} { // one grant of this client's for both
			m.write("creds/"+name, data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		}
		m.delete("creds/other")
		passes(2 * time.Hour)
		place := false
		fail := func(op, key string) error {
			if op != "put" || !strings.HasPrefix(key, "token/") {
				return nil
			}
			if !place {
				place = true
				return nil
			}
			return errDisk
		}
		m.storage.before.Store(&fail)
		if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err == nil {
			t.Fatal("a token is handed out that is not stored")
		}
		m.storage.working()
		m.minute()
		synctest.Wait()
		minted := m.zoho.Counts().ClientCredentials
		m.token("crm")
		if m.zoho.Counts().ClientCredentials != minted {
			t.Error("the sweep forgot a token, and another one was minted")
		}
	})
}

func TestUnmountStoresWhatIsOwedOrTakesItBack(t *testing.T) {
	for which, back := range map[string]func(m *mount){
		"storage": func(m *mount) { m.storage.working() },
		"Zoho":    func(m *mount) { m.zoho.ClearFaults() },
	} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.owes()
			back(m)
			lines := m.logged(m.restart) // before the next minute
			if strings.Contains(strings.Join(lines, ""), "the mount ends too early") {
				t.Errorf("%s works again, and an operator is told %q", which, lines)
			}
			m.storage.working()
			m.zoho.ClearFaults()
			m.settled(0)
		})
	}
}

// Nobody can come to use it any more: the next process knows the refresh token that it
// replaced, and no other.
func TestUnmountTakesBackAReplacementThatStorageDoesNotTake(t *testing.T) {
	for _, away := range []bool{false, true} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
			m.configure(nil)
			m.connect("crm")
			passes(61 * time.Minute)
			m.storage.failing("put", "due/")
			if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err == nil {
				t.Fatal("a token is handed out whose grant is not stored")
			}
			m.tick() // while the process lives somebody may use it
			if n := len(m.zoho.RefreshTokens()); n != 1 {
				t.Errorf("%d grants live before the unmount", n)
			}
			if away {
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
			}
			said := strings.Contains(strings.Join(m.logged(m.restart), ""), "the mount ends too early")
			m.storage.working()
			if left := len(m.zoho.RefreshTokens()) > 0; left != away || said != left {
				t.Errorf("Zoho is away: %v; a grant is left that no process knows: %v; an operator is told: %v", away, left, said)
			}
			m.endAll()
		})
	}
}

func TestOneConsentThatCannotBeReadKeepsNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "pending/a", Value: []byte(`{"version":99}`)}); err != nil {
			t.Fatal(err)
		}
		m.write("authorize/b", nil)
		for range 4 {
			passes(2 * 24 * time.Hour)
			m.tick()
		}
		stored := m.storage.contents(t)
		if _, left := stored["pending/b"]; left {
			t.Error("an expired consent stays since another one cannot be read")
		}
		if _, left := stored["pending/a"]; !left {
			t.Error("what a newer release stored is gone")
		}
	})
}

func TestWhatIsKnownOfAUserEndsWithTheirGrantsThoughTheProcessDied(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
			m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
			code := m.selfCode()
			count := m.dying(nth)
			_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"code": code})
			reached = count() >= nth
			m.reborn()
			m.endOrphans()
			passes(10 * time.Minute)
			m.tick()
			m.delete("creds/crm")
			m.nothingLeft(fmt.Sprintf("crash at %d", nth))
		})
	}
}

func TestTokenOfAGrantThatIsReplacedAtOnceLivesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret, "max_age": "50m"})
		m.write("creds/crm", data{"code": m.selfCode()})
		first, second := data{"code": m.selfCode()}, data{"code": m.selfCode()}
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/crm", second) })
		synctest.Wait()
		release := m.storage.blocking("put", "token/")
		others.Go(func() { m.write("creds/crm", first) })
		synctest.Wait()
		var held string
		others.Go(func() { held = m.read("creds/crm")["access_token"].(string) }) // of the first, as soon as it is stored
		passes(6 * time.Second)
		release()
		others.Wait()
		m.outlives(held)
		m.delete("creds/crm")
		m.nothingLeft("replaced at once")
	})
}

func TestTokenThatIsNotStoredYetIsKilledByNoSweep(t *testing.T) {
	for _, op := range []string{"get", "put"} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(data{"max_age": "50m"})
			landed := m.consent("crm", nil, zohotest.Consent{})
			release := m.storage.blocking(op, "token/")
			var others sync.WaitGroup
			others.Go(func() { m.write("creds/crm", data{"callback_url": landed}) })
			synctest.Wait()
			var held string
			others.Go(func() { held = m.read("creds/crm")["access_token"].(string) })
			synctest.Wait()
			m.storage.before.Store(nil) // for whoever comes next
			m.connect("crm")
			m.tick()
			release()
			others.Wait()
			if !m.zoho.Alive(held) {
				t.Errorf("a token was handed out and killed, while storage hung at its %s", op)
			}
			m.settled(1)
		})
	}
}

func TestImportOfItsOwnGrantGoesOnWithTheTokenThatZohoReplacedItBy(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(nil)
		m.connect("crm")
		m.write("creds/crm", data{"refresh_token": m.grant()})
		m.token("crm")
		if resp := m.do(logical.ReadOperation, "creds/crm", nil); len(resp.Warnings) != 0 {
			t.Errorf("the credential goes on with the token that was replaced: %q", resp.Warnings)
		}
		m.settled(1)
		m.token("crm")
		m.delete("creds/crm")
		m.nothingLeft("imported its own")
	})
}

func TestCrashWhileZohoReplacesTheRefreshTokenLosesNoCredential(t *testing.T) {
	for nth, reached := 1, true; reached; nth += stride {
		inBubble(t, func(t *testing.T, m *mount) {
			m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
			m.configure(nil)
			m.connect("crm")
			m.write("creds/second", data{"refresh_token": m.grant()})
			passes(61 * time.Minute)
			count := m.dying(nth)
			_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
			synctest.Wait()
			reached = count() >= nth
			m.reborn()
			when := fmt.Sprintf("crash at %d", nth)
			if len(m.zoho.Orphans(m.storage.refreshTokens(t)...)) > 0 {
				m.endOrphans() // only the dead process knew what Zoho had given
				return
			}
			m.tick()
			passes(time.Minute)
			m.tick()
			for _, name := range []string{"crm", "second", "crm"} {
				if resp, err := m.try(logical.ReadOperation, "creds/"+name, nil); err != nil {
					t.Errorf("%s: then %s is not readable: %v", when, name, err)
				} else if !m.zoho.Alive(resp.Data["access_token"].(string)) {
					t.Errorf("%s: then a dead token of %s is handed out", when, name)
				}
			}
			m.settled(1)
			for _, name := range []string{"crm", "second"} {
				m.delete("creds/" + name)
			}
			m.nothingLeft(when)
		})
	}
}

// replacedForOne has Zoho replace the refresh token of two credentials, and the process die
// when one of them points to the new one.
func (m *mount) replacedForOne() (ahead, behind string) {
	m.t.Helper()
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
	m.configure(nil)
	m.connect("crm")
	m.write("creds/second", data{"refresh_token": m.grant()})
	passes(61 * time.Minute)
	pointed := func(op, key string) error {
		if name, credential := strings.CutPrefix(key, "creds/"); credential && op == "put" && ahead == "" {
			ahead = name
			m.dying(1)
		}
		return nil
	}
	m.storage.after.Store(&pointed)
	_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
	synctest.Wait()
	m.reborn()
	return ahead, map[string]string{"crm": "second", "second": "crm"}[ahead]
}

func TestRefreshTokenIsReplacedAgainThoughNotAllHaveTheFirstReplacement(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		ahead, behind := m.replacedForOne()
		passes(61 * time.Minute)
		for _, name := range []string{ahead, behind, ahead} {
			m.token(name)
		}
	})
}

// What was replaced is dead: who still points to it must not wait until a crash is certain.
func TestReplacementReachesAllAtOnceAfterACrash(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.replacedForOne()
		m.tick()
		m.tick()
		for key, value := range m.storage.contents(t) {
			if strings.HasPrefix(key, "due/") && strings.Contains(value, `"doubt"`) {
				t.Errorf("%s is in doubt still", key)
			}
		}
	})
}

func TestRefreshTokenThatZohoGivesAgainIsKeptThoughTheProcessDies(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("first")
		landed := m.consent("crm", nil, zohotest.Consent{})
		again := fmt.Sprintf(`{"access_token":"1000.again","refresh_token":%q,"scope":"ZohoCRM.modules.ALL","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`, m.grant())
		m.wire.fixed.Store(&again)
		m.pointsAndDies("crm", landed)
		m.wire.fixed.Store(nil)
		m.reborn()
		passes(6 * time.Minute)
		m.tick()
		m.delete("creds/first")
		m.hours()
		m.token("crm")
	})
}

func TestRefreshTokenIsReplacedAgainThoughAnImportOfItDied(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(nil)
		m.connect("crm")
		passes(61 * time.Minute)
		m.token("crm")
		noted := func(op, key string) error {
			if op == "put" && strings.HasPrefix(key, "due/") {
				m.dying(1)
			}
			return nil
		}
		m.storage.after.Store(&noted)
		_, _ = m.try(logical.UpdateOperation, "creds/other", data{"refresh_token": m.grant()})
		m.reborn()
		passes(61 * time.Minute)
		m.token("crm")
		m.delete("creds/crm")
		m.nothingLeft("an import died")
	})
}

func TestFormat1sPromiseToRevokeIsKeptThoughAnImportIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.nothingLeft("forgotten")
		c, server := m.zoho.DefaultClient(), m.zoho.AccountsURL("us")
		id := zoho.Fingerprint(server, c.ID, token)
		note := fmt.Sprintf(`{"version":1,"name":"crm","grant_id":%q,"refresh_token":%q,"client_id":%q,"accounts_url":%q,"data_center":"us","revoke":true,"retired":"2000-01-01T00:00:00Z"}`, id, token, c.ID, server)
		if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "retired/" + id, Value: []byte(note)}); err != nil {
			t.Fatal(err)
		}
		m.restart()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/other", data{"refresh_token": token}) })
		synctest.Wait()
		m.initialize()
		m.delete("creds/other")
		others.Wait()
		m.settled(0)
		m.nothingLeft("forwarded")
	})
}

func TestFormat1IsMovedForwardThoughOneCredentialCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		storedBy(t, m, "format1")
		if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "creds/a", Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		m.initialize()
		if m.read("status/crm")["retired_grants"] != 1 {
			t.Error("one that is damaged holds up the others")
		}
		stored := m.storage.contents(t)
		if stored["creds/a"] != "{" || stored["ledger"] != "" {
			t.Error("it is said to be moved forward")
		}
		m.backend.Cleanup(context.Background())
	})
}

// request is one thing that is asked of a mount; without an operation it is the minute
// that comes round.
type request struct {
	op   logical.Operation
	path string
	d    data
}

// occurrence prepares a request, and tells what may become of crm by it.
type occurrence struct {
	prepare func(m *mount) request
	deletes bool
	// forgets: a grant may be left alone at Zoho on purpose.
	forgets bool
}

func asks(op logical.Operation, path string, d data) occurrence {
	return occurrence{prepare: func(*mount) request { return request{op, path, d} }}
}

func writes(path string, d func(m *mount) data) occurrence {
	return occurrence{prepare: func(m *mount) request { return request{logical.UpdateOperation, path, d(m)} }}
}

// brings imports the nth grant that lives at Zoho.
func brings(path string, nth int) occurrence {
	return writes(path, func(m *mount) data { return data{"refresh_token": m.zoho.RefreshTokens()[nth].Token} })
}

// lands writes what the browser landed on after a consent.
func lands(started data) occurrence {
	return writes("creds/crm", func(m *mount) data {
		return data{"callback_url": m.consent("crm", started, zohotest.Consent{})}
	})
}

// world is a mount with two credentials, one of which had another grant before, and
// what may happen to it.
type world struct {
	begin func(m *mount)
	what  map[string]occurrence
}

func worlds() map[string]world {
	common := func(more map[string]occurrence) map[string]occurrence {
		deleting, forgetting := asks(logical.DeleteOperation, "creds/crm", nil), asks(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		deleting.deletes, forgetting.deletes, forgetting.forgets = true, true, true
		forgettingOther := asks(logical.DeleteOperation, "creds/other", data{"revoke": false})
		forgettingOther.forgets = true
		all := map[string]occurrence{
			"settings":                    asks(logical.UpdateOperation, "creds/crm", data{"max_age": "20m"}),
			"importing":                   brings("creds/crm", 1),
			"importing its own":           brings("creds/crm", 2),
			"importing a retired one":     brings("creds/crm", 0),
			"importing its own elsewhere": brings("creds/other", 2),
			"importing a retired one too": brings("creds/other", 0),
			"deleting":                    deleting,
			"forgetting":                  forgetting,
			"deleting the other":          asks(logical.DeleteOperation, "creds/other", nil),
			"forgetting the other":        forgettingOther,
			"revoking":                    asks(logical.UpdateOperation, "revoke/crm", nil),
			"revoking all":                asks(logical.UpdateOperation, "revoke", nil),
			"reading":                     asks(logical.ReadOperation, "creds/crm", nil),
			"sweeping":                    asks("", "", nil),
			"deleting config":             asks(logical.DeleteOperation, "config", nil),
			"probing":                     asks(logical.UpdateOperation, "status/crm", data{"probe": true}),
		}
		for name, o := range more {
			all[name] = o
		}
		return all
	}
	return map[string]world{
		"self": {
			begin: func(m *mount) {
				self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
				m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
				for _, name := range []string{"crm", "other", "crm"} {
					m.write("creds/"+name, data{"code": m.selfCode()})
				}
			},
			what: common(map[string]occurrence{
				"connecting": writes("creds/crm", func(m *mount) data { return data{"code": m.selfCode()} }),
				"client credentials": writes("creds/crm", func(m *mount) data {
					return data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID}
				}),
				"other client credentials": writes("creds/other", func(m *mount) data {
					return data{"grant_type": "client_credentials", "scopes": "ZohoCRM.users.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID}
				}),
			}),
		},
		"browser": {
			begin: func(m *mount) {
				m.configure(data{"scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ"})
				for _, name := range []string{"crm", "other", "crm"} {
					m.connect(name)
				}
			},
			what: common(map[string]occurrence{
				"consenting": lands(nil),
				"adding scopes": writes("creds/crm", func(m *mount) data {
					return data{"callback_url": m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})}
				}),
				"starting consent": asks(logical.UpdateOperation, "authorize/crm", nil),
			}),
		},
		"device": {
			begin: func(m *mount) {
				device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
				m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ", "max_age": "20m"})
				for _, name := range []string{"crm", "other", "crm"} {
					if err := m.zoho.ApproveDevice(m.start(name), zohotest.Consent{}); err != nil {
						m.t.Fatal(err)
					}
					passes(31 * time.Second)
					_, _ = m.try(logical.ReadOperation, "creds/"+name, nil)
					synctest.Wait()
				}
			},
			what: common(map[string]occurrence{
				"accepting": {prepare: func(m *mount) request {
					if err := m.zoho.ApproveDevice(m.start("crm"), zohotest.Consent{}); err != nil {
						m.t.Fatal(err)
					}
					passes(31 * time.Second)
					return request{logical.ReadOperation, "creds/crm", nil}
				}},
				"starting": asks(logical.UpdateOperation, "authorize/crm", data{"flow": "device"}),
			}),
		},
		"rotating": {
			begin: func(m *mount) {
				m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
				self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
				m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
				for _, name := range []string{"crm", "other", "crm"} {
					m.write("creds/"+name, data{"code": m.selfCode()})
				}
			},
			what: common(map[string]occurrence{
				"connecting":        writes("creds/crm", func(m *mount) data { return data{"code": m.selfCode()} }),
				"reading the other": asks(logical.ReadOperation, "creds/other", nil),
			}),
		},
	}
}

// troubles come to a mount at the second of two requests' nth storage operation, while
// the first one hangs. ends is what is done when both have come to an end.
var troubles = map[string]struct {
	before, after func(p *pair) error
	ends          func(m *mount)
}{
	"storage fails":        {before: func(*pair) error { return errDisk }},
	"storage fails to say": {after: func(*pair) error { return errDisk }},
	"the caller leaves":    {before: func(p *pair) error { p.leave(); return nil }},
	"the process dies": {
		before: func(p *pair) error { p.m.wire.dead.Store(true); p.lost.Store(true); return errDisk },
		ends: func(m *mount) {
			m.wire.dead.Store(false)
			m.restart()
			m.endOrphans() // a grant that the dead process alone knew
		},
	},
	"another process takes over": {
		before: func(p *pair) error { p.lost.Store(true); return errDisk },
		ends:   func(m *mount) { m.backend = m.another() },
	},
}

// pair is two requests, each with its own way to the mount's storage.
type pair struct {
	m             *mount
	first, second storage
	// lost: storage is lost to both.
	lost  atomic.Bool
	leave context.CancelFunc
}

// ask makes a request by its own way to storage, whatever comes of it.
func (p *pair) ask(ctx context.Context, s *storage, r request) {
	op := r.op
	if op == "" {
		op = logical.RollbackOperation
	}
	_, _ = p.m.backend.HandleRequest(ctx, &logical.Request{Operation: op, Path: r.path, Storage: s, Data: r.d, MountPoint: "zoho/"})
}

// run has the first request hang at its hangs'th storage operation, while the second
// meets trouble at its fails'th. It reports how far both came.
func (p *pair) run(first, second request, trouble string, hangs, fails int) (hung, failed bool) {
	t := troubles[trouble]
	var n, o atomic.Int64
	open := make(chan struct{})
	gone := func() error {
		if p.lost.Load() {
			return errDisk
		}
		return nil
	}
	hang := func(op, key string) error {
		if n.Add(1) == int64(hangs) {
			<-open
		}
		return gone()
	}
	fail := func(op, key string) error {
		if o.Add(1) == int64(fails) && t.before != nil {
			return t.before(p)
		}
		return gone()
	}
	p.first.Storage, p.second.Storage = p.m.storage.Storage, p.m.storage.Storage
	p.first.before.Store(&hang)
	p.second.before.Store(&fail)
	if t.after != nil {
		done := func(op, key string) error {
			if o.Load() == int64(fails) {
				return t.after(p)
			}
			return nil
		}
		p.second.after.Store(&done)
	}
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	p.leave = leave
	var work sync.WaitGroup
	work.Go(func() { p.ask(context.Background(), &p.first, first) })
	synctest.Wait()
	work.Go(func() { p.ask(ctx, &p.second, second) })
	synctest.Wait()
	passes(time.Second)
	close(open)
	work.Wait()
	synctest.Wait()
	if t.ends != nil {
		t.ends(p.m)
	}
	p.first.working()
	p.second.working()
	return n.Load() >= int64(hangs), o.Load() >= int64(fails)
}

// inOrder is consistent, but that grants may be left alone at Zoho on purpose.
func (m *mount) inOrder(when string, a, b occurrence) {
	m.t.Helper()
	forgotten := 0
	for _, o := range []occurrence{a, b} {
		if o.forgets {
			forgotten++
		}
	}
	if forgotten > 0 {
		m.hours()
		used := fmt.Sprint(m.storage.contents(m.t))
		for _, rt := range m.zoho.RefreshTokens() {
			if !strings.Contains(used, rt.Token) {
				if forgotten--; forgotten < 0 {
					m.t.Errorf("%s: then a grant lives at Zoho that nobody was to leave alone", when)
				}
				m.zoho.RevokeRefreshToken(rt.Token)
			}
		}
	}
	m.consistent(when, a.deletes || b.deletes)
}

// scene has one thing hang while another meets trouble, and checks what is left in the
// end.
func scene(t *testing.T, w world, hanging, running, trouble string, hangs, fails int) (hung, failed bool) {
	t.Helper()
	inBubble(t, func(t *testing.T, m *mount) {
		w.begin(m)
		passes(2 * time.Hour) // the first grant is due for revocation
		a, b := w.what[hanging], w.what[running]
		first, second := a.prepare(m), b.prepare(m)
		hung, failed = (&pair{m: m}).run(first, second, trouble, hangs, fails)
		m.inOrder(fmt.Sprintf("%s hangs at step %d, %s at step %d of %s", hanging, hangs, trouble, fails, running), a, b)
	})
	return hung, failed
}

func TestTroubleWhileSomethingElseHangs(t *testing.T) {
	// Not every step of every two: one of each, drawn once and for all.
	draw, drawn := rand.New(rand.NewPCG(1, 2)), 0
	for _, name := range slices.Sorted(maps.Keys(worlds())) {
		w := worlds()[name]
		for _, hanging := range slices.Sorted(maps.Keys(w.what)) {
			for _, running := range slices.Sorted(maps.Keys(w.what)) {
				possible := slices.Sorted(maps.Keys(troubles))
				if name == "rotating" { // what Zoho made of a token, a dead process alone may have known
					possible = slices.DeleteFunc(possible, func(trouble string) bool { return troubles[trouble].ends != nil })
				}
				trouble, hangs, fails := possible[draw.IntN(len(possible))], 1+draw.IntN(35), 1+draw.IntN(30)
				if drawn++; drawn%stride > 0 {
					continue
				}
				t.Run(name+"/"+hanging+"/"+running, func(t *testing.T) {
					t.Parallel()
					scene(t, w, hanging, running, trouble, hangs, fails)
				})
			}
		}
	}
}

func TestProcessThatDiesWhileACredentialChangesHandsTwiceLeavesNoHolder(t *testing.T) {
	t.Parallel()
	w := worlds()["self"]
	for hangs, hung := 1, true; hung; hangs += 2 * stride {
		failed := true
		for fails := 1; failed; fails += stride {
			hung, failed = scene(t, w, "importing a retired one", "connecting", "the process dies", hangs, fails)
		}
	}
}
