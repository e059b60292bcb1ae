// Whose is a grant, and what leaves with whom?

package backend_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// behindVaultForOrganizations is behindVault with an organization client.
func (m *mount) behindVaultForOrganizations(more data) {
	m.t.Helper()
	c := m.zoho.AddClient(zohotest.Client{Type: zohotest.Organization, RedirectURIs: []string{callbackAddress}})
	d := data{"client_id": c.ID, "client_secret": c.Secret}
	for key, value := range more {
		d[key] = value
	}
	m.behindVault(d)
}

// ordinaryClientsForOrganizations lets any client ask for an organization, for tests in
// which one mount has grants of both kinds.
func (m *mount) ordinaryClientsForOrganizations() {
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.OrganizationClients = append(k.OrganizationClients, zohotest.ServerBased) })
}

func TestGrantOfAnOrganizationOutlivesTheAdministrator(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.ordinaryClientsForOrganizations()
		m.behindVault(data{"scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ"})
		for name, d := range map[string]data{"person": nil, "org": {"flow": "organization", "soid": "ZohoCRM.600000434"}} {
			got := m.land(m.consent(name, d, zohotest.Consent{}))
			got.shows(t, 200, "Zoho is connected")
			if d != nil {
				got.shows(t, 200, "for your organization", "ZohoCRM.600000434")
			}
		}
		org, person := m.read("status/org"), m.read("status/person")
		if org["requested_level"] != "organization" || org["soid"] != "ZohoCRM.600000434" || org["belongs_to"] != "the organization ZohoCRM.600000434, as requested" {
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

// Zoho compares scopes without case, and so does each other check of scopes.
func TestServicesOfAnOrganizationAreComparedWithoutCase(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVaultForOrganizations(nil)
		m.land(m.consent("org", data{
			"flow": "organization", "soid": "ZohoCRM.1", "scopes": "ZohoCRM.modules.ALL zohocrm.org.read aaaserver.profile.Read ZOHOFILES.files.READ",
		}, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
		m.refused("update", "authorize/org", data{"flow": "organization", "scopes": "zohocrm.modules.ALL desk.tickets.READ ZohoCRM.org.READ"}, 400, "zohocrm and desk")
	})
}

func TestOrdinaryClientIsWarnedThatZohoRefusesItForAnOrganization(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		for center, console := range map[string]string{"us": "https://api-console.zoho.com", "eu": "https://api-console.zoho.eu", "ca": "https://api-console.zohocloud.ca"} {
			started := m.write("authorize/org", data{"flow": "organization", "soid": "ZohoCRM.1", "data_center": center, "force": true})
			warned := strings.Join(started.Warnings, "\n")
			for _, fact := range []string{"Invalid Client", console + "/add?client_type=ORG", "1005."} {
				if !strings.Contains(warned, fact) {
					t.Errorf("%s: the warnings do not say %q: %s", center, fact, warned)
				}
			}
			if _, err := m.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{}); err == nil || !strings.HasPrefix(err.Error(), "Invalid Client") {
				t.Errorf("%s: Zoho shows %v", center, err)
			}
		}
		if warned := m.write("authorize/crm", nil).Warnings; len(warned) != 0 {
			t.Errorf("a person's consent warns: %q", warned)
		}
		m.behindVaultForOrganizations(nil)
		if warned := m.write("authorize/company", data{"flow": "organization", "soid": "ZohoCRM.1"}).Warnings; len(warned) != 0 {
			t.Errorf("an organization client is warned: %q", warned)
		}
	})
}

func TestOrganizationOfSalesIQConnectsWithoutSoid(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVaultForOrganizations(data{"scopes": "SalesIQ.portals.READ"})
		m.land(m.consent("chat", data{"flow": "organization"}, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
		if level := m.read("status/chat")["requested_level"]; level != "organization" {
			t.Errorf("the consent is of level %v", level)
		}
	})
}
