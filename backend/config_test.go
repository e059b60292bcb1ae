// What if config is changed to something that can't work, or that would send a
// stored secret to a new place? Refused with the remedy, and the mount goes on as
// before. What Zoho thinks of a client that can be stored is a warning.

package backend_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestStoredSecretIsNeverSentToANewPlace(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		secret := m.zoho.DefaultClient().Secret
		m.configure(nil)
		m.connect("crm")
		for field, value := range map[string]any{
			"client_id": "1000.OTHERCLIENT", "data_center": "eu", "accounts_urls": "us=https://accounts.zoho.evil.example",
		} {
			for _, op := range []logical.Operation{logical.UpdateOperation, logical.PatchOperation} {
				for _, more := range []data{{}, {"client_secret": ""}, {"client_secret": nil}, {"client_secret": " "}, {"client_secrets": "eu=" + m.canary("eu")}} {
					d := data{field: value}
					maps.Copy(d, more)
					says := []string{"client_secret"}
					if _, sent := more["client_secret"]; !sent {
						says = append(says, "changes "+field)
					}
					m.unmoved(func() { m.refused(op, "config", d, 400, says...) })
				}
			}
		}
		// With secrets of single data centers all of them have to come again.
		m.write("config", data{"client_secrets": map[string]any{"eu": secret, "in": secret}, "verify": false})
		for _, more := range []data{
			{"client_secret": secret}, {"client_secrets": map[string]any{"eu": secret}}, {"client_secret": secret, "client_secrets": nil},
		} {
			d := data{"accounts_urls": "us=https://accounts.zoho.evil.example", "verify": false}
			maps.Copy(d, more)
			if _, kept := more["client_secrets"]; kept && more["client_secrets"] == nil {
				continue // taking the stored secrets away is no leak
			}
			m.unmoved(func() {
				m.refused(logical.UpdateOperation, "config", d, 400, "changes accounts_urls", "again", "never sent to a new place")
			})
		}
	})
}

func TestDataCenterInCapitalsOrLeftEmptyIsNoNewPlace(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for _, same := range []any{"US", "", nil} {
			m.write("config", data{"data_center": same})
			if dc := m.read("config")["data_center"]; dc != "us" {
				t.Errorf("with %v data_center is %v", same, dc)
			}
			secret := m.zoho.DefaultClient().Secret
			m.write("config", data{"data_center": "eu", "client_secret": secret, "verify": false})
			m.write("config", data{"data_center": same, "client_secret": secret})
			if dc := m.read("config")["data_center"]; dc != "us" {
				t.Errorf("after eu, with %v data_center is %v", same, dc)
			}
		}
	})
}

func TestNullPutsASettingBackToItsDefault(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		defaults := m.read("config")
		set := data{
			"max_age": 60, "min_ttl": 60, "mint_limit": 9, "mint_window": 601, "live_token_limit": 9, "request_timeout": 9,
			"max_token_lifetime": 7200, "pkce": true, "return_urls": "https://app.example.com/",
		}
		for name, value := range set {
			for _, op := range []logical.Operation{logical.UpdateOperation, logical.PatchOperation} {
				m.write("config", data{name: value, "verify": false})
				if now := m.read("config"); fmt.Sprint(now[name]) == fmt.Sprint(defaults[name]) {
					t.Errorf("%s is not set: %v", name, now[name])
				}
				m.do(op, "config", data{name: nil, "verify": false})
				if now := m.read("config"); fmt.Sprint(now) != fmt.Sprint(defaults) {
					t.Errorf("with %s=null config is %v; was %v", name, now, defaults)
				}
			}
		}
	})
}

func TestUnsafeOrUnusableClientIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		secret := m.zoho.DefaultClient().Secret
		m.refused(logical.CreateOperation, "config", data{"client_secret": secret}, 400, "client_id is missing", "API console")
		m.refused(logical.CreateOperation, "config", data{"client_id": "1000.A"}, 400, "client_secret is missing", "API console")
		m.refused(logical.PatchOperation, "config", data{"client_id": "1000.A"}, 404, "no config to patch")
		if kept := m.storage.keys(t); len(kept) != 0 {
			t.Fatalf("a refused config was stored: %v", kept)
		}
		m.configure(nil)
		m.connect("crm")
		for _, c := range []struct {
			data data
			says []string
		}{
			{data{"accounts_urls": "eu=http://accounts.zoho.eu"}, []string{"https", "loopback"}},
			{data{"accounts_urls": "eu=http://localhost.evil.example"}, []string{"https"}},
			{data{"accounts_urls": "eu=http://127.0.0.1.evil.example:80"}, []string{"https"}},
			{data{"accounts_urls": "eu=http://127.0.0.1@evil.example"}, []string{"write it as https://"}},
			{data{"accounts_urls": "eu=ftp://accounts.zoho.eu"}, []string{"https"}},
			{data{"accounts_urls": "eu=accounts.zoho.eu"}, []string{"https"}},
			{data{"accounts_urls": "eu=https://user:pass@accounts.zoho.eu"}, []string{"write it as https://"}},
			{data{"accounts_urls": "eu=https://accounts.zoho.eu?a=b"}, []string{"write it as https://"}},
			{data{"accounts_urls": "eu=https://accounts.zoho.eu#a"}, []string{"write it as https://"}},
			{data{"accounts_urls": "eu="}, []string{"write it as https://"}},
			{data{"accounts_urls": "=https://accounts.zoho.eu"}, []string{"accounts_urls", "name=value"}},
			{data{"data_center": "mars"}, []string{"unknown data center", "us, eu", "accounts_urls"}},
			{data{"client_secrets": "mars=s"}, []string{"unknown data center in client_secrets", "us, eu", "accounts_urls"}},
			{data{"client_secrets": "eu="}, []string{"no secret for data center", "eu"}},
			{data{"client_id": ""}, []string{"client_id is missing"}},
			{data{"client_id": "two words"}, []string{"spaces, quotes"}},
			{data{"client_id": `"1000.QUOTED"`}, []string{"spaces, quotes"}},
			{data{"client_id": "1000.X;reboot"}, []string{"spaces, quotes", "console"}},
			{data{"redirect_uri": "not an address"}, []string{"redirect_uri is not an address", "registered"}},
			{data{"redirect_uri": "https://app.example.com/callback#part"}, []string{"redirect_uri is not an address"}},
		} {
			c.data["client_secret"], c.data["verify"] = secret, false
			m.unmoved(func() { m.refused(logical.UpdateOperation, "config", c.data, 400, c.says...) })
		}
	})
}

func TestConfigInUseCannotBeDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("books")
		m.unmoved(func() { m.refused(logical.DeleteOperation, "config", nil, 400, "2 credentials", "delete them first") })
		m.delete("creds/crm")
		m.delete("creds/books")
		m.delete("config")
		m.refused(logical.ReadOperation, "config", nil, 404, "client_id")
		m.refused(logical.UpdateOperation, "authorize/crm", nil, 400, "no Zoho client is configured")
	})
}

func TestClientThatZohoDoesNotAcceptIsStoredWithAWarningThatNamesTheCauses(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.DefaultClient()
		eu := m.zoho.AddClient(zohotest.Client{DataCenter: "eu", Enabled: []string{"eu"}})
		for name, d := range map[string]data{
			"wrong secret":            {"client_id": c.ID, "client_secret": m.canary("secret")},
			"wrong id":                {"client_id": "1000.NOSUCHCLIENT", "client_secret": c.Secret},
			"data center not enabled": {"client_id": eu.ID, "client_secret": eu.Secret, "data_center": "us"},
		} {
			resp := m.write("config", d)
			if resp == nil || len(resp.Warnings) != 1 {
				t.Fatalf("%s: no warning: %v", name, resp)
			}
			for _, word := range []string{"stored, but accounts.zoho.com does not accept", "client_id", "client_secret", "data center", "client_secrets", "corrected"} {
				if !strings.Contains(resp.Warnings[0], word) {
					t.Errorf("%s: the warning does not say %q: %s", name, word, resp.Warnings[0])
				}
			}
		}
		calls := m.zoho.Counts().TokenCalls
		m.write("config", data{"client_id": "1000.NOSUCHCLIENT", "client_secret": c.Secret, "verify": false})
		if now := m.zoho.Counts().TokenCalls; now != calls {
			t.Error("verify=false asked Zoho")
		}
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Times: 1})
		resp := m.write("config", data{"client_id": c.ID, "client_secret": c.Secret})
		if resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "could not be tried") {
			t.Errorf("a silent Zoho gives no warning: %v", resp)
		}
		m.configure(nil)
	})
}

func TestRefreshTokenIsSentToNoHostButTheOneThatIssuedIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("config", data{"accounts_urls": "us=https://accounts.zoho.eu", "client_secret": "made-up", "verify": false})
		calls := m.zoho.Counts().TokenCalls
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "was connected at https://accounts.zoho.com", "accounts_urls")
		if state := m.read("status/crm")["state"]; state != "needs_consent" {
			t.Errorf("state is %v", state)
		}
		if m.zoho.Counts().TokenCalls != calls {
			t.Error("a call was made")
		}
		m.write("config", data{"accounts_urls": nil, "client_secret": m.zoho.DefaultClient().Secret})
		m.token("crm")
	})
}
