// What can a token answer look like, and how may it be asked for?

package zohotest_test

import (
	"bytes"
	"encoding/base64"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestATokenAnswerHasZohosFieldsAndHeaders(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		r := a.connects("jp")
		shape := regexp.MustCompile(`^1000\.[0-9a-f]{32}\.[0-9a-f]{32}$`)
		for _, field := range []string{"access_token", "refresh_token"} {
			if !shape.MatchString(r.text(field)) {
				t.Errorf("%s is %q", field, r.text(field))
			}
		}
		if r.text("token_type") != "Bearer" || r.json["expires_in"] != 3600.0 || r.text("api_domain") != "https://www.zohoapis.jp" || r.text("scope") != "ZohoCRM.users.READ ZohoCRM.org.READ" || len(r.json) != 6 {
			t.Errorf("answered %s", r.body)
		}
		if r.header.Get("Content-Type") != "application/json;charset=UTF-8" || r.header.Get("Server") != "ZGS" || r.header.Get("Retry-After") != "" {
			t.Errorf("headers are %v", r.header)
		}
	})
}

func TestEveryAnswerHasTheHeadersOfCapturedOnes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsent = true })
		for name, r := range map[string]reply{
			"a token":    a.connects("eu"),
			"a refusal":  a.refresh("eu", "1000.x.y"),
			"a page":     a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token", ""),
			"a redirect": a.get(a.consentURL("us"), ""),
		} {
			for header, want := range map[string]string{
				"Server": "ZGS", "X-Content-Type-Options": "nosniff", "X-Xss-Protection": "1", "X-Frame-Options": "SAMEORIGIN",
				"Strict-Transport-Security": "max-age=63072000", "Cache-Control": "", "Retry-After": "",
			} {
				if got := r.header.Get(header); got != want {
					t.Errorf("%s: %s is %q, want %q", name, header, got, want)
				}
			}
			var cookies []string
			for _, cookie := range (&http.Response{Header: r.header}).Cookies() {
				cookies = append(cookies, cookie.Name)
			}
			if len(cookies) != 3 || !slices.Contains(cookies, "iamcsr") || !slices.Contains(cookies, "_zcsr_tmp") {
				t.Errorf("%s: cookies are %v", name, cookies)
			}
		}
	})
}

func TestTheStatusLineHasNoReason(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		resp, err := a.http.Get(a.zoho.AccountsURL("eu") + "/oauth/serverinfo")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.Status != "200 " { // as net/http reads "HTTP/1.1 200 "
			t.Errorf("the status is %q", resp.Status)
		}
	})
}

// order is the names of an answer's fields as they stand on the wire.
func (r reply) order() string {
	var names []string
	for _, found := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(r.body, -1) {
		names = append(names, found[1])
	}
	return strings.Join(names, " ")
}

func TestAnswersHaveTheirFieldsInTheOrderOfCapturedOnes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		connected := a.connects("eu")
		refreshed := a.refresh("eu", connected.refreshToken())
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LegacyExpiresIn = true })
		legacy := a.refresh("eu", connected.refreshToken())
		openID := a.connects("eu", "scope", "openid")
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = 0 })
		for _, test := range []struct {
			reply
			want string
		}{
			{connected, "access_token refresh_token scope api_domain token_type expires_in"},
			{refreshed, "access_token scope api_domain token_type expires_in"},
			{legacy, "access_token scope api_domain token_type expires_in_sec expires_in"},
			{openID, "access_token refresh_token scope api_domain token_type expires_in_sec expires_in id_token"},
			{a.refresh("eu", connected.refreshToken()), "error_description error status"},
		} {
			if got := test.order(); got != test.want {
				t.Errorf("answered %s, want the order %s", test.body, test.want)
			}
		}
	})
}

func TestTheAnswersKnobs(t *testing.T) {
	for name, test := range map[string]struct {
		knob func(*zohotest.Knobs)
		want func(reply) bool
	}{
		"no scope":          {func(k *zohotest.Knobs) { k.OmitScope = true }, func(r reply) bool { return r.json["scope"] == nil }},
		"no api_domain":     {func(k *zohotest.Knobs) { k.OmitAPIDomain = true }, func(r reply) bool { return r.json["api_domain"] == nil }},
		"api_domain with /": {func(k *zohotest.Knobs) { k.APIDomainSlash = true }, func(r reply) bool { return r.text("api_domain") == "https://www.zohoapis.eu/" }},
		"api_domain of the accounts pages": {func(k *zohotest.Knobs) { k.AccountsPageDomain = true },
			func(r reply) bool { return r.text("api_domain") == "https://api.zoho.eu" }},
		"milliseconds": {func(k *zohotest.Knobs) { k.LegacyExpiresIn = true },
			func(r reply) bool { return r.json["expires_in"] == 3600000.0 && r.json["expires_in_sec"] == 3600.0 }},
		"a string":      {func(k *zohotest.Knobs) { k.ExpiresInString = true }, func(r reply) bool { return r.json["expires_in"] == "3600" }},
		"no expires_in": {func(k *zohotest.Knobs) { k.OmitExpiresIn = true }, func(r reply) bool { return r.json["expires_in"] == nil }},
		"a short life": {func(k *zohotest.Knobs) { k.AccessTokenLifetime = time.Minute },
			func(r reply) bool { return r.json["expires_in"] == 60.0 }},
		"scopes taken apart": {func(k *zohotest.Knobs) { k.ExpandScopes = true }, func(r reply) bool {
			return r.text("scope") == "ZohoCRM.modules.READ ZohoCRM.modules.CREATE ZohoCRM.modules.UPDATE ZohoCRM.modules.DELETE Desk.basic.READ"
		}},
	} {
		bubble(t, func(t *testing.T, a app) {
			a.zoho.Knobs(test.knob)
			connected := a.connects("eu", "scope", "ZohoCRM.modules.ALL Desk.basic.READ")
			for _, r := range []reply{connected, a.refresh("eu", connected.refreshToken())} {
				if !test.want(r) {
					t.Errorf("%s: answered %s", name, r.body)
				}
			}
		})
	}
}

