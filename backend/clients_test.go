// Every client type and every data centre: what connects, and what a person is
// told where Zoho's rules say no.

package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestEveryDataCenterConnectsItsOwnPeople(t *testing.T) {
	for _, dc := range []string{"us", "eu", "in", "au", "jp", "ca", "sa", "uk", "ae"} {
		t.Run(dc, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				connected := m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{DataCenter: dc})}).Data
				if connected["data_center"] != dc {
					t.Errorf("connected in %v", connected["data_center"])
				}
				m.token("crm")
			})
		})
	}
}

func TestChinaConnectsWithItsOwnRegistration(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.AddClient(zohotest.Client{Type: zohotest.ServerBased, DataCenter: "cn", Enabled: []string{"cn"}, RedirectURIs: []string{"https://app.example.com/callback"}})
		m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "data_center": "cn", "redirect_uri": "https://app.example.com/callback", "scopes": "ZohoCRM.modules.ALL"})
		m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{DataCenter: "cn"})})
		m.token("crm")
	})
}

func TestSecretsThatDifferByDataCenter(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.AddClient(zohotest.Client{
			Type: zohotest.ServerBased, DataCenter: "us", RedirectURIs: []string{"https://app.example.com/callback"},
			Secrets: map[string]string{"eu": "eu-secret-0123456789abcdef"},
		})
		base := data{"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": "https://app.example.com/callback", "scopes": "ZohoCRM.modules.ALL"}
		m.write("config", base)
		landed := m.consent("crm", nil, zohotest.Consent{DataCenter: "eu"})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "client refused by accounts.zoho.eu", "client_secrets", "authorize/crm")
		m.write("config", data{"client_secrets": "eu=eu-secret-0123456789abcdef"})
		m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{DataCenter: "eu"})})
		m.token("crm")
	})
}

func TestDataCenterThatIsNotSwitchedOnIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.AddClient(zohotest.Client{Type: zohotest.ServerBased, DataCenter: "us", Enabled: []string{"us"}, RedirectURIs: []string{"https://app.example.com/callback"}})
		m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": "https://app.example.com/callback", "scopes": "ZohoCRM.modules.ALL"})
		m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": "1000.00000000000000000000000000000000.11111111111111111111111111111111", "data_center": "eu"},
			400, "invalid_client", "not enabled")
	})
}

func TestConfigWarnsOfTheWrongHomeDataCenter(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "in"})
		resp := m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "wrong data center") {
			t.Errorf("no warning: %v", resp)
		}
		if resp := m.write("config", data{"client_secret": self.Secret, "verify": false, "client_id": self.ID}); resp != nil {
			t.Errorf("verify=false warns all the same: %v", resp.Warnings)
		}
	})
}

func TestMobileClientConnectsWithPKCE(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.AddClient(zohotest.Client{Type: zohotest.Mobile, RedirectURIs: []string{"com.example.app://callback"}})
		m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": "com.example.app://callback", "scopes": "ZohoCRM.modules.ALL", "pkce": true})
		address := m.write("authorize/app", nil).Data["authorization_url"].(string)
		if !strings.Contains(address, "code_challenge=") || !strings.Contains(address, "code_challenge_method=S256") {
			t.Errorf("no challenge in %s", address)
		}
		landed, err := m.zoho.Authorize(address, zohotest.Consent{})
		if err != nil {
			t.Fatal(err)
		}
		m.write("creds/app", data{"callback_url": landed})
		m.token("app")
	})
}

func TestClientBasedClientIsToldWhatToRegisterInstead(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for _, pasted := range []string{
			"https://app.example.com/#access_token=1000.aa.bb&expires_in=3600&location=us",
			"https://app.example.com/?x=1#access_token=1000.aa.bb",
		} {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": pasted}, 400, "client-based", "server-based")
		}
	})
}

func TestSelfClientCodeExpiresWithARemedy(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "us"})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		code, err := m.zoho.SelfClientCode(self.ID, "us", 10*time.Minute, "ZohoCRM.modules.ALL")
		if err != nil {
			t.Fatal(err)
		}
		passes(9 * time.Minute)
		m.write("creds/crm", data{"code": code})
		m.token("crm")
	})
}

