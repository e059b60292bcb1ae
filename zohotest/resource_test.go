// Do the APIs tell a good token from a bad one?

package zohotest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

const everyScope = "ZohoCRM.users.ALL,zohocrm.org.read,Desk.basic.READ,AaaServer.profile.Read"

// probes are the addresses that a token for everyScope opens.
func (a app) probes(dc string) map[string]string {
	desk := map[string]string{"eu": "https://desk.zoho.eu", "ca": "https://desk.zohocloud.ca"}[dc]
	return map[string]string{
		"CRM users": a.zoho.APIURL(dc) + "/crm/v8/users?type=CurrentUser",
		"CRM org":   a.zoho.APIURL(dc) + "/crm/v8/org",
		"Desk":      desk + "/api/v1/organizations",
		"accounts":  a.zoho.AccountsURL(dc) + "/oauth/user/info",
	}
}

func TestAGoodTokenOpensEveryAPIWithEitherScheme(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for _, dc := range []string{"eu", "ca"} {
			token := a.connects(dc, "scope", everyScope).accessToken()
			for name, address := range a.probes(dc) {
				for _, scheme := range []string{"Zoho-oauthtoken", "Bearer"} {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Authorization", scheme+" "+token)
					if r := a.do(req); r.status != 200 || !strings.Contains(r.body, a.zoho.User(dc).Name) {
						t.Errorf("%s with %s answered %d %s", name, scheme, r.status, r.body)
					}
				}
			}
		}
		a.wantNoViolations()
	})
}

// A scope counts whole: itself, or ALL of its own stem.
func TestAScopeIsNoPrefix(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for scope, status := range map[string]int{
			"ZohoCRM.org.READ": 200, "ZohoCRM.org.ALL": 200, "zohocrm.ORG.read": 200,
			"ZohoCRM.org.REA": 401, "ZohoCRM.org.READS": 401, "ZohoCRM.or.READ": 401, "ZohoCRM.org.READ.more": 401, "ZohoCRM.org": 401,
			"ZohoCRM.ALL": 401, "ZohoCRM.organization.ALL": 401, "ZohoCRM.org.WRITE": 401, "ZohoCRM.or.ALL": 401, "CRM.org.READ": 401,
		} {
			if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/org", a.connects("eu", "scope", scope).accessToken()); r.status != status {
				t.Errorf("with %s it answered %d, want %d", scope, r.status, status)
			}
			passes(10 * time.Minute)
		}
	})
}

func TestEachAPIRefusesInItsOwnWords(t *testing.T) {
	words := map[string]struct{ dead, scope, none string }{
		"CRM users": {"INVALID_TOKEN", "OAUTH_SCOPE_MISMATCH", "AUTHENTICATION_FAILURE"},
		"CRM org":   {"INVALID_TOKEN", "OAUTH_SCOPE_MISMATCH", "AUTHENTICATION_FAILURE"},
		"Desk":      {"INVALID_OAUTH", "SCOPE_MISMATCH", "INVALID_OAUTH"},
		"accounts":  {"INVALID_OAUTHTOKEN", "INVALID_OAUTHSCOPE", "INVALID_OAUTHTOKEN"},
	}
	bubble(t, func(t *testing.T, a app) {
		expired := a.connects("eu", "scope", everyScope).accessToken()
		passes(time.Hour)
		unscoped := a.connects("eu", "scope", "profile,ZohoCRM.modules.ALL").accessToken()
		elsewhere := a.connects("us", "scope", everyScope).accessToken()
		for name, address := range a.probes("eu") {
			for _, test := range []struct{ why, token, want string }{
				{"made up", "1000.x.y", words[name].dead},
				{"expired", expired, words[name].dead},
				{"of another data centre", elsewhere, words[name].dead},
				{"without the scope", unscoped, words[name].scope},
				{"absent", "", words[name].none},
			} {
				if r := a.get(address, test.token); r.status != 401 || !strings.Contains(r.body, `"`+test.want+`"`) {
					t.Errorf("%s, token %s: answered %d %s", name, test.why, r.status, r.body)
				}
			}
		}
		a.wantViolation(zohotest.WrongDataCenter, 4)
		if got := a.zoho.Counts(); got.APICalls != 20 || got.APIRefused != 20 {
			t.Errorf("counts are %+v", got)
		}
	})
}