func TestWhatIsOldOrExpandedIsAMatterOfTheClientAndOfTheService(t *testing.T) {
	const scopes = "ZohoCRM.modules.ALL Site24x7.Admin.ALL Desk.tickets.ALL"
	const crm, monitor, desk = "ZohoCRM.modules.ALL", "Site24x7.Admin.READ Site24x7.Admin.CREATE Site24x7.Admin.UPDATE Site24x7.Admin.DELETE",
		"Desk.tickets.READ Desk.tickets.CREATE Desk.tickets.UPDATE Desk.tickets.DELETE"
	const allCRM = "ZohoCRM.modules.READ ZohoCRM.modules.CREATE ZohoCRM.modules.UPDATE ZohoCRM.modules.DELETE"
	for name, test := range map[string]struct {
		knob   func(*zohotest.Knobs)
		client zohotest.Client
		scope  string
		legacy bool
	}{
		"as it comes": {scope: crm + " " + monitor + " Desk.tickets.ALL"},
		"an old client": {client: zohotest.Client{LegacyExpiresIn: true, ExpandScopes: true},
			scope: allCRM + " " + monitor + " " + desk, legacy: true},
		"services that the knobs name": {knob: func(k *zohotest.Knobs) {
			k.LegacyExpiresInServices, k.ExpandScopesServices = []string{"ZohoBooks", "zohocrm"}, []string{"desk"}
		}, scope: crm + " Site24x7.Admin.ALL " + desk, legacy: true},
		"services that are not asked for": {knob: func(k *zohotest.Knobs) {
			k.LegacyExpiresInServices, k.ExpandScopesServices = []string{"ZohoBooks"}, nil
		}, scope: scopes},
	} {
		bubble(t, func(t *testing.T, a app) {
			if test.knob != nil {
				a.zoho.Knobs(test.knob)
			}
			a = a.as(a.zoho.AddClient(test.client))
			connected := a.connects("eu", "scope", scopes)
			for _, r := range []reply{connected, a.refresh("eu", connected.refreshToken())} {
				if r.text("scope") != test.scope || (r.json["expires_in"] == 3600000.0) != test.legacy || (r.json["expires_in_sec"] == 3600.0) != test.legacy {
					t.Errorf("%s: answered %s", name, r.body)
				}
			}
		})
	}
}

func TestRefreshTokensRotateOnlyIfTheKnobSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		first := a.connects("eu")
		next := a.refresh("eu", first.refreshToken())
		if next.refreshToken() == "" || next.refreshToken() == first.refreshToken() {
			t.Fatalf("the refresh got %s", next.body)
		}
		a.wantError(a.refresh("eu", first.refreshToken()), "invalid_code")
		a.mints(1, next.refreshToken())
		if !a.zoho.Alive(first.accessToken()) {
			t.Error("rotating killed an access token")
		}
	})
}

func TestOpenIDScopesBringAnIDToken(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		r := a.connects("eu", "scope", "openid email")
		parts := strings.Split(r.text("id_token"), ".")
		if len(parts) != 3 {
			t.Fatalf("answered %s", r.body)
		}
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || !strings.Contains(string(claims), a.zoho.User("eu").Email) {
			t.Errorf("claims are %s, %v", claims, err)
		}
	})
}

func TestAClientMayAskByQueryFormMultipartOrHeaderButIsToldWhatLeaks(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").refreshToken()
		address := a.zoho.AccountsURL("eu") + "/oauth/v2/token"
		all := form("grant_type", "refresh_token", "client_id", a.client.ID, "client_secret", a.client.Secret, "refresh_token", token)

		var multi bytes.Buffer
		parts := multipart.NewWriter(&multi)
		for name := range all {
			parts.WriteField(name, all.Get(name))
		}
		parts.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, &multi)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", parts.FormDataContentType())
		if r := a.do(req); r.accessToken() == "" {
			t.Errorf("multipart got %s", r.body)
		}
		a.wantNoViolations()

		if r := a.post(address + "?" + all.Encode()); r.accessToken() == "" {
			t.Errorf("query got %s", r.body)
		}
		a.wantViolation(zohotest.SecretInQuery, 2) // client_secret and refresh_token

		if r := a.post(address+"?grant_type=refresh_token&client_id="+a.client.ID, "client_secret", a.client.Secret, "refresh_token", token); r.accessToken() == "" {
			t.Errorf("query and form got %s", r.body)
		}
		a.wantViolation(zohotest.SecretInQuery, 2)

		req = a.newPost(address, "grant_type", "refresh_token", "refresh_token", token)
		req.SetBasicAuth(a.client.ID, a.client.Secret)
		if r := a.do(req); r.accessToken() == "" {
			t.Errorf("header got %s", r.body)
		}
		a.wantViolation(zohotest.SecretInQuery, 2)
	})
}

