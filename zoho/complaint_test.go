// Rule 11: is a reader believed that says a token is dead, and does that cost no more
// than it must?

package zoho_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// about is a complaint about a token.
func about(t *zoho.Token) func(*zoho.Token) bool {
	return func(newest *zoho.Token) bool { return newest.AccessToken == t.AccessToken }
}

// dies makes Zoho forget the token that readers have.
func (w *world) dies(served zoho.Served) *zoho.Token {
	w.zoho.RevokeAccessToken(string(served.Token.AccessToken))
	return served.Token
}

func TestATokenThatAReaderSawRefusedIsReplacedForEverybodyByOneMint(t *testing.T) {
	inBubble(t, func(w *world) {
		want := zoho.Want{MaxAge: 50 * time.Minute}
		dead := w.dies(w.reads(want))
		if served, warm := w.keeper.Warm(w.account, zoho.Want{MaxAge: 50 * time.Minute, Rejected: about(dead)}); warm {
			t.Errorf("memory alone answers the complaint with %+v", served)
		}
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 3 * time.Second, Times: 1})
		served, errs := w.burst(100, zoho.Want{MaxAge: 50 * time.Minute, Rejected: about(dead)})
		for i := range served {
			if errs[i] != nil || served[i].Token.AccessToken == dead.AccessToken || served[i].Token != served[0].Token {
				t.Fatalf("reader %d got %+v, %v", i, served[i], errs[i])
			}
		}
		w.wantCalls(2)
		w.wantSaves(4) // a place with the mark, a token
		w.restart()
		w.reads(want)
		for _, late := range []zoho.Want{{Rejected: about(dead)}, {MaxAge: time.Minute, Rejected: about(dead)}} {
			for range 20 {
				if again := w.reads(late); again.Token.AccessToken != served[0].Token.AccessToken || again.Warning != "" {
					t.Fatalf("a complaint about an older token got %+v", again)
				}
			}
		}
		w.wantCalls(2)
		w.wantSaves(4)
		if state, err := w.keeper.Look(w.Context(), w.account); err != nil || state.Rejected.IsZero() || time.Since(state.Rejected) > time.Minute {
			t.Errorf("the rejection is said to be of %s, %v", state.Rejected, err)
		}
	})
}

func TestWhileACallHangsARejectedTokenIsServedToNobody(t *testing.T) {
	inBubble(t, func(w *world) {
		dead := w.dies(w.reads(zoho.Want{}))
		w.fails(zohotest.Hang, 0)
		go func() { _, _ = w.read(zoho.Want{Rejected: about(dead)}) }()
		synctest.Wait()
		for _, want := range []zoho.Want{{}, {MaxAge: time.Hour}} {
			_, err := w.read(want)
			w.wantHeld(err)
		}
		w.wantMints(2)
	})
}

// A reader may have decided to wait, with the token at hand, before it was rejected.
func TestATokenRejectedMeanwhileIsServedToNobodyWhoWaits(t *testing.T) {
	for name, fails := range map[string]error{"Zoho hangs": nil, "storage fails": errStorage} {
		inBubble(t, func(w *world) {
			dead := w.dies(w.reads(zoho.Want{}))
			if fails == nil {
				w.fails(zohotest.Hang, 1)
			}
			w.disk.set(func(d *disk) {
				d.saving = func(_ context.Context, n int) error {
					time.Sleep(time.Second / 2)
					return fails
				}
			})
			go func() { _, _ = w.read(zoho.Want{Rejected: about(dead)}) }()
			synctest.Wait()
			if served, err := w.read(zoho.Want{}); err == nil {
				t.Errorf("%s: served was %+v", name, served)
			}
		})
	}
}

func TestAComplaintAboutAnOlderTokenStartsNoMintAheadOfTime(t *testing.T) {
	inBubble(t, func(w *world) {
		older := w.reads(zoho.Want{}).Token
		w.reads(zoho.Want{})
		w.passes(50 * time.Minute)
		w.reads(zoho.Want{Rejected: about(older)})
		w.wantCalls(2)
	})
}

func TestOlderTokensThanARejectedOneAreServedToNobody(t *testing.T) {
	inBubble(t, func(w *world) {
		w.dies(w.reads(zoho.Want{}))
		dead := w.dies(w.reads(zoho.Want{}))
		w.reads(zoho.Want{MaxAge: time.Hour, Rejected: about(dead)})
		w.wantCalls(3)
	})
}

func TestAnAppThatComplainsAboutEveryTokenSpendsNoMints(t *testing.T) {
	inBubble(t, func(w *world) {
		always := zoho.Want{MaxAge: 50 * time.Minute, Rejected: func(*zoho.Token) bool { return true }}
		w.reads(always)
		began := time.Now()
		mints := map[int]int{}
		for time.Since(began) < 25*time.Minute {
			served := w.reads(always)
			if calls := w.calls(); served.Warm && calls > 1 && !strings.Contains(served.Warning, "probably not the token") {
				t.Fatalf("served was %+v", served)
			}
			mints[int(time.Since(began)/time.Minute)] = w.calls()
			w.passes(2 * time.Second)
		}
		// The first is believed at once, then one after five minutes, after ten more, and
		// so on.
		for minute, want := range map[int]int{0: 2, 4: 2, 5: 3, 14: 3, 15: 4, 24: 4} {
			if mints[minute] != want {
				t.Errorf("after %d minutes of complaints there were %d mints, want %d", minute, mints[minute], want)
			}
		}
		if served := w.reads(always); !strings.Contains(served.Warning, "minted 10m") {
			t.Errorf("the warning is %q", served.Warning)
		}
	})
}

