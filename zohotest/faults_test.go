// What reaches a client when things break, and what happened meanwhile?

package zohotest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestFaultsStrikeBeforeOrAfterTheToken(t *testing.T) {
	for kind, test := range map[zohotest.FaultKind]struct {
		minted int
		want   func(reply) bool
	}{
		zohotest.Status5xx: {0, func(r reply) bool {
			return r.status == 502 && strings.Contains(r.body, "<html") && r.header.Get("Retry-After") == "7"
		}},
		zohotest.HTML: {0, func(r reply) bool {
			return r.status == 502 && strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
		}},
		zohotest.Hang:     {0, func(r reply) bool { return errors.Is(r.err, context.DeadlineExceeded) }},
		zohotest.Reset:    {0, func(r reply) bool { return errors.Is(r.err, syscall.ECONNRESET) }},
		zohotest.Refuse:   {0, func(r reply) bool { return r.status == 200 && r.error() == "general_error" }},
		zohotest.Throttle: {0, func(r reply) bool { return r.status == 400 && r.error() == "Access Denied" }},

		zohotest.LostAnswer: {1, func(r reply) bool { return errors.Is(r.err, syscall.ECONNRESET) }},
		zohotest.Truncated:  {1, func(r reply) bool { return errors.Is(r.err, io.ErrUnexpectedEOF) && r.body != "" && r.json == nil }},
		zohotest.Garbage:    {1, func(r reply) bool { return r.status == 200 && r.json == nil && r.body != "" }},

		zohotest.Slow:       {1, func(r reply) bool { return r.accessToken() != "" }},
		zohotest.SlowAnswer: {1, func(r reply) bool { return r.accessToken() != "" }},
	} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				a.http.Timeout = time.Minute
				token := a.connects("eu").refreshToken()
				a.zoho.Reset()
				fault := zohotest.Fault{Kind: kind, Endpoint: "token", DataCenter: "eu", Times: 1}
				switch kind {
				case zohotest.Status5xx:
					fault.Status, fault.RetryAfter = 502, 6001*time.Millisecond
				case zohotest.HTML:
					fault.Status = 502
				case zohotest.Slow, zohotest.SlowAnswer:
					fault.Delay = 20 * time.Second
				}
				a.zoho.Fault(fault)
				began := time.Now()
				if r := a.refresh("eu", token); !test.want(r) {
					t.Errorf("the client got %+v", r)
				}
				wait := map[zohotest.FaultKind]time.Duration{zohotest.Hang: time.Minute, zohotest.Slow: 20 * time.Second, zohotest.SlowAnswer: 20 * time.Second}[kind]
				if got := time.Since(began); got != wait {
					t.Errorf("it took %s, want %s", got, wait)
				}
				if got := a.zoho.Counts(); got.Minted != test.minted || got.Faulted != 1 || got.TokenCalls != 1 {
					t.Errorf("counts are %+v", got)
				}
				if kind == zohotest.Throttle {
					passes(10 * time.Minute) // it blocks as Zoho's own throttle does
				}
				a.mints(1, token) // the fault is over
				a.wantNoViolations()
			})
		})
	}
}

func TestACallerWhoLeavesDuringASlowAnswerIsNotGivenTheToken(t *testing.T) {
	for kind, minted := range map[zohotest.FaultKind]int{zohotest.Slow: 0, zohotest.SlowAnswer: 1} {
		bubble(t, func(t *testing.T, a app) {
			a.http.Timeout = time.Second
			code := a.consents("eu").Get("code")
			a.zoho.Fault(zohotest.Fault{Kind: kind, Delay: time.Minute})
			if r := a.exchange("eu", code); !errors.Is(r.err, context.DeadlineExceeded) {
				t.Errorf("%s: the client got %+v", kind, r)
			}
			if got := a.zoho.Counts(); got.Minted != minted || got.Undelivered != minted {
				t.Errorf("%s: counts are %+v", kind, got)
			}
			if got := len(a.zoho.RefreshTokens()); got != minted {
				t.Errorf("%s: %d refresh tokens live", kind, got)
			}
			if orphans := a.zoho.Orphans(); len(orphans) != 0 {
				t.Errorf("%s: the client is blamed for %v", kind, orphans)
			}
		})
	}
}

func TestOrphansAreDeliveredGrantsThatNobodyOwnsUpTo(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		kept, leaked := a.connects("eu"), a.connects("eu")
		orphans := a.zoho.Orphans(kept.refreshToken(), "1000.unknown.token")
		if len(orphans) != 1 || orphans[0].Token != leaked.refreshToken() || orphans[0].Email != a.zoho.User("eu").Email {
			t.Errorf("orphans are %+v", orphans)
		}
	})
}

