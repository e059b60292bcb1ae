// again_test.go: a consent whose link still works after a failed attempt, such as one of an
// account without an organization.

package main

import (
	"encoding/json"
	"html"
	"io"
	"strings"
	"testing"
	"time"
)

const (
	noOrganization = `credential "crm" was not connected (no_org). The Zoho account has no organization in the service whose scopes were asked for. Sign in to Zoho with an account that belongs to an organization in that service, or create one there, and open the same link again`
	wrongAccount   = `the consent for "crm" is for the account a@example.com, and another account consented (b@example.com), so nothing was connected; sign in to Zoho with the expected account and open the link again`
)

// waitingConsent refuses the first attempt with a text, and says that the consent still waits.
func waitingConsent(text string, authorize answer) *fakeVault {
	fake := newFake()
	expires := time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339)
	fake.authorize = always(200, map[string]any{"authorization_url": theLink, "state": theState, "expire_time": expires})
	fake.consent = authorize
	if authorize == nil {
		fake.consent = always(200, map[string]any{"state": "waiting", "expire_time": expires})
	}
	connected := fake.creds
	fake.creds = func(r request) (int, any) {
		if strings.Contains(r.fields["callback_url"].(string), theCode) {
			return connected(r)
		}
		return refuses(400, text)(r)
	}
	return fake
}

// attempts are the redirects of an attempt that leaves the consent waiting, with Vault's text.
var attempts = map[string]struct{ query, text, says string }{
	"no organization": {"error=no_org&state=" + theState, noOrganization, "an account that belongs to an organization"},
	"wrong account":   {"code=1000.other.account&location=eu&state=" + theState, wrongAccount, "sign in to Zoho with the expected account"},
}

func TestBrowserIsAwaitedAgainWhileTheConsentWaits(t *testing.T) {
	for name, a := range attempts {
		for policy, consent := range map[string]answer{"may read authorize": nil, "may not read authorize": refuses(403, "permission denied")} {
			t.Run(name+", "+policy, func(t *testing.T) {
				fake := waitingConsent(a.text, consent)
				l := start(t, fake, "crm")
				l.open()
				for range 2 { // the browser loads the address again
					got := l.land(a.query)
					if shown := html.UnescapeString(got.body); got.status != 400 || !strings.Contains(shown, a.says) || !strings.Contains(shown, "Open the link again") || strings.Contains(shown, "run zoho-login") {
						t.Errorf("the browser shows %d\n%s", got.status, shown)
					}
				}
				l.waitFor(a.says)
				l.land(redirect)
				l.want(exitConnected).says("again", "Waiting for your consent until", "Zoho is connected")
				if said := l.stderr.String(); strings.Contains(said, "declined") || strings.Count(said, a.says) != 1 {
					t.Errorf("it says %s", said)
				}
				if n := len(fake.made("PUT", "creds")); n != 2 {
					t.Errorf("Vault got %d addresses, want 2", n)
				}
				fake.withdrew(t, 0)
			})
		}
	}
}

func TestPastedAddressIsAwaitedAgainWhileTheConsentWaits(t *testing.T) {
	for name, a := range attempts {
		t.Run(name, func(t *testing.T) {
			fake := waitingConsent(a.text, nil)
			l := start(t, fake, "-paste", "crm")
			l.waitFor("Paste the whole address")
			io.WriteString(l.stdin, "http://localhost:8910/callback?"+a.query+"\n")
			l.waitFor("Open the link again")
			io.WriteString(l.stdin, "http://localhost:8910/callback?"+redirect+"\n")
			l.want(exitConnected).says(a.says, "Zoho is connected")
			fake.withdrew(t, 0)
		})
	}
}

// The consent is withdrawn, and the result names the last attempt.
func TestConsentThatWaitsInVainEndsWithTheLastAttempt(t *testing.T) {
	for name, args := range map[string][]string{"browser": {"-format=json", "crm"}, "paste": {"-format=json", "-paste", "crm"}} {
		t.Run(name, func(t *testing.T) {
			fake := waitingConsent(noOrganization, nil)
			l := start(t, fake, args...)
			if name == "browser" {
				l.open()
				l.land(attempts["no organization"].query)
			} else {
				l.waitFor("Paste the whole address")
				io.WriteString(l.stdin, "http://localhost:8910/callback?"+attempts["no organization"].query+"\n")
			}
			l.waitFor("belongs to an organization")
			l.interrupt()
			l.want(exitInterrupted)
			var end outcome
			if err := json.Unmarshal([]byte(l.stdout.String()), &end); err != nil || end.Result != resultInterrupted || end.Word != "no_org" || !strings.Contains(end.Problem, "last attempt failed") {
				t.Errorf("%+v, %v", end, err)
			}
			fake.withdrew(t, 1)
		})
	}
}

// A consent that ended, or that another one replaced, is not awaited.
func TestConsentThatEndedIsNotAwaited(t *testing.T) {
	for name, consent := range map[string]answer{
		"declined": always(200, map[string]any{"state": "declined", "expire_time": time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339)}),
		"replaced": always(200, map[string]any{"state": "waiting", "expire_time": "2100-01-01T00:00:00Z"}),
		"deleted":  always(404, nil),
		"unknown":  refuses(503, "Vault is sealed"),
	} {
		t.Run(name, func(t *testing.T) {
			fake := waitingConsent(noOrganization, consent)
			l := start(t, fake, "crm")
			l.open()
			l.land(attempts["no organization"].query)
			l.want(exitDeclined)
			fake.withdrew(t, 0)
		})
	}
}
