// What can be told of a grant, and undone?

package zoho_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func (w *world) looks() zoho.State {
	w.Helper()
	state, err := w.keeper.Look(w.Context(), w.account)
	if err != nil {
		w.Fatal(err)
	}
	return state
}

func TestARecordMattersUntilTokensWindowsAndFailuresAreOver(t *testing.T) {
	around := func(w *world, want time.Duration) {
		w.Helper()
		if matters := time.Until(w.looks().Matters); matters < want-time.Second || matters > want+5*time.Second {
			w.Errorf("it matters for another %s, want about %s", matters, want)
		}
	}
	inBubble(t, func(w *world) {
		if matters := w.looks().Matters; !matters.IsZero() {
			t.Errorf("without a record it matters until %s", matters)
		}
		w.reads(zoho.Want{})
		around(w, lifetime)
	})
	inBubble(t, func(w *world) { // whatever the setup that it was met with, or is looked at with

		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "token", Error: "invalid_client", Times: 1})
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.changeAccount(func(a *zoho.Account) { a.Setup = "another" })
		around(w, 15*time.Minute)
	})
	inBubble(t, func(w *world) {
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = time.Minute })
		w.reads(zoho.Want{})
		around(w, window)
		w.passes(3 * time.Hour)
		if matters := w.looks().Matters; matters.After(time.Now()) {
			t.Errorf("after three hours it matters until %s", matters)
		}
	})
}

func TestWhileZohoThrottlesNoMintIsSaidToBeLeft(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{})
		w.passes(time.Minute)
		w.fails(zohotest.Throttle, 1)
		w.reads(zoho.Want{}) // the token at hand
		for left := window; left > 0; left -= time.Minute {
			if state := w.looks(); state.MintsLeft != 0 || time.Until(state.NextMint) != left {
				t.Fatalf("%d mints are left, the next in %s of %s", state.MintsLeft, time.Until(state.NextMint), left)
			}
			w.passes(time.Minute)
		}
		w.passes(time.Second)
		if state := w.looks(); state.MintsLeft < 9 || time.Until(state.NextMint) > 0 {
			t.Errorf("when it is over %d mints are left, the next in %s", state.MintsLeft, time.Until(state.NextMint))
		}
	})
}

func TestALookPushesNothingOutOfMemoryThatIsInUse(t *testing.T) {
	for _, size := range []int{1, 2} { // the other is in storage alone, or in memory for longer
		inBubble(t, func(w *world) {
			accounts := w.pair()
			looked, used := accounts[0], accounts[1]
			w.keeper = zoho.NewKeeper(size, nil)
			for _, a := range accounts {
				if _, err := w.keeper.Token(w.Context(), a, zoho.Want{}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.keeper.Look(w.Context(), looked); err != nil {
				t.Fatal(err)
			}
			if size == 2 { // one has to go
				w.connect("eu")
				w.account.Shelf = w.shelf
				w.reads(zoho.Want{})
			}
			if _, warm := w.keeper.Warm(used, zoho.Want{MaxAge: time.Hour}); !warm {
				t.Errorf("of %d places in memory the one that is in use was given away", size)
			}
		})
	}
}

func TestEveryTokenIsRevokedTheRejectedAndTheUnsavedToo(t *testing.T) {
	for name, between := range map[string]func(*world){
		"at once": func(*world) {}, "after a restart": (*world).restart,
		"from the cache's memory": func(w *world) { w.keeper.Forget(w.account.ID) },
	} {
		inBubble(t, func(w *world) {
			for range 3 {
				w.reads(zoho.Want{})
			}
			if err := w.keeper.Reject(w.Context(), w.account, w.reads(zoho.Want{MaxAge: time.Hour}).Token); err != nil {
				t.Fatal(err)
			}
			w.reads(zoho.Want{})
			alive := 4
			if name != "after a restart" { // then nobody can know of it
				w.failingSave(11)
				_, _ = w.read(zoho.Want{})
				alive++
			}
			between(w)
			revoked, err := w.keeper.Revoke(w.Context(), w.account)
			if left := len(w.zoho.AccessTokens(string(w.account.Grant.RefreshToken))); err != nil || revoked != alive || left != 0 {
				t.Errorf("%s: revoked were %d of %d, %d live on, %v", name, revoked, alive, left, err)
			}
			for range 2 {
				if again, err := w.keeper.Revoke(w.Context(), w.account); err != nil || again != 0 {
					t.Errorf("%s: then %d more were revoked, %v", name, again, err)
				}
				w.restart()
			}
		})
	}
}

func TestARevocationThatWasCutOffGoesOnAfterARestart(t *testing.T) {
	inBubble(t, func(w *world) {
		dead := w.reads(zoho.Want{}).Token
		if err := w.keeper.Reject(w.Context(), w.account, dead); err != nil {
			t.Fatal(err)
		}
		held := w.reads(zoho.Want{})
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", Times: 1})
		if revoked, err := w.keeper.Revoke(w.Context(), w.account); err == nil || revoked != 0 {
			t.Errorf("with Zoho in trouble %d were revoked, %v", revoked, err)
		}
		w.restart()
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken == held.Token.AccessToken || served.Token.AccessToken == dead.AccessToken {
			t.Error("a token that is to be revoked was handed out")
		}
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", Times: 1})
		_, _ = w.keeper.Revoke(w.Context(), w.account)
		w.restart()
		if revoked, err := w.keeper.Revoke(w.Context(), w.account); err != nil || revoked != 3 {
			t.Errorf("after two restarts %d were revoked, %v", revoked, err)
		}
		if left := len(w.zoho.AccessTokens(string(w.account.Grant.RefreshToken))); left != 0 {
			t.Errorf("%d tokens live on", left)
		}
	})
}

// revoking is a revocation of one token that Zoho takes its time over.
func (w *world) revoking() (done chan struct{}) {
	w.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 5 * time.Second, Times: 1})
	done = make(chan struct{})
	go func() {
		defer close(done)
		if n, err := w.keeper.Revoke(w.Context(), w.account); err != nil || n != 1 {
			w.Errorf("revoked were %d, %v", n, err)
		}
	}()
	w.passes(time.Second)
	return done
}

