// Who ends a grant, and who must not? What one request notes, no other takes away.

package backend_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestExchangeThatTimesOutDoesNotKeepAReplacedGrantAlive(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		first := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": first}) })
		synctest.Wait()
		m.connect("crm")
		others.Wait()
		m.settled(1)
		m.token("crm")
	})
}

func TestDevicePollThatTimesOutDoesNotKeepAReplacedGrantAlive(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		approve := func(code string) {
			if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
				t.Fatal(err)
			}
			passes(31 * time.Second)
			m.token("crm")
			synctest.Wait() // asked in the background, where there is a good credential
		}
		approve(m.device("crm"))
		m.write("config", data{"request_timeout": "1m"})
		code := m.start("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "device", Times: 1})
		approve(code)
		approve(m.start("crm"))
		passes(2 * time.Minute)
		m.settled(1)
		m.token("crm")
	})
}

// start starts a device consent and returns what the person types.
func (m *mount) start(name string) string {
	m.t.Helper()
	return m.write("authorize/"+name, data{"flow": "device"}).Data["user_code"].(string)
}

func TestFailingReconnectDoesNotStopARevocationThatADeletePromised(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "token", Times: 1})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		var others sync.WaitGroup
		others.Go(func() { m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400) })
		synctest.Wait()
		if resp := m.delete("creds/crm"); resp == nil || len(resp.Warnings) == 0 {
			t.Fatal("the delete does not say that revocation is retried")
		}
		others.Wait()
		m.zoho.ClearFaults()
		m.settled(0)
	})
}

func TestAddedScopesEndNoOtherConsentAndTouchNoOtherGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "withdrawn or replaced while Zoho was asked")
		})
		synctest.Wait()
		second := m.consent("crm", nil, zohotest.Consent{})
		others.Wait()
		m.write("creds/crm", data{"callback_url": second})
		m.token("crm")

		landed = m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		others.Go(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "no longer has", "add_scopes")
		})
		synctest.Wait()
		m.connect("crm")
		others.Wait()
		if granted := fmt.Sprint(m.read("status/crm")["granted_scopes"]); strings.Contains(granted, "ZohoCRM.users.READ") {
			t.Errorf("another grant's scopes are %s", granted)
		}
	})
}

func TestSettingsOfACredentialThatConfigNoLongerFitsAreStoredAndToldSo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("config", data{"client_id": "1000.ANOTHER", "client_secret": "another", "verify": false})
		resp := m.write("creds/crm", data{"disabled": true})
		if resp.Data["disabled"] != true || len(resp.Warnings) == 0 {
			t.Errorf("got %v %q", resp.Data, resp.Warnings)
		}
		m.configure(nil)
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "disabled")
	})
}

func TestConsentCostsTheSameHoweverManyCredentialsThereAre(t *testing.T) {
	nothingAtOnce(t)
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
		m.configure(data{"scopes": profileScopes})
		cost := func(name string) (authorize, finish int64) {
			m.restart()
			m.read("datacenters/eu")
			n := m.storage.operations.Load()
			landed := m.consent(name, nil, zohotest.Consent{})
			authorize = m.storage.operations.Load() - n
			m.write("creds/"+name, data{"callback_url": landed})
			return authorize, m.storage.operations.Load() - n - authorize
		}
		few1, few2 := cost("first")
		for i := range 300 {
			m.connect(fmt.Sprintf("c%d", i))
		}
		many1, many2 := cost("last")
		if many1 > few1 || many2 > few2 {
			t.Errorf("a consent costs %d and %d storage operations among few, %d and %d among 300", few1, few2, many1, many2)
		}
		resp := m.write("authorize/c7", nil)
		if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "Zoho keeps 20") {
			t.Errorf("nobody is warned: %q", resp.Warnings)
		}
	})
}

func TestAuthorityIsNotChangedWithoutTheSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		server := httptest.NewUnstartedServer(nil)
		server.StartTLS()
		defer server.Close()
		authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
		m.refused(logical.UpdateOperation, "config", data{"ca_pem": authority}, 400, "ca_pem", "client_secret again")
		m.write("config", data{"ca_pem": authority, "client_secret": m.zoho.DefaultClient().Secret, "verify": false})
	})
}

func TestGrantWhoseServerIsGoneForEverCanBeForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		m.delete("creds/crm")
		passes(2 * time.Hour)
		m.tick()
		m.storage.failing("put", "due/")
		m.refused(logical.DeleteOperation, "creds/crm", data{"revoke": false}, 500)
		m.storage.working()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		passes(2 * time.Hour)
		m.tick()
		if keys := fmt.Sprint(m.storage.keys(t)); keys != "[config]" {
			t.Errorf("left are %s", keys)
		}
		m.zoho.RevokeRefreshToken(m.grant())
	})
}

