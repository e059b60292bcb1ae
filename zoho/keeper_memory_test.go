// What is remembered of calls after an outage, a restart, or a change of settings?

package zoho_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// An outage takes the whole budget, and no call of it made a token: once Zoho's
// window is over, nothing is left to wait for.
func TestAfterAnOutageAndARestartOnlyTheWindowIsWaitedOut(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Status5xx, 0)
		for range 10 {
			_, err := w.read(zoho.Want{})
			w.passes(w.wantHeld(err).Wait)
			w.restart()
		}
		w.zoho.ClearFaults()
		w.passes(11 * time.Minute)
		w.reads(zoho.Want{})
	})
}

func TestATokenWhoseAnswerWasLostMayBeEvictedAfterARestartToo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(100, 2)
		for range 2 {
			w.fails(zohotest.LostAnswer, 1)
			_, err := w.read(zoho.Want{})
			w.wantHeld(err)
			w.restart()
			w.passes(2 * time.Minute)
		}
		w.reads(zoho.Want{})
		w.wantCalls(3)
	})
}

func TestAPlaceOfTheFirstFormatCountsAsATokenThatSomebodyHolds(t *testing.T) {
	inBubble(t, func(w *world) {
		w.disk.records[w.account.ID] = fullRecord(time.Now().Add(-11 * time.Minute))
		if _, err := w.read(zoho.Want{MinTTL: 55 * time.Minute, Demand: true}); w.wantThrottled(err).Wait < 48*time.Minute {
			t.Errorf("got %v", err)
		}
	})
}

// refusing is a client of whose every scope Zoho says that it does not know it.
func (w *world) refusing(variant string) *zoho.Account {
	account := *w.account
	account.ID, account.Grant, account.Variant = "shared", zoho.Grant{Scopes: []string{variant}}, variant
	account.Client = over(json200(`{"error":"invalid_scope"}`))
	account.Limits.Mints = 1000000
	return &account
}

func TestRefusalsOfManyVariantsDoNotFillTheRecordTheyShare(t *testing.T) {
	inBubble(t, func(w *world) {
		mine := w.refusing("mine")
		refused := func(a *zoho.Account) {
			_, err := w.keeper.Token(w.Context(), a, zoho.Want{})
			w.wantHeld(err)
		}
		refused(mine)
		for i := range 300 {
			refused(w.refusing(fmt.Sprint("other ", i)))
		}
		stored := w.stored("shared")
		if n := len(stored.Failures); n != 64 {
			t.Errorf("the record holds %d failures", n)
		}
		if last := stored.Failures[63].Variant; last != "other 299" {
			t.Errorf("the last of them is that of %s", last)
		}
		w.passes(25 * time.Hour)
		refused(mine)
		if n := len(w.stored("shared").Failures); n != 1 {
			t.Errorf("a day later it still holds %d", n)
		}
	})
}

func TestRefusalsThatWereWaitedOutAreDroppedFirst(t *testing.T) {
	inBubble(t, func(w *world) {
		for i := range 65 {
			if i == 64 {
				w.passes(10 * time.Minute)
			}
			a := w.refusing(fmt.Sprint(i))
			if i == 1 {
				w.passes(6 * time.Minute) // 0 is over when 64 comes, 1 is not
			}
			_, err := w.keeper.Token(w.Context(), a, zoho.Want{})
			w.wantHeld(err)
		}
		for _, f := range w.stored("shared").Failures {
			if f.Variant == "0" {
				t.Error("what was waited out is still there")
			}
		}
	})
}

func TestARefusalOfTheGrantIsRememberedUntilACallSucceeds(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.RevokeRefreshToken(string(w.account.Grant.RefreshToken))
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.passes(7 * 24 * time.Hour)
		w.restart()
		if state, err := w.keeper.Look(w.Context(), w.account); err != nil || state.Failure == nil || state.Failure.About != zoho.AboutGrant {
			t.Errorf("a week later: %+v, %v", state.Failure, err)
		}
	})
}

