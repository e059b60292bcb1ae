// What can every test of the simulator say? A client that speaks plain HTTP,
// in the words of somebody who uses Zoho.

package zohotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// app is a client of the simulator.
type app struct {
	*testing.T
	zoho   *zohotest.Simulator
	http   *http.Client
	client zohotest.Client
}

// bubble runs a test on a clock of its own, with the default client.
func bubble(t *testing.T, test func(*testing.T, app)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		zoho := zohotest.New()
		test(t, app{t, zoho, &http.Client{Transport: zoho.Transport()}, zoho.DefaultClient()})
	})
}

// as is the same app with another client.
func (a app) as(c zohotest.Client) app {
	a.client = c
	return a
}

// reply is an answer of Zoho, whatever it was.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]any
	err    error
}

func (r reply) text(field string) string {
	text, _ := r.json[field].(string)
	return text
}

func (r reply) accessToken() string  { return r.text("access_token") }
func (r reply) refreshToken() string { return r.text("refresh_token") }
func (r reply) error() string        { return r.text("error") }

func (a app) do(req *http.Request) reply {
	resp, err := a.http.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(body), err: err}
	json.Unmarshal(body, &r.json)
	return r
}

// post sends a form; pairs are names and values.
func (a app) post(address string, pairs ...string) reply {
	a.Helper()
	return a.do(a.newPost(address, pairs...))
}

func (a app) newPost(address string, pairs ...string) *http.Request {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), http.MethodPost, address, strings.NewReader(form(pairs...).Encode()))
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// consentURL is where the browser goes; more pairs are added or replace.
func (a app) consentURL(dc string, more ...string) string {
	query := form("client_id", a.client.ID, "response_type", "code", "redirect_uri", a.client.RedirectURIs[0],
		"scope", "ZohoCRM.users.READ,ZohoCRM.org.READ", "access_type", "offline", "prompt", "consent", "state", "xyz")
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return a.zoho.AccountsURL(dc) + "/oauth/v2/auth?" + query.Encode()
}

// consents lets the default user of dc say yes and returns the landing address.
func (a app) consents(dc string, more ...string) url.Values {
	a.Helper()
	start := "us"
	if dc == "cn" {
		start = "cn"
	}
	landed, err := a.zoho.Authorize(a.consentURL(start, more...), zohotest.Consent{DataCenter: dc})
	if err != nil {
		a.Fatal(err)
	}
	u, err := url.Parse(landed)
	if err != nil {
		a.Fatal(err)
	}
	return u.Query()
}

func (a app) exchange(dc, code string, more ...string) reply {
	a.Helper()
	pairs := []string{"grant_type", "authorization_code", "client_id", a.client.ID, "client_secret", a.client.Secret, "code", code}
	if len(a.client.RedirectURIs) > 0 {
		pairs = append(pairs, "redirect_uri", a.client.RedirectURIs[0])
	}
	return a.post(a.zoho.AccountsURL(dc)+"/oauth/v2/token", append(pairs, more...)...)
}

// connects is a consent and its exchange.
func (a app) connects(dc string, more ...string) reply {
	a.Helper()
	r := a.exchange(dc, a.consents(dc, more...).Get("code"))
	if r.accessToken() == "" {
		a.Fatalf("connecting at %s: %+v", dc, r)
	}
	return r
}

func (a app) refresh(dc, refreshToken string, more ...string) reply {
	a.Helper()
	return a.post(a.zoho.AccountsURL(dc)+"/oauth/v2/token", append([]string{"grant_type", "refresh_token",
		"client_id", a.client.ID, "client_secret", a.client.Secret, "refresh_token", refreshToken}, more...)...)
}

// get calls an address with an access token; an empty one is not sent.
func (a app) get(address, accessToken string) reply {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), http.MethodGet, address, nil)
	if err != nil {
		a.Fatal(err)
	}
	if accessToken != "" {
		req.Header.Set("Authorization", "Zoho-oauthtoken "+accessToken)
	}
	return a.do(req)
}

func (a app) wantNoViolations() {
	a.Helper()
	for _, v := range a.zoho.Violations() {
		a.Errorf("violation: %s", v)
	}
}

func (a app) wantViolation(kind zohotest.Kind, times int) {
	a.Helper()
	got := 0
	for _, v := range a.zoho.Violations() {
		if v.Kind == kind {
			got++
		}
	}
	if got != times {
		a.Errorf("%d violations %q, want %d; all: %v", got, kind, times, a.zoho.Violations())
	}
}

// wantViolations is for tests in which a client misbehaves: these and no others, in any order.
func (a app) wantViolations(kinds ...zohotest.Kind) {
	a.Helper()
	var got []zohotest.Kind
	for _, v := range a.zoho.Violations() {
		got = append(got, v.Kind)
	}
	slices.Sort(got)
	slices.Sort(kinds)
	if !slices.Equal(got, kinds) {
		a.Errorf("the violations are %q, want %q; all: %v", got, kinds, a.zoho.Violations())
	}
}

// passes lets time go by: none at all, in the bubble that every caller is in.
func passes(d time.Duration) { time.Sleep(d) }
