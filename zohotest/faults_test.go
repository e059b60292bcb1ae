// What reaches a client when things break, and what happened meanwhile?

package zohotest_test

import (
	"context"
	"errors"
	"io"
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
