// Rule 6: is a failure believed for as long as it deserves, and who is served
// meanwhile?

package zoho_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestARevokedRefreshTokenCostsOneCallInFifteenMinutes(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.zoho.RevokeRefreshToken(string(w.account.Grant.RefreshToken))
		for minute := range 15 {
			_, err := w.read(zoho.Want{})
			held := w.wantHeld(err)
			if held.Failure.About != zoho.AboutGrant || held.Wait != 15*time.Minute-time.Duration(minute)*time.Minute {
				t.Fatalf("after %d minutes: %+v", minute, held)
			}
			// Its access tokens are dead too, however young.
			_, err = w.read(zoho.Want{MaxAge: time.Hour})
			w.wantHeld(err)
			w.wantCalls(2)
			if minute == 7 {
				w.restart()
			}
			w.passes(time.Minute)
		}
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.wantCalls(3)
	})
}

func TestReconnectingEndsARefusalAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.RevokeRefreshToken(string(w.account.Grant.RefreshToken))
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.connect("eu")
		w.account.Shelf = w.shelf
		w.reads(zoho.Want{})
	})
}

func TestARefusedGrantsTokensStayDeadWhateverChangesAfterwards(t *testing.T) {
	for name, change := range map[string]func(*world){
		"fifteen minutes":   func(w *world) { w.passes(16 * time.Minute) },
		"a written config":  func(w *world) { w.changeAccount(func(a *zoho.Account) { a.Setup = "new" }) },
		"a restart":         func(w *world) { w.restart() },
		"both, and an hour": func(w *world) { w.restart(); w.passes(50 * time.Minute) },
	} {
		inBubble(t, func(w *world) {
			w.reads(zoho.Want{MaxAge: time.Hour})
			w.zoho.RevokeRefreshToken(string(w.account.Grant.RefreshToken))
			_, err := w.read(zoho.Want{})
			w.wantHeld(err)
			change(w)
			if served, err := w.read(zoho.Want{MaxAge: time.Hour}); err == nil {
				t.Errorf("after %s a dead token was served: %+v", name, served)
			}
		})
	}
}

func TestALiveTokenIsServedOnWithAWarningThroughFailuresThatKillNone(t *testing.T) {
	for name, f := range map[string]zohotest.Fault{
		"throttled":                {Kind: zohotest.Throttle},
		"5xx":                      {Kind: zohotest.Status5xx},
		"hanging":                  {Kind: zohotest.Hang},
		"a page":                   {Kind: zohotest.HTML},
		"reset":                    {Kind: zohotest.Reset},
		"general_error":            {Kind: zohotest.Refuse, Error: "general_error"},
		"refusing the client":      {Kind: zohotest.Refuse, Error: "invalid_client"},
		"refusing the secret":      {Kind: zohotest.Refuse, Error: "invalid_client_secret"},
		"refusing the scopes":      {Kind: zohotest.Refuse, Error: "invalid_scope"},
		"refusing in a new word":   {Kind: zohotest.Refuse, Error: "who_knows"},
		"answering no JSON at all": {Kind: zohotest.Garbage},
	} {
		inBubble(t, func(w *world) {
			first := w.reads(zoho.Want{})
			f.Endpoint = "token"
			w.zoho.Fault(f)
			for range 3 {
				served := w.reads(zoho.Want{MinTTL: 10 * time.Minute, Demand: true})
				if served.Token.AccessToken != first.Token.AccessToken || !served.Held || served.Warning == "" || !served.Next.After(time.Now()) {
					t.Errorf("Zoho %s: got %+v, want the live token with a warning", name, served)
				}
			}
			w.wantCalls(2)
			// A demand is not met with less.
			w.passes(time.Millisecond)
			if _, err := w.read(zoho.Want{MinTTL: lifetime - 10*time.Microsecond, Demand: true}); err == nil {
				t.Errorf("Zoho %s: a demand was met with less", name)
			}
			w.zoho.ClearFaults()
		})
	}
}

func TestADemandThatAFailureKeepsFromBeingMetSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{})
		w.passes(30 * time.Minute)
		w.fails(zohotest.Throttle, 1)
		_, err := w.read(zoho.Want{MinTTL: 40 * time.Minute, Demand: true})
		if held := w.wantHeld(err); held.Failure.Kind != zoho.Throttled || held.Wait != window {
			t.Errorf("got %+v, want throttled for the window", held)
		}
		if served := w.reads(zoho.Want{MinTTL: 30 * time.Minute, Demand: true}); !served.Held {
			t.Errorf("a demand that is just met got %+v", served)
		}
	})
}

func TestAThrottleIsWaitedOutToTheEndOfTheWindowOrAsZohoAsks(t *testing.T) {
	for asked, wait := range map[time.Duration]time.Duration{0: window, 90 * time.Second: 90 * time.Second, 9 * time.Hour: time.Hour} {
		inBubble(t, func(w *world) {
			w.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1, RetryAfter: asked})
			_, err := w.read(zoho.Want{})
			if held := w.wantHeld(err); held.Wait != wait {
				t.Errorf("Retry-After %s is waited out for %s, want %s", asked, held.Wait, wait)
			}
			w.passes(wait - time.Millisecond)
			_, err = w.read(zoho.Want{})
			w.wantHeld(err)
			w.wantCalls(1)
			w.passes(time.Millisecond)
			w.reads(zoho.Want{})
		})
	}
}