func TestFaultsHitWhatTheyNameAsOftenAsTheySay(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "api", Times: 2})
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "token", DataCenter: "us", Error: "invalid_client"})
		a.mints(1, grant.refreshToken())
		for range 2 {
			if r := a.get("https://www.zohoapis.eu/crm/v8/org", grant.accessToken()); r.status != 503 {
				t.Errorf("the API answered %d", r.status)
			}
		}
		if r := a.get("https://www.zohoapis.eu/crm/v8/org", grant.accessToken()); r.status != 200 {
			t.Errorf("after the fault the API answered %d", r.status)
		}
		for range 5 {
			a.wantError(a.refresh("us", grant.refreshToken()), "invalid_client")
		}
		a.zoho.ClearFaults()
		a.wantError(a.refresh("us", grant.refreshToken()), "invalid_code")
	})
}

func TestARequestWhoseContextIsOverNeverArrives(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := a.newPost("https://accounts.zoho.eu/oauth/v2/token").WithContext(ctx)
		if r := a.do(req); !errors.Is(r.err, context.Canceled) || a.zoho.Counts().TokenCalls != 0 {
			t.Errorf("the client got %+v", r)
		}
	})
}

func TestTheClockCanBeMovedWithoutWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").accessToken()
		a.zoho.Advance(time.Hour - 1)
		if !a.zoho.Alive(token) {
			t.Error("the token died early")
		}
		a.zoho.Advance(1)
		if a.zoho.Alive(token) || a.zoho.Now() != time.Now().Add(time.Hour) {
			t.Error("the token outlived its hour")
		}
	})
}

func TestEverySecretIsOnTheListOfSecrets(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		verifier := strings.Repeat("v", 50)
		code := a.consents("eu", "code_challenge", verifier).Get("code")
		r := a.exchange("eu", code, "code_verifier", verifier)
		a.refresh("eu", "1000.guessed.token", "client_secret", "guessed-secret")
		secrets := strings.Join(a.zoho.Secrets(), "\n") + "\n"
		for _, secret := range []string{a.client.Secret, code, r.accessToken(), r.refreshToken(), verifier, "1000.guessed.token", "guessed-secret"} {
			if !strings.Contains(secrets, secret+"\n") {
				t.Errorf("%q is missing", secret)
			}
		}
		for _, v := range a.zoho.Violations() {
			for secret := range strings.Lines(secrets) {
				if strings.Contains(v.Detail, strings.TrimSpace(secret)) {
					t.Errorf("a violation tells a secret: %s", v)
				}
			}
		}
	})
}

func TestEverySecretThatIsIssuedIsOnTheListOfSecrets(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		issued := map[string]string{"client secret": a.client.Secret, "rotated": a.zoho.RotateSecret(a.client.ID, "jp")}
		many := a.zoho.AddClient(zohotest.Client{Secret: "8letters", Secrets: map[string]string{"eu": "secret-of-eu", "in": ""}})
		issued["8 letters"], issued["secret of eu"], issued["secret of in"] = many.Secret, many.Secrets["eu"], many.Secrets["in"]
		a.zoho.AddClient(zohotest.Client{Secret: "7letter"})

		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		grant := a.connects("eu", "scope", "openid")
		issued["ID token"], issued["refresh token"] = grant.text("id_token"), grant.refreshToken()
		rotated := a.refresh("eu", grant.refreshToken())
		issued["enhance token"] = a.enhances("eu", rotated.refreshToken()).accessToken()
		rotated = a.refresh("eu", rotated.refreshToken()) // this one is never shown
		issued["rotated refresh token"], issued["access token"] = rotated.refreshToken(), rotated.accessToken()
		issued["device code"] = a.device().starts("us").text("device_code")
		self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		issued["self client's code"], _ = a.zoho.SelfClientCode(self.ID, "", 0, "ZohoCRM.org.READ")
		implicit := a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.ClientBased}))
		landed, err := a.zoho.Authorize(implicit.consentURL("us", "response_type", "token"), zohotest.Consent{})
		if err != nil {
			t.Fatal(err)
		}
		_, issued["implicit token"], _ = strings.Cut(landed, "access_token=")
		issued["implicit token"], _, _ = strings.Cut(issued["implicit token"], "&")

		shown := []string{"client_secret", "code", "refresh_token", "token", "access_token", "code_verifier", "device_code"}
		for _, name := range shown {
			a.post(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "grant_type", "authorization_code", "client_id", a.client.ID, name, "shown-as-"+name)
			issued[name] = "shown-as-" + name
		}
		basic := a.newPost(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "grant_type", "refresh_token")
		basic.SetBasicAuth(a.client.ID, "shown-as-basic")
		a.do(basic)
		a.get(a.zoho.APIURL("eu")+"/crm/v8/org", "shown-as-bearer")
		issued["basic"], issued["bearer"] = "shown-as-basic", "shown-as-bearer"
		a.refresh("eu", "7-shown")
		a.refresh("eu", "8-letter")
		issued["8 letters that are shown"] = "8-letter"

		secrets := a.zoho.Secrets()
		for name, secret := range issued {
			if _, found := slices.BinarySearch(secrets, secret); !found {
				t.Errorf("%s %q is missing", name, secret)
			}
		}
		for i, secret := range secrets {
			if len(secret) < 8 || i > 0 && secrets[i-1] == secret {
				t.Errorf("%q is too short, or there twice", secret)
			}
		}
		a.zoho.Reset()
		a.get(a.zoho.APIURL("eu")+"/crm/v8/org?q=8letters", "")
		a.wantViolations(zohotest.SecretInQuery)
	})
}

