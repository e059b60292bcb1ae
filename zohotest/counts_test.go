// Tests of the counters: what each call adds, and that it adds nothing else.

package zohotest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// counted are the counters that are not zero, by their names in JSON; those of an endpoint or
// of a grant type have its name after a slash.
func (a app) counted() map[string]int {
	a.Helper()
	encoded, err := json.Marshal(a.zoho.Counts())
	if err != nil {
		a.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(encoded, &fields); err != nil {
		a.Fatal(err)
	}
	counted := map[string]int{}
	for name, field := range fields {
		switch field := field.(type) {
		case map[string]any:
			for of, n := range field {
				counted[name+"/"+of] = int(n.(float64))
			}
		case float64:
			if field != 0 {
				counted[name] = int(field)
			}
		}
	}
	return counted
}

// withCounts are counts and further ones: pairs of maps, of which the later win.
func withCounts(all ...map[string]int) map[string]int {
	sum := map[string]int{}
	for _, counts := range all {
		maps.Copy(sum, counts)
	}
	return sum
}

func TestEachCallAddsToItsCountersAlone(t *testing.T) {
	called := func(total, endpoint string) map[string]int {
		return map[string]int{total: 1, "by_endpoint/" + endpoint: 1}
	}
	asked := func(grant string) map[string]int {
		return withCounts(called("token_calls", "token"), map[string]int{"by_grant/" + grant: 1})
	}
	device := func(grant string) map[string]int {
		return withCounts(called("device_calls", "device"), map[string]int{"by_grant/" + grant: 1})
	}
	enhance := func(grant string) map[string]int {
		return map[string]int{"by_endpoint/enhance": 1, "by_grant/" + grant: 1}
	}
	consent, token, revocation, api := called("auth_calls", "auth"), called("token_calls", "token"), called("revoke_calls", "revoke"), called("api_calls", "api")
	approved := func(a app, started reply, c zohotest.Consent) {
		if err := a.zoho.ApproveDevice(started.text("user_code"), c); err != nil {
			a.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		want map[string]int
		deed func(a app, grant reply) // after Reset
	}{
		"nothing":            {nil, func(app, reply) {}},
		"a consent":          {withCounts(consent, map[string]int{"consents": 1}), func(a app, _ reply) { a.consents("eu") }},
		"a rejected consent": {withCounts(consent, map[string]int{"rejections": 1}), func(a app, _ reply) { a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{Reject: true}) }},
		"a token in the fragment": {withCounts(consent, map[string]int{"consents": 1, "minted": 1}), func(a app, _ reply) {
			a = a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.ClientBased}))
			a.consents("eu", "response_type", "token")
		}},
		"an exchange": {withCounts(asked("authorization_code"), map[string]int{"exchanges": 1, "issued": 1, "minted": 1}), func(a app, _ reply) {
			code := a.consents("eu").Get("code")
			a.zoho.Reset()
			a.exchange("eu", code)
		}},
		"an exchange without a refresh token": {withCounts(asked("authorization_code"), map[string]int{"exchanges": 1, "minted": 1}), func(a app, _ reply) {
			code := a.consents("eu", "access_type", "online").Get("code")
			a.zoho.Reset()
			a.exchange("eu", code)
		}},
		"a refresh": {withCounts(asked("refresh_token"), map[string]int{"refreshes": 1, "minted": 1}), func(a app, grant reply) { a.mints(1, grant.refreshToken()) }},
		"client credentials": {withCounts(asked("client_credentials"), map[string]int{"client_credentials": 1, "minted": 1}), func(a app, _ reply) {
			self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
			a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token", "grant_type", "client_credentials", "client_id", self.ID, "client_secret", self.Secret, "scope", "ZohoCliq.Users.READ")
		}},
		"another program's mint": {map[string]int{"minted": 1}, func(a app, grant reply) { a.zoho.MintElsewhere(grant.refreshToken()) }},

		"no grant type":         {withCounts(asked("none"), map[string]int{"refused": 1}), func(a app, _ reply) { a.exchange("eu", "x", "grant_type", "") }},
		"an unknown grant type": {withCounts(asked("other"), map[string]int{"refused": 1}), func(a app, _ reply) { a.exchange("eu", "x", "grant_type", "password") }},
		"a wrong refresh token": {withCounts(asked("refresh_token"), map[string]int{"refused": 1}), func(a app, _ reply) { a.refresh("eu", "1000.x.y") }},
		"a throttle": {withCounts(asked("refresh_token"), map[string]int{"throttled": 1, "violations": 1}), func(a app, grant reply) {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = 0 })
			a.refresh("eu", grant.refreshToken())
		}},
		"a lost answer": {withCounts(asked("refresh_token"), map[string]int{"refreshes": 1, "minted": 1, "undelivered": 1, "faulted": 1}), func(a app, grant reply) {
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer})
			a.refresh("eu", grant.refreshToken())
		}},
		"a lost refusal": {withCounts(asked("refresh_token"), map[string]int{"refused": 1, "faulted": 1}), func(a app, _ reply) {
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer})
			a.refresh("eu", "1000.x.y")
		}},

		"the start of a device": {device("device_request"), func(a app, _ reply) { a.device().starts("us") }},
		"a device without a grant type": {withCounts(device("none"), map[string]int{"refused": 1}), func(a app, _ reply) {
			a.device().starts("us", "grant_type", "")
		}},
		"a poll without a grant type": {withCounts(device("none"), map[string]int{"refused": 1}), func(a app, _ reply) {
			a.device().polls("us", "x", "grant_type", "")
		}},
		"an approved device": {map[string]int{"consents": 1}, func(a app, _ reply) {
			started := a.device().starts("us")
			a.zoho.Reset()
			approved(a, started, zohotest.Consent{})
		}},
		"a rejected device": {map[string]int{"rejections": 1}, func(a app, _ reply) {
			started := a.device().starts("us")
			a.zoho.Reset()
			approved(a, started, zohotest.Consent{Reject: true})
		}},
		"a device's tokens": {withCounts(device("device_token"), map[string]int{"device_grants": 1, "issued": 1, "minted": 1}), func(a app, _ reply) {
			a = a.device()
			started := a.starts("us")
			approved(a, started, zohotest.Consent{})
			a.zoho.Reset()
			a.polls("us", started.text("device_code"))
		}},
		"a poll that is too early": {withCounts(device("device_token"), map[string]int{"polled_too_fast": 1, "violations": 1}), func(a app, _ reply) {
			a = a.device()
			started := a.starts("us")
			a.polls("us", started.text("device_code"))
			a.zoho.Reset()
			a.polls("us", started.text("device_code"))
		}},

		"an enhance token": {enhance("update_scopes_token"), func(a app, grant reply) { a.enhances("eu", grant.refreshToken()) }},
		"an enhance token without a grant type": {withCounts(enhance("none"), map[string]int{"refused": 1}), func(a app, grant reply) {
			a.enhances("eu", grant.refreshToken(), "grant_type", "")
		}},
		"more scopes": {withCounts(consent, map[string]int{"enhancements": 1}), func(a app, grant reply) {
			address := a.extraScopeURL("eu", a.enhances("eu", grant.refreshToken()).accessToken(), "Desk.basic.READ")
			a.zoho.Reset()
			a.zoho.Authorize(address, zohotest.Consent{})
		}},

		"a revocation": {withCounts(revocation, map[string]int{"revocations": 1, "killed_by_revoke": 1}), func(a app, grant reply) { a.revokes("eu", grant.refreshToken()) }},
		"a revocation after the access token died": {withCounts(revocation, map[string]int{"revocations": 1}), func(a app, grant reply) {
			passes(time.Hour)
			a.revokes("eu", grant.refreshToken())
		}},
		"a revocation of a grant whose answer was lost": {withCounts(revocation, map[string]int{"revocations": 1}), func(a app, _ reply) {
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Times: 1})
			a.exchange("eu", a.consents("eu").Get("code"))
			lost := a.zoho.RefreshTokens()[1].Token
			a.zoho.Reset()
			a.revokes("eu", lost)
		}},
		"a revocation of an access token": {withCounts(revocation, map[string]int{"revocations": 1}), func(a app, grant reply) {
			a.revokes("eu", grant.accessToken(), "token_type", "access_token")
		}},
		"a refused revocation":                {withCounts(revocation, map[string]int{"refused": 1}), func(a app, _ reply) { a.revokes("eu", "1000.x.y") }},
		"a revocation under Connected Apps":   {nil, func(a app, grant reply) { a.zoho.RevokeRefreshToken(grant.refreshToken()) }},
		"an access token that somebody ended": {nil, func(a app, grant reply) { a.zoho.RevokeAccessToken(grant.accessToken()) }},
		"an evicted access token": {withCounts(asked("refresh_token"), map[string]int{"refreshes": 1, "minted": 1, "evicted_access": 1, "violations": 1}), func(a app, grant reply) {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveAccessTokens = 1 })
			a.refresh("eu", grant.refreshToken())
		}},
		"an evicted refresh token": {withCounts(asked("authorization_code"), map[string]int{
			"exchanges": 1, "issued": 1, "minted": 1, "evicted_refresh": 1, "evicted_access": 1, "violations": 2,
		}), func(a app, _ reply) {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens = 1 })
			code := a.consents("eu").Get("code")
			a.zoho.Reset()
			a.exchange("eu", code)
		}},

		"an API call":         {api, func(a app, grant reply) { a.get(a.zoho.APIURL("eu")+"/crm/v8/org", grant.accessToken()) }},
		"a refused API call":  {withCounts(api, map[string]int{"api_refused": 1}), func(a app, _ reply) { a.get(a.zoho.APIURL("eu")+"/crm/v8/org", "") }},
		"userinfo without it": {withCounts(api, map[string]int{"api_refused": 1}), func(a app, grant reply) { a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/userinfo", grant.accessToken()) }},
		"CRM without access": {withCounts(api, map[string]int{"api_refused": 1}), func(a app, grant reply) {
			user := a.zoho.User("eu")
			user.NoAPIAccess = true
			a.zoho.AddUser(user)
			a.get(a.zoho.APIURL("eu")+"/crm/v8/org", grant.accessToken())
		}},
		"the list of servers":      {map[string]int{"by_endpoint/serverinfo": 1}, func(a app, _ reply) { a.get(a.zoho.AccountsURL("eu")+"/oauth/serverinfo", "") }},
		"the discovery document":   {map[string]int{"by_endpoint/openid": 1}, func(a app, _ reply) { a.get(a.zoho.AccountsURL("eu")+"/.well-known/openid-configuration", "") }},
		"a page that is not there": {map[string]int{"by_endpoint/other": 1}, func(a app, _ reply) { a.get(a.zoho.AccountsURL("eu")+"/nothing", "") }},
		"a preflight": {map[string]int{"by_endpoint/preflight": 1}, func(a app, _ reply) {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.CORSOrigins = []string{"*"} })
			a.fromPage("OPTIONS", a.zoho.APIURL("eu")+"/crm/v8/org", "https://app.example.com", "Access-Control-Request-Method", "GET")
		}},
		"a wrong method": {withCounts(token, map[string]int{"by_grant/none": 1, "violations": 1}), func(a app, _ reply) {
			a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				a.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				grant := a.connects("eu")
				a.zoho.Reset()
				test.deed(a, grant)
				if got := a.counted(); !maps.Equal(got, test.want) {
					t.Errorf("counted %v, want %v", got, test.want)
				}
			})
		})
	}
}

