// Tests of CORS: which pages may read the simulator's answers.

package zohotest_test

import (
	"errors"
	"net/http"
	"syscall"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// fromPage sends a request as a browser does for a page.
func (a app) fromPage(method, address, origin string, headers ...string) reply {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), method, address, nil)
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return a.do(req)
}

func TestPagesReadAnswersOnlyFromOriginsOfTheKnob(t *testing.T) {
	for name, origins := range map[string][]string{"none": nil, "one": {"https://app.example.com"}, "any": {"*"}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				a.zoho.Knobs(func(k *zohotest.Knobs) { k.CORSOrigins = origins })
				token, api := a.connects("us").accessToken(), a.zoho.APIURL("us")+"/crm/v8/org"
				for origin, readable := range map[string]bool{"https://app.example.com": origins != nil, "https://evil.example": name == "any"} {
					want := ""
					if readable {
						want = origin
					}
					r := a.fromPage("GET", api, origin, "Authorization", "Zoho-oauthtoken "+token)
					if got := r.header.Get("Access-Control-Allow-Origin"); r.status != 200 || got != want {
						t.Errorf("%s: the API answered %d for %q, want %q", origin, r.status, got, want)
					}
					if r := a.fromPage("GET", a.consentURL("us"), origin); r.header.Get("Access-Control-Allow-Origin") != "" {
						t.Errorf("%s may read the consent page", origin)
					}
					if !readable {
						continue
					}
					before := a.zoho.Counts().APICalls
					r = a.fromPage("OPTIONS", api, origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
					if r.status != 204 || r.header.Get("Access-Control-Allow-Origin") != want || r.header.Get("Access-Control-Allow-Headers") != "authorization" ||
						r.header.Get("Access-Control-Allow-Methods") != "GET" || r.header.Get("Vary") != "Origin" {
						t.Errorf("%s: the preflight answered %d %v", origin, r.status, r.header)
					}
					if after := a.zoho.Counts().APICalls; after != before {
						t.Error("a preflight counts as a call of the API")
					}
				}
				a.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "api", Times: 1})
				if r := a.fromPage("GET", api, "https://app.example.com"); r.status != 503 || (r.header.Get("Access-Control-Allow-Origin") != "") != (origins != nil) {
					t.Errorf("the fault answered %d %v", r.status, r.header)
				}
				a.wantNoViolations()
			})
		})
	}
}

func TestPreflightIsAWrongMethodWhereNoPageMayRead(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		r := a.fromPage("OPTIONS", a.zoho.AccountsURL("us")+"/oauth/v2/token", "https://app.example.com", "Access-Control-Request-Method", "POST")
		if r.status != 400 || r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("answered %d %v", r.status, r.header)
		}
		a.wantViolation(zohotest.WrongMethod, 1)
	})
}

func TestAPreflightIsOneByItsMethodAndItsHeaders(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		const origin = "https://app.example.com"
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.CORSOrigins = []string{origin} })
		api := a.zoho.APIURL("us") + "/crm/v8/org"
		if r := a.fromPage("OPTIONS", api, origin); r.status != 400 {
			t.Errorf("OPTIONS alone answered %d", r.status)
		}
		a.wantViolations(zohotest.WrongMethod)
		if r := a.fromPage("GET", api, origin, "Access-Control-Request-Method", "GET"); r.status != 401 {
			t.Errorf("GET with the header of a preflight answered %d", r.status)
		}
		if r := a.fromPage("OPTIONS", api, origin, "Access-Control-Request-Method", "GET"); r.status != 204 || len(r.header["Access-Control-Allow-Headers"]) != 0 {
			t.Errorf("the preflight answered %d %v", r.status, r.header)
		}
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Times: 1})
		if r := a.fromPage("GET", api, origin); !errors.Is(r.err, syscall.ECONNRESET) {
			t.Errorf("a torn connection answered %+v", r)
		}
	})
}

// Who may read an answer is one matter, who may ask another: only pages of the simulator's own
// take decisions.
func TestAPageOfAnotherSiteMayAskWhatIsNoPage(t *testing.T) {
	a := listening(t)
	headers := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
	if status, answer := fromBrowser(t, "POST", a.zoho.AccountsURL("us")+"/oauth/v2/token", "grant_type=refresh_token", headers); status != 200 {
		t.Errorf("the token endpoint answered %d %s", status, answer)
	}
}

// Without these headers a page gets no more than "network error" for an API that the
// simulator does not have.
func TestPageReadsThatAPathIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.CORSOrigins = []string{"https://app.example.com"} })
		for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "https://evil.example": ""} {
			address := a.zoho.APIURL("us") + "/crm/v8/Leads"
			if r := a.fromPage("PUT", address, origin); r.status != 404 || r.header.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("%s: answered %d %v", origin, r.status, r.header)
			}
			r := a.fromPage("OPTIONS", address, origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization")
			if r.header.Get("Access-Control-Allow-Origin") != want || want != "" && (r.status != 204 || r.header.Get("Access-Control-Allow-Methods") != "PUT") {
				t.Errorf("%s: the preflight answered %d %v", origin, r.status, r.header)
			}
		}
	})
}
