// Does a grant of an organization behave as Zoho's pages say, and as the knobs
// say where these are silent?

package zohotest_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// byOrganization is an organization client, the same one each time.
func (a app) byOrganization() app {
	return a.as(a.zoho.AddClient(zohotest.Client{ID: "1005.ORGANIZATION", Secret: "secret-of-the-organization", Type: zohotest.Organization}))
}

// orgURL is where an administrator's browser goes; more pairs are added or replace. The soid
// is of the service of the first scope.
func (a app) orgURL(dc string, more ...string) string {
	pairs := []string{"scope", "ZohoPay.payments.READ,AaaServer.profile.READ", "soid", "zohopay.4711"}
	for i := 0; i < len(more); i += 2 {
		if service, _, _ := strings.Cut(more[i+1], "."); more[i] == "scope" && service != "" {
			pairs = append(pairs, "soid", service+".4711")
		}
	}
	return strings.Replace(a.byOrganization().consentURL(dc, append(pairs, more...)...), "/oauth/v2/auth?", "/oauth/v2/org/auth?", 1)
}

// connectsOrganization is an administrator's consent and its exchange.
func (a app) connectsOrganization(dc string, more ...string) reply {
	a.Helper()
	landed, err := a.zoho.Authorize(a.orgURL("us", more...), zohotest.Consent{DataCenter: dc})
	if err != nil {
		a.Fatal(err)
	}
	r := a.byOrganization().exchange(dc, codeOf(a.T, landed))
	if r.refreshToken() == "" {
		a.Fatalf("connecting an organization at %s: %+v", dc, r)
	}
	return r
}

func (a app) userInfo(dc string, grant reply) reply {
	a.Helper()
	return a.get(a.zoho.AccountsURL(dc)+"/oauth/user/info", grant.accessToken())
}

// wantPage wants a consent to end on one of Zoho's pages.
func (a app) wantPage(title, address string, c zohotest.Consent) {
	a.Helper()
	if landed, err := a.zoho.Authorize(address, c); err == nil || !strings.HasPrefix(err.Error(), title+": ") {
		a.Errorf("landed at %q with page %v, want page %q", landed, err, title)
	}
}

func TestAnOrganizationsGrantOutlivesItsAdministratorAndAUsersDoesNot(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		admin := a.zoho.AddUser(zohotest.User{Email: "admin@example.com", DataCenter: "eu", Name: "Ada Admin", OrgID: "4711"})
		o := a.byOrganization()
		grantOf := func(a app, address string) reply {
			landed, err := a.zoho.Authorize(address, zohotest.Consent{Email: admin.Email})
			if err != nil {
				t.Fatal(err)
			}
			return a.exchange("eu", codeOf(t, landed))
		}
		org, user := grantOf(o, a.orgURL("us", "scope", "ZohoCRM.org.READ")), grantOf(a, a.consentURL("us"))
		tokens := a.zoho.RefreshTokens()
		if len(tokens) != 2 || !tokens[0].Organization || tokens[0].Soid != "ZohoCRM.4711" || tokens[1].Organization || tokens[1].Soid != "" {
			t.Fatalf("refresh tokens are %+v", tokens)
		}
		landed := map[string]string{}
		for _, address := range []string{a.orgURL("us"), a.consentURL("us")} {
			var err error
			if landed[address], err = a.zoho.Authorize(address, zohotest.Consent{Email: admin.Email}); err != nil {
				t.Fatal(err)
			}
		}
		a.zoho.RemoveUser("ADMIN@example.com")
		a.wantError(a.exchange("eu", codeOf(t, landed[a.consentURL("us")])), "invalid_code")
		if r := o.exchange("eu", codeOf(t, landed[a.orgURL("us")])); r.refreshToken() == "" {
			t.Errorf("the organization's code got %s", r.body)
		}
		a.wantError(a.refresh("eu", user.refreshToken()), "invalid_code")
		if a.zoho.Alive(user.accessToken()) || !a.zoho.Alive(org.accessToken()) {
			t.Error("the user's access token lives, or the organization's died")
		}
		again := o.refresh("eu", org.refreshToken())
		if r := a.get("https://www.zohoapis.eu/crm/v8/org", again.accessToken()); r.status != 200 || !strings.Contains(r.body, `"4711"`) {
			t.Errorf("with the organization's new token the API answered %d %s", r.status, r.body)
		}
		a.wantPage("Invalid User", a.orgURL("us"), zohotest.Consent{Email: admin.Email})
		a.wantNoViolations()
	})
}

