// Tests of violations: a client that misbehaves in each way, and what is no misbehavior.

package zohotest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// misbehavior is a client that does what no well-behaved one does, once, and the violations
// that are recorded. Each has its kind as its name.
var misbehavior = map[zohotest.Kind]struct {
	client func(a app)
	more   []zohotest.Kind // besides its own kind, which is recorded once
}{
	zohotest.WrongHost: {client: func(a app) {
		a.post(a.zoho.APIURL("eu")+"/oauth/v2/token", "grant_type", "refresh_token", "refresh_token", a.connects("eu").refreshToken())
	}},
	zohotest.SecretInQuery: {client: func(a app) {
		// Neither the path nor the name of the parameter is one that the simulator knows.
		a.get(a.zoho.APIURL("eu")+"/files/v1/all?key="+a.connects("eu").accessToken(), "")
	}},
	zohotest.SecretInPath: {client: func(a app) {
		a.get(a.zoho.APIURL("eu")+"/tokens/"+a.connects("eu").refreshToken()+"/info", "")
	}},
	zohotest.SecretInHeader: {client: func(a app) {
		grant := a.connects("eu")
		req, _ := http.NewRequest("GET", a.zoho.APIURL("eu")+"/crm/v8/org", nil)
		req.Header.Set("Authorization", "Zoho-oauthtoken "+grant.accessToken())
		req.Header.Set("X-Client", "id="+a.client.ID+"; secret="+a.client.Secret)
		a.do(req)
	}},
	zohotest.SecretInState: {client: func(a app) {
		a.zoho.Authorize(a.consentURL("us", "state", a.client.Secret), zohotest.Consent{})
	}},
	zohotest.WrongMethod: {client: func(a app) { a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "") }},
	zohotest.AuthStyleProbed: {client: func(a app) {
		req := a.newPost(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "grant_type", "refresh_token", "refresh_token", "1000.no.such")
		req.SetBasicAuth(a.client.ID, a.client.Secret)
		a.do(req)
		a.refresh("eu", "1000.no.such")
	}},
	zohotest.NotAForm: {client: func(a app) {
		req, _ := http.NewRequest("POST", a.zoho.AccountsURL("eu")+"/oauth/v2/token", strings.NewReader(`{"grant_type":"refresh_token"}`))
		req.Header.Set("Content-Type", "application/json")
		a.do(req)
	}},
	zohotest.CodeTriedTwice: {client: func(a app) {
		for range 2 {
			a.exchange("eu", "1000.never.issued")
		}
	}},
	zohotest.CodeTriedLate: {client: func(a app) {
		code := a.consents("eu").Get("code")
		passes(2 * time.Minute)
		a.exchange("eu", code)
	}},
	zohotest.WrongRedirectURI: {client: func(a app) {
		a.exchange("eu", a.consents("eu").Get("code"), "redirect_uri", a.client.RedirectURIs[0]+"/")
	}},
	zohotest.WrongVerifier: {client: func(a app) {
		a.exchange("eu", a.consents("eu", "code_challenge", strings.Repeat("v", 43)).Get("code"))
	}},
	zohotest.OtherClient: {client: func(a app) {
		stranger := a.as(a.zoho.AddClient(zohotest.Client{}))
		stranger.exchange("eu", a.consents("eu").Get("code"))
	}},
	zohotest.WrongDataCenter: {client: func(a app) { a.refresh("us", a.connects("eu").refreshToken()) }},
	zohotest.RefusedCallRepeated: {client: func(a app) {
		for range 4 {
			a.refresh("eu", "1000.no.such")
		}
	}},
	zohotest.DeadTokenUsed: {client: func(a app) {
		a.get(a.zoho.APIURL("eu")+"/crm/v8/org", "1000.no.such")
		passes(10 * time.Second)
		a.get(a.zoho.DeskURL("eu")+"/api/v1/organizations", "1000.no.such")
	}},
	zohotest.PolledTooFast: {client: func(a app) {
		a = a.device()
		code := a.starts("us").text("device_code")
		a.polls("us", code)
		passes(30*time.Second - 1)
		a.polls("us", code)
	}},
	zohotest.PolledAfterEnd: {client: func(a app) {
		a = a.device()
		code := a.starts("us").text("device_code")
		passes(5 * time.Minute)
		a.polls("us", code)
		passes(30 * time.Second)
		a.polls("us", code)
	}},
	zohotest.ThrottleTripped: {client: func(a app) {
		token := a.connects("eu").refreshToken()
		a.mints(9, token)
		a.refresh("eu", token)
	}},
	zohotest.AccessTokenEvicted: {client: func(a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveAccessTokens = 1 })
		a.mints(1, a.connects("eu").refreshToken())
	}},
	zohotest.RefreshTokenEvicted: {more: []zohotest.Kind{zohotest.AccessTokenEvicted}, client: func(a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens = 1 })
		a.connects("eu")
		a.connects("eu")
	}},
	zohotest.CodeThrottleTripped: {client: func(a app) {
		for range 11 {
			a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{})
		}
	}},
}