func TestALoweredLifetimeShortensNoPromise(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = 3 * time.Hour })
		w.changeAccount(func(a *zoho.Account) { a.Client.MaxLifetime = 3 * time.Hour })
		w.withLimits(100, 1)
		held := w.reads(zoho.Want{})
		w.changeAccount(func(a *zoho.Account) { a.Client.MaxLifetime = time.Hour })
		w.restart()
		for range 20 {
			w.passes(9 * time.Minute)
			if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
				w.wantThrottled(err)
			}
			if !w.zoho.Alive(string(held.Token.AccessToken)) && time.Now().Before(held.Token.Expires) {
				t.Fatalf("a token died %s before its time", time.Until(held.Token.Expires))
			}
		}
	})
}

// pair is two accounts of a keeper that has room for one record.
func (w *world) pair() [2]*zoho.Account {
	w.keeper = zoho.NewKeeper(1, w.observes)
	first := w.account
	w.connect("eu")
	w.account.Shelf = w.shelf
	return [2]*zoho.Account{first, w.account}
}

func TestABackoffIsKeptWhateverTheCacheHoldsOtherwise(t *testing.T) {
	calls := func(pair bool) (n int) {
		inBubble(t, func(w *world) {
			accounts := w.pair()
			if !pair {
				accounts[1] = accounts[0]
			}
			w.fails(zohotest.Status5xx, 0)
			before := w.calls()
			for range 300 {
				for _, a := range accounts {
					_, err := w.keeper.Token(w.Context(), a, zoho.Want{})
					w.wantHeld(err)
				}
				w.passes(50 * time.Millisecond)
			}
			n = w.calls() - before
		})
		return n
	}
	// Jitter makes them differ by one.
	if one, two := calls(false), calls(true); two > 2*(one+1) {
		t.Errorf("in 15 s of an outage one grant costs %d calls, two in a cache of one cost %d", one, two)
	}
}

// mintsUnstored mints a token that storage does not take.
func (w *world) mintsUnstored() {
	w.Helper()
	w.failingSave(2) // the first is the place
	if _, err := w.read(zoho.Want{}); !errors.Is(err, errStorage) {
		w.Fatalf("got %v, want the storage's error", err)
	}
}

func TestAnUnsavedTokenThatWasRevokedIsHandedOutNoMore(t *testing.T) {
	inBubble(t, func(w *world) {
		w.mintsUnstored()
		if revoked, err := w.keeper.Revoke(w.Context(), w.account); err != nil || revoked != 1 {
			t.Fatalf("revoked were %d, %v", revoked, err)
		}
		_, saves := w.disk.counts()
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantSaves(saves + 2) // its place and itself
		w.wantCalls(2)
	})
}

func TestATokenThatAComplaintStoredIsStoredOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{}).Token
		w.failingSave(4) // the second token
		w.passes(time.Second)
		_, _ = w.read(zoho.Want{})
		if err := w.keeper.Reject(w.Context(), w.account, first); err != nil {
			t.Fatal(err)
		}
		_, saves := w.disk.counts()
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantSaves(saves)
	})
}

func TestATokenThatWasStoredThoughStorageSaidNoIsOneToken(t *testing.T) {
	inBubble(t, func(w *world) {
		w.savesAnswer(errLanded, 2)
		if _, err := w.read(zoho.Want{}); !errors.Is(err, errLanded) {
			t.Fatalf("got %v, want the storage's error", err)
		}
		w.keeper.Forget(w.account.ID)
		if state := w.looks(); len(state.Tokens) != 1 || state.MintsLeft != 9 {
			t.Errorf("it is taken for %d tokens, and leaves %d mints", len(state.Tokens), state.MintsLeft)
		}
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantCalls(1)
	})
}

func TestWhatOnlyMemoryKnewIsForgottenOnceItIsStored(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0]
		w.mintsUnstored()
		w.reads(zoho.Want{}) // stores what is left
		w.passes(time.Second)
		last := w.reads(zoho.Want{})
		if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil { // pushes the record out of memory
			t.Fatal(err)
		}
		if now := w.reads(zoho.Want{MaxAge: time.Hour}); now.Token.AccessToken != last.Token.AccessToken {
			t.Error("what could not be stored once is taken for all that there is")
		}
	})
}