func TestADevicesApprovalGoesWithItsPerson(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		started := a.starts("us")
		if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		a.zoho.RemoveUser(a.zoho.User("us").Email)
		a.wantError(a.polls("us", started.text("device_code")), "access_denied")
	})
}

func TestAnOrganizationsConsentTakesWhatAUsersTakes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.byOrganization()
		verifier := strings.Repeat("v", 43)
		landed, err := a.zoho.Authorize(a.orgURL("us", "code_challenge", verifier, "state", "a b"), zohotest.Consent{DataCenter: "ca"})
		if err != nil || !strings.HasPrefix(landed, "http://localhost:8910/callback?state=a+b&code=1005.") ||
			!strings.HasSuffix(landed, "&location=ca&accounts-server=https%3A%2F%2Faccounts.zohocloud.ca&") {
			t.Fatalf("landed at %s, %v", landed, err)
		}
		if r := a.exchange("ca", codeOf(t, landed), "code_verifier", verifier); r.refreshToken() == "" || r.text("scope") != "ZohoPay.payments.READ AaaServer.profile.READ" {
			t.Errorf("the exchange answered %s", r.body)
		}
		landed, err = a.zoho.Authorize(a.orgURL("us"), zohotest.Consent{Reject: true})
		if err != nil || landed != "http://localhost:8910/callback?state=xyz&error=access_denied&" {
			t.Errorf("rejecting landed at %s, %v", landed, err)
		}
		a.wantNoViolations()
	})
}

func TestWhatAnOrganizationCannotAskForEndsOnZohosPage(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		member := a.zoho.AddUser(zohotest.User{Email: "member@example.com", Member: true})
		organization, ordinary := a.byOrganization().client, a.client
		self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		for name, test := range map[string]struct {
			page, address string
			consent       zohotest.Consent
		}{
			"two apps":                  {"Invalid OAuth Scope", a.orgURL("us", "scope", "ZohoCRM.org.READ,Desk.basic.READ"), zohotest.Consent{}},
			"two apps and a common one": {"Invalid OAuth Scope", a.orgURL("us", "scope", "AaaServer.profile.READ,ZohoCRM.org.READ,ZohoBooks.settings.READ"), zohotest.Consent{}},
			"an app and OpenID":         {"Invalid OAuth Scope", a.orgURL("us", "scope", "ZohoCRM.org.READ,openid"), zohotest.Consent{}},
			"no scope":                  {"Invalid OAuth scope", a.orgURL("us", "scope", ""), zohotest.Consent{}},
			"no soid":                   {"Invalid Organization", a.orgURL("us", "soid", ""), zohotest.Consent{}},
			"a soid without a service":  {"Invalid Organization", a.orgURL("us", "soid", "4711"), zohotest.Consent{}},
			"a soid of no service":      {"Invalid Organization", a.orgURL("us", "soid", ".4711"), zohotest.Consent{}},
			"a soid without an id":      {"Invalid Organization", a.orgURL("us", "soid", "zohopay."), zohotest.Consent{}},
			"no administrator":          {"Invalid User", a.orgURL("us"), zohotest.Consent{Email: member.Email}},
			"a token at once":           {"Invalid response type", a.orgURL("us", "response_type", "token"), zohotest.Consent{}},
			"a self client":             {"Invalid Client", a.orgURL("us", "client_id", self.ID), zohotest.Consent{}},
			"an ordinary client":        {"Invalid Client", a.orgURL("us", "client_id", ordinary.ID), zohotest.Consent{}},
			"its client for one user":   {"Invalid Client", a.consentURL("us", "client_id", organization.ID), zohotest.Consent{}},
			"another service's soid":    {"Invalid Organization", a.orgURL("us", "soid", "ZohoCRM.4711"), zohotest.Consent{}},
			"Desk by its scope's name":  {"Invalid Organization", a.orgURL("us", "scope", "Desk.basic.READ", "soid", "Desk.4711"), zohotest.Consent{}},
			"no soid, two services":     {"Invalid OAuth Scope", a.orgURL("us", "soid", "", "scope", "SalesIQ.portals.READ,ZohoCRM.org.READ"), zohotest.Consent{}},
			"no soid, common scopes":    {"Invalid Organization", a.orgURL("us", "soid", "", "scope", "AaaServer.profile.READ"), zohotest.Consent{}},
		} {
			t.Log(name)
			a.wantPage(test.page, test.address, test.consent)
		}
		for _, soid := range []string{"", "SalesIQ.4711"} { // captured without one
			a.connectsOrganization("us", "soid", soid, "scope", "salesiq.portals.READ,AaaServer.profile.READ")
		}
		for scopes, soid := range map[string]string{
			"ZohoCRM.org.READ,zohocrm.users.READ": "ZohoCRM.4711",
			"ZohoFiles.files.READ,ZohoContacts.a.READ,ZohoProfile.a.READ,aaaserver.profile.READ,Desk.basic.READ": "ZohoDesk.4711",
			"AaaServer.profile.READ": "ZohoCRM.4711", // no app whose soid it must be
		} {
			a.connectsOrganization("us", "scope", scopes, "soid", soid)
		}
	})
}