func TestEachMisbehaviorIsAViolation(t *testing.T) {
	for kind, test := range misbehavior {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				test.client(a)
				a.wantViolations(append([]zohotest.Kind{kind}, test.more...)...)
				for _, v := range a.zoho.Violations() {
					for _, secret := range a.zoho.Secrets() {
						if strings.Contains(v.Detail, secret) {
							t.Errorf("a secret is in %q", v.Detail)
						}
					}
				}
			})
		})
	}
}

// Each secret is found, wherever it stands.
func TestEachSecretIsFoundInEachPlaceWhereItMustNotStand(t *testing.T) {
	places := map[zohotest.Kind]func(a app, secret string) *http.Request{
		zohotest.SecretInQuery: func(a app, secret string) *http.Request {
			return mustRequest(a, "/crm/v8/org?n="+secret)
		},
		zohotest.SecretInPath: func(a app, secret string) *http.Request { return mustRequest(a, "/x/"+secret) },
		zohotest.SecretInHeader: func(a app, secret string) *http.Request {
			req := mustRequest(a, "/crm/v8/org")
			req.Header.Set("Referer", "https://app.example.com/?a=1&b="+secret)
			return req
		},
	}
	for kind, place := range places {
		bubble(t, func(t *testing.T, a app) {
			verifier := strings.Repeat("w", 43)
			code := a.consents("eu", "code_challenge", verifier).Get("code")
			grant := a.exchange("eu", code, "code_verifier", verifier)
			device := a.device()
			for name, secret := range map[string]string{
				"client secret": a.client.Secret, "code": code, "verifier": verifier, "refresh token": grant.refreshToken(), "access token": grant.accessToken(),
				"device code": device.starts("us").text("device_code"), "enhance token": a.enhances("eu", grant.refreshToken()).accessToken(),
			} {
				a.zoho.Reset()
				a.do(place(a, secret))
				if got := a.zoho.Violations(); len(got) != 1 || got[0].Kind != kind {
					t.Errorf("%s, expecting %q: %v", name, kind, got)
				}
			}
		})
	}
}

func mustRequest(a app, path string) *http.Request {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), "GET", a.zoho.APIURL("eu")+path, nil)
	if err != nil {
		a.Fatal(err)
	}
	return req
}

func TestARefreshTokenIsNoBearer(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.get(a.zoho.APIURL("eu")+"/crm/v8/org", a.connects("eu").refreshToken())
		a.wantViolations(zohotest.SecretInHeader)
	})
}

