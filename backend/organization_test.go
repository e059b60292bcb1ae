// Whose is a grant, and what leaves with whom?

package backend_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestGrantOfAnOrganizationOutlivesTheAdministrator(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ"})
		for name, d := range map[string]data{"person": nil, "org": {"flow": "organization", "soid": "ZohoCRM.600000434"}} {
			got := m.land(m.consent(name, d, zohotest.Consent{}))
			got.shows(t, 200, "Zoho is connected")
			if d != nil {
				got.shows(t, 200, "for your organization", "ZohoCRM.600000434")
			}
		}
		org, person := m.read("status/org"), m.read("status/person")
		if org["requested_level"] != "organization" || org["soid"] != "ZohoCRM.600000434" || org["belongs_to"] != "asked for as the organization ZohoCRM.600000434" {
			t.Errorf("status/org: %v", org)
		}
		email := person["zoho_email"].(string)
		if person["requested_level"] != "user" || !strings.Contains(person["belongs_to"].(string), email) {
			t.Errorf("status/person: %v", person)
		}
		m.zoho.RemoveUser(email)
		m.token("org")
		m.refused("read", "creds/person", data{"min_ttl": "59m"}, 400, "invalid_code")
		if command := m.read("status/org")["next_command"]; command != nil {
			t.Errorf("next_command %v", command)
		}
	})
}

func TestImportTellsWhoseGrantItIs(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		m.write("creds/crm", data{"refresh_token": m.anotherGrant()})
		if email, want := m.read("status/crm")["zoho_email"], m.zoho.User("us").Email; email != want {
			t.Errorf("it is the grant of %v; want %v", email, want)
		}
	})
}

func TestOrganizationConsentsToOneServiceAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		m.connect("crm")
		m.unmoved(func() {
			m.refused("update", "authorize/org", data{"flow": "organization", "scopes": "ZohoCRM.modules.ALL Desk.tickets.READ"}, 400, "ZohoCRM and Desk", "one credential for each")
			m.refused("update", "authorize/org", data{"soid": "ZohoCRM.1"}, 400, "flow=organization")
		})
	})
}
