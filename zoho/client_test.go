// What goes over the wire, and how often?

package zoho_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestEveryCallIsOneFormWithoutASecretInItsAddress(t *testing.T) {
	calls := map[string]struct {
		call func(context.Context, *zoho.Client) error
		path string
		form url.Values
	}{
		"refresh": {
			func(ctx context.Context, c *zoho.Client) error {
				_, err := c.Mint(ctx, zoho.Grant{RefreshToken: canaryRefreshToken})
				return err
			}, "/oauth/v2/token",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {canaryRefreshToken}},
		},
		"client credentials": {
			func(ctx context.Context, c *zoho.Client) error {
				_, err := c.Mint(ctx, zoho.Grant{Scopes: []string{"ZohoCRM.org.READ", "ZohoCRM.users.READ"}, SOID: "ZohoCRM.1"})
				return err
			}, "/oauth/v2/token",
			url.Values{"grant_type": {"client_credentials"}, "scope": {"ZohoCRM.org.READ,ZohoCRM.users.READ"}, "soid": {"ZohoCRM.1"}},
		},
		"client credentials, whatever the client may do": {
			func(ctx context.Context, c *zoho.Client) error {
				_, err := c.Mint(ctx, zoho.Grant{})
				return err
			}, "/oauth/v2/token",
			url.Values{"grant_type": {"client_credentials"}},
		},
		"exchange": {
			func(ctx context.Context, c *zoho.Client) error {
				_, err := c.Exchange(ctx, canaryCode, "http://localhost:8910/callback", canaryVerifier)
				return err
			}, "/oauth/v2/token",
			url.Values{
				"grant_type": {"authorization_code"}, "code": {canaryCode}, "redirect_uri": {"http://localhost:8910/callback"},
				"code_verifier": {canaryVerifier},
			},
		},
		"exchange of a self client's code": {
			func(ctx context.Context, c *zoho.Client) error {
				_, err := c.Exchange(ctx, canaryCode, "", "")
				return err
			}, "/oauth/v2/token",
			url.Values{"grant_type": {"authorization_code"}, "code": {canaryCode}},
		},
	}
	for name, row := range calls {
		row.form.Set("client_id", "1000.CLIENT")
		row.form.Set("client_secret", canarySecret)
		for _, body := range []string{`{"access_token":"t"}`, `{"error":"invalid_client"}`, "<html>"} {
			a := json200(body)
			_ = row.call(context.Background(), over(a))
			if len(a.requests) != 1 {
				t.Errorf("%s answered %s: %d calls", name, body, len(a.requests))
			}
			req := a.requests[0]
			form, err := url.ParseQuery(a.bodies[0])
			if err != nil || !maps.EqualFunc(form, row.form, slices.Equal) {
				t.Errorf("%s: form %v, want %v", name, form, row.form)
			}
			if req.Method != http.MethodPost || req.URL.String() != "https://accounts.zoho.eu"+row.path || req.Header.Get("Authorization") != "" ||
				req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%s: %s %s %v", name, req.Method, req.URL, req.Header)
			}
		}
	}
}