func TestWhatZohosPagesLeaveOpenAboutOrganizationsIsAKnob(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		member := a.zoho.AddUser(zohotest.User{Email: "member@example.com", Member: true})
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.OrganizationNeedsSoid, k.OrganizationNeedsAdmin = false, false })
		if _, err := a.zoho.Authorize(a.orgURL("us", "soid", ""), zohotest.Consent{Email: member.Email}); err != nil {
			t.Errorf("a member without soid got page %v", err)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.KnownOrganizations = true })
		a.wantPage("Invalid Organization", a.orgURL("us"), zohotest.Consent{})
		a.connectsOrganization("us", "soid", "zohopay."+a.zoho.User("us").OrgID)
		ordinary := a.orgURL("us", "client_id", a.client.ID, "soid", "zohopay."+a.zoho.User("us").OrgID)
		a.wantPage("Invalid Client", ordinary, zohotest.Consent{})
		a.zoho.Knobs(func(k *zohotest.Knobs) {
			k.OrganizationClients = []zohotest.ClientType{zohotest.ServerBased, zohotest.Organization}
		})
		if _, err := a.zoho.Authorize(ordinary, zohotest.Consent{}); err != nil {
			t.Errorf("an ordinary client got page %v", err)
		}
	})
}

func TestWhomUserInfoNamesForAnOrganizationIsAKnob(t *testing.T) {
	for setting, want := range map[zohotest.OrganizationUser][2]int{ // before and after the administrator leaves
		zohotest.Administrator:        {200, 200},
		zohotest.PresentAdministrator: {200, 401},
		zohotest.Nobody:               {401, 401},
	} {
		bubble(t, func(t *testing.T, a app) {
			if setting != zohotest.Administrator { // which is the default
				a.zoho.Knobs(func(k *zohotest.Knobs) { k.OrganizationUser = setting })
			}
			grant, admin := a.connectsOrganization("eu"), a.zoho.User("eu")
			user := a.connects("us", "scope", "AaaServer.profile.READ")
			for i, status := range want {
				r := a.userInfo("eu", grant)
				if r.status != status || status == 200 && r.text("Email") != admin.Email || status == 401 && r.text("cause") != "INVALID_OAUTHSCOPE" {
					t.Errorf("%s, %d: answered %d %s", setting, i, r.status, r.body)
				}
				if i == 0 {
					a.zoho.RemoveUser(admin.Email)
				}
			}
			if refused := a.zoho.Counts().APIRefused; refused != want[0]/401+want[1]/401 {
				t.Errorf("%s: %d refusals were counted", setting, refused)
			}
			if r := a.userInfo("us", user); r.status != 200 {
				t.Errorf("%s: to a user's token it answered %d", setting, r.status)
			}
		})
	}
}

func TestWhetherAnOrganizationsRefreshTokenIsOneOfTheTwentyIsAKnob(t *testing.T) {
	for _, counts := range []bool{true, false} {
		bubble(t, func(t *testing.T, a app) {
			a.zoho.Knobs(func(k *zohotest.Knobs) {
				k.LiveRefreshTokens, k.LiveRefreshTokenKey, k.OrganizationCounts = 1, zohotest.PerUser, counts
			})
			org := a.connectsOrganization("eu")
			user := a.connects("eu")
			a.connectsOrganization("eu")
			evicted := map[bool]int{true: 2, false: 0}[counts]
			a.wantViolation(zohotest.RefreshTokenEvicted, evicted)
			if got := a.byOrganization().refresh("eu", org.refreshToken()).accessToken() != ""; got == counts {
				t.Errorf("counts is %v: the organization's first grant lives: %v", counts, got)
			}
			if got := a.refresh("eu", user.refreshToken()).accessToken() != ""; got == counts {
				t.Errorf("counts is %v: the user's grant lives: %v", counts, got)
			}
		})
	}
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens, k.LiveRefreshTokenKey = 1, zohotest.PerUser })
		a.connectsOrganization("eu")
		a.connects("eu")
		a.wantViolation(zohotest.RefreshTokenEvicted, 1) // the default counts them
	})
}