func TestWhatZohoDidNotRevokeOfReplacedGrantsIsTriedAgainThoughTokensLive(t *testing.T) {
	for what, end := range map[string]func(m *mount){
		"deleting": func(m *mount) { m.delete("creds/crm") },
		"revoking": func(m *mount) { _, _ = m.try(logical.UpdateOperation, "revoke/crm", nil) },
	} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			former, held := m.grant(), m.token("crm")
			m.connect("crm")
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
			end(m)
			m.zoho.ClearFaults()
			passes(2 * time.Minute)
			m.tick()
			if m.lives(former) {
				t.Errorf("%s: minutes after Zoho came back the grant lives on", what)
			}
			if m.zoho.Alive(held) {
				t.Errorf("%s: minutes after Zoho came back a token lives on", what)
			}
		})
	}
}

// leftToOwner has crm replace a grant that another credential then leaves to its owner.
func (m *mount) leftToOwner() (refreshToken string) {
	m.t.Helper()
	m.connect("crm")
	refreshToken = m.grant()
	m.write("creds/other", data{"refresh_token": refreshToken})
	m.connect("crm")
	m.do(logical.DeleteOperation, "creds/other", data{"revoke": false})
	return refreshToken
}

func TestGrantThatWasLeftToItsOwnerIsRevokedByNoReconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		left := m.leftToOwner()
		m.connect("crm")
		m.hours()
		if !m.lives(left) {
			t.Error("it is revoked")
		}
		m.endAll()
	})
}

// outlives checks that a token that apps hold outlives all that is due in the first ten
// minutes after a reconnect, and that one grant is left in the end.
func (m *mount) outlives(held string) {
	m.t.Helper()
	for range 10 {
		passes(time.Minute)
		m.tick()
	}
	if !m.zoho.Alive(held) {
		m.t.Error("a token that apps hold was killed by a reconnect")
	}
	m.settled(1)
}

func TestGrantThatAnImportSavedIsAsGoodAsAnyOther(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.write("creds/other", data{"refresh_token": token})
		held := m.token("other")
		m.connect("other")
		m.outlives(held)
	})
}

// Who deleted last is who may want it after all.
func TestGrantThatTwoHadIsLeftToItsOwnerByWhoDeletedIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("creds/other", data{"refresh_token": m.grant()})
		m.connect("crm")
		m.connect("other")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.delete("creds/crm")
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.zoho.ClearFaults()
		m.settled(3)
		m.endAll()
	})
}

func TestDeleteOfANameThatImportsAGrantEndsTheImportAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		token := m.elsewhere()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": token}) })
		synctest.Wait()
		if resp := m.delete("creds/crm"); resp != nil {
			t.Errorf("the delete says %q", resp.Warnings)
		}
		others.Wait()
		m.nothingLeft("an import was deleted")
		m.settled(1)
		m.endAll()
	})
}

func TestWhatACrashLeftInTwoPlacesIsTidiedUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		want := m.storage.keys(t)
		m.leftInTwoPlaces()
		m.restart()
		m.tick()
		if now := m.storage.keys(t); !slices.Equal(now, want) {
			t.Errorf("stored are %v; want %v", now, want)
		}
	})
}

func TestRevokingReachesTheTokensOfAGrantThatAnotherLeftToItsOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		left := m.leftToOwner()
		m.write("revoke/crm", nil)
		if n := len(m.zoho.AccessTokens(left)); n > 0 {
			t.Errorf("%d tokens of what crm had live on", n)
		}
	})
}

func TestCredentialThatVanishedFromStorageKeepsNobodyFromDeletingAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("creds/other", data{"refresh_token": m.grant()})
		m.connect("other")
		if err := m.storage.Delete(context.Background(), "creds/crm"); err != nil {
			t.Fatal(err)
		}
		m.restart()
		m.delete("creds/other")
		m.settled(1) // of the one that vanished, which may come back
	})
}

func TestDeleteOfAGrantThatIsBeingRevokedAlreadyEndsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.withoutLedger()
		m.restart()
		m.write("creds/other", data{"refresh_token": m.grant()}) // nothing tells that crm has it
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.delete("creds/other")
		m.zoho.ClearFaults()
		if resp := m.delete("creds/crm"); resp != nil {
			t.Errorf("the delete says %q", resp.Warnings)
		}
		if n := len(m.zoho.RefreshTokens()); n != 0 {
			t.Errorf("%d grants live on", n)
		}
	})
}

func TestGrantThatIsForgottenByOrderKeepsItsBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		mint := func(name string) {
			for range 10 {
				_, _ = m.try(logical.ReadOperation, "creds/"+name, data{"min_ttl": "59m50s"})
				passes(11 * time.Second)
			}
		}
		mint("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		m.delete("creds/crm")
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		_, _ = m.try(logical.UpdateOperation, "creds/again", data{"refresh_token": token})
		mint("again") // Zoho's throttle would trip
		m.zoho.ClearFaults()
		m.endAll()
	})
}

