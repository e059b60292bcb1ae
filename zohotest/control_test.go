// Can a script steer everything over HTTP?

package zohotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// script calls the control API.
type script struct {
	*testing.T
	control http.Handler
}

func (s script) call(method, path, body string) (int, string) {
	s.Helper()
	recorded := httptest.NewRecorder()
	s.control.ServeHTTP(recorded, httptest.NewRequestWithContext(s.Context(), method, path, strings.NewReader(body)))
	return recorded.Code, recorded.Body.String()
}

// must decodes an answer that has to be good.
func must[T any](s script, method, path, body string) T {
	s.Helper()
	var out T
	status, answer := s.call(method, path, body)
	if err := json.Unmarshal([]byte(answer), &out); status != 200 || err != nil {
		s.Fatalf("%s %s %s answered %d %s: %v", method, path, body, status, answer, err)
	}
	return out
}

func TestAScriptCanPlayTheUserAndReadTheLedger(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		type object = map[string]any
		self := must[zohotest.Client](s, "POST", "/clients", `{"type":"self","data_center":"eu"}`)
		must[object](s, "POST", "/users", `{"data_center":"eu","email":"second@example.com"}`)
		code := must[object](s, "POST", "/self-client-code", `{"client_id":"`+self.ID+`","life":"10m","scopes":["ZohoCRM.org.READ"]}`)["code"].(string)
		first := a.as(self).exchange("eu", code)

		ask, err := json.Marshal(object{"url": a.consentURL("us"), "email": "second@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		second := a.exchange("eu", codeOf(t, must[map[string]string](s, "POST", "/authorize", string(ask))["callback_url"]))

		tokens := must[map[string][]object](s, "GET", "/tokens", "")
		if len(tokens["refresh_tokens"]) != 2 || len(tokens["access_tokens"]) != 2 {
			t.Errorf("tokens are %v", tokens)
		}
		if orphans := must[[]zohotest.RefreshToken](s, "GET", "/orphans?known="+first.refreshToken(), ""); len(orphans) != 1 || orphans[0].Email != "second@example.com" {
			t.Errorf("orphans are %v", orphans)
		}
		if got := must[map[string]string](s, "POST", "/mint-elsewhere", `{"refresh_token":"`+second.refreshToken()+`"}`); !a.zoho.Alive(got["access_token"]) {
			t.Errorf("another program got %v", got)
		}
		must[object](s, "POST", "/revoke", `{"refresh_token":"`+second.refreshToken()+`"}`)
		if status, body := s.call("POST", "/mint-elsewhere", `{"refresh_token":"`+second.refreshToken()+`"}`); status != 400 || !strings.Contains(body, "dead") {
			t.Errorf("a dead refresh token mints elsewhere: %d %s", status, body)
		}
		if a.zoho.Alive(second.accessToken()) {
			t.Error("revoking killed nothing")
		}
		if _, secrets := s.call("GET", "/secrets", ""); !strings.Contains(secrets, code+"\n") {
			t.Errorf("secrets are %s", secrets)
		}
		must[object](s, "POST", "/advance", `{"duration":"1h"}`)
		if a.zoho.Alive(first.accessToken()) {
			t.Error("the clock did not move")
		}
		must[object](s, "POST", "/fault", `{"kind":"status","endpoint":"token","status":500,"times":1}`)
		must[object](s, "POST", "/fault", `{"kind":"slow","delay":"1s"}`)
		if r := a.as(self).refresh("eu", first.refreshToken()); r.status != 500 {
			t.Errorf("the fault answered %d", r.status)
		}
		must[object](s, "DELETE", "/faults", "")
		must[object](s, "PATCH", "/knobs", `{"mints":0,"mint_window":"5m","ThrottleLanguage":"zh","expand_scopes_services":["Desk"]}`)
		if r := a.as(self).refresh("eu", first.refreshToken()); r.error() != "拒绝访问" {
			t.Errorf("the knobs answered %s", r.body)
		}
		if got := must[[]zohotest.Violation](s, "GET", "/violations", ""); len(got) != 1 || got[0].Kind != zohotest.ThrottleTripped {
			t.Errorf("violations are %v", got)
		}
		if got := must[zohotest.Counts](s, "GET", "/counts", ""); got.Throttled != 1 || got.Exchanges != 2 || got.ByEndpoint["token"] != 4 {
			t.Errorf("counts are %+v", got)
		}
		must[object](s, "POST", "/reset", "")
		if got := must[[]zohotest.Violation](s, "GET", "/violations", ""); got == nil || len(got) != 0 {
			t.Errorf("violations after a reset are %v", got)
		}
		rotated := must[map[string]string](s, "POST", "/rotate-secret", `{"client_id":"`+self.ID+`"}`)["client_secret"]
		a.wantError(a.as(self).refresh("eu", first.refreshToken()), "invalid_client_secret")
		a.wantThrottled0(a.as(self).refresh("eu", first.refreshToken(), "client_secret", rotated))
	})
}