func TestATokenIsServedNoMoreWhileZohoIsAskedToRevokeIt(t *testing.T) {
	inBubble(t, func(w *world) {
		leaked := w.reads(zoho.Want{})
		revoked := w.revoking()
		if _, warm := w.keeper.Warm(w.account, zoho.Want{MaxAge: time.Hour}); warm {
			t.Error("memory hands it out")
		}
		if served, err := zoho.NewKeeper(1, nil).Token(w.Context(), w.readOnly(), zoho.Want{MaxAge: time.Hour}); !errors.Is(err, zoho.ErrReadOnly) {
			t.Errorf("another node hands it out: %+v, %v", served, err)
		}
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken == leaked.Token.AccessToken {
			t.Error("it is handed out")
		}
		<-revoked
	})
}

func TestATokenIsServedNoMoreWhileZohoIsAskedThoughThatCouldNotBeStored(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0] // in a cache of one
		leaked := w.reads(zoho.Want{})
		w.failingSave(3) // after its place and itself
		revoked := w.revoking()
		if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil {
			t.Fatal(err)
		}
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken == leaked.Token.AccessToken {
			t.Error("it is handed out")
		}
		<-revoked
	})
}

func TestATokenThatZohoDoesNotRevokeKeepsNoOtherAlive(t *testing.T) {
	inBubble(t, func(w *world) {
		for range 3 {
			w.reads(zoho.Want{})
		}
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "revoke", Error: "a_word_of_the_future", Times: 1})
		if revoked, err := w.keeper.Revoke(w.Context(), w.account); err == nil || revoked != 2 {
			t.Errorf("revoked were %d of the other 2, %v", revoked, err)
		}
		if revoked, err := w.keeper.Revoke(w.Context(), w.account); err != nil || revoked != 1 {
			t.Errorf("then %d, %v", revoked, err)
		}
	})
}

func TestRevokedTokensLeaveRoomForAsManyNewOnesAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(100, 3)
		for range 2 {
			for range 3 {
				if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
					t.Fatal(err)
				}
			}
			w.passes(2 * time.Minute)
			if _, err := w.keeper.Revoke(w.Context(), w.account); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A leak is mended though storage is not: what leaked is worse than what is forgotten.
func TestTokensAreServedNoMoreOnceTheirRevocationWasAskedFor(t *testing.T) {
	inBubble(t, func(w *world) {
		leaked := w.reads(zoho.Want{})
		w.disk.set(func(d *disk) { d.saving = func(context.Context, int) error { return errStorage } })
		if _, err := w.keeper.Revoke(w.Context(), w.account); err == nil {
			t.Error("nothing was said of the broken storage")
		}
		if w.zoho.Alive(string(leaked.Token.AccessToken)) {
			t.Error("the leaked token lives on")
		}
		if served, err := w.read(zoho.Want{MaxAge: time.Hour}); err == nil {
			t.Errorf("it was handed out again: %+v", served)
		}
		w.disk.set(func(d *disk) { d.saving = nil })
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken == leaked.Token.AccessToken {
			t.Error("it was handed out again")
		}
	})
}

func TestRevokedTokensStayDeadThoughThatCouldNotBeStored(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0] // in a cache of one
		w.reads(zoho.Want{})
		w.disk.set(func(d *disk) { d.saving = func(context.Context, int) error { return errStorage } })
		if _, err := w.keeper.Revoke(w.Context(), w.account); err == nil {
			t.Error("nothing was said of the broken storage")
		}
		w.disk.set(func(d *disk) { d.saving = nil })
		if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil {
			t.Fatal(err)
		}
		w.reads(zoho.Want{MaxAge: time.Hour})
	})
}