func TestTheWrongMethodIsAPage(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for i, path := range []string{"/oauth/v2/token", "/oauth/v2/token/revoke", "/oauth/v2/revoke/token"} {
			r := a.get(a.zoho.AccountsURL("eu")+path+"?grant_type=refresh_token", "")
			if r.status != 400 || r.json != nil {
				t.Errorf("GET %s answered %d %s", path, r.status, r.body)
			}
			a.wantViolation(zohotest.WrongMethod, i+1)
		}
		if r := a.post(a.consentURL("us")); r.status != 400 {
			t.Errorf("POST of a consent URL answered %d", r.status)
		}
		a.wantViolation(zohotest.WrongMethod, 4)
	})
}

func TestClientCredentialsAreForSelfClientsAndNeedAnOrganization(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		self := a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient}))
		ask := func(a app, pairs ...string) reply {
			return a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token", append([]string{"grant_type", "client_credentials",
				"client_id", a.client.ID, "client_secret", a.client.Secret}, pairs...)...)
		}
		a.wantError(ask(a, "scope", "ZohoCliq.Users.READ"), "invalid_client")
		a.wantError(ask(self), "invalid_scope")
		a.wantError(ask(self, "scope", "nonsense"), "invalid_scope")
		a.wantError(ask(self, "scope", "ZohoCRM.org.READ"), "missing_org_info")
		a.wantError(ask(self, "scope", "ZohoCRM.org.READ", "soid", "ZohoDesk.1"), "missing_org_info")
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.KnownOrganizations = true })
		a.wantError(ask(self, "scope", "ZohoCRM.org.READ", "soid", "ZohoCRM.1"), "invalid_soid")
		soid := "ZohoCRM." + a.zoho.User("us").OrgID
		r := ask(self, "scope", "ZohoCRM.org.READ", "soid", soid)
		if r.accessToken() == "" || r.refreshToken() != "" || r.text("scope") != "ZohoCRM.org.READ" {
			t.Errorf("answered %s", r.body)
		}
		if got := a.get(a.zoho.APIURL("us")+"/crm/v8/org", r.accessToken()); got.status != 200 {
			t.Errorf("the API answered %d %s", got.status, got.body)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RefuseClientScopes = true })
		if got := a.get(a.zoho.APIURL("us")+"/crm/v8/org", r.accessToken()); got.status != 401 || got.text("code") != "OAUTH_SCOPE_MISMATCH" {
			t.Errorf("the API answered %d %s", got.status, got.body)
		}
		for range 9 {
			if r := ask(self, "scope", "ZohoCliq.Users.READ"); r.accessToken() == "" {
				t.Errorf("within the limit it answered %s", r.body)
			}
		}
		a.wantNoViolations()
		a.wantThrottled(ask(self, "scope", "ZohoCliq.Users.READ"))
		a.wantViolation(zohotest.ThrottleTripped, 1)
		passes(10 * time.Minute)
		if r := ask(self, "scope", "ZohoCliq.Users.READ"); r.accessToken() == "" {
			t.Errorf("after the window it answered %s", r.body)
		}
		if got := len(a.zoho.AccessTokens("")); got != 11 {
			t.Errorf("%d tokens live without a refresh token", got)
		}
	})
}

func TestTheStatusOfDeadTokensIsNotThatOfOthers(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.DeadTokenStatus = 400 })
		unscoped := a.connects("eu", "scope", "ZohoMail.accounts.READ").accessToken()
		for name, address := range a.probes("eu") {
			for token, want := range map[string]int{"1000.no." + name: 400, "": 401, unscoped: 401} {
				if r := a.get(address, token); r.status != want {
					t.Errorf("%s with %q answered %d, want %d", name, token, r.status, want)
				}
			}
		}
	})
}

func TestAnotherDataCentersSecretIsNoWrongOne(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		c := a.zoho.AddClient(zohotest.Client{Secret: "secret-of-us", Secrets: map[string]string{"eu": "secret-of-eu", "in": "secret-of-in"}})
		a = a.as(c)
		for secret, want := range map[string]string{
			"secret-of-us": "invalid_client", "secret-of-in": "invalid_client", "secret-of-jp": "invalid_client_secret", "": "invalid_client_secret",
		} {
			a.wantError(a.exchange("eu", "1000.x.y", "client_secret", secret), want)
		}
		a.wantError(a.exchange("eu", "1000.x.y", "client_secret", "secret-of-eu"), "invalid_code")
	})
}