func TestWhatIsNoMisbehavior(t *testing.T) {
	for name, client := range map[string]func(a app){
		"a refused call, three times": func(a app) {
			for range 3 {
				a.refresh("eu", "1000.no.such")
			}
		},
		"a refused call, now and then": func(a app) {
			for range 10 {
				a.refresh("eu", "1000.no.such")
				passes(4 * time.Minute)
			}
		},
		"the call again with the right secret": func(a app) {
			token := a.connects("eu").refreshToken()
			for range 3 {
				a.refresh("eu", token, "client_secret", "wrong-secret")
			}
			a.mints(1, token)
		},
		"the poll after an answer that was lost": func(a app) {
			a = a.device()
			started := a.starts("us")
			if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{}); err != nil {
				a.Fatal(err)
			}
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Endpoint: "device", Times: 1})
			a.polls("us", started.text("device_code"))
			passes(30 * time.Second)
			a.wantError(a.polls("us", started.text("device_code")), "invalid_code")
		},
		"an access token that died, once": func(a app) {
			token := a.connects("eu").accessToken()
			passes(time.Hour)
			if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/org", token); r.status != 401 {
				a.Errorf("a dead token was answered %d", r.status)
			}
		},
		"calls that were under way when a token was refused": func(a app) {
			for range 20 {
				a.get(a.zoho.APIURL("eu")+"/crm/v8/org", "1000.no.such")
			}
			passes(10*time.Second - 1)
			a.get(a.zoho.APIURL("eu")+"/crm/v8/org", "1000.no.such")
		},
		"the enhance token of a page, which stands in its address": func(a app) {
			token := a.enhances("eu", a.connects("eu").refreshToken()).accessToken()
			if _, err := a.zoho.Authorize(a.extraScopeURL("eu", token, "Desk.basic.READ"), zohotest.Consent{}); err != nil {
				a.Error(err)
			}
		},
		"a client's secret as Basic, where tokens are revoked": func(a app) { a.revokes("eu", a.connects("eu").refreshToken()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(_ *testing.T, a app) {
				client(a)
				a.wantNoViolations()
			})
		})
	}
}

func TestAThrottleFaultBlocksUntilTheWindowEnds(t *testing.T) {
	for name, key := range map[string]zohotest.Key{"by refresh token": zohotest.PerRefreshToken, "by client": zohotest.PerClient} {
		bubble(t, func(t *testing.T, a app) {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = key })
			struck, other := a.connects("eu").refreshToken(), a.connects("eu").refreshToken()
			passes(4 * time.Minute)
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1})
			a.refresh("eu", struck)
			a.wantNoViolations()
			for _, wait := range []time.Duration{0, 6*time.Minute - 1} { // the window began with the exchange
				passes(wait)
				if r := a.refresh("eu", struck); r.status != 400 || r.error() != "Access Denied" {
					t.Errorf("%s: within the block it answered %d %s", name, r.status, r.body)
				}
			}
			a.wantViolations(zohotest.ThrottleTripped, zohotest.ThrottleTripped)
			r := a.refresh("eu", other)
			if throttled := r.status == 400; throttled != (key == zohotest.PerClient) {
				t.Errorf("%s: another refresh token was answered %d %s", name, r.status, r.body)
			}
			passes(1)
			a.mints(1, struck)
		})
	}
}

func TestAThrottleFaultBlocksAsLongAsItSaysIfThatIsShorter(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").refreshToken()
		for asked, blocks := range map[time.Duration]time.Duration{time.Minute: time.Minute, time.Hour: 10 * time.Minute} {
			passes(10 * time.Minute)
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1, RetryAfter: asked})
			a.refresh("eu", token)
			passes(blocks - 1)
			if r := a.refresh("eu", token); r.status != 400 {
				t.Errorf("Retry-After %s: before the end it answered %d", asked, r.status)
			}
			passes(1)
			a.mints(1, token)
		}
	})
}

// Details name where it happened, but no path or name that the client made up.
func TestAViolationSaysWhereItHappened(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		long := strings.Repeat("x", 39)
		for _, test := range []struct {
			address, token, want string
		}{
			{"/crm/v8/org?token=x", "", "secret in query string: token in the query of /crm/v8/org at eu"},
			{"/made/up?" + long + "1=" + grant.accessToken(), "", "secret in query string: " + long + "1 in the query of an unknown path at eu"},
			{"/made/up?" + long + "12=" + grant.accessToken(), "", "secret in query string: " + long + "1 in the query of an unknown path at eu"},
			{"/crm/v8/org", " " + grant.refreshToken(), "secret in header: a secret in the header Authorization of /crm/v8/org at eu"},
			{"/oauth/v2/auth", "", "wrong host: /oauth/v2/auth at the host of gateway of eu; it is at that of accounts"},
		} {
			a.zoho.Reset()
			a.get(a.zoho.APIURL("eu")+test.address, test.token)
			if got := a.zoho.Violations(); len(got) != 1 || got[0].String() != test.want || got[0].Time != a.zoho.Now() {
				t.Errorf("%s: the violations are %v, want %q", test.address, got, test.want)
			}
		}
	})
}