func TestDeleteMayBeTurnedIntoForgettingAtAnyStep(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			m.token("crm")
			var resp *logical.Response
			reached = m.hangs(nth,
				func() { resp = m.delete("creds/crm") },
				func() {
					_, err := m.try(logical.DeleteOperation, "creds/crm", data{"revoke": false})
					if err != nil && !strings.Contains(err.Error(), "being revoked right now") {
						t.Errorf("at step %d forgetting is refused: %v", nth, err)
					}
				})
			if resp != nil && strings.Contains(fmt.Sprint(resp.Warnings), "another credential") {
				t.Errorf("at step %d it says %q", nth, resp.Warnings)
			}
			m.endAll()
		})
	}
}

func TestGrantThatIsBeingRevokedCannotBeImported(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 5 * time.Second, Endpoint: "revoke"})
		var others sync.WaitGroup
		others.Go(func() { m.delete("creds/crm") })
		synctest.Wait()
		m.refused(logical.UpdateOperation, "creds/other", data{"refresh_token": token}, 400, "being revoked")
		others.Wait()
		m.zoho.ClearFaults()
		m.settled(0)
	})
}

func TestSecretOfAnotherClientIsNotSentToRevoke(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("books")
		m.token("books")
		m.write("config", data{"client_id": "1000.ANOTHER", "client_secret": "anothersecret", "verify": false})
		m.tap(func(r *http.Request, _ string) (int, string) {
			if _, secret, sent := r.BasicAuth(); sent {
				t.Errorf("%s was sent a secret, %.8s...", r.URL.Path, secret)
			}
			return 0, ""
		})
		m.write("revoke/books", nil)
		m.delete("creds/crm")
		m.delete("creds/books")
		m.settled(0)
	})
}

func TestGrantThatIsBeingForgottenCanBeImportedAtAnyStep(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			token := m.grant()
			m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
			passes(2 * time.Hour)
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
			// The sweep has read what it acts on when the import begins.
			reached = m.hangsAt(&m.storage.after, nth, m.minute, func() { m.write("creds/copy", data{"refresh_token": token}) })
			m.token("copy")
			passes(time.Hour)
			m.tick()
			m.token("copy")
			m.delete("creds/copy")
			m.settled(0)
		})
	}
}

func TestForgettingOneCredentialOfAClientForgetsNoBudgetOfTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		source := data{"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.ALL", "soid": "ZohoCRM." + m.zoho.User("us").OrgID}
		m.write("creds/a", source)
		m.write("creds/b", source)
		for range 10 {
			_, _ = m.try(logical.ReadOperation, "creds/b", data{"min_ttl": "59m50s"})
		}
		m.delete("creds/b")
		m.do(logical.DeleteOperation, "creds/b", data{"revoke": false})
		for range 10 {
			_, _ = m.try(logical.ReadOperation, "creds/a", data{"min_ttl": "59m50s"})
		}
	})
}

func TestRefreshTokenThatZohoGivesAgainIsTakenFromNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		landed := m.consent("second", nil, zohotest.Consent{})
		again := fmt.Sprintf(`{"access_token":"1000.again","refresh_token":%q,"scope":"ZohoCRM.modules.ALL","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`, token)
		m.wire.fixed.Store(&again)
		m.write("creds/second", data{"callback_url": landed})
		m.wire.fixed.Store(nil)
		m.delete("creds/second")
		m.tick()
		passes(61 * time.Minute)
		m.token("crm")
		m.delete("creds/crm")
		m.settled(0)
	})
}

func TestGrantThatZohoGivesAgainWorksThoughItWasForgottenJustNow(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.hours()
		landed := m.consent("crm", nil, zohotest.Consent{})
		again := fmt.Sprintf(`{"access_token":"1000.again","refresh_token":%q,"scope":"ZohoCRM.modules.ALL","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`, token)
		m.wire.fixed.Store(&again)
		m.write("creds/crm", data{"callback_url": landed})
		m.wire.fixed.Store(nil)
		passes(61 * time.Minute)
		m.token("crm")
		m.delete("creds/crm")
		m.settled(0)
	})
}

func TestGrantThatIsGoneIsNotOnItsWayOutAgainAfterAReconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("crm")
		m.hours()
		m.connect("crm")
		if s := m.read("status/crm"); s["retired_grants"] != 1 {
			t.Errorf("status tells of %v grants that end; the first of two has ended", s["retired_grants"])
		}
	})
}

