// Do mobile and browser-only clients, and scopes that come later, behave as
// Zoho's pages say?

package zohotest_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func (a app) enhances(dc, refreshToken string, more ...string) reply {
	a.Helper()
	return a.post(a.zoho.AccountsURL(dc)+"/oauth/v2/token/scopeenhance", append([]string{"grant_type", "update_scopes_token",
		"client_id", a.client.ID, "client_secret", a.client.Secret, "refresh_token", refreshToken}, more...)...)
}

// extraScopeURL is where the browser goes with an enhance token.
func (a app) extraScopeURL(dc, enhanceToken, scope string) string {
	return a.zoho.AccountsURL(dc) + "/oauth/v2/token/addextrascope?" + form("client_id", a.client.ID, "response_type", "update_scopes",
		"redirect_uri", a.client.RedirectURIs[0], "scope", scope, "enhance_token", enhanceToken, "logout", "true").Encode()
}

func TestARefreshTokenAndItsAccessTokensGainScopes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		desk := "https://desk.zoho.eu/api/v1/organizations"
		if r := a.get(desk, grant.accessToken()); r.status != 401 {
			t.Fatalf("before, Desk answered %d", r.status)
		}
		enhance := a.enhances("eu", grant.refreshToken())
		if enhance.accessToken() == "" || enhance.json["expires_in"] != 600.0 || enhance.text("token_type") != "Bearer" {
			t.Fatalf("answered %s", enhance.body)
		}
		address := a.extraScopeURL("eu", enhance.accessToken(), "Desk.basic.READ")
		landed, err := a.zoho.Authorize(address, zohotest.Consent{Reject: true})
		if err != nil || !strings.Contains(landed, "error=access_denied") {
			t.Errorf("rejecting landed at %s, %v", landed, err)
		}
		landed, err = a.zoho.Authorize(address, zohotest.Consent{})
		u, parseErr := url.Parse(landed)
		if err != nil || parseErr != nil || u.Query().Get("status") != "success" || u.Query().Get("scope_enhanced") != "true" {
			t.Fatalf("landed at %s, %v", landed, err)
		}
		if r := a.get(desk, grant.accessToken()); r.status != 200 {
			t.Errorf("with the old access token Desk answered %d %s", r.status, r.body)
		}
		if r := a.refresh("eu", grant.refreshToken()); r.text("scope") != "ZohoCRM.users.READ ZohoCRM.org.READ Desk.basic.READ" {
			t.Errorf("the refresh got %s", r.body)
		}
		if _, err := a.zoho.Authorize(address, zohotest.Consent{}); err == nil {
			t.Error("an enhance token worked twice")
		}
		a.wantNoViolations()
	})
}

func TestTheAnswerAboutMoreScopesCarriesTheStateUnlessTheKnobSaysNo(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		for _, test := range []struct {
			omit, reject bool
			want         string
		}{
			{false, true, "?state=a+b%26c&error=access_denied&"},
			{true, true, "?error=access_denied&"},
			{false, false, "?state=a+b%26c&status=success&scope_enhanced=true&"},
			{true, false, "?status=success&scope_enhanced=true&"},
		} {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.OmitState = test.omit })
			address := a.extraScopeURL("eu", a.enhances("eu", grant.refreshToken()).accessToken(), "Desk.basic.READ") + "&state=a+b%26c"
			landed, err := a.zoho.Authorize(address, zohotest.Consent{Reject: test.reject})
			if err != nil || landed != a.client.RedirectURIs[0]+test.want {
				t.Errorf("%+v: landed at %s, %v", test, landed, err)
			}
		}
	})
}

func TestMistakesInScopeEnhancementHaveNames(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		a.wantError(a.enhances("eu", "1000.x.y"), "invalid_code")
		a.wantError(a.enhances("eu", grant.refreshToken(), "client_id", "x"), "invalid_client")
		a.wantError(a.enhances("eu", grant.refreshToken(), "client_secret", "x"), "invalid_client_secret")
		a.wantError(a.enhances("eu", grant.refreshToken(), "grant_type", "refresh_token"), "invalid_client")
		a.wantError(a.enhances("us", grant.refreshToken()), "invalid_code")
		a.wantViolation(zohotest.WrongDataCenter, 1)
		if r := a.enhances("eu", grant.refreshToken(), "grant_type", ""); r.status != 400 || r.json != nil {
			t.Errorf("without grant_type it answered %d %s", r.status, r.body)
		}
		token := a.enhances("eu", grant.refreshToken()).accessToken()
		another := a.zoho.AddClient(zohotest.Client{RedirectURIs: a.client.RedirectURIs})
		address := a.extraScopeURL("eu", token, "Desk.basic.READ")
		for name, test := range map[string]struct {
			address string
			consent zohotest.Consent
		}{
			"another user":            {address, zohotest.Consent{DataCenter: "us"}},
			"another client's token":  {strings.Replace(address, a.client.ID, another.ID, 1), zohotest.Consent{}},
			"another token":           {strings.Replace(address, token, "1000.x.y", 1), zohotest.Consent{}},
			"another response type":   {strings.Replace(address, "update_scopes", "code", 1), zohotest.Consent{}},
			"a bad scope":             {strings.Replace(address, "Desk.basic.READ", "Desk", 1), zohotest.Consent{}},
			"another data centre":     {a.extraScopeURL("us", token, "Desk.basic.READ"), zohotest.Consent{}},
			"the consent page itself": {strings.Replace(address, "token/addextrascope", "auth", 1), zohotest.Consent{}},
		} {
			if landed, err := a.zoho.Authorize(test.address, test.consent); err == nil {
				t.Errorf("%s: landed at %s", name, landed)
			}
		}
		passes(10 * time.Minute)
		if landed, err := a.zoho.Authorize(address, zohotest.Consent{}); err == nil {
			t.Errorf("after ten minutes it landed at %s", landed)
		}
	})
}

