// Zoho's answers vary; what a reader gets must not.

package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestVaryingAnswersGiveTheSameCredential(t *testing.T) {
	quirks := map[string]func(*zohotest.Knobs){
		"no api_domain":                 func(k *zohotest.Knobs) { k.OmitAPIDomain = true },
		"api_domain with a slash":       func(k *zohotest.Knobs) { k.APIDomainSlash = true },
		"no scope":                      func(k *zohotest.Knobs) { k.OmitScope = true },
		"expires_in in milliseconds":    func(k *zohotest.Knobs) { k.LegacyExpiresIn = true },
		"expires_in as a string":        func(k *zohotest.Knobs) { k.ExpiresInString = true },
		"no expires_in":                 func(k *zohotest.Knobs) { k.OmitExpiresIn = true },
		"no state, location or server":  func(k *zohotest.Knobs) { k.OmitLocation, k.OmitAccountsServer = true, true },
		"errors with a status":          func(k *zohotest.Knobs) { k.ErrorStatus = 401 },
		"revocation refused as a page":  func(k *zohotest.Knobs) { k.RevokeHTML = true },
		"revocation needs a token_type": func(k *zohotest.Knobs) { k.RevokeTokenTypeRequired = true },
	}
	for quirk, set := range quirks {
		t.Run(quirk, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.zoho.Knobs(set)
				m.configure(nil)
				m.connect("crm")
				m.token("crm")
				answer := m.read("creds/crm")
				if status := m.read("status/crm"); status["api_domain"] != "https://www.zohoapis.com" {
					t.Errorf("status says %v", status["api_domain"])
				}
				if answer["api_domain"] != "https://www.zohoapis.com" || answer["expire_time"] != "2000-01-01T01:00:00Z" ||
					fmt.Sprint(answer["scopes"]) != "[ZohoCRM.modules.ALL ZohoCRM.org.READ]" {
					t.Errorf("got %v, %v, %v", answer["api_domain"], answer["expire_time"], answer["scopes"])
				}
				m.delete("creds/crm")
				if left := m.zoho.RefreshTokens(); len(left) != 0 {
					t.Errorf("%d grants are left at Zoho", len(left))
				}
			})
		})
	}
}

func TestRefreshWithoutAPIDomainKeepsTheOneKnown(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.AccountsPageDomain = true })
		m.configure(nil)
		m.connect("crm")
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.AccountsPageDomain, k.OmitAPIDomain = false, true })
		if got := m.read("creds/crm")["api_domain"]; got != "https://api.zoho.com" {
			t.Errorf("api_domain is %v", got)
		}
	})
}

func TestExpandedScopesAreNoWarning(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.ExpandScopes = true })
		m.configure(nil)
		if resp := m.connect("crm"); len(resp.Warnings) > 0 {
			t.Errorf("warned: %v", resp.Warnings)
		}
	})
}

func TestWrongDataCenterIsNamedWhicheverWordZohoChooses(t *testing.T) {
	for _, word := range []string{"invalid_code", "invalid_client"} {
		t.Run(word, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.zoho.Knobs(func(k *zohotest.Knobs) { k.WrongDataCenterError = word })
				m.configure(nil)
				m.connect("crm")
				elsewhere := m.grant()
				m.refused(logical.UpdateOperation, "creds/eu", data{"refresh_token": elsewhere, "data_center": "eu"}, 400, word, "data center")
				m.zoho.Reset() // the simulator notes the wrong data centre, which was the test's doing
				m.token("crm")
			})
		})
	}
}

func TestClientCredentialsThatTheAPIRefusesStillMint(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RefuseClientScopes = true })
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "us"})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		m.write("creds/org", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		m.token("org")
		resp := m.write("status/org", data{"probe": true})
		if len(resp.Warnings) == 0 || resp.Data["token_accepted"] != true {
			t.Errorf("the probe does not tell that the scope is refused: %v %v", resp.Data, resp.Warnings)
		}
	})
}

func TestReplacedRefreshTokenIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(nil)
		m.connect("crm")
		for range 20 {
			m.token("crm")
			m.restart()
			passes(31 * time.Minute)
		}
		if n := strings.Count(m.storage.contents(t)["creds/crm"], `"until"`); n != 20 {
			t.Errorf("20 refresh tokens were replaced, and %d are remembered", n)
		}
	})
}
