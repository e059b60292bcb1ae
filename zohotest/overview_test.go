// What does a person see who looks at the simulator? All that is going on, and no secret.

package zohotest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// looks is the page as a person reads it: without markup, spaces as one.
func (s script) looks() string {
	s.Helper()
	status, page := s.call("GET", "/", "")
	if status != http.StatusOK {
		s.Fatalf("the page answers %d", status)
	}
	text := regexp.MustCompile(`<style>[^<]*</style>|<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(text), " ")
}

func TestAPersonSeesWhatGoesOnAndNoSecret(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		if page := s.looks(); !strings.Contains(page, "nobody has consented yet") || !strings.Contains(page, "None: no client did") {
			t.Errorf("with nothing going on: %s", page)
		}
		granted := a.connects("us")
		refresh := granted.refreshToken()
		for range 3 {
			a.refresh("us", refresh)
		}
		page := s.looks()
		for _, want := range []string{
			"Example server-based client", "6 of 10 4 of 10", // the exchange is a mint, too
			"POST /oauth/v2/token refresh_token Example server-based client 200", "POST /oauth/v2/token authorization_code",
			a.zoho.User("us").Email, a.zoho.User("cn").Email, a.client.ID,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q: %s", want, page)
			}
		}
		for range 8 {
			a.refresh("us", refresh)
		}
		page = s.looks()
		for _, want := range []string{"throttled for 10m0s", "throttle tripped", "400 Access Denied"} {
			if !strings.Contains(page, want) {
				t.Errorf("after a throttle the page does not say %q", want)
			}
		}
		time.Sleep(10 * time.Minute)
		if page := s.looks(); !strings.Contains(page, "10 of 10 10 of 10") {
			t.Errorf("ten minutes later the limits are not there again: %s", page)
		}
		_, raw := s.call("GET", "/", "")
		_, requests := s.call("GET", "/requests", "")
		for _, secret := range a.zoho.Secrets() {
			if strings.Contains(raw, secret) || strings.Contains(requests, secret) {
				t.Errorf("%.8s... is shown", secret)
			}
		}
	})
}

func TestRequestsAreTheLastHundredWithoutWhatTheCallerMadeUp(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for range 250 {
			resp, err := a.http.Get("https://accounts.zoho.eu/" + a.client.Secret + "?x=" + a.client.Secret)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Times: 1})
		if resp, err := a.http.Get("https://accounts.zoho.eu/oauth/serverinfo"); err == nil {
			resp.Body.Close()
		}
		requests := a.zoho.Requests()
		if len(requests) != 100 {
			t.Fatalf("%d requests are remembered", len(requests))
		}
		if first := requests[0]; first.Path != "" || first.Status != http.StatusNotFound || first.DataCenter != "eu" {
			t.Errorf("a page that is not there is %+v", first)
		}
		if last := requests[99]; last.Path != "/oauth/serverinfo" || last.Status != 0 {
			t.Errorf("a connection that broke is %+v", last)
		}
		if a.zoho.Reset(); len(a.zoho.Requests()) != 0 {
			t.Error("reset leaves requests")
		}
	})
}

// begin is how much of a secret is shown.
func begin(secret string) string { return secret[:13] + "…" }

// wantInOrder wants texts on the page, each after the one before it.
func (s script) wantInOrder(texts ...string) {
	s.Helper()
	page, at := s.looks(), 0
	for _, text := range texts {
		found := strings.Index(page[at:], text)
		if found < 0 {
			s.Errorf("the page does not say %q, or too early: %s", text, page)
			return
		}
		at += found + len(text)
	}
}

func TestThePageShowsEachTokenWithItsOwnerAndLimits(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		grant := a.connects("us")
		refresh, first := begin(grant.refreshToken()), begin(grant.accessToken())
		passes(time.Second)
		second := begin(a.refresh("us", grant.refreshToken()).accessToken())
		owner := " Example server-based client " + a.zoho.User("us").Email + " us "
		scopes := "ZohoCRM.users.READ ZohoCRM.org.READ "
		s.wantInOrder("It is 2000-01-01 00:00:01 UTC here",
			"Refresh tokens alive", refresh+owner+scopes+"8 of 10 2 of 10 00:00:01",
			"Access tokens alive", second+" "+refresh+owner+"1h0m0s", first+" "+refresh+owner+"59m59s")

		passes(time.Hour - time.Second) // the first one dies
		s.wantInOrder(refresh+owner+scopes+"10 of 10 1 of 10 00:00:01", second+" "+refresh+owner+"1s")
		if page := s.looks(); strings.Contains(page, first) {
			t.Errorf("an access token that expired is shown: %s", page)
		}
		a.zoho.RevokeRefreshToken(grant.refreshToken())
		if page := s.looks(); strings.Contains(page, refresh) || strings.Contains(page, second) {
			t.Errorf("a grant that was revoked is shown: %s", page)
		}

		org := a.connectsOrganization("eu")
		s.wantInOrder(begin(org.refreshToken())+" Example organization client "+a.zoho.User("eu").Email+", for the organization eu ", "9 of 10 1 of 10")
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens = 0, -1 })
		s.wantInOrder(begin(org.refreshToken()), "0 of 0 no limit")
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens = -1, 0 })
		s.wantInOrder(begin(org.refreshToken()), "no limit 1 of 0")
	})
}

func TestThePageShowsLimitsByClientWhereTheyAre(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		one, two := a.connects("eu"), a.connects("eu")
		for _, grant := range []reply{one, two} {
			s.wantInOrder(begin(grant.refreshToken()), "8 of 10 1 of 10")
		}
		a.mints(8, one.refreshToken())
		a.refresh("eu", two.refreshToken())
		s.wantInOrder(begin(two.refreshToken()), "throttled for 10m0s")
		if _, page := s.call("GET", "/", ""); strings.Count(page, `<td class="bad">throttled for 10m0s</td>`) != 2 {
			t.Errorf("the throttle does not stand out: %s", page)
		}
	})
}

func TestThePageShowsTheNewestFirstAndNotEverything(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.ClientMints = -1 })
		self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		mint := func() string {
			passes(time.Second)
			return begin(a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token", "grant_type", "client_credentials", "client_id", self.ID, "client_secret", self.Secret,
				"scope", "ZohoCliq.Users.READ").accessToken())
		}
		shown := []string{"Access tokens alive"}
		for range 50 {
			shown = slices.Insert(shown, 1, mint()+" client credentials, or online Example self client")
		}
		s.wantInOrder(append(shown, "Last requests")...)
		if page := s.looks(); strings.Contains(page, "And ") {
			t.Errorf("fifty tokens are more than are shown: %s", page)
		}
		newest := mint()
		s.wantInOrder(append([]string{"Access tokens alive", newest}, append(shown[1:50], "And 1 more.", "Last requests")...)...)

		a.get(a.zoho.AccountsURL("jp")+"/oauth/v2/token", "")
		for range 498 {
			a.get(a.zoho.AccountsURL("us")+"/oauth/v2/token", "")
		}
		a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "")
		s.wantInOrder("Violations", "wrong method GET /oauth/v2/token at eu", "wrong method GET /oauth/v2/token at us", "wrong method GET /oauth/v2/token at jp", "Refresh tokens")
		if page := s.looks(); strings.Contains(page, "older ones") {
			t.Errorf("five hundred violations are more than are shown: %s", page)
		}
		a.get(a.zoho.AccountsURL("in")+"/oauth/v2/token", "")
		s.wantInOrder("wrong method GET /oauth/v2/token at in", "wrong method GET /oauth/v2/token at eu", "wrong method GET /oauth/v2/token at us", "And 1 older ones.",
			"Last requests", "in GET /oauth/v2/token", "eu GET /oauth/v2/token", "us GET /oauth/v2/token")
	})
}

func TestThePageShowsClientsByNameUsersAndRequestsThatFailed(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		s := script{t, a.zoho.Control()}
		for _, name := range []string{"Zebra", "Apple", "Mango", "Kiwi", "Cherry", "Mango", "Fig"} {
			a.zoho.AddClient(zohotest.Client{Name: name, Type: zohotest.Mobile, ID: "1000." + name, RedirectURIs: []string{"com.example." + name + "://callback"}})
		}
		a.zoho.AddUser(zohotest.User{Email: "member@example.com", Name: "Mia Member", DataCenter: "jp", ZUID: "4711", OrgID: "0815", Member: true})
		a.get(a.zoho.AccountsURL("eu")+"/nowhere", "")
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Times: 1})
		a.get(a.zoho.AccountsURL("eu")+"/oauth/serverinfo", "")
		a.refresh("eu", "1000.x.y")
		s.wantInOrder("Last requests",
			"eu POST /oauth/v2/token refresh_token Example server-based client 200 invalid_code",
			"eu GET /oauth/serverinfo connection broke",
			"eu GET (no such page) 404 Page not found",
			"Clients", "Apple mobile 1000.Apple us com.example.Apple://callback", "Cherry", "Example server-based client", "Fig", "Kiwi", "Mango", "Zebra",
			"Users", a.zoho.User("us").Email, "member@example.com Mia Member jp 4711 0815 (member)")
	})
}

func TestThePageIsHTMLThatRunsNothing(t *testing.T) {
	recorded := httptest.NewRecorder()
	zohotest.New().Control().ServeHTTP(recorded, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	for name, want := range map[string]string{
		"Content-Type": "text/html;charset=UTF-8", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
	} {
		if got := recorded.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestARequestNamesItsClientGrantAndRefusal(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		last := func() zohotest.Request {
			all := a.zoho.Requests()
			last := all[len(all)-1]
			if last.Time != a.zoho.Now() {
				t.Errorf("the request has the time %s", last.Time)
			}
			last.Time = time.Time{}
			return last
		}
		basic := a.newPost(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "grant_type", "refresh_token", "refresh_token", "1000.x.y")
		basic.SetBasicAuth(a.client.ID, a.client.Secret)
		device := a.device()
		name := a.client.Name
		for _, test := range []struct {
			call func()
			want zohotest.Request
		}{
			{func() { a.do(basic) }, zohotest.Request{Method: "POST", Path: "/oauth/v2/token", GrantType: "refresh_token", Client: name, Status: 200, Error: "invalid_code"}},
			{func() { a.exchange("eu", "x", "client_id", "1000.NOBODY", "grant_type", "made-up") },
				zohotest.Request{Method: "POST", Path: "/oauth/v2/token", GrantType: "other", Status: 200, Error: "invalid_client"}},
			{func() { device.polls("eu", "x") },
				zohotest.Request{Method: "POST", Path: "/oauth/v3/device/token", GrantType: "device_token", Client: device.client.Name, Status: 200, Error: "invalid_code"}},
			{func() { a.enhances("eu", "x") },
				zohotest.Request{Method: "POST", Path: "/oauth/v2/token/scopeenhance", GrantType: "update_scopes_token", Client: name, Status: 200, Error: "invalid_code"}},
			{func() { a.revokes("eu", "x", "grant_type", "refresh_token") },
				zohotest.Request{Method: "POST", Path: "/oauth/v2/revoke/token", Client: name, Status: 400, Error: "invalid_token"}},
			{func() { a.get(a.zoho.APIURL("eu")+"/crm/v8/org", "") }, zohotest.Request{Method: "GET", Path: "/crm/v8/org", Status: 401, Error: "AUTHENTICATION_FAILURE"}},
			{func() { a.get(a.zoho.DeskURL("eu")+"/api/v1/organizations", "") },
				zohotest.Request{Method: "GET", Path: "/api/v1/organizations", Status: 401, Error: "INVALID_OAUTH"}},
			{func() { a.get(a.zoho.AccountsURL("eu")+"/oauth/user/info", "") },
				zohotest.Request{Method: "GET", Path: "/oauth/user/info", Status: 401, Error: "INVALID_OAUTHTOKEN"}},
			{func() { a.get(a.consentURL("eu", "client_id", "x"), "") },
				zohotest.Request{Method: "GET", Path: "/oauth/v2/auth", Status: 200, Error: "Invalid Client: The client ID does not exist at this data centre."}},
			{func() { a.connects("eu") }, zohotest.Request{Method: "POST", Path: "/oauth/v2/token", GrantType: "authorization_code", Client: name, Status: 200}},
		} {
			test.call()
			test.want.DataCenter = "eu"
			if got := last(); got != test.want {
				t.Errorf("the request is %+v, want %+v", got, test.want)
			}
		}
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Times: 1})
		a.get(a.zoho.AccountsURL("eu")+"/oauth/serverinfo", "")
		if got := last(); got.Status != 0 {
			t.Errorf("a request whose answer was lost is %+v", got)
		}
		// A request that a program made itself may have no method; it is a GET.
		resp, err := a.zoho.Transport().RoundTrip(&http.Request{URL: &url.URL{Scheme: "https", Host: "accounts.zoho.eu", Path: "/nothing"}, Header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := last(); got.Method != "GET" {
			t.Errorf("without a method the request is %+v", got)
		}
	})
}