func TestARedirectIsNotFollowedWithTheSecret(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		a := &answering{status: status, body: ""}
		client := over(roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := a.RoundTrip(req)
			resp.Header.Set("Location", "https://evil.example/")
			return resp, err
		}))
		if _, err := client.Mint(context.Background(), zoho.Grant{RefreshToken: "r"}); err == nil || len(a.requests) != 1 {
			t.Errorf("HTTP %d: %v after %d calls", status, err, len(a.requests))
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTheAuthorizationURLAlwaysAsksForARefreshToken(t *testing.T) {
	u, err := url.Parse(over(nil).AuthorizationURL("http://localhost:8910/callback", "s1", canaryVerifier, []string{"A.b.READ", "A.c.ALL"}))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "access_type": "offline", "prompt": "consent", "state": "s1", "scope": "A.b.READ,A.c.ALL",
		"client_id": "1000.CLIENT", "redirect_uri": "http://localhost:8910/callback", "code_challenge_method": "S256",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if u.Host != "accounts.zoho.eu" || u.Path != "/oauth/v2/auth" || strings.Contains(u.String(), canaryVerifier) || strings.Contains(u.String(), canarySecret) {
		t.Errorf("the address is %s", u)
	}
}

func TestAPortalsPathsLieUnderItsBasePath(t *testing.T) {
	a := json200(`{"access_token":"t"}`)
	client := over(a)
	client.AccountsURL = "https://accounts.zohoportal.com/clientoauth/v2/123"
	if _, err := client.Mint(context.Background(), zoho.Grant{RefreshToken: "r"}); err != nil || a.requests[0].URL.Path != "/clientoauth/v2/123/token" {
		t.Errorf("%s, %v", a.requests[0].URL, err)
	}
}

func TestRevocationWorksInBothFormsAndASecondTimeToo(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"new form":       func(*world) {},
		"changed secret": func(w *world) { w.zoho.RotateSecret(w.account.Client.ID, "") },
		"no secret":      func(w *world) { w.changeAccount(func(a *zoho.Account) { a.Client.Secret = "" }) },
		"HTML refusals":  func(w *world) { w.zoho.Knobs(func(k *zohotest.Knobs) { k.RevokeHTML = true }) },
		"type required":  func(w *world) { w.zoho.Knobs(func(k *zohotest.Knobs) { k.RevokeTokenTypeRequired = true }) },
	} {
		inBubble(t, func(w *world) {
			prepare(w)
			for i := range 2 { // what is gone already is a success
				if err := w.account.Client.Revoke(w.Context(), w.account.Grant.RefreshToken, zoho.RefreshToken); err != nil {
					t.Errorf("%s, time %d: %v", name, i+1, err)
				}
			}
			if alive := len(w.zoho.RefreshTokens()); alive != 0 {
				t.Errorf("%s: the refresh token is still alive", name)
			}
		})
	}
}

func TestARevocationThatMayNotHaveHappenedIsAnError(t *testing.T) {
	for _, a := range []*answering{
		{status: 500}, {status: 503, body: "<html>"}, {status: 429}, {status: 404}, {err: io.ErrUnexpectedEOF}, {status: 200, contentType: "text/html", body: "<html>"},
		json200(`{"error":"Access Denied","status":"failure"}`), json200(`{"error":"general_error"}`), {status: 302}, {status: 300, body: `{}`},
		{status: 400, body: `{"error":"general_error"}`}, {status: 400, body: `{"error":"server_error"}`},
		{status: 400, body: `{"error":"Access Denied","error_description":"Too many requests.","status":"failure"}`},
		{status: 400, body: `{"error":"拒绝访问"}`}, {status: 400, body: `{"error_description":"您已连续提出过多请求，请稍后再试。"}`},
		{status: 400, body: `{"status":"failure"}`}, json200(`{"status":"failure"}`), {status: 400, body: `{}`},
		{status: 400, body: `{"error":"access_denied","error_description":"Too many requests."}`},
	} {
		err := over(a).Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken)
		if e := zoho.AsError(err); e == nil || e.Kind == zoho.Refused && e.About != zoho.AboutServer {
			t.Errorf("HTTP %d %s: %v", a.status, a.body, err)
		}
		for _, req := range a.requests {
			if req.URL.RawQuery != "" || req.Method != http.MethodPost {
				t.Errorf("%s %s", req.Method, req.URL)
			}
		}
	}
}

func TestARevocationThatZohoConfirmsIsAskedForOnce(t *testing.T) {
	for _, a := range []*answering{json200(`{"status":"success"}`), json200(`{}`), {status: 200}, {status: 204}} {
		if err := over(a).Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken); err != nil || len(a.requests) != 1 {
			t.Errorf("HTTP %d %s: %v after %d requests", a.status, a.body, err, len(a.requests))
		}
	}
}

// The older form takes no client, and so works with a secret that was changed.
func TestARevocationNamesTheClientInTheNewerFormAlone(t *testing.T) {
	a := &answering{status: 404}
	_ = over(a).Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken)
	if len(a.requests) != 2 {
		t.Fatalf("%d requests", len(a.requests))
	}
	if id, secret, named := a.requests[0].BasicAuth(); !named || id != "1000.CLIENT" || secret != canarySecret {
		t.Errorf("the newer form names %q, %v", id, named)
	}
	if header := a.requests[1].Header.Get("Authorization"); header != "" {
		t.Error("the older form names a client")
	}
}