func TestNewDataCenterIsAddedByConfiguration(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"accounts_urls": "sg=https://accounts.zoho.sg"})
		if got := m.read("datacenters/sg")["accounts_server"]; got != "https://accounts.zoho.sg" {
			t.Errorf("sg is at %v", got)
		}
		all := m.list("datacenters/")
		if names := fmt.Sprint(all["keys"]); names != "[us eu in au jp ca sa uk cn ae sg]" {
			t.Errorf("there are %s", names)
		}
		if sg := all["key_info"].(map[string]any)["sg"].(map[string]any)["accounts_server"]; sg != "https://accounts.zoho.sg" {
			t.Errorf("in the list sg is at %v", sg)
		}
		m.refused(logical.ReadOperation, "datacenters/mars", nil, 404, "accounts_urls")
		address := m.write("authorize/crm", data{"data_center": "sg"}).Data["authorization_url"].(string)
		if !strings.HasPrefix(address, "https://accounts.zoho.sg/oauth/v2/auth?") {
			t.Errorf("the consent starts at %s", address)
		}
	})
}

func TestPortalIsReachedUnderItsBasePath(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.write("config", data{"client_id": "1000.PORTAL", "client_secret": "s3cret-portal", "verify": false, "redirect_uri": "https://shop.example.com/cb",
			"scopes": "ZohoCommerce.salesorders.READ", "accounts_urls": map[string]any{"us": "https://accounts.zohoportal.com/clientoauth/v2/10012345/"}})
		address := m.write("authorize/shop", nil).Data["authorization_url"].(string)
		if !strings.HasPrefix(address, "https://accounts.zohoportal.com/clientoauth/v2/10012345/auth?") {
			t.Errorf("the consent starts at %s", address)
		}
	})
}

func TestEventsTellWhatHappenedAndNoSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.token("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Times: 1})
		m.token("crm")
		passes(11 * time.Minute)
		m.zoho.RevokeRefreshToken(m.grant())
		m.refused(logical.ReadOperation, "creds/crm", nil, 400)
		m.delete("creds/crm")
		synctest.Wait()
		sent := strings.Join(m.sent(), "\n")
		for kind, more := range map[string][]string{
			"zoho/connected": {"modified:true", "data_center:us", "grant_type:authorization_code"}, "zoho/minted": {"expire_time:2"},
			"zoho/refused": {"error:invalid_code", "hold_until:2"}, "zoho/throttled": {"hold_until:2"}, "zoho/deleted": {"modified:true"},
		} {
			changes := slices.Contains(more, "modified:true")
			i := slices.IndexFunc(m.sent(), func(e string) bool { return strings.HasPrefix(e, kind+" ") })
			if i < 0 {
				t.Errorf("no %s among:\n%s", kind, sent)
			} else if event := m.sent()[i]; strings.Contains(event, "modified:true") != changes {
				t.Errorf("whether it changed the credential is told wrongly: %s", event)
			} else {
				for _, word := range append(more, "data_path:creds/crm", "name:crm") {
					if !strings.Contains(event, word) {
						t.Errorf("it does not say %q: %s", word, event)
					}
				}
			}
		}
	})
}

// A key stays for as long as tokens of its scopes may live, until the next connect.
func TestUseKeysOfTriedScopesGo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		m.clientCredentials("b", crmScope)
		for i := range 30 {
			if i%2 == 0 {
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_scope", Endpoint: "token", Times: 1})
			}
			_, _ = m.try(logical.UpdateOperation, "creds/b", data{"grant_type": "client_credentials", "scopes": fmt.Sprintf("ZohoCRM.nothing%d.READ", i), "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
			passes(15 * time.Minute)
			m.tick()
		}
		passes(30 * time.Hour)
		m.clientCredentials("b", crmScope)
		n := 0
		for _, key := range m.storage.keys(t) {
			if strings.HasPrefix(key, "use/") {
				n++
			}
		}
		if n != 2 { // its scopes, and those that it had until now
			t.Errorf("%d use/ keys after the credential was connected again", n)
		}
	})
}