// What the simulator returns is a copy: nothing that a test does to it changes the simulator.
func TestWhatTheSimulatorReturnsIsACopy(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "") // a violation
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "enhance"})
		a.zoho.ClearFaults()

		given := zohotest.Client{RedirectURIs: []string{"https://a.example"}, Secrets: map[string]string{"eu": "secret-of-eu"}, Enabled: []string{"eu"}, DataCenter: "eu"}
		added := a.zoho.AddClient(given)
		for _, c := range []zohotest.Client{given, added} {
			c.RedirectURIs[0], c.Secrets["eu"], c.Enabled[0] = "https://b.example", "another-secret", "us"
		}
		own := a.as(added)
		own.client.RedirectURIs = []string{"https://a.example"}
		landed, err := a.zoho.Authorize(own.consentURL("eu"), zohotest.Consent{})
		if err != nil {
			t.Fatalf("the client that was added has changed: %v", err)
		}
		if r := own.exchange("eu", codeOf(t, landed), "client_secret", "secret-of-eu"); r.accessToken() == "" {
			t.Errorf("the secret of the client that was added has changed: %s", r.body)
		}

		a.zoho.DefaultClient().RedirectURIs[0] = "https://b.example"
		a.zoho.RefreshTokens()[0].Scopes[0] = "Desk.basic.READ"
		a.zoho.AccessTokens(grant.refreshToken())[0].Scopes[0] = "Desk.basic.READ"
		counts := a.zoho.Counts()
		counts.ByEndpoint["token"], counts.ByGrant["authorization_code"] = 100, 100
		a.zoho.Violations()[0].Kind = "none"
		a.zoho.Requests()[0].Path = "/none"
		a.zoho.UnmetFaults()[0].Kind = "none"

		if r := a.connects("us"); r.accessToken() == "" {
			t.Error("the default client has changed")
		}
		if r := a.refresh("eu", grant.refreshToken()); r.text("scope") != grant.text("scope") {
			t.Errorf("the refresh token's scopes have changed: %s", r.body)
		}
		if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/users", grant.accessToken()); r.status != 200 {
			t.Errorf("the access token's scopes have changed: %d %s", r.status, r.body)
		}
		if got := a.zoho.Counts(); got.ByEndpoint["token"] != 5 || got.ByGrant["authorization_code"] != 3 {
			t.Errorf("the counters have changed: %+v", got)
		}
		a.wantViolations(zohotest.WrongMethod)
		if got := a.zoho.Requests()[0].Path; got != "/oauth/v2/token" {
			t.Errorf("the requests have changed: %s", got)
		}
		if got := a.zoho.UnmetFaults()[0].Kind; got != zohotest.Reset {
			t.Errorf("the faults have changed: %s", got)
		}
	})
}