func TestARevocationThatZohoRefusesForAnotherReasonThanTheTokenIsAnError(t *testing.T) {
	for _, word := range []string{"invalid_client", "invalid_request", "a_word_of_the_future", "access_denied"} {
		err := over(&answering{status: 400, body: `{"error":"` + word + `"}`}).Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken)
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Refused {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func sprint(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }

func TestASecretShowsNothingHoweverItIsPrinted(t *testing.T) {
	served := zoho.Served{Token: &zoho.Token{AccessToken: canarySecret}}
	for _, text := range []string{
		zoho.Secret(canarySecret).String(), zoho.Secret(canarySecret).LogValue().String(),
		sprint(zoho.Secret(canarySecret)), sprint(served.Token), sprint(zoho.Grant{RefreshToken: canarySecret}),
		sprint(zoho.Callback{Code: canarySecret}), sprint(over(nil)),
	} {
		if strings.Contains(text, canarySecret) || !strings.Contains(text, "[redacted]") {
			t.Error(text)
		}
	}
}

func TestEveryDataCenterOfZohoIsInTheTable(t *testing.T) {
	sim := zohotest.New() // which has a table of its own
	rows := table(t, nil)
	for _, name := range sim.DataCenters() {
		dc, found := rows.ByName(strings.ToUpper(name))
		byURL, foundToo := rows.ByAccountsURL(strings.ToUpper(sim.AccountsURL(name)[:8]) + sim.AccountsURL(name)[8:] + "/")
		if !found || !foundToo || dc != byURL || dc.AccountsURL != sim.AccountsURL(name) || dc.APIDomain != sim.APIURL(name) {
			t.Errorf("%s: %+v (%v), by address %+v (%v)", name, dc, found, byURL, foundToo)
		}
	}
	if len(rows.All()) != len(sim.DataCenters()) {
		t.Errorf("the table has %d rows, Zoho %d", len(rows.All()), len(sim.DataCenters()))
	}
}

func TestAnAccountsServerMustBeHTTPSOrLoopback(t *testing.T) {
	for address, want := range map[string]string{
		"https://accounts.zoho.sg": "https://accounts.zoho.sg", " https://ACCOUNTS.zoho.sg/ ": "https://accounts.zoho.sg",
		"http://localhost:8080": "http://localhost:8080", "http://127.0.0.1:1/": "http://127.0.0.1:1", "http://[::1]:1": "http://[::1]:1",
		"https://p.zohoplatform.com/clientoauth/v2/1/": "https://p.zohoplatform.com/clientoauth/v2/1",
		"http://accounts.zoho.sg":                      "", "ftp://localhost": "", "accounts.zoho.sg": "", "https://": "", "https://u:p@accounts.zoho.sg": "",
		"https://accounts.zoho.sg?a=b": "", "https://accounts.zoho.sg#f": "", "http://localhost.evil.example": "", "http://127.0.0.1.evil.example": "",
		"https://accounts.zoho.sg\x7f": "", "https://accounts.zoho.sg:x": "",
	} {
		if got, err := zoho.CleanAccountsURL(address); got != want || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q, %v; want %q", address, got, err, want)
		}
	}
	for _, name := range []string{"", "US", "a/b", strings.Repeat("x", 17)} {
		if _, err := zoho.NewTable(map[string]string{name: "https://accounts.zoho.sg"}); err == nil {
			t.Errorf("%q was taken as a data centre's name", name)
		}
	}
	if _, err := zoho.NewTable(map[string]string{strings.Repeat("x", 16): "https://accounts.zoho.sg"}); err != nil {
		t.Error(err)
	}
	rows := table(t, map[string]string{"sg": "https://accounts.zoho.sg", "mx": "https://accounts.zoho.mx", "br": "https://accounts.zoho.br", "us": "http://localhost:1"})
	if dc, _ := rows.ByName("us"); dc.AccountsURL != "http://localhost:1" || !strings.HasSuffix(rows.Names(), "ae, br, mx, sg") {
		t.Errorf("%+v of %s", dc, rows.Names())
	}
	if _, found := rows.ByAccountsURL("https://accounts.zoho.com"); found {
		t.Error("an overridden accounts server is still known")
	}
}

func TestATransportDemandsModernTLSAndAValidAuthority(t *testing.T) {
	transport, err := zoho.NewTransport("", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range transport.Parts() {
		if part.TLSClientConfig.MinVersion < 0x0303 || part.Proxy == nil || part.TLSHandshakeTimeout <= 0 || part.ResponseHeaderTimeout <= 0 || part.IdleConnTimeout <= 0 {
			t.Errorf("%+v", part)
		}
	}
	if _, err := zoho.NewTransport("no PEM", time.Second); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("%v", err)
	}
}
