// The tutorial's road and its siblings: how a credential is connected and read.

package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestConnectedCredentialGivesLivingTokensForHours(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		connected := m.connect("crm").Data
		if connected["data_center"] != "us" || connected["api_domain"] != "https://www.zohoapis.com" {
			t.Errorf("connected to the wrong place: %v", connected)
		}
		seen := map[string]bool{}
		for range 48 {
			answer := m.read("creds/crm")
			token := answer["access_token"].(string)
			if answer["authorization"] != "Zoho-oauthtoken "+token {
				t.Errorf("authorization is %v", answer["authorization"])
			}
			seen[token] = true
			passes(30 * time.Minute)
		}
		if len(seen) != 48 {
			t.Errorf("48 reads half an hour apart gave %d tokens; by default each read gets a fresh one", len(seen))
		}
	})
}

func TestPastedAddressConnectsInThePersonsOwnDataCenter(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("books", nil, zohotest.Consent{DataCenter: "eu"})
		connected := m.write("creds/books", data{"callback_url": "  " + landed + "\n"}).Data
		if connected["data_center"] != "eu" || connected["accounts_server"] != "https://accounts.zoho.eu" {
			t.Fatalf("connected to the wrong place: %v", connected)
		}
		answer := m.read("creds/books")
		if answer["api_domain"] != "https://www.zohoapis.eu" || answer["data_center"] != "eu" {
			t.Errorf("read from the wrong place: %v", answer["api_domain"])
		}
		// What asks for the code alone is given the whole address as well.
		m.write("creds/books", data{"code": m.consent("books", nil, zohotest.Consent{DataCenter: "eu"})})
		m.token("books")
	})
}

func TestAddressOfAConsentThatNobodyStartedHereConnects(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		other := newMountOn(t, m.zoho)
		other.configure(nil)
		landed := other.consent("crm", nil, zohotest.Consent{})
		m.configure(nil)
		m.write("creds/crm", data{"callback_url": altered(t, landed, map[string]string{"state": ""})})
		m.token("crm")
	})
}

func TestSelfClientCodeNeedsNeitherStateNorRedirect(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "in"})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret, "data_center": "in"})
		code, err := m.zoho.SelfClientCode(self.ID, "in", 0, "ZohoCRM.modules.ALL")
		if err != nil {
			t.Fatal(err)
		}
		m.write("creds/crm", data{"code": code})
		m.token("crm")
	})
}

func TestImportedRefreshTokenIsProvenFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("first")
		imported := m.grant()
		m.write("creds/second", data{"refresh_token": imported})
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.OmitScope = true })
		if scopes := fmt.Sprint(m.read("creds/second")["scopes"]); scopes != "[ZohoCRM.modules.ALL ZohoCRM.org.READ]" {
			t.Errorf("what Zoho said of its scopes is forgotten: %s", scopes)
		}
		m.refused(logical.UpdateOperation, "creds/second", data{"refresh_token": "1000.dead.beef"}, 400, "invalid_code", "revoked")
		m.token("second")
	})
}

func TestCredentialsThatShareAnImportedGrantShareItsBudgetAndItsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("first")
		imported := m.grant()
		m.write("creds/second", data{"refresh_token": imported})
		for range 20 { // together they must not trip the throttle
			m.token("first")
			m.token("second")
		}
		m.write("creds/third", data{"refresh_token": imported})
		m.delete("creds/second")
		m.token("third")
		m.delete("creds/third")
		m.token("first")
		m.delete("creds/first")
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants are left at Zoho after the last holder was deleted", len(left))
		}
	})
}

func TestTokenAnswerIsConstantButForTTL(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		first := m.read("creds/crm")
		passes(10 * time.Minute)
		second := m.read("creds/crm")
		for key := range first {
			if key == "ttl" {
				continue
			}
			if a, b := first[key], second[key]; key != "scopes" && a != b {
				t.Errorf("%s changed from %v to %v within the life of one token", key, a, b)
			}
		}
		if ttl := second["ttl"].(int); ttl < 20*60-1 || ttl > 21*60 {
			t.Errorf("ttl is %d s; the token is reused for another 20 minutes, plus a tenth of min_ttl at most", ttl)
		}
	})
}

func TestReconnectingKeepsOldTokensAliveAndThenRevokesTheOldGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		old := m.grant()
		m.connect("crm")
		m.tick()
		if !m.zoho.Alive(held) {
			t.Fatal("reconnecting killed a token that an app still holds")
		}
		passes(time.Hour + time.Minute)
		m.tick()
		if m.lives(old) {
			t.Error("the old grant still lives after its last token ran out")
		}
		m.token("crm")
	})
}

func TestDeleteRevokesAtOnceOrAsSoonAsZohoCanBeReached(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.delete("creds/crm")
		if n := len(m.zoho.RefreshTokens()); n != 0 {
			t.Fatalf("%d grants live on after a delete", n)
		}
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		resp := m.delete("creds/crm")
		if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "not yet revoked") {
			t.Errorf("a delete that could not revoke does not say so: %v", resp)
		}
		m.refused(logical.ReadOperation, "creds/crm", nil, 404, "no credential")
		m.restart()
		m.zoho.ClearFaults()
		m.tick()
		if n := len(m.zoho.RefreshTokens()); n != 0 {
			t.Errorf("%d grants live on after Zoho came back", n)
		}
		m.delete("creds/crm") // again: no error
	})
}

func TestDeleteWithoutRevokeLeavesTheGrantAtZoho(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		rt := m.grant()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		passes(2 * time.Hour)
		m.tick()
		if n := len(m.zoho.RefreshTokens()); n != 1 {
			t.Fatalf("%d grants at Zoho; revoke=false only forgets", n)
		}
		m.write("creds/again", data{"refresh_token": rt}) // for the hunt for orphans
	})
}

func TestForgettingWhatCouldNotBeRevokedForgetsAllOfIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("crm")
		unrevoked(m)
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.hours()
		if n := len(m.zoho.RefreshTokens()); n != 2 {
			t.Errorf("%d grants live; both were to be left alone", n)
		}
		m.endAll()
	})
}

// A client may send its request twice.
func TestForgettingTwiceLeavesTheReplacedGrantToItsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		replaced := m.grant()
		m.connect("crm")
		for range 2 {
			m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		}
		m.hours()
		if left := m.zoho.RefreshTokens(); len(left) != 1 || left[0].Token == replaced {
			t.Errorf("%d grants live; only the last one was to be left alone", len(left))
		}
		m.endAll()
	})
}

func TestAuthorizeSaysHowReadersShareATokenWhereTheyDoNotYet(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		if advice := m.write("authorize/crm", nil).Data["advice"]; advice == nil {
			t.Error("nobody is told how readers share a token")
		}
		m.connect("crm")
		if advice := m.write("authorize/crm", data{"add_scopes": "ZohoCRM.users.READ"}).Data["advice"]; advice != nil {
			t.Errorf("more scopes for a connected grant: %v", advice)
		}
		m.configure(data{"max_age": "30m"})
		if advice := m.write("authorize/books", nil).Data["advice"]; advice != nil {
			t.Errorf("where config has a max_age: %v", advice)
		}
	})
}
