// Does the ordinary way work? Consent, exchange, refresh, an API call.

package zohotest_test

import (
	"testing"
	"time"
)

func TestAConnectedAppCanCallAPIsInEveryDataCenter(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for _, dc := range a.zoho.DataCenters() {
			if dc == "cn" {
				continue // its clients are registered there
			}
			a.zoho.Advance(time.Hour)
			first := a.connects(dc)
			again := a.refresh(dc, first.refreshToken())
			if again.accessToken() == "" || again.refreshToken() != "" {
				t.Errorf("%s: refresh answered %s", dc, again.body)
			}
			if want := a.zoho.APIURL(dc); again.text("api_domain") != want {
				t.Errorf("%s: api_domain %q, want %q", dc, again.text("api_domain"), want)
			}
			for _, token := range []string{first.accessToken(), again.accessToken()} {
				if r := a.get(a.zoho.APIURL(dc)+"/crm/v8/org", token); r.status != 200 {
					t.Errorf("%s: org answered %d %s", dc, r.status, r.body)
				}
			}
		}
		a.wantNoViolations()
	})
}