func TestThrottlesInARowEndInAWaitThatIsLongerThanAnyBlock(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Throttle, 0)
		waited := func(waits ...time.Duration) {
			t.Helper()
			for i, want := range waits {
				_, err := w.read(zoho.Want{})
				if held := w.wantHeld(err); held.Wait != want {
					t.Fatalf("throttle %d of %v is waited out for %s", i+1, waits, held.Wait)
				}
				w.passes(want)
				w.restart() // what went before is stored
			}
		}
		waited(window, window, window, 65*time.Minute, window, window, window, 65*time.Minute, window, window)
		// What was long ago, or was followed by a success, does not count.
		w.passes(65 * time.Minute)
		waited(window, window, window)
		w.zoho.ClearFaults()
		w.reads(zoho.Want{})
		w.passes(2 * lifetime)
		w.fails(zohotest.Throttle, 0)
		waited(window, window, window, 65*time.Minute)
		w.passes(2 * lifetime)
		w.changeAccount(func(a *zoho.Account) { a.Limits.Window = 24 * time.Hour })
		w.passes(24 * time.Hour)
		waited(24 * time.Hour)
		w.zoho.ClearFaults()
	})
}

func TestFailuresOfOneGrantAreWaitedOutDoublingAndLeaveAMintForTheEnd(t *testing.T) {
	inBubble(t, func(w *world) {
		w.failsMints(zohotest.Refuse, 0) // general_error
		// The first failure may be the server's. After half of the mints the tries are two
		// minutes apart.
		for i, full := range []time.Duration{
			time.Second, time.Second, 2 * time.Second, 4 * time.Second, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute,
		} {
			_, err := w.read(zoho.Want{})
			if held := w.wantHeld(err); held.Wait < full/2 || held.Wait > full {
				t.Fatalf("failure %d is waited out for %s, want %s to %s", i+1, held.Wait, full/2, full)
			} else {
				w.passes(held.Wait)
			}
			if left := w.looks().MintsLeft; left < 1 {
				t.Fatalf("after failure %d no mint is left", i+1)
			}
		}
		w.zoho.ClearFaults()
		w.reads(zoho.Want{})
		w.failsMints(zohotest.Refuse, 1)
		w.reads(zoho.Want{}) // served on
		events := w.events()
		last := events[len(events)-1]
		if wait := time.Until(last.Until); wait > time.Second {
			t.Errorf("after a success the first failure is waited out for %s", wait)
		}
	})
}

func TestAChangedSecretIsTriedAtOnceButNotBeyondTheBudget(t *testing.T) {
	inBubble(t, func(w *world) {
		secret := w.zoho.RotateSecret(w.account.Client.ID, "")
		_, err := w.read(zoho.Want{})
		if held := w.wantHeld(err); held.Failure.About != zoho.AboutClient {
			t.Fatalf("got %+v", held)
		}
		w.changeAccount(func(a *zoho.Account) { a.Client.Secret, a.Setup = zoho.Secret(secret), "new" })
		w.reads(zoho.Want{})
		w.wantCalls(2)
		// Nine more are needed, but one place went to the refused attempt.
		for range 8 {
			w.passes(10 * time.Second)
			w.reads(zoho.Want{MinTTL: 59*time.Minute + 55*time.Second, Demand: true})
		}
		w.passes(10 * time.Second)
		w.changeAccount(func(a *zoho.Account) { a.Setup = "newer" })
		_, err = w.read(zoho.Want{MinTTL: 59*time.Minute + 55*time.Second, Demand: true})
		w.wantThrottled(err)
		w.wantCalls(10)
	})
}

func TestARefusalAndAThrottleSurviveARestart(t *testing.T) {
	for _, f := range []zohotest.Fault{{Kind: zohotest.Throttle}, {Kind: zohotest.Refuse, Error: "invalid_client"}} {
		inBubble(t, func(w *world) {
			f.Endpoint, f.Times = "token", 1
			w.zoho.Fault(f)
			_, before := w.read(zoho.Want{})
			w.wantHeld(before)
			w.restart()
			_, after := w.read(zoho.Want{})
			if w.wantHeld(after); before.Error() != after.Error() {
				t.Errorf("the error changed from %v to %v", before, after)
			}
			w.wantCalls(1)
		})
	}
}

func TestAProofWaitsForTheEndOfAThrottle(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Throttle, 1)
		_, err := w.keeper.Prove(w.Context(), w.account)
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Throttled || e.RetryAfter != window {
			t.Fatalf("the first proof got %+v", err)
		}
		w.passes(window - time.Second)
		_, err = w.keeper.Prove(w.Context(), w.account)
		if held := w.wantHeld(err); held.Wait != time.Second {
			t.Errorf("the next proof is to wait for %s", held.Wait)
		}
		w.passes(time.Second)
		if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
			t.Error(err)
		}
		w.wantCalls(2)
	})
}

func TestAProofIgnoresTheFailureButNotTheBudget(t *testing.T) {
	inBubble(t, func(w *world) {
		w.failsMints(zohotest.Refuse, 1)
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
			t.Fatal(err)
		}
		w.withLimits(2, 2)
		_, err = w.keeper.Prove(w.Context(), w.account)
		w.wantThrottled(err)
		w.wantCalls(2)
	})
}

func TestNoErrorOrEventHoldsASecret(t *testing.T) {
	inBubble(t, func(w *world) {
		var texts []string
		for _, kind := range []zohotest.FaultKind{
			zohotest.Status5xx, zohotest.HTML, zohotest.Hang, zohotest.Reset, zohotest.Refuse, zohotest.Throttle,
			zohotest.LostAnswer, zohotest.Truncated, zohotest.Garbage,
		} {
			w.failsMints(kind, 1)
			_, err := w.read(zoho.Want{})
			texts = append(texts, w.wantHeld(err).Error())
			w.passes(20 * time.Minute)
		}
		for _, e := range w.events() {
			texts = append(texts, e.Err.Error())
		}
		for _, text := range texts {
			for _, secret := range w.zoho.Secrets() {
				if strings.Contains(text, secret) {
					t.Errorf("a secret is in %q", text)
				}
			}
		}
	})
}