func TestAScriptRegistersVaultAsTheRedirectURI(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.OrganizationClients = append(k.OrganizationClients, zohotest.ServerBased) })
		for _, uri := range []string{
			"https://127.0.0.1:8200/v1/zoho/callback", "http://localhost:8200/v1/zoho/callback",
			"https://Vault.example.com:443/v1/team%2Fa/zoho/callback", "https://vault.example.com/v1/zoho/callback?namespace=a",
		} {
			a.wantPage("Invalid Redirect Uri", a.consentURL("us", "redirect_uri", uri), zohotest.Consent{})
			for range 2 {
				must[map[string]any](s, "POST", "/redirect-uris", `{"client_id":"`+a.client.ID+`","redirect_uri":"`+uri+`"}`)
			}
			for _, start := range []string{a.consentURL("us", "redirect_uri", uri), a.orgURL("us", "client_id", a.client.ID, "redirect_uri", uri)} {
				landed, err := a.zoho.Authorize(start, zohotest.Consent{})
				separator := "?"
				if strings.Contains(uri, "?") {
					separator = "&"
				}
				if err != nil || !strings.HasPrefix(landed, uri+separator+"state=xyz&code=") {
					t.Fatalf("landed at %s, %v", landed, err)
				}
				if r := a.exchange("us", codeOf(t, landed), "redirect_uri", uri); r.refreshToken() == "" {
					t.Errorf("the exchange got %s", r.body)
				}
			}
		}
		if got := a.zoho.DefaultClient().RedirectURIs; len(got) != len(a.client.RedirectURIs)+4 {
			t.Errorf("redirect URIs are %q", got)
		}
		for body, want := range map[string]string{
			`{"client_id":"x","redirect_uri":"https://a.example"}`: "unknown client",
			`{"client_id":"` + a.client.ID + `"}`:                  "redirect URI is empty",
		} {
			if status, answer := s.call("POST", "/redirect-uris", body); status != 400 || !strings.Contains(answer, want) {
				t.Errorf("%s answered %d %s, want %q", body, status, answer, want)
			}
		}
	})
}

func TestAScriptSlowsAndBreaksTheTokenEndpointAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		fault := func(body string) { must[map[string]any](s, "POST", "/fault", body) }
		fault(`{"kind":"slow","endpoint":"token","delay":"10s","times":1}`)
		fault(`{"kind":"slow-answer","endpoint":"token","delay":"10s","times":1}`)
		fault(`{"kind":"status","endpoint":"token","status":503,"times":1}`)
		fault(`{"kind":"slow","endpoint":"auth","delay":"3s","times":1}`)
		for _, want := range []struct {
			status int
			wait   time.Duration
		}{{200, 10 * time.Second}, {200, 10 * time.Second}, {503, 0}, {200, 0}} {
			code := a.consents("us").Get("code") // plays the person, whom no fault meets
			began := time.Now()
			if r := a.exchange("us", code); r.status != want.status || time.Since(began) != want.wait {
				t.Errorf("after %s the answer is %d, want %+v", time.Since(began), r.status, want)
			}
		}
		began := time.Now()
		if r := a.get(a.consentURL("us"), ""); r.status != 200 || time.Since(began) != 3*time.Second {
			t.Errorf("after %s the consent page is %d", time.Since(began), r.status)
		}
	})
}

// wantThrottled0 is a throttle in whatever language.
func (a app) wantThrottled0(r reply) {
	a.Helper()
	if r.status != 400 || r.text("status") != "failure" {
		a.Errorf("answered %d %s", r.status, r.body)
	}
}

