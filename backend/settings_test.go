// Stored settings: none of them makes a read fail, or the change of another setting.

package backend_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestStoredMinTTLAboveALoweredLifetimeFailsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"min_ttl": "50m"})
		m.connect("crm")
		m.write("creds/crm", data{"min_ttl": "40m"})
		m.connect("books")
		resp := m.write("config", data{"max_token_lifetime": "5m"})
		if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "min_ttl is 50m0s") {
			t.Errorf("nobody is told that min_ttl is bounded: %v", resp)
		}
		passes(time.Hour)
		for _, name := range []string{"crm", "books"} {
			path := "creds/" + name
			token := m.read(path)["token_id"]
			for _, parameters := range []data{{"max_age": "1m"}, {"max_age": 0}, {"min_ttl": "1m"}, {"rejected": token}, {"rejected": token, "max_age": "1m"}} {
				m.readWith(path, parameters)
			}
			m.write(path, data{"leased": true})
			m.write(path, data{"leased": nil})
			if shown := m.do(logical.PatchOperation, path, data{"custom_metadata": "a=b"}).Data["min_ttl"]; shown != 295 {
				t.Errorf("%s: min_ttl in force is %v", name, shown)
			}
			m.refused(logical.UpdateOperation, path, data{"min_ttl": "40m"}, 400, "5s below", "5m0s")
			m.refused(logical.ReadOperation, path, data{"min_ttl": "40m"}, 400, "5s below", "5m0s")
		}
		m.write("config", data{"mint_limit": 9})
		m.write("config", data{"min_ttl": nil}) // ten minutes, also longer
		m.refused(logical.UpdateOperation, "config", data{"min_ttl": "5m"}, 400, "5s below")
		m.write("config", data{"max_token_lifetime": nil})
		if shown := m.do(logical.PatchOperation, "creds/crm", nil).Data["min_ttl"]; shown != 2400 {
			t.Errorf("with the longer lifetime back min_ttl is %v", shown)
		}
	})
}

func TestNoStoredSettingFailsAReadOrAnotherChange(t *testing.T) {
	bounds := []data{
		{"mint_limit": 1, "live_token_limit": 1, "mint_window": "1s", "request_timeout": "1s", "max_token_lifetime": "1m", "min_ttl": 0, "max_age": 0},
		{"mint_limit": 1000, "live_token_limit": 1000, "mint_window": "24h", "request_timeout": "1m", "max_token_lifetime": "24h", "min_ttl": "86395s", "max_age": "240h"},
	}
	for _, first := range bounds {
		for _, then := range bounds {
			for own, value := range map[string]any{"min_ttl": first["min_ttl"], "max_age": first["max_age"]} {
				for setting, to := range then {
					inBubble(t, func(t *testing.T, m *mount) {
						m.configure(first)
						m.connect("crm")
						m.write("creds/crm", data{own: value})
						if setting != "min_ttl" || first["max_token_lifetime"] == then["max_token_lifetime"] || to == 0 {
							m.write("config", data{setting: to})
						}
						passes(25 * time.Hour)
						token := m.read("creds/crm")["token_id"]
						for _, parameters := range []data{{"max_age": "1m"}, {"max_age": 0}, {"rejected": token}} {
							// Zoho's limits may say 429.
							if r, refused := m.unanswered("creds/crm", parameters); refused && r.status == 400 {
								t.Errorf("%s=%v, then %s=%v: read with %v: %v", own, value, setting, to, parameters, r)
							}
						}
						m.write("creds/crm", data{"leased": true})
						m.patch("creds/crm", data{"max_age": "10m"})
						m.write("config", data{"pkce": true})
						m.patch("config", data{"scopes": "ZohoCRM.org.READ"})
					})
				}
			}
		}
	}
}

// unanswered is the refusal of a read, if it is refused.
func (m *mount) unanswered(path string, parameters data) (*refusal, bool) {
	m.t.Helper()
	_, err := m.try(logical.ReadOperation, path, parameters)
	r, refused := err.(*refusal)
	if err != nil && !refused {
		m.t.Fatal(err)
	}
	return r, refused
}

func TestEachSecretOfItsOwnIsTriedWhenConfigIsWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.DefaultClient()
		eu := m.zoho.RotateSecret(c.ID, "eu")
		m.configure(data{"client_secrets": map[string]any{"eu": eu, "us": c.Secret}}) // no warning
		resp := m.write("config", data{"client_secrets": map[string]any{"eu": m.canary("eu"), "in": m.canary("in"), "au": c.Secret}})
		if resp == nil || len(resp.Warnings) != 2 {
			t.Fatalf("warnings: %v", resp)
		}
		for i, dc := range []string{"eu", "in"} {
			for _, word := range []string{"stored, but accounts.zoho." + dc, "client_secrets", "data center \"" + dc + "\"", "enabled"} {
				if !strings.Contains(resp.Warnings[i], word) {
					t.Errorf("%q does not say %q", resp.Warnings[i], word)
				}
			}
		}
		calls := m.zoho.Counts().TokenCalls
		if m.write("config", data{"client_secrets": map[string]any{"eu": m.canary("eu again")}, "verify": false}); m.zoho.Counts().TokenCalls != calls {
			t.Error("Zoho was asked in spite of verify=false")
		}
	})
}

func TestSecretsAreTriedAtOnceAndWithinARequest(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.Hang, Times: 100})
		c := m.zoho.DefaultClient()
		secrets := map[string]any{}
		for _, dc := range []string{"eu", "in", "au", "jp", "ca", "sa", "uk", "ae"} {
			secrets[dc] = c.Secret
		}
		start := time.Now()
		resp := m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "client_secrets": secrets, "request_timeout": "1m"})
		if took := time.Since(start); took > 80*time.Second || len(resp.Warnings) != 9 {
			t.Errorf("%s, and %d warnings: %q", took, len(resp.Warnings), resp.Warnings)
		}
		m.zoho.ClearFaults()
		synctest.Wait()
	})
}

func TestImportThatZohoRefusesNamesTheLikeliestCauseFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		other := m.zoho.AddClient(zohotest.Client{RedirectURIs: []string{"https://app.example.com/callback"}})
		of := newMountOn(t, m.zoho)
		of.configure(data{"client_id": other.ID, "client_secret": other.Secret, "redirect_uri": "https://app.example.com/callback"})
		of.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		for _, token := range map[string]string{
			"an access token": m.token("crm"), "a code": parameterOf(t, landed, "code"), "of another client": of.storage.refreshTokens(t)[0], "anything": "1000.never.given",
		} {
			m.refused(logical.UpdateOperation, "creds/imported", data{"refresh_token": token, "data_center": "us"}, 400,
				"(invalid_code): most likely an access token or a code", "another client", "data center than us", "authorize/imported")
		}
		m.forgives(zohotest.OtherClient) // the operator imported it
		m.endOrphans()
	})
}

// parameterOf is a parameter of an address.
func parameterOf(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

func TestClientCredentialsOfAClientThatIsNoSelfClientSayWhatIsNeeded(t *testing.T) {
	for _, word := range []string{"", "invalid_client", "invalid_code", "unauthorized_client", "unsupported_grant_type"} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			if word != "" {
				m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.Refuse, Error: word, Times: 1})
			}
			m.refused(logical.UpdateOperation, "creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM.600000434"}, 400, "Self Client", "client_secret", "authorize/crm")
			m.zoho.Reset()
		})
	}
}