func TestScopesAreGainedInABrowserToo(t *testing.T) {
	a := listening(t)
	grant := a.connects("eu")
	page := a.get(a.extraScopeURL("eu", a.enhances("eu", grant.refreshToken()).accessToken(), "Desk.basic.READ"), "")
	if strings.Contains(page.body, a.zoho.User("us").Email) {
		t.Error("the page offers another user")
	}
	done := a.post(a.zoho.AccountsURL("eu")+field(t, page.body, `<form method="post" action="([^"]*)"`),
		"path", field(t, page.body, `name="path" value="([^"]*)"`), "request", field(t, page.body, `name="request" value="([^"]*)"`),
		"email", a.zoho.User("eu").Email, "decision", "accept")
	if !strings.Contains(done.header.Get("Location"), "scope_enhanced=true") {
		t.Errorf("the button led to %d %v", done.status, done.header)
	}
}

func TestAMobileClientNeedsAChallenge(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.Mobile, RedirectURIs: []string{"com.example.app://callback"}}))
		if landed, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{}); err == nil {
			t.Errorf("without a challenge it landed at %s", landed)
		}
		verifier := strings.Repeat("v", 43)
		landed, err := a.zoho.Authorize(a.consentURL("us", "code_challenge", verifier), zohotest.Consent{})
		if err != nil || !strings.HasPrefix(landed, "com.example.app://callback?") {
			t.Fatalf("landed at %s, %v", landed, err)
		}
		if r := a.exchange("us", codeOf(t, landed), "code_verifier", verifier); r.refreshToken() == "" {
			t.Errorf("the exchange got %s", r.body)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.MobileNeedsPKCE = false })
		a.connects("us")
	})
}

func TestAClientBasedAppGetsItsTokenInTheFragmentAndNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		server := a
		a = a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.ClientBased}))
		landed, err := a.zoho.Authorize(a.consentURL("us", "response_type", "token"), zohotest.Consent{DataCenter: "eu"})
		u, parseErr := url.Parse(landed)
		if err != nil || parseErr != nil {
			t.Fatal(err, parseErr)
		}
		got, err := url.ParseQuery(u.Fragment)
		if err != nil || got.Get("expires_in") != "3600" || got.Get("location") != "eu" || got.Get("api_domain") != "https://www.zohoapis.eu" || got.Get("state") != "xyz" || u.RawQuery != "" {
			t.Errorf("landed at %s, %v", landed, err)
		}
		if r := a.get("https://www.zohoapis.eu/crm/v8/org", got.Get("access_token")); r.status != 200 {
			t.Errorf("the API answered %d %s", r.status, r.body)
		}
		a.wantError(a.exchange("us", "1000.x.y"), "invalid_client")
		for name, ask := range map[string]string{
			"a code for a client-based app": a.consentURL("us"),
			"a token for a server":          server.consentURL("us", "response_type", "token"),
		} {
			if landed, err := a.zoho.Authorize(ask, zohotest.Consent{}); err == nil || !strings.HasPrefix(err.Error(), "Invalid response type") {
				t.Errorf("%s: landed at %q, page %v", name, landed, err)
			}
		}
	})
}

func TestEmptySecretsOfDataCentersAreMadeUp(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		c := a.zoho.AddClient(zohotest.Client{Secrets: map[string]string{"eu": "", "in": ""}})
		if c.Secrets["eu"] == "" || c.Secrets["eu"] == c.Secrets["in"] || c.Secrets["eu"] == c.Secret {
			t.Errorf("secrets are %v", c.Secrets)
		}
		a = a.as(c)
		code := a.consents("eu").Get("code")
		a.wantError(a.exchange("eu", code), "invalid_client")
		if r := a.exchange("eu", a.consents("eu").Get("code"), "client_secret", c.Secrets["eu"]); r.accessToken() == "" {
			t.Errorf("the right secret got %s", r.body)
		}
	})
}

func TestScopesAreGainedByWhoConsentedAndCountAsConsentedTo(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		kim := a.zoho.AddUser(zohotest.User{Email: "kim@example.com", DataCenter: "eu"})
		landed, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{Email: kim.Email})
		if err != nil {
			t.Fatal(err)
		}
		grant := a.exchange("eu", codeOf(t, landed))
		for _, scope := range []string{"Desk.basic.READ", "Desk.basic.READ,Desk.tickets.READ"} {
			token := a.enhances("eu", grant.refreshToken()).accessToken()
			if landed, err := a.zoho.Authorize(a.extraScopeURL("eu", token, scope), zohotest.Consent{}); err != nil || !strings.Contains(landed, "scope_enhanced=true") {
				t.Fatalf("landed at %s, %v", landed, err)
			}
		}
		if r := a.refresh("eu", grant.refreshToken()); r.text("scope") != grant.text("scope")+" Desk.basic.READ Desk.tickets.READ" {
			t.Errorf("the refresh got %s", r.body)
		}
		// Without prompt there is no refresh token for scopes that were consented to.
		landed, err = a.zoho.Authorize(a.consentURL("us", "scope", "Desk.tickets.READ", "prompt", ""), zohotest.Consent{Email: kim.Email})
		if err != nil {
			t.Fatal(err)
		}
		if r := a.exchange("eu", codeOf(t, landed)); r.refreshToken() != "" {
			t.Errorf("the exchange got %s", r.body)
		}
		token := a.enhances("eu", grant.refreshToken()).accessToken()
		a.zoho.RevokeRefreshToken(grant.refreshToken())
		a.wantPage("Invalid Request", a.extraScopeURL("eu", token, "ZohoMail.accounts.READ"), zohotest.Consent{})
	})
}
