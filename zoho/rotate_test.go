// What if Zoho answers a refresh with a new refresh token, as it is not documented to?

package zoho_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// rotating is a world whose Zoho replaces the refresh token with each refresh.
func rotating(t *testing.T, test func(*world)) {
	t.Helper()
	inBubble(t, func(w *world) {
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		test(w)
	})
}

// replaced is the account after its credential was written with the last new
// refresh token.
func (w *world) replaced() *zoho.Account {
	w.Helper()
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	if len(w.disk.rotated) == 0 {
		w.Fatal("no refresh token was stored")
	}
	account := *w.account
	account.Grant.RefreshToken = w.disk.rotated[len(w.disk.rotated)-1]
	account.ID = newID(account.Grant.RefreshToken)
	return &account
}

func TestAReplacedRefreshTokenTakesTokensAndBudgetAlong(t *testing.T) {
	rotating(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: time.Second, Times: 1})
		served, errs := w.burst(10, zoho.Want{})
		for i := range served {
			if errs[i] != nil || served[i].Token != served[0].Token {
				t.Fatalf("reader %d got %+v, %v", i, served[i], errs[i])
			}
		}
		w.account = w.replaced()
		loads, _ := w.disk.counts()
		if again := w.reads(zoho.Want{MaxAge: time.Hour}); again.Token != served[0].Token {
			t.Error("max_age did not hold over the replacement")
		}
		if now, _ := w.disk.counts(); now != loads {
			t.Error("the record was loaded again")
		}
		w.restart()
		if again := w.reads(zoho.Want{MaxAge: time.Hour}); again.Token.AccessToken != served[0].Token.AccessToken {
			t.Error("max_age did not hold over the replacement and a restart")
		}
		w.wantCalls(1)
	})
}

func TestAReaderWithTheOldRefreshTokenIsServedAndMintsNothing(t *testing.T) {
	rotating(t, func(w *world) {
		first := w.reads(zoho.Want{})
		for _, want := range []zoho.Want{{MaxAge: time.Hour}, {}, {MinTTL: 10 * time.Minute, Demand: true}} {
			if again := w.reads(want); again.Token != first.Token || again.Held != (want.MaxAge == 0) {
				t.Errorf("%s: got %+v", want.MaxAge, again)
			}
		}
		w.passes(55 * time.Minute)
		if _, err := w.read(zoho.Want{MinTTL: 10 * time.Minute}); !errors.Is(err, zoho.ErrMoved) {
			t.Errorf("a read that needs a mint got %v", err)
		}
		if _, err := w.keeper.Prove(w.Context(), w.account); !errors.Is(err, zoho.ErrMoved) {
			t.Errorf("a proof got %v", err)
		}
		if state := w.looks(); state.MintsLeft != 9 || state.Newest == nil || !state.Moved {
			t.Errorf("its state is %+v", state)
		}
		if state, known := w.keeper.Glance(w.account); !known || state.MintsLeft != 9 {
			t.Errorf("at a glance it is %+v", state)
		}
		w.wantCalls(1)
		old := w.account
		w.account = w.replaced()
		if state := w.looks(); state.Moved {
			t.Errorf("who has the new refresh token is told that it moved: %+v", state)
		}
		second := w.reads(zoho.Want{MinTTL: 10 * time.Minute})
		w.account = old
		if late := w.reads(zoho.Want{MaxAge: time.Hour}); late.Token != second.Token {
			t.Errorf("got %+v, want the token that was minted since", late)
		}
		w.wantCalls(2)
	})
}

// The trouble of another grant has memory tidied, which keeps nothing for ever either.
func TestALateReaderIsServedForTenMinutesWhateverTheCacheHoldsOtherwise(t *testing.T) {
	rotating(t, func(w *world) {
		other := w.pair()[0]
		trouble := func() {
			w.failsMints(zohotest.Status5xx, 0)
			for range 2 { // after a check that passes, the failure is the grant's own
				_, err := w.keeper.Token(w.Context(), other, zoho.Want{})
				w.passes(w.wantHeld(err).Wait)
			}
			w.zoho.ClearFaults()
		}
		first := w.reads(zoho.Want{})
		calls := w.calls()
		w.passes(9 * time.Minute)
		trouble()
		if again := w.reads(zoho.Want{MaxAge: time.Hour}); again.Token.AccessToken != first.Token.AccessToken {
			t.Errorf("got %+v", again)
		}
		w.wantCalls(calls + 3) // the other's: a mint, a check and a mint
		w.passes(2 * time.Minute)
		trouble()
		if w.looks().Moved {
			t.Error("memory still knows where the grant went")
		}
	})
}

func TestAReaderWhoseRefreshTokenIsReplacedMeanwhileMintsNothing(t *testing.T) {
	rotating(t, func(w *world) {
		other := w.pair()[0] // in a cache of one
		calls := w.calls()
		var first zoho.Served
		late, err := w.late(func() {
			first = w.reads(zoho.Want{})
			if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil {
				t.Error(err)
			}
		})
		if err != nil || late.Token.AccessToken != first.Token.AccessToken {
			t.Errorf("the reader that was late got %+v, %v", late, err)
		}
		w.wantCalls(calls + 2) // its own grant's and the other's
	})
}

