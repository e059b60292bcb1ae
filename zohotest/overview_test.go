// What does a person see who looks at the simulator? All that is going on, and no secret.

package zohotest_test

import (
	"net/http"
	"regexp"
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