func TestASecretParameterIsNoneOfAQueryWhateverItsValue(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for _, name := range []string{"client_secret", "code", "refresh_token", "token", "access_token", "code_verifier", "device_code"} {
			for query, want := range map[string][]zohotest.Kind{name + "=x": {zohotest.SecretInQuery}, name + "=": nil, name: nil} {
				a.zoho.Reset()
				a.get(a.zoho.APIURL("eu")+"/crm/v8/org?"+query, "")
				a.wantViolations(want...)
			}
		}
		grant := a.connects("eu")
		enhance := a.enhances("eu", grant.refreshToken()).accessToken()
		for address, want := range map[string][]zohotest.Kind{
			a.extraScopeURL("eu", enhance, "Desk.basic.READ"):                                      nil,
			a.consentURL("eu", "enhance_token", enhance):                                           {zohotest.SecretInQuery},
			a.extraScopeURL("eu", enhance, "Desk.basic.READ") + "&other=" + enhance:                {zohotest.SecretInQuery},
			a.consentURL("eu", "code_challenge", a.client.Secret, "state", "a-state-of-one's-own"): nil,
		} {
			a.zoho.Reset()
			a.get(address, "")
			a.wantViolations(want...)
		}
	})
}

func TestSecretsOfOtherClientsAreViolationsWhereverTheyAreSent(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		stranger := a.as(a.zoho.AddClient(zohotest.Client{}))
		device, other := a.device(), a.device()
		started := device.starts("us").text("device_code")
		for name, sends := range map[string]func() reply{
			"a refresh token":                func() reply { return stranger.refresh("eu", grant.refreshToken()) },
			"a refresh token to be enhanced": func() reply { return stranger.enhances("eu", grant.refreshToken()) },
			"a device code":                  func() reply { return other.polls("us", started) },
		} {
			a.zoho.Reset()
			if r := sends(); r.error() != "invalid_code" {
				t.Errorf("%s: answered %s", name, r.body)
			}
			a.wantViolations(zohotest.OtherClient)
		}
	})
}

func TestACallIsTheSameWithinTenMinutes(t *testing.T) {
	for wait, want := range map[time.Duration]int{10*time.Minute - 1: 1, 10 * time.Minute: 0} {
		bubble(t, func(t *testing.T, a app) {
			for range 3 {
				a.refresh("eu", "1000.no.such")
			}
			passes(wait)
			a.refresh("eu", "1000.no.such")
			a.wantViolation(zohotest.RefusedCallRepeated, want)
		})
	}
	bubble(t, func(t *testing.T, a app) {
		// A refusal that never arrived is none that the client knows.
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Endpoint: "token", Times: 20})
		for range 23 {
			a.refresh("eu", "1000.no.such")
		}
		a.wantNoViolations()
		a.refresh("eu", "1000.no.such")
		a.wantViolations(zohotest.RefusedCallRepeated)
	})
	bubble(t, func(t *testing.T, a app) {
		for range 5 { // nobody's secrets, so nobody's call
			a.exchange("eu", "", "client_id", "", "client_secret", "")
		}
		a.wantNoViolations()
		for range 5 { // there is no code to be tried twice
			a.exchange("eu", "")
		}
		a.wantViolations(zohotest.RefusedCallRepeated, zohotest.RefusedCallRepeated)
	})
}

func TestACodeIsTriedByAPOSTAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		code := a.consents("eu").Get("code")
		a.get(a.zoho.AccountsURL("eu")+"/oauth/v2/token?grant_type=authorization_code&code="+code, "")
		if r := a.exchange("eu", code); r.accessToken() == "" {
			t.Errorf("the exchange got %s", r.body)
		}
		a.wantViolations(zohotest.WrongMethod, zohotest.SecretInQuery)
	})
}

func TestADeviceThatWasSentElsewhereStaysThere(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		started := a.starts("us")
		if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{DataCenter: "eu"}); err != nil {
			t.Fatal(err)
		}
		a.polls("us", started.text("device_code"))
		a.wantNoViolations()
		passes(30 * time.Second)
		a.wantError(a.polls("us", started.text("device_code")), "other_dc")
		a.wantViolations(zohotest.WrongDataCenter)
		r := a.polls("eu", started.text("device_code"))
		if again := a.refresh("eu", r.refreshToken()); !strings.HasPrefix(again.accessToken(), "1004.") {
			t.Errorf("the refresh got %s", again.body)
		}
		a.wantViolations(zohotest.WrongDataCenter)
	})
}