func TestWhoWaitedForAReplacementGetsItsTokenEvenIfMemoryForgetsItAtOnce(t *testing.T) {
	rotating(t, func(w *world) {
		w.keeper = zoho.NewKeeper(100, func(zoho.Event) { w.keeper.Forget(w.replaced().ID) })
		if served := w.reads(zoho.Want{}); served.Held || served.Warm || served.Warning != "" {
			t.Errorf("got %+v, want the token as one that was minted for this read", served)
		}
		w.wantCalls(1)
	})
}

func TestTokensOfAReplacedRefreshTokenAreRevokedByWhoStillHasIt(t *testing.T) {
	rotating(t, func(w *world) {
		leaked := w.reads(zoho.Want{})
		if revoked, err := w.keeper.Revoke(w.Context(), w.account); err != nil || revoked != 1 || w.zoho.Alive(string(leaked.Token.AccessToken)) {
			t.Errorf("revoked were %d of 1, %v", revoked, err)
		}
	})
}

func TestANewRefreshTokenThatCouldNotBeStoredIsStoredBeforeAnyCall(t *testing.T) {
	for name, happens := range map[string]func(w *world){
		"at once":                     func(*world) {},
		"when the token is dead":      func(w *world) { w.passes(2 * lifetime) },
		"when the cache has lost it":  func(w *world) { w.keeper.Forget(w.account.ID) },
		"when the tokens are revoked": func(w *world) { _, _ = w.keeper.Revoke(w.Context(), w.account) },
	} {
		rotating(t, func(w *world) {
			broken := func(context.Context, zoho.Secret) error { return errStorage }
			w.disk.set(func(d *disk) { d.rotating = broken })
			for range 3 {
				if _, err := w.read(zoho.Want{MaxAge: time.Hour}); !errors.Is(err, errStorage) {
					t.Fatalf("%s: got %v, want the storage's error", name, err)
				}
			}
			w.wantCalls(1)
			happens(w)
			w.disk.set(func(d *disk) {
				d.rotating = func(context.Context, zoho.Secret) error {
					if calls := w.calls(); calls != 1 {
						t.Errorf("%s: before it was stored Zoho was called %d times", name, calls)
					}
					d.set(func(d *disk) { d.rotating = nil })
					return nil
				}
			})
			if _, err := w.read(zoho.Want{MaxAge: time.Hour}); err != nil && !errors.Is(err, zoho.ErrMoved) {
				t.Errorf("%s: the read that stored it got %v", name, err)
			}
			w.account = w.replaced()
			w.reads(zoho.Want{MaxAge: time.Hour})
			w.account = w.replaced()
			w.restart()
			w.reads(zoho.Want{})
		})
	}
}

// The credential was written anew meanwhile, so the refresh token that came is nobody's either.
func TestATokenThatDiedBeforeItsNewRefreshTokenCouldBeStoredIsForgotten(t *testing.T) {
	rotating(t, func(w *world) {
		w.disk.set(func(d *disk) {
			d.changed = true
			d.rotating = func(context.Context, zoho.Secret) error { return errStorage }
		})
		if _, err := w.read(zoho.Want{}); !errors.Is(err, errStorage) {
			t.Fatalf("got %v, want the storage's error", err)
		}
		w.passes(2 * lifetime)
		w.keeper.Forget(w.account.ID) // only what storage does not know is left
		w.disk.set(func(d *disk) { d.rotating = nil })
		_, err := w.read(zoho.Want{})
		w.wantHeld(err) // Zoho knows only the refresh token that it replaced it by
		w.wantCalls(2)
	})
}

func TestATokenIsServedThoughItsNewRefreshTokenHasNoCredential(t *testing.T) {
	rotating(t, func(w *world) {
		w.disk.set(func(d *disk) { d.changed = true })
		first := w.reads(zoho.Want{})
		if again := w.reads(zoho.Want{MaxAge: time.Hour}); again.Token != first.Token {
			t.Error("the token was lost")
		}
		w.wantCalls(1)
	})
}

func TestRevokingFindsATokenWhoseMintBroughtANewRefreshTokenMeanwhile(t *testing.T) {
	rotating(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 2 * time.Second, Times: 1})
		got := make(chan zoho.Served, 1)
		go func() {
			served, _ := w.read(zoho.Want{})
			got <- served
		}()
		w.passes(time.Second) // the call is under way
		done, err := w.keeper.RevokeTokens(w.Context(), w.account, zoho.Revocation{})
		if err != nil || len(done.Tokens) != 1 || done.ID == w.account.ID {
			t.Errorf("%d tokens are revoked, of grant %s: %v", len(done.Tokens), done.ID, err)
		}
		if served := <-got; served.Token != nil && w.zoho.Alive(string(served.Token.AccessToken)) {
			t.Error("the token lives on")
		}
	})
}

func TestTokensOfAnEarlierEpochStayCondemnedUnderTheirNewGrant(t *testing.T) {
	rotating(t, func(w *world) {
		w.reads(zoho.Want{})
		// A new epoch while the next mint is under way; what is noted says nothing of its tokens.
		w.account = w.replaced()
		old := w.reads(zoho.Want{MaxAge: time.Hour}).Token.AccessToken
		w.keeper.SetEpochs(zoho.Epochs{Current: 1}, false)
		w.reads(zoho.Want{})
		w.keeper.SetEpochs(zoho.Epochs{Current: 1}.With(zoho.Span{Before: 1, At: time.Now()}), false)
		w.account = w.replaced()
		found := false
		for _, token := range w.looks().Tokens {
			found = found || token.AccessToken == old && token.Condemned
		}
		if !found {
			t.Error("a token that nobody revoked counts as revoked under the new grant")
		}
	})
}
