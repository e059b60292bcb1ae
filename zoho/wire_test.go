// How do tests of the wire put any answer into Zoho's mouth?

package zoho_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// answering is a transport that gives one answer to everything, and remembers
// what it was asked.
type answering struct {
	status      int
	contentType string
	retryAfter  string
	body        string
	err         error
	requests    []*http.Request
	bodies      []string
}

func (a *answering) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := ""
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		sent = string(data)
	}
	a.requests, a.bodies = append(a.requests, req), append(a.bodies, sent)
	if a.err != nil {
		return nil, a.err
	}
	header := http.Header{}
	if a.contentType != "" {
		header.Set("Content-Type", a.contentType)
	}
	if a.retryAfter != "" {
		header.Set("Retry-After", a.retryAfter)
	}
	return &http.Response{
		StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: req,
	}, nil
}

// Canaries: what must never be seen in an error, whoever echoes it.
const (
	canarySecret       = "canary_client_secret"
	canaryRefreshToken = "canary_refresh_token"
	canaryCode         = "canary_code"
	canaryVerifier     = "canary_verifier_of_forty_three_characters_xx"
	canaryAnswer       = "CANARY-OF-THE-ANSWER"
)

func over(transport http.RoundTripper) *zoho.Client {
	return &zoho.Client{ID: "1000.CLIENT", Secret: canarySecret, AccountsURL: "https://accounts.zoho.eu", Transport: transport}
}

// mintOver is one mint whose answer is a.
func mintOver(a *answering) (zoho.Answer, error) {
	return over(a).Mint(context.Background(), zoho.Grant{RefreshToken: canaryRefreshToken})
}

// json200 is Zoho's usual way to say anything.
func json200(body string) *answering {
	return &answering{status: 200, contentType: "application/json;charset=UTF-8", body: body}
}

func TestATokensLifeIsReadByZohosOwnRules(t *testing.T) {
	for answer, want := range map[string]time.Duration{
		`"expires_in":3600`:                          time.Hour,
		`"expires_in":"3600"`:                        time.Hour,
		`"expires_in":600`:                           10 * time.Minute,
		`"expires_in":3600000`:                       time.Hour, // above a day: milliseconds
		`"expires_in":600000`:                        10 * time.Minute,
		`"expires_in":86400`:                         time.Hour, // a day in seconds, clamped
		`"expires_in_sec":3600,"expires_in":3600000`: time.Hour,
		`"expires_in_sec":60,"expires_in":60000`:     time.Minute, // 60000 alone would be clamped seconds
		`"expires_in_sec":"60","expires_in":3600`:    time.Minute,
		`"expires_in_sec":null,"expires_in":60`:      time.Minute,
		`"expires_in_sec":0,"expires_in":60`:         time.Minute,
		`"expires_in":99999999999999999999`:          time.Hour,
		`"expires_in":0`:                             time.Hour,
		`"expires_in":-5`:                            time.Hour,
		`"expires_in":"soon"`:                        time.Hour,
		`"expires_in":{"seconds":5}`:                 time.Hour,
		`"expires_in":null`:                          time.Hour,
		`"expires_in":1.9`:                           time.Second,
		`"scope":"a"`:                                time.Hour, // no expiry at all
		`"expires_in":"NaN"`:                         time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(900 * time.Millisecond)
			before := time.Now()
			got, err := mintOver(json200(`{"access_token":"t",` + answer + `}`))
			if err != nil || got.Token.Lifetime() != want {
				t.Errorf("%s: lives %s (%v), want %s", answer, got.Token.Lifetime(), err, want)
			}
			if got.Token.Issued.After(before) || got.Token.Issued.Before(before.Add(-time.Second)) {
				t.Errorf("%s: counted from %s, the request was sent at %s", answer, got.Token.Issued, before)
			}
		})
	}
}

func TestALongerConfiguredLifeIsBelieved(t *testing.T) {
	client := over(json200(`{"access_token":"t","expires_in":7200}`))
	client.MaxLifetime = 3 * time.Hour
	got, err := client.Mint(context.Background(), zoho.Grant{RefreshToken: "r"})
	if err != nil || got.Token.Lifetime() != 2*time.Hour {
		t.Errorf("got %+v, %v", got.Token, err)
	}
}

func TestATokenIsFoundWhateverElseTheAnswerHolds(t *testing.T) {
	for _, a := range []*answering{
		json200(`{"access_token":"t","refresh_token":"r","scope":"A.b.READ A.c.ALL","api_domain":"https://www.zohoapis.eu/","token_type":"Bearer","expires_in":3600}`),
		{status: 200, contentType: "text/plain", body: ` {"access_token":"t","scope":"A.b.READ A.c.ALL","api_domain":"https://www.zohoapis.eu"}`},
		{status: 200, contentType: "text/html", body: `{"access_token":"t","scope":"A.b.READ,A.c.ALL","api_domain":"https://www.zohoapis.eu"}`},
		{status: 201, body: `{"access_token":"t","scope":"A.b.READ A.c.ALL","api_domain":"https://www.zohoapis.eu","token_type":7,"error":null}`},
	} {
		got, err := mintOver(a)
		if err != nil || got.Token.AccessToken != "t" || got.Token.APIDomain != "https://www.zohoapis.eu" || strings.Join(got.Token.Scopes, " ") != "A.b.READ A.c.ALL" {
			t.Errorf("%s: got %+v, %v", a.body, got.Token, err)
		}
	}
}

func TestTheRefreshTokenThatWasSentIsNotTakenForANewOne(t *testing.T) {
	for sent, want := range map[string]zoho.Secret{"": "", canaryRefreshToken: "", "another": "another"} {
		got, err := mintOver(json200(`{"access_token":"t","refresh_token":"` + sent + `"}`))
		if err != nil || got.RefreshToken != want {
			t.Errorf("answered %q: got %q, %v", sent, string(got.RefreshToken), err)
		}
	}
}