func TestAScriptsMistakesAreNamed(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		for _, test := range []struct{ method, path, body, want string }{
			{"PATCH", "/knobs", `{"mints":3,"nonsense":1}`, "nonsense"},
			{"PATCH", "/knobs", `{"mints":"many"}`, "mints"},
			{"PATCH", "/knobs", `{"mint_window":"soon"}`, "mint_window"},
			{"PATCH", "/knobs", `{"error_status":7}`, "status 7"},
			{"POST", "/fault", `{"kind":"gremlins"}`, "gremlins"},
			{"POST", "/fault", `{"kind":"hang","endpoint":"tokens"}`, "tokens"},
			{"POST", "/fault", `{"kind":"status","status":99}`, "99"},
			{"POST", "/advance", `{"duration":"1 hour"}`, "duration"},
			{"POST", "/advance", `not JSON`, "reading the request"},
			{"POST", "/authorize", `{"uri":"x"}`, "uri"},
			{"POST", "/authorize", `{"url":"https://example.com"}`, "example.com"},
			{"POST", "/authorize", `{"url":"https://accounts.zoho.eu/oauth/v2/auth"}`, "Invalid Client"},
			{"POST", "/self-client-code", `{"client_id":"x"}`, "x"},
			{"POST", "/clients", `{"data_center":"mars"}`, "mars"},
			{"POST", "/users", `{"data_center":"mars"}`, "mars"},
			{"POST", "/rotate-secret", `{"client_id":"x"}`, "unknown client"},
		} {
			if status, answer := s.call(test.method, test.path, test.body); status != 400 || !strings.Contains(answer, test.want) {
				t.Errorf("%s %s answered %d %s, want %q", test.path, test.body, status, answer, test.want)
			}
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) {
			if k.Mints != 10 {
				t.Error("a refused change of knobs was made in part")
			}
		})
	})
}

func TestEachCommandOfAScriptDoesWhatItSays(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		does := func(path, body string) {
			t.Helper()
			if got := must[map[string]bool](s, "POST", path, body); !got["ok"] {
				t.Errorf("POST %s answered %v", path, got)
			}
		}
		grant := a.connects("us")
		does("/revoke", `{"access_token":"`+grant.accessToken()+`"}`)
		if a.zoho.Alive(grant.accessToken()) || len(a.zoho.RefreshTokens()) != 1 {
			t.Error("not exactly the access token was revoked")
		}

		device := a.device()
		started := device.starts("us")
		does("/approve-device", `{"user_code":"`+started.text("user_code")+`","data_center":"eu"}`)
		a.wantError(device.polls("us", started.text("device_code")), "other_dc")
		started = device.starts("us")
		does("/approve-device", `{"user_code":"`+started.text("user_code")+`","email":"`+a.zoho.User("us").Email+`","reject":true}`)
		a.wantError(device.polls("us", started.text("device_code")), "access_denied")
		if status, body := s.call("POST", "/approve-device", `{"user_code":"WRONG"}`); status != 400 || !strings.Contains(body, "Invalid Code") {
			t.Errorf("a wrong user code was answered %d %s", status, body)
		}

		for body, want := range map[string]string{
			`"reject":true`:                  "?state=xyz&error=access_denied&",
			`"no_state":true,"reject":true`:  "?error=access_denied&",
			`"data_center":"eu"`:             "&location=eu&accounts-server=",
			`"no_accounts_server":true`:      "&location=us&",
			`"email":"user2@eu.example.com"`: "&location=eu&",
		} {
			landed := must[map[string]string](s, "POST", "/authorize", `{"url":"`+a.consentURL("us")+`",`+body+`}`)["callback_url"]
			if !strings.Contains(landed, want) || strings.Contains(landed, "accounts-server") && strings.Contains(body, "no_accounts_server") {
				t.Errorf("with %s it landed at %s, want %s", body, landed, want)
			}
		}

		rotated := must[map[string]string](s, "POST", "/rotate-secret", `{"client_id":"`+a.client.ID+`","data_center":"us"}`)["client_secret"]
		if r := a.refresh("us", grant.refreshToken(), "client_secret", rotated); r.accessToken() == "" {
			t.Errorf("with the secret of the data center the refresh got %s", r.body)
		}
		if status, body := s.call("POST", "/rotate-secret", `{"client_id":"`+a.client.ID+`","data_center":"mars"}`); status != 400 || !strings.Contains(body, "unknown client or data center") {
			t.Errorf("at mars it answered %d %s", status, body)
		}
		user := must[zohotest.User](s, "POST", "/users", `{}`)
		if user.DataCenter != "us" || user.Email == "" || user.Name != "User US" {
			t.Errorf("the user is %+v", user)
		}
		if got := must[map[string]time.Time](s, "POST", "/advance", `{"duration":"1h30m"}`)["now"]; !got.Equal(time.Now().Add(90 * time.Minute)) {
			t.Errorf("the clock says %s", got)
		}
	})
}

