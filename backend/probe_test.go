// probe: what each answer of the accounts server and of Zoho CRM means.

package backend_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

const bothScopes = "AaaServer.profile.READ ZohoCRM.org.READ"

// crmAnswers are what CRM may answer to the question for the organization, and what the
// warning must say. The user answers in each case.
func crmAnswers() map[string]struct {
	fault zohotest.Fault
	says  []string
} {
	return map[string]struct {
		fault zohotest.Fault
		says  []string
	}{
		"no API access":     {zohotest.Fault{Kind: zohotest.APIRefusal, Status: 403, Error: "NO_PERMISSION"}, []string{"grant works", "administrator", "profile", "Crm_Implied_Api_Access"}},
		"nothing":           {zohotest.Fault{Kind: zohotest.Empty}, []string{"HTTP 204", "belongs to an organization"}},
		"a refusal":         {zohotest.Fault{Kind: zohotest.APIRefusal}, []string{"HTTP 400", "www.zohoapis.com"}},
		"another refusal":   {zohotest.Fault{Kind: zohotest.APIRefusal, Status: 403, Error: "SOMETHING_ELSE"}, []string{"HTTP 403"}},
		"a page, 404":       {zohotest.Fault{Kind: zohotest.HTML, Status: 404}, []string{"HTTP 404", "text/html", "api_domain", "proxy"}},
		"a page, 401":       {zohotest.Fault{Kind: zohotest.HTML, Status: 401}, []string{"HTTP 401", "text/html"}},
		"a page, 200":       {zohotest.Fault{Kind: zohotest.HTML}, []string{"text/html"}},
		"a scope":           {zohotest.Fault{Kind: zohotest.APIRefusal, Status: 401, Error: "OAUTH_SCOPE_MISMATCH"}, []string{"ZohoCRM.org.READ is not granted"}},
		"a dead token":      {zohotest.Fault{Kind: zohotest.APIRefusal, Status: 401, Error: "INVALID_TOKEN"}, []string{"www.zohoapis.com", "still hands it out", "api_domain", "scopes"}},
		"an error":          {zohotest.Fault{Kind: zohotest.Refuse}, []string{"no organization in the answer"}},
		"an outage":         {zohotest.Fault{Kind: zohotest.Status5xx}, []string{"HTTP 503", "try again"}},
		"a throttle":        {zohotest.Fault{Kind: zohotest.Throttle}, []string{"throttled by www.zohoapis.com"}},
		"a torn connection": {zohotest.Fault{Kind: zohotest.Reset}, []string{"www.zohoapis.com"}},
		"no answer":         {zohotest.Fault{Kind: zohotest.Hang}, []string{"timed out"}},
	}
}

func TestUserIsAnsweredWhateverTheOrganizationComesTo(t *testing.T) {
	for name, c := range crmAnswers() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"scopes": bothScopes, "max_age": "30m"})
				m.connect("crm")
				held := m.token("crm")
				c.fault.Path = "/crm/"
				m.zoho.Fault(c.fault)
				mints := m.zoho.Counts().Minted
				for range 2 {
					resp := m.write("status/crm", data{"probe": true})
					user := m.zoho.User("us")
					if resp.Data["zoho_user"] != user.ZUID || resp.Data["zoho_email"] != user.Email || resp.Data["token_accepted"] != true {
						t.Errorf("the probe answers %v", resp.Data)
					}
					if _, told := resp.Data["organization_id"]; told || len(resp.Warnings) != 1 {
						t.Fatalf("the probe answers %v and warns %q", resp.Data, resp.Warnings)
					}
					for _, text := range c.says {
						if !strings.Contains(resp.Warnings[0], text) {
							t.Errorf("the warning does not say %q: %s", text, resp.Warnings[0])
						}
					}
					if m.token("crm") != held {
						t.Error("the token is handed out no more")
					}
				}
				if m.zoho.Counts().Minted != mints {
					t.Error("a probe cost a mint")
				}
				if rejected := m.read("status/crm")["rejected_time"]; rejected != nil {
					t.Errorf("a token is marked rejected, at %v", rejected)
				}
			})
		})
	}
}