func TestTheAPIsKnobs(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu", "scope", everyScope).accessToken()
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.DeadTokenStatus, k.StrictScopeCase = 400, true })
		if r := a.get(a.probes("eu")["CRM org"], "1000.x.y"); r.status != 400 || r.text("code") != "INVALID_TOKEN" {
			t.Errorf("a dead token got %d %s", r.status, r.body)
		}
		if r := a.get(a.probes("eu")["CRM org"], token); r.text("code") != "OAUTH_SCOPE_MISMATCH" {
			t.Errorf("a scope in the wrong case got %d %s", r.status, r.body)
		}
		if r := a.get(a.probes("eu")["CRM users"], token); r.status != 200 {
			t.Errorf("a scope in the right case got %d %s", r.status, r.body)
		}
	})
}

func TestTheCRMAnswersAlikeInEveryVersionThatClientsUse(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").accessToken()
		for _, path := range []string{"/org", "/users?type=CurrentUser"} {
			want := a.get(a.zoho.APIURL("eu")+"/crm/v8"+path, token)
			for _, version := range []string{"v2", "v3", "v4", "v5", "v6", "v7"} {
				if got := a.get(a.zoho.APIURL("eu")+"/crm/"+version+path, token); got.status != 200 || got.body != want.body {
					t.Errorf("%s%s answered %d %s", version, path, got.status, got.body)
				}
			}
		}
		for _, path := range []string{"/crm/v1/org", "/crm/v9/org", "/crm/v/org", "/crm/v22/org", "/crm/v2.1/org", "/crm/org", "/crm/v8/leads", "/crm/v8", "/crm/v8/org/1"} {
			if got := a.get(a.zoho.APIURL("eu")+path, token); got.status != 404 {
				t.Errorf("%s answered %d %s", path, got.status, got.body)
			}
		}
	})
}

func TestAUsersNumberIsANumberUnlessTheKnobSaysText(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		info := a.probes("eu")["accounts"]
		token := a.connects("eu", "scope", everyScope).accessToken()
		zuid := a.zoho.User("eu").ZUID
		if r := a.get(info, token); !strings.Contains(r.body, `"ZUID":`+zuid+`}`) {
			t.Errorf("answered %s", r.body)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.ZUIDString = true })
		if r := a.get(info, token); r.text("ZUID") != zuid {
			t.Errorf("as text answered %s", r.body)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.ZUIDString = false })
		a.zoho.AddUser(zohotest.User{Email: a.zoho.User("eu").Email, DataCenter: "eu", ZUID: "not a number"})
		if r := a.get(info, token); r.text("ZUID") != "not a number" {
			t.Errorf("a test's own id was answered as %s", r.body)
		}
	})
}

func TestEachHostServesOnlyItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for _, address := range []string{
			"https://www.zohoapis.eu/oauth/v2/token", "https://accounts.zoho.eu/crm/v8/org", "https://accounts.zoho.eu/nothing",
		} {
			if r := a.get(address, ""); r.status != 404 {
				t.Errorf("%s answered %d %s", address, r.status, r.body)
			}
		}
		for _, address := range []string{"https://accounts.zoho.ca/oauth/v2/token", "http://accounts.zoho.eu/oauth/v2/token", "https://example.com/"} {
			if r := a.get(address, ""); r.err == nil {
				t.Errorf("%s answered %d", address, r.status)
			}
		}
	})
}