func TestFaultsStrikeOnlyTheGrantTypeAndThePathTheyName(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		portal := a.as(a.zoho.AddClient(zohotest.Client{Portal: "10012345"}))
		grant := a.connects("eu")
		at := a.zoho.PortalURL("us", "10012345")
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, GrantType: "refresh_token", Path: "/oauth/v2/tok"})
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Status: 599, Path: "/clientoauth/v2/10012345/token"})
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Status: 200, Path: "/crm/v3/org"})
		for name, test := range map[string]struct {
			reply
			want int
		}{
			"a refresh":              {a.refresh("eu", grant.refreshToken()), 503},
			"an exchange":            {a.connects("eu"), 200},
			"the portal":             {portal.post(at+"/token", "grant_type", "refresh_token"), 599},
			"another portal":         {portal.post(a.zoho.PortalURL("us", "1")+"/token", "grant_type", "refresh_token"), 200},
			"another version of CRM": {a.get(a.zoho.APIURL("eu")+"/crm/v2/org", "x"), 401},
			"the version of CRM":     {a.get(a.zoho.APIURL("eu")+"/crm/v3/org", "x"), 200},
		} {
			if test.status != test.want || test.header.Get("Retry-After") != "" {
				t.Errorf("%s: answered %d %v, want %d", name, test.status, test.header, test.want)
			}
		}
		a.zoho.Check(t)
		wantPanic(t, `endpoints are ["auth" "token" "enhance" "device" "revoke" "openid" "api" "serverinfo"]`, func() {
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "tokens"})
		})
		for _, status := range []int{-1, 199, 600} {
			wantPanic(t, "no final HTTP status", func() { a.zoho.Fault(zohotest.Fault{Kind: zohotest.HTML, Status: status}) })
		}
	})
}

func TestAThrottleFaultSaysWhenToComeBackIfItShall(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").refreshToken()
		for wait, want := range map[time.Duration]string{0: "", time.Second: "1", 90*time.Second + 1: "91"} {
			a.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1, RetryAfter: wait})
			if r := a.refresh("eu", token); r.header.Get("Retry-After") != want {
				t.Errorf("Retry-After is %q, want %q", r.header.Get("Retry-After"), want)
			}
		}
	})
}

func TestARefusalByAFaultMeetsTheThrottleWhereFailuresCount(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.FailuresCount, k.Mints = true, 1 })
		token := a.connects("eu").refreshToken() // and the window is full
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "token", Times: 1})
		a.wantThrottled(a.refresh("eu", token))
	})
}

func TestTornAnswersAreCutInTheMiddle(t *testing.T) {
	for name, a := range map[string]app{"in process": inProcess(t), "sockets": listening(t)} {
		token := a.connects("eu").refreshToken()
		whole := a.refresh("eu", token)
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Truncated, Times: 1})
		if r := a.refresh("eu", token); r.status != 200 || r.err == nil || len(r.body) != len(whole.body)/2 {
			t.Errorf("%s: of %d bytes these arrived, %d: %q %v", name, len(whole.body), r.status, r.body, r.err)
		}
	}
}

func TestAnAnswerOverASocketHasItsLength(t *testing.T) {
	a := listening(t)
	resp, err := a.http.Get(a.zoho.AccountsURL("eu") + "/oauth/serverinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.ContentLength != int64(len(body)) {
		t.Errorf("the length is %d, of %d bytes; %v", resp.ContentLength, len(body), err)
	}
}

func TestARotatedRefreshTokenIsDeliveredWithItsOwnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		token := a.connects("eu").refreshToken()
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Times: 1})
		a.refresh("eu", token)
		if got := a.zoho.RefreshTokens(); len(got) != 1 || got[0].Delivered || got[0].Token == token {
			t.Errorf("after a lost answer the refresh tokens are %+v", got)
		}
	})
}