func TestUserWithoutAPIAccessInCRMIsToldWhoCanAllowIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.AddUser(zohotest.User{Email: "kim@example.com", DataCenter: "us", NoAPIAccess: true})
		m.configure(data{"scopes": bothScopes})
		m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{Email: "kim@example.com"})})
		m.token("crm")
		resp := m.write("status/crm", data{"probe": true})
		if resp.Data["zoho_email"] != "kim@example.com" || resp.Data["token_accepted"] != true || !strings.Contains(fmt.Sprint(resp.Warnings), "allow API access") {
			t.Errorf("the probe answers %v and warns %q", resp.Data, resp.Warnings)
		}
	})
}

// The accounts server says only that the scope is missing. One API's 401 does not prove that
// the token is invalid.
func TestProbeKeepsATokenThatOnlyAnAPIRefuses(t *testing.T) {
	for name, scopes := range map[string]string{"without the profile scope": "ZohoCRM.org.READ", "without both scopes": "ZohoCRM.modules.READ"} {
		for _, code := range []string{"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE", "SOMETHING_ELSE"} {
			t.Run(name+", "+code, func(t *testing.T) {
				inBubble(t, func(t *testing.T, m *mount) {
					m.configure(data{"scopes": scopes, "max_age": "30m"})
					m.connect("crm")
					held := m.do(logical.ReadOperation, "creds/crm", nil).Data
					m.zoho.Fault(zohotest.Fault{Kind: zohotest.APIRefusal, Status: 401, Error: code, Path: "/crm/"})
					resp := m.write("status/crm", data{"probe": true})
					said := strings.Join(resp.Warnings, " ")
					if _, told := resp.Data["token_accepted"]; told || len(resp.Warnings) != 2 {
						t.Errorf("the probe answers %v and warns %q", resp.Data, resp.Warnings)
					}
					for _, text := range []string{"AaaServer.profile.READ is not granted", "www.zohoapis.com", "api_domain", "data center", "scopes", "may use it", "read creds/crm with rejected=<token_id>"} {
						if !strings.Contains(said, text) {
							t.Errorf("the warnings do not say %q: %q", text, resp.Warnings)
						}
					}
					if m.token("crm") != held["access_token"] || m.read("status/crm")["rejected_time"] != nil {
						t.Error("the probe discarded the token")
					}
					if again := m.readWith("creds/crm", data{"rejected": held["token_id"]}); again["access_token"] == held["access_token"] {
						t.Error("a token that a reader rejects is handed out again")
					}
				})
			})
		}
	}
}

// A 401 at the accounts server's address that does not call the token invalid may be the
// answer of a gateway.
func TestProbeDiscardsOnlyATokenThatTheAccountsServerCallsInvalid(t *testing.T) {
	for body, dead := range map[string]bool{
		`{"response":"error","cause":"INVALID_OAUTHTOKEN"}`: true,
		`{"code":"INVALID_TOKEN"}`:                          true,
		`{"response":"error","cause":"INVALID_OAUTHSCOPE"}`: false,
		`{"error":"Unauthorized"}`:                          false,
		`{"status":401,"error":"Unauthorized"}`:             false,
		`{"code":"AUTHENTICATION_FAILURE"}`:                 false,
		`{}`:                                                false,
	} {
		for _, api := range []string{"", `{"code":"INVALID_TOKEN"}`} {
			t.Run(body+api, func(t *testing.T) {
				inBubble(t, func(t *testing.T, m *mount) {
					m.configure(data{"scopes": bothScopes, "max_age": "30m"})
					m.connect("crm")
					held := m.token("crm")
					m.tap(func(r *http.Request, _ string) (int, string) {
						switch {
						case strings.HasSuffix(r.URL.Path, "/oauth/user/info"):
							return 401, body
						case api != "" && strings.Contains(r.URL.Path, "/crm/"):
							return 401, api
						}
						return 0, ""
					})
					resp := m.write("status/crm", data{"probe": true})
					accepted := resp.Data["token_accepted"]
					if dead && accepted != false || !dead && api == "" && accepted != true || !dead && api != "" && accepted != nil {
						t.Errorf("token_accepted is %v, warnings %q", accepted, resp.Warnings)
					}
					if kept := m.token("crm") == held; kept == dead {
						t.Errorf("the token is kept: %v; warnings %q", kept, resp.Warnings)
					}
				})
			})
		}
	}
}

