// Does an app learn at which host its service is?

package backend_test

import (
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestReadNamesTheAddressOfTheServiceThatItsScopesAreFor(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		for name, c := range map[string]struct {
			scopes, dc string
			want       any
		}{
			"crm":  {"ZohoCRM.org.READ AaaServer.profile.READ", "au", "https://www.zohoapis.com.au/crm/v8"},
			"desk": {"Desk.basic.READ", "eu", "https://desk.zoho.eu/api/v1"},
			"both": {"Desk.basic.READ ZohoCRM.org.READ", "eu", nil},
			"ca":   {"Desk.basic.READ", "ca", nil},
		} {
			m.write("creds/"+name, data{"callback_url": m.consent(name, data{"scopes": c.scopes}, zohotest.Consent{DataCenter: c.dc})})
			for range 2 { // rendered, and at hand
				if got := m.read("creds/" + name)["service_url"]; got != c.want {
					t.Errorf("%s: service_url is %v; want %v", name, got, c.want)
				}
			}
		}
	})
}

func TestDataCenterListsTheServicesThatAreKnownThere(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		for name, want := range map[string]any{"eu": "https://desk.zoho.eu/api/v1", "cn": "https://desk.zoho.com.cn/api/v1", "ca": nil} {
			answer := m.read("datacenters/" + name)
			at, sources := answer["services"].(map[string]any), answer["sources"].(map[string]any)
			if at["desk"] != want || at["crm"] == nil {
				t.Errorf("%s: desk at %v, crm at %v", name, at["desk"], at["crm"])
			}
			if len(at) != len(sources) || sources["crm"] == "" {
				t.Errorf("%s: %d services, %d sources", name, len(at), len(sources))
			}
		}
	})
}