func TestServerInfoListsTheDataCentersThatKnowEachOther(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		r := a.get("https://accounts.zoho.com/oauth/serverinfo", "")
		locations, _ := r.json["locations"].(map[string]any)
		if r.text("result") != "success" || len(locations) != 9 || locations["ca"] != "https://accounts.zohocloud.ca" || locations["cn"] != nil {
			t.Errorf("answered %s", r.body)
		}
		r = a.get("https://accounts.zoho.com.cn/oauth/serverinfo", "")
		if locations, _ := r.json["locations"].(map[string]any); len(locations) != 1 || locations["cn"] == nil {
			t.Errorf("China answered %s", r.body)
		}
		a.zoho.AddDataCenter(zohotest.DataCenter{Name: "sg", Accounts: "accounts.zoho.sg", API: "www.zohoapis.sg"})
		a.connects("sg")
		a.zoho.RemoveDataCenter("sg")
		if r := a.get("https://accounts.zoho.sg/oauth/serverinfo", ""); r.err == nil {
			t.Errorf("a removed data centre answered %s", r.body)
		}
	})
}

func TestUserWithoutAPIAccessIsRefusedByCRMAloneWhateverTheScopes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.AddUser(zohotest.User{Email: "kim@example.com", DataCenter: "us", NoAPIAccess: true})
		for _, scope := range []string{everyScope, "AaaServer.profile.READ"} {
			landed, err := a.zoho.Authorize(a.consentURL("us", "scope", scope), zohotest.Consent{Email: "kim@example.com"})
			if err != nil {
				t.Fatal(err)
			}
			grant := a.exchange("us", codeOf(t, landed))
			for _, path := range []string{"/crm/v8/org", "/crm/v2/users"} {
				r := a.get(a.zoho.APIURL("us")+path, grant.accessToken())
				if r.status != 403 || r.text("code") != "NO_PERMISSION" || !strings.Contains(r.body, "Crm_Implied_Api_Access") {
					t.Errorf("%s answered %d %s", path, r.status, r.body)
				}
			}
			if r := a.userInfo("us", grant); r.status != 200 {
				t.Errorf("the accounts server answered %d %s", r.status, r.body)
			}
			if again := a.refresh("us", grant.refreshToken()); again.accessToken() == "" {
				t.Errorf("the grant is refused: %s", again.body)
			}
		}
		if r := a.get(a.zoho.APIURL("us")+"/crm/v8/org", "1000.dead"); r.status != 401 {
			t.Errorf("a dead token got %d %s", r.status, r.body)
		}
		a.wantNoViolations()
	})
}

func TestFaultStrikesOnlyCallsOfItsPath(t *testing.T) {
	for name, test := range map[string]struct {
		fault  zohotest.Fault
		status int
		body   string
	}{
		"nothing":           {zohotest.Fault{Kind: zohotest.Empty}, 204, ""},
		"an odd status":     {zohotest.Fault{Kind: zohotest.Empty, Status: 202}, 202, ""},
		"a refusal":         {zohotest.Fault{Kind: zohotest.APIRefusal}, 400, "INVALID_REQUEST"},
		"another refusal":   {zohotest.Fault{Kind: zohotest.APIRefusal, Status: 403, Error: "NO_PERMISSION"}, 403, `"code":"NO_PERMISSION"`},
		"a page that is no": {zohotest.Fault{Kind: zohotest.HTML, Status: 404}, 404, "<html"},
	} {
		bubble(t, func(t *testing.T, a app) {
			token := a.connects("us", "scope", everyScope).accessToken()
			test.fault.Endpoint, test.fault.Path = "api", "/crm/"
			a.zoho.Fault(test.fault)
			if r := a.get(a.zoho.AccountsURL("us")+"/oauth/user/info", token); r.status != 200 {
				t.Errorf("%s: the accounts server answered %d %s", name, r.status, r.body)
			}
			r := a.get(a.zoho.APIURL("us")+"/crm/v8/org", token)
			if r.status != test.status || !strings.Contains(r.body, test.body) || test.body == "" && r.body != "" {
				t.Errorf("%s: CRM answered %d %q", name, r.status, r.body)
			}
		})
	}
}