func TestAScriptsFaultHasEveryField(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		for _, fault := range []string{
			`{"kind":"status","endpoint":"token","data_center":"eu","times":3,"path":"/oauth/v2/token","grant_type":"refresh_token","status":502,"retry_after":"1m30s"}`,
			`{"kind":"slow","delay":"2s"}`, `{"kind":"refuse","error":"invalid_client"}`, `{"kind":"reset"}`,
		} {
			if got := must[map[string]bool](s, "POST", "/fault", fault); !got["ok"] {
				t.Errorf("%s answered %v", fault, got)
			}
			if _, got := s.call("GET", "/unmet-faults", ""); got != "["+fault+"]\n" {
				t.Errorf("%s is listed as %s", fault, got)
			}
			must[map[string]bool](s, "DELETE", "/faults", "")
			must[map[string]bool](s, "POST", "/reset", "")
		}
	})
}

func TestListsOfTheControlAPIAreNeverNull(t *testing.T) {
	control := zohotest.New().Control()
	for path, want := range map[string]string{
		"/requests": "[]\n", "/violations": "[]\n", "/orphans": "[]\n", "/unmet-faults": "[]\n", "/tokens": `{"access_tokens":[],"refresh_tokens":[]}` + "\n",
	} {
		recorded := httptest.NewRecorder()
		control.ServeHTTP(recorded, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if kind := recorded.Header().Get("Content-Type"); recorded.Code != 200 || recorded.Body.String() != want || kind != "application/json" {
			t.Errorf("%s answered %d %s %s", path, recorded.Code, kind, recorded.Body)
		}
	}
	recorded := httptest.NewRecorder()
	control.ServeHTTP(recorded, httptest.NewRequestWithContext(t.Context(), "GET", "/secrets", nil))
	if kind := recorded.Header().Get("Content-Type"); kind != "text/plain;charset=UTF-8" || strings.Count(recorded.Body.String(), "\n") != 1 {
		t.Errorf("/secrets answered %s %q, want the client's secret in a line", kind, recorded.Body)
	}
}

func TestTheControlAPIListsRequestsAndTokensAsTheyAre(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		grant := a.connects("eu")
		self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		alone := a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token", "grant_type", "client_credentials", "client_id", self.ID, "client_secret", self.Secret, "scope", "ZohoCliq.Users.READ")
		requests := must[[]zohotest.Request](s, "GET", "/requests", "")
		if len(requests) != 2 || requests[0].GrantType != "authorization_code" || requests[1].Client != self.Name {
			t.Errorf("the requests are %+v", requests)
		}
		tokens := must[struct {
			Access  []zohotest.AccessToken  `json:"access_tokens"`
			Refresh []zohotest.RefreshToken `json:"refresh_tokens"`
		}](s, "GET", "/tokens", "")
		now, scopes := time.Now().UTC(), []string{"ZohoCRM.users.READ", "ZohoCRM.org.READ"}
		want := []zohotest.AccessToken{
			{Token: alone.accessToken(), ClientID: self.ID, Email: a.zoho.User("us").Email, DataCenter: "us", Scopes: []string{"ZohoCliq.Users.READ"}, Issued: now, Expires: now.Add(time.Hour), Delivered: true},
			{Token: grant.accessToken(), RefreshToken: grant.refreshToken(), ClientID: a.client.ID, Email: a.zoho.User("eu").Email, DataCenter: "eu", Scopes: scopes, Issued: now, Expires: now.Add(time.Hour), Delivered: true},
		}
		if !reflect.DeepEqual(tokens.Access, want) {
			t.Errorf("the access tokens are\n%+v, want\n%+v", tokens.Access, want)
		}
		refresh := []zohotest.RefreshToken{{Token: grant.refreshToken(), ClientID: a.client.ID, Email: a.zoho.User("eu").Email, DataCenter: "eu", Scopes: scopes, Issued: now, LastUsed: now, Delivered: true}}
		if !reflect.DeepEqual(tokens.Refresh, refresh) {
			t.Errorf("the refresh tokens are\n%+v, want\n%+v", tokens.Refresh, refresh)
		}
	})
}

