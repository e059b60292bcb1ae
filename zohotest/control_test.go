// Can a script steer everything over HTTP?

package zohotest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