// What the accounts server could not say, CRM says alone; its refusal is no proof then.
func TestProbeWithoutTheAccountsServerAnswersWhatCRMSays(t *testing.T) {
	outage := zohotest.Fault{Kind: zohotest.Status5xx, Path: "/oauth/user/"}
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": bothScopes, "max_age": "30m"})
		m.connect("crm")
		held := m.token("crm")
		m.zoho.Fault(outage)
		resp := m.write("status/crm", data{"probe": true})
		if resp.Data["organization_id"] != m.zoho.User("us").OrgID || resp.Data["token_accepted"] != true || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "HTTP 503") {
			t.Errorf("the probe answers %v and warns %q", resp.Data, resp.Warnings)
		}
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.APIRefusal, Status: 401, Error: "INVALID_TOKEN", Path: "/crm/"})
		m.refused(logical.UpdateOperation, "status/crm", data{"probe": true}, 503, "accounts.zoho.com", "HTTP 503")
		if m.token("crm") != held {
			t.Error("the token is no longer handed out, though only one server refused it")
		}
	})
}

func TestProbeFailsOnlyForAnOutageOrAThrottle(t *testing.T) {
	for name, c := range map[string]struct {
		fault  zohotest.Fault
		status int // 0: it is answered
	}{
		"an outage":   {zohotest.Fault{Kind: zohotest.Status5xx}, 503},
		"a throttle":  {zohotest.Fault{Kind: zohotest.Throttle}, 429},
		"no answer":   {zohotest.Fault{Kind: zohotest.Hang}, 503},
		"a page, 403": {zohotest.Fault{Kind: zohotest.HTML, Status: 403}, 0},
		"a page, 404": {zohotest.Fault{Kind: zohotest.HTML, Status: 404}, 0},
		"nothing":     {zohotest.Fault{Kind: zohotest.Empty}, 0},
		"a refusal":   {zohotest.Fault{Kind: zohotest.APIRefusal}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"scopes": bothScopes, "max_age": "30m"})
				m.connect("crm")
				held, known := m.token("crm"), m.read("status/crm")["zoho_user"]
				c.fault.Endpoint = "api"
				m.zoho.Fault(c.fault)
				if c.status != 0 {
					m.refused(logical.UpdateOperation, "status/crm", data{"probe": true}, c.status)
				} else {
					resp := m.write("status/crm", data{"probe": true})
					if _, said := resp.Data["token_accepted"]; said || len(resp.Warnings) != 2 {
						t.Errorf("the probe answers %v and warns %q", resp.Data, resp.Warnings)
					}
				}
				if m.token("crm") != held || m.read("status/crm")["zoho_user"] != known {
					t.Error("the token or the user is forgotten")
				}
			})
		})
	}
}

// A probe asks two servers, each once, and ends before Vault's time is over.
func TestProbeOfServersThatHangAsksEachOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": bothScopes})
		m.connect("crm")
		m.token("crm")
		asked := map[string]int{}
		m.tap(func(r *http.Request, _ string) (int, string) { asked[r.URL.Host]++; return 0, "" })
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "api"})
		start := time.Now()
		m.refused(logical.UpdateOperation, "status/crm", data{"probe": true}, 503)
		if took := time.Since(start); took > 25*time.Second || asked["accounts.zoho.com"] != 1 || asked["www.zohoapis.com"] != 1 {
			t.Errorf("after %s the servers were asked %v", took, asked)
		}
	})
}