func TestAnOrganizationAndItsAdministratorConsentApart(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		scope := []string{"scope", "ZohoCRM.org.READ", "prompt", ""}
		a.connects("eu", scope...)
		a.connectsOrganization("eu", scope...)
		landed, err := a.zoho.Authorize(a.orgURL("us", scope...), zohotest.Consent{DataCenter: "eu"})
		if err != nil {
			t.Fatal(err)
		}
		if r := a.byOrganization().exchange("eu", codeOf(t, landed)); r.accessToken() == "" || r.refreshToken() != "" {
			t.Errorf("the organization's second consent without prompt got %s", r.body)
		}
	})
}

func TestAnOrganizationsGrantGainsScopesOfItsOwnAppAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connectsOrganization("eu", "scope", "ZohoCRM.org.READ")
		a = a.byOrganization()
		token := a.enhances("eu", grant.refreshToken()).accessToken()
		a.wantPage("Invalid OAuth Scope", a.extraScopeURL("eu", token, "Desk.basic.READ"), zohotest.Consent{})
		if landed, err := a.zoho.Authorize(a.extraScopeURL("eu", token, "ZohoCRM.users.READ"), zohotest.Consent{}); err != nil || !strings.Contains(landed, "status=success") {
			t.Fatalf("landed at %s, %v", landed, err)
		}
		if r := a.get("https://www.zohoapis.eu/crm/v8/users", grant.accessToken()); r.status != 200 {
			t.Errorf("the API answered %d %s", r.status, r.body)
		}
	})
}

func TestAPersonConsentsForTheOrganizationInABrowser(t *testing.T) {
	a := listening(t)
	member := a.zoho.AddUser(zohotest.User{Email: "member@example.com", Member: true})
	page := a.get(a.orgURL("us"), "")
	if page.status != 200 || !strings.Contains(page.body, "your organization (zohopay.4711)") || strings.Contains(page.body, member.Email) {
		t.Fatalf("the page is %d %s", page.status, page.body)
	}
	landed := a.post(a.zoho.AccountsURL("us")+field(t, page.body, `<form method="post" action="([^"]*)"`),
		"path", field(t, page.body, `name="path" value="([^"]*)"`), "request", field(t, page.body, `name="request" value="([^"]*)"`),
		"email", a.zoho.User("us").Email, "decision", "accept")
	if r := a.byOrganization().exchange("us", codeOf(t, landed.header.Get("Location"))); r.refreshToken() == "" {
		t.Errorf("the exchange got %s", r.body)
	}
	if tokens := a.zoho.RefreshTokens(); len(tokens) != 1 || !tokens[0].Organization {
		t.Errorf("refresh tokens are %+v", tokens)
	}
	a.wantNoViolations()
}

func TestAScriptCanSendAPersonAwayAndSeesWhoseAGrantIs(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		a.connectsOrganization("eu")
		a.connects("eu")
		must[map[string]any](s, "POST", "/remove-user", `{"email":"`+a.zoho.User("eu").Email+`"}`)
		tokens := must[map[string][]map[string]any](s, "GET", "/tokens", "")["refresh_tokens"]
		if len(tokens) != 1 || tokens[0]["organization"] != true || tokens[0]["soid"] != "zohopay.4711" {
			t.Errorf("refresh tokens are %v", tokens)
		}
		must[map[string]any](s, "PATCH", "/knobs", `{"organization_user":"nobody","organization_clients":["organization"],"organization_counts":false}`)
		for _, test := range []struct{ method, path, body, want string }{
			{"POST", "/remove-user", `{"email":"nobody@example.com"}`, "nobody@example.com"},
			{"PATCH", "/knobs", `{"organization_user":"somebody"}`, "somebody"},
			{"PATCH", "/knobs", `{"organization_clients":["self"]}`, "self"},
		} {
			if status, answer := s.call(test.method, test.path, test.body); status != 400 || !strings.Contains(answer, test.want) {
				t.Errorf("%s %s answered %d %s, want %q", test.path, test.body, status, answer, test.want)
			}
		}
		a.connectsOrganization("us") // a refused change changed nothing
	})
}