func TestWhatIsKnownOfAClientGoesWhenOnlyGrantsAreUsedAnyMore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		m.write("creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.ALL", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		m.token("crm")
		for _, key := range m.storage.keys(t) {
			if strings.HasPrefix(key, "grant/") {
				t.Errorf("who uses a client is noted at %s, a value that would grow with each", key)
			}
		}
		m.write("creds/crm", data{"code": m.selfCode()})
		m.delete("creds/crm")
		m.nothingLeft("a grant took the place of the client's own")
	})
}

func TestGrantThatZohoGivesAgainWorksThoughItWasToBeTakenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.owes()
		m.storage.working()
		landed := m.consent("crm", nil, zohotest.Consent{})
		again := fmt.Sprintf(`{"access_token":"1000.again","refresh_token":%q,"scope":"ZohoCRM.modules.ALL","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`, m.grant())
		m.wire.fixed.Store(&again)
		m.write("creds/crm", data{"callback_url": landed})
		m.wire.fixed.Store(nil)
		m.zoho.ClearFaults()
		m.hours()
		m.token("crm")
	})
}

func TestReplacedGrantThatAnotherCredentialUsesIsNotOnItsWayOut(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("creds/other", data{"refresh_token": m.grant()})
		m.connect("crm")
		if s := m.read("status/crm"); s["retired_grants"] != 0 || s["retired_tokens"] != 0 {
			t.Errorf("status tells of %v grants and %v tokens that end", s["retired_grants"], s["retired_tokens"])
		}
	})
}

func TestDeleteSaysSoWhenAnImportHasSavedItsGrant(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			token := m.grant()
			var resp *logical.Response
			reached = m.hangs(nth,
				func() { resp = m.delete("creds/crm") },
				func() { _, _ = m.try(logical.UpdateOperation, "creds/other", data{"refresh_token": token}) })
			if silent := resp == nil || len(resp.Warnings) == 0; silent && len(m.zoho.RefreshTokens()) > 0 {
				t.Errorf("the delete hangs at step %d: its grant lives on, and it says nothing", nth)
			}
			m.delete("creds/other")
		})
	}
}

// retire connects crm several times, so that all grants but the last are due to be revoked.
func (m *mount) retire(n int) {
	m.t.Helper()
	for range n + 1 {
		m.connect("crm")
	}
	passes(2 * time.Hour)
}

// leftInTwoPlaces makes storage what a crash leaves between moving a held grant and
// deleting it where it was.
func (m *mount) leftInTwoPlaces() {
	m.t.Helper()
	for key, value := range m.storage.contents(m.t) {
		if id, held := strings.CutPrefix(key, "grant/"); held {
			if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "due/" + id, Value: []byte(value)}); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

func TestSweepLeavesAServerAloneThatIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.retire(3)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.tick()
		m.tick()
		if n := m.zoho.Counts().RevokeCalls; n > 2 { // one may be made once more
			t.Errorf("%d calls for three grants in a moment, though the server is away", n)
		}
		m.connect("left")
		m.do(logical.DeleteOperation, "creds/left", data{"revoke": false}) // is forgotten in an hour, which says nothing of the server either
		for range 60 {
			passes(time.Minute)
			m.leftInTwoPlaces() // to tidy that up says nothing of the server
			m.tick()
		}
		if n := m.zoho.Counts().RevokeCalls; n > 20 {
			t.Errorf("%d calls in an hour, though the server is away", n)
		}
		m.zoho.ClearFaults()
		passes(time.Hour)
		m.tick()
		m.settled(2)
		// That it was away so long says nothing once it has answered.
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.delete("creds/crm")
		m.tick()
		m.zoho.ClearFaults()
		passes(time.Minute)
		m.tick()
		if n := len(m.zoho.RefreshTokens()); n != 1 {
			t.Errorf("a minute after a short absence %d grants live on, one of which was left", n)
		}
		m.endAll()
	})
}

func TestSweepThatZohoKeepsWaitingIsTheOnlyOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes = -1 })
		m.configure(nil)
		m.retire(15)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 5 * time.Second})
		for range 3 { // it takes more than one
			m.tick()
			passes(time.Minute)
		}
		if n := m.zoho.Counts().RevokeCalls; n != 15 {
			t.Errorf("%d calls for 15 grants", n)
		}
		m.settled(1)
	})
}

func TestSweepIsHeldUpByNoGrantThatStorageFailsFor(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.retire(3)
		failed := false
		fail := func(op, key string) error {
			if op == "put" && strings.HasPrefix(key, "due/") && !failed {
				failed = true
				return errDisk
			}
			return nil
		}
		m.storage.before.Store(&fail)
		m.tick()
		m.storage.working()
		if n := len(m.zoho.RefreshTokens()); n != 2 {
			t.Errorf("%d grants live; the one in use and the one that storage failed for are two", n)
		}
	})
}