// Memory is tidied with the next trouble; what still matters stays.
func TestWhatOnlyMemoryKnowsOutlivesTheTroubleOfOthers(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0]
		w.mintsUnstored()
		before := w.calls()
		w.passes(5 * time.Minute)
		w.fails(zohotest.Status5xx, 1)
		_, err := w.keeper.Token(w.Context(), other, zoho.Want{})
		w.wantHeld(err)
		w.keeper.Forget(w.account.ID)
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantCalls(before + 1) // the other's
	})
}

func TestAFailureIsOverWhenAnotherNodeHasMintedSince(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Status5xx, 1)
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.passes(100 * time.Millisecond)
		elsewhere := &world{T: w.T, zoho: w.zoho, disk: w.disk, keeper: zoho.NewKeeper(10, nil), account: w.account}
		minted := elsewhere.reads(zoho.Want{})
		w.keeper.Forget(w.account.ID) // storage was changed
		if got := w.reads(zoho.Want{MaxAge: time.Hour}); got.Held || got.Token.AccessToken != minted.Token.AccessToken {
			t.Errorf("a failure is waited out though a call has succeeded since: %+v", got)
		}
	})
}

func TestAnUnsavedTokenIsKeptWhateverTheCacheHoldsOtherwise(t *testing.T) {
	for name, happens := range map[string]func(*world, *zoho.Account){
		"another grant's read": func(w *world, other *zoho.Account) { _, _ = w.keeper.Token(w.Context(), other, zoho.Want{}) },
		"another node's write": func(w *world, _ *zoho.Account) { w.keeper.Forget(w.account.ID) },
	} {
		inBubble(t, func(w *world) {
			other := w.pair()[0]
			before := w.calls()
			w.failingSave(2)
			if _, err := w.read(zoho.Want{}); !errors.Is(err, errStorage) {
				t.Fatalf("before %s: got %v, want the storage's error", name, err)
			}
			happens(w, other)
			spent := w.calls() - before
			w.reads(zoho.Want{})
			w.wantCalls(before + spent)
			w.restart()
			w.reads(zoho.Want{MaxAge: time.Hour})
			w.wantCalls(before + spent)
		})
	}
}

func TestWhatAnotherNodeWroteJoinsWhatWasNotStoredHere(t *testing.T) {
	inBubble(t, func(w *world) {
		w.mintsUnstored()
		if _, err := zoho.NewKeeper(1, nil).Prove(w.Context(), w.account); err != nil {
			t.Fatal(err)
		}
		w.keeper.Forget(w.account.ID)
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantCalls(2)
		if state, err := w.keeper.Look(w.Context(), w.account); err != nil || len(state.Tokens) != 2 || state.MintsLeft > 8 {
			t.Errorf("known are %d tokens, and %d mints left, %v", len(state.Tokens), state.MintsLeft, err)
		}
	})
}

func TestWhatWasNotStoredIsForgottenWithTheGrant(t *testing.T) {
	inBubble(t, func(w *world) {
		w.failingSave(2)
		_, _ = w.read(zoho.Want{})
		if err := w.keeper.Alone(w.Context(), w.account.ID, func() error {
			w.disk.set(func(d *disk) { delete(d.records, w.account.ID) })
			w.keeper.Drop(w.account.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if state, err := w.keeper.Look(w.Context(), w.account); err != nil || len(state.Tokens) != 0 {
			t.Errorf("still known are %d tokens, %v", len(state.Tokens), err)
		}
	})
}

func TestARefusalThatCouldNotBeStoredIsToldAndBelievedWhateverTheCacheHolds(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0]
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.zoho.RevokeRefreshToken(string(w.account.Grant.RefreshToken))
		w.disk.set(func(d *disk) {
			last := d.saves + 1
			d.saving = func(_ context.Context, n int) error {
				if n > last {
					return errStorage
				}
				return nil
			}
		})
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		if !slices.ContainsFunc(w.events(), func(e zoho.Event) bool { return errors.Is(e.Err, errStorage) }) {
			t.Error("nobody was told that storage failed")
		}
		w.disk.set(func(d *disk) { d.saving = nil })
		if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil {
			t.Fatal(err)
		}
		_, err = w.read(zoho.Want{MaxAge: time.Hour})
		w.wantHeld(err)
	})
}