func TestAComplaintOnANodeThatCannotWriteIsForwardedOnlyIfItIsBelieved(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{}).Token
		w.passes(time.Minute)
		second := w.reads(zoho.Want{})
		w.account, w.keeper = w.readOnly(), zoho.NewKeeper(1, nil)
		if served := w.reads(zoho.Want{Rejected: about(first)}); served.Token.AccessToken != second.Token.AccessToken {
			t.Errorf("a complaint about an older token got %+v", served)
		}
		if _, err := w.read(zoho.Want{MaxAge: time.Hour, Rejected: about(second.Token)}); !errors.Is(err, zoho.ErrReadOnly) {
			t.Errorf("a complaint about the newest got %v", err)
		}
		if err := w.keeper.Reject(w.Context(), w.account, second.Token); !errors.Is(err, zoho.ErrReadOnly) {
			t.Errorf("a rejection got %v", err)
		}
		w.wantCalls(2)
		w.wantSaves(4)
	})
}

func TestARejectedTokenIsServedNoMoreThoughNoNewOneCanBeHad(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"the budget is used up": func(w *world) { w.withLimits(1, 10) },
		"Zoho throttles":        func(w *world) { w.fails(zohotest.Throttle, 1); w.reads(zoho.Want{}) },
		"Zoho is unavailable": func(w *world) {
			w.fails(zohotest.Status5xx, 0)
			for range 4 { // until the wait is longer than a reader's
				w.passes(2 * time.Second)
				w.reads(zoho.Want{})
			}
			synctest.Wait()
		},
	} {
		inBubble(t, func(w *world) {
			served := w.reads(zoho.Want{})
			prepare(w)
			calls, dead := w.calls(), w.dies(served)
			for _, want := range []zoho.Want{{Rejected: about(dead)}, {Rejected: about(dead)}, {MaxAge: time.Hour}} {
				if served, err := w.read(want); err == nil {
					t.Errorf("%s: %+v got %+v", name, want.MaxAge, served)
				}
			}
			w.wantCalls(calls)
			w.restart()
			if served, err := w.read(zoho.Want{MaxAge: time.Hour}); err == nil && served.Token.AccessToken == dead.AccessToken {
				t.Errorf("%s: after a restart it was served again", name)
			}
		})
	}
}

func TestAComplaintThatCannotBeStoredIsAnErrorAndBelievedAllTheSame(t *testing.T) {
	for by, complain := range map[string]func(*world, *zoho.Token) error{
		"a reader": func(w *world, dead *zoho.Token) error { return second(w.read(zoho.Want{Rejected: about(dead)})) },
		"Zoho":     func(w *world, dead *zoho.Token) error { return w.keeper.Reject(w.Context(), w.account, dead) },
	} {
		inBubble(t, func(w *world) {
			other := w.pair()[0] // in a cache of one
			dead := w.dies(w.reads(zoho.Want{}))
			calls, left := w.calls(), w.looks().MintsLeft
			w.disk.set(func(d *disk) { d.saving = func(context.Context, int) error { return errStorage } })
			if err := complain(w, dead); !errors.Is(err, errStorage) || !strings.Contains(err.Error(), "storing ") {
				t.Errorf("%s got %v, want the storage's error and what it was about", by, err)
			}
			if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); !errors.Is(err, errStorage) { // nothing pushes it out
				t.Errorf("another grant's reader got %v, want the storage's error", err)
			}
			if served, err := w.read(zoho.Want{MaxAge: time.Hour}); err == nil {
				t.Errorf("refused by %s, it was served again: %+v", by, served)
			}
			w.wantCalls(calls)
			if now := w.looks().MintsLeft; now != left {
				t.Errorf("refused by %s, %d mints are left of %d", by, now, left)
			}
			w.disk.set(func(d *disk) { d.saving = nil })
			if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil { // pushes the record out of memory
				t.Fatal(err)
			}
			w.reads(zoho.Want{MaxAge: time.Hour})
			w.wantCalls(calls + 2)
		})
	}
}

func TestATokenThatZohoItselfCalledDeadIsServedNoMoreAndMintsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		for range 3 { // without a wait in between
			dead := w.dies(w.reads(zoho.Want{MaxAge: time.Hour}))
			for range 2 {
				if err := w.keeper.Reject(w.Context(), w.account, dead); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.wantCalls(3)
		w.wantSaves(9)
		w.restart()
		w.reads(zoho.Want{MaxAge: time.Hour})
		if err := w.keeper.Reject(w.Context(), w.account, &zoho.Token{AccessToken: "of somebody else"}); err != nil {
			t.Error(err)
		}
		w.wantSaves(11)
	})
}

func TestAReaderIsToldBothThatItIsNotBelievedAndWhyNothingNewerIsThere(t *testing.T) {
	inBubble(t, func(w *world) {
		dead := w.dies(w.reads(zoho.Want{}))
		second := w.reads(zoho.Want{MaxAge: time.Hour, Rejected: about(dead)})
		w.passes(time.Second)
		w.fails(zohotest.Status5xx, 0)
		w.reads(zoho.Want{})
		w.passes(time.Second)
		w.reads(zoho.Want{}) // the first check fails behind it
		synctest.Wait()
		held := w.reads(zoho.Want{})
		both := w.reads(zoho.Want{Rejected: about(second.Token)})
		if held.Warning == "" || !strings.Contains(both.Warning, held.Warning) || !strings.Contains(both.Warning, "API domain") {
			t.Errorf("the reader is told %q, whoever complains of nothing %q", both.Warning, held.Warning)
		}
	})
}