func TestViewsOfTheLedgerAreOldestFirst(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.ClientMints = -1, -1 })
		self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		var refresh, alone []string
		for range 12 {
			passes(time.Second)
			refresh = append(refresh, a.connects("eu").refreshToken())
			alone = append(alone, a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token", "grant_type", "client_credentials", "client_id", self.ID, "client_secret", self.Secret,
				"scope", "ZohoCliq.Users.READ").accessToken())
		}
		wantTokens := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s are %q, want %q", what, got, want)
			}
		}
		textOf := func(rt zohotest.RefreshToken) string { return rt.Token }
		wantTokens("refresh tokens", each(a.zoho.RefreshTokens(), textOf), refresh)
		wantTokens("orphans", each(a.zoho.Orphans(), textOf), refresh)
		ofAccess := func(at zohotest.AccessToken) string { return at.Token }
		wantTokens("tokens of no refresh token", each(a.zoho.AccessTokens(""), ofAccess), alone)

		grant := refresh[0]
		tokens := each(a.zoho.AccessTokens(grant), ofAccess)
		for range 3 {
			tokens = append(tokens, a.refresh("eu", grant).accessToken())
		}
		wantTokens("tokens of a refresh token", each(a.zoho.AccessTokens(grant), ofAccess), tokens)
		a.zoho.RevokeAccessToken(tokens[1])
		a.zoho.RevokeAccessToken("1000.no.such")
		a.zoho.RevokeRefreshToken("1000.no.such")
		wantTokens("those after one was revoked", each(a.zoho.AccessTokens(grant), ofAccess), slices.Delete(tokens, 1, 2))
		a.zoho.RevokeAccessToken(alone[0])
		wantTokens("tokens of no refresh token after one was revoked", each(a.zoho.AccessTokens(""), ofAccess), alone[1:])
		if got := a.zoho.AccessTokens("1000.no.such"); got == nil || len(got) != 0 {
			t.Errorf("tokens of an unknown refresh token are %v", got)
		}
		passes(time.Hour)
		for _, of := range []string{"", grant} {
			if got := a.zoho.AccessTokens(of); got == nil || len(got) != 0 {
				t.Errorf("after an hour %v live", got)
			}
		}
	})
}

// each is a list of what a function makes of another list's values.
func each[From, To any](list []From, of func(From) To) []To {
	var made []To
	for _, value := range list {
		made = append(made, of(value))
	}
	return made
}

// quiet is a *testing.T that only notes what is wrong.
type quiet struct {
	errors []string
	helper bool
}

func (q *quiet) Helper() { q.helper = true }
func (q *quiet) Errorf(format string, args ...any) {
	q.errors = append(q.errors, fmt.Sprintf(format, args...))
}

func TestCheckFailsForViolationsAndForFaultsThatNoCallMet(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		good := &quiet{}
		a.connects("eu")
		if a.zoho.Check(good); len(good.errors) != 0 || !good.helper {
			t.Errorf("without anything wrong it says %q", good.errors)
		}
		a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "")
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset})
		bad := &quiet{}
		a.zoho.Check(bad)
		if len(bad.errors) != 2 || bad.errors[0] != "violation: wrong method: GET /oauth/v2/token at eu" || !strings.HasPrefix(bad.errors[1], "no call met the fault {Kind:reset ") {
			t.Errorf("it says %q", bad.errors)
		}
	})
}

func TestRefusalsOfTheControlAPIAreJSON(t *testing.T) {
	for body, headers := range map[string]map[string]string{"{": nil, `{"duration":"0s"}`: {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}} {
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/advance", strings.NewReader(body))
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		recorded := httptest.NewRecorder()
		zohotest.New().Control().ServeHTTP(recorded, request)
		var refusal map[string]string
		if err := json.Unmarshal(recorded.Body.Bytes(), &refusal); err != nil || recorded.Code/100 != 4 || refusal["error"] == "" || recorded.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s answered %d %v %s", body, recorded.Code, recorded.Header(), recorded.Body)
		}
	}
}
