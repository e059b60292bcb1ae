// Rules 5, 7, 8 and 9: what happens ahead of time, in memory, on nodes that can't
// write, and after a clock was changed?

package zoho_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestAReadInTheLastFifthGetsTheTokenAtOnceAndTheNextIsMintedMeanwhile(t *testing.T) {
	inBubble(t, func(w *world) {
		want := zoho.Want{MaxAge: 50 * time.Minute}
		first := w.reads(want)
		w.passes(40*time.Minute - time.Second)
		w.reads(want)
		w.wantCalls(1)
		w.passes(time.Second)
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		before := time.Now()
		if served := w.reads(want); served.Token.AccessToken != first.Token.AccessToken || time.Since(before) != 0 {
			t.Errorf("the reader waited %s for %+v", time.Since(before), served)
		}
		w.passes(6 * time.Second)
		if served := w.reads(want); served.Token.AccessToken == first.Token.AccessToken || !served.Warm {
			t.Errorf("the next token was not there: %+v", served)
		}
		w.wantCalls(2)
	})
}

func TestTheNextTokenIsMintedAheadOnlyWhileTwoPlacesStayFree(t *testing.T) {
	for limit, calls := range map[int]int{3: 1, 4: 2} {
		inBubble(t, func(w *world) {
			w.withLimits(limit, 10)
			want := zoho.Want{MaxAge: time.Minute}
			w.reads(want)
			w.passes(55 * time.Second)
			w.reads(want)
			w.wantCalls(calls)
		})
	}
}

func TestAnIdleGrantCostsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{MaxAge: 50 * time.Minute})
		loads, saves := w.disk.counts()
		w.passes(30 * 24 * time.Hour)
		if l, s := w.disk.counts(); l != loads || s != saves {
			t.Errorf("while idle there were %d loads and %d saves", l-loads, s-saves)
		}
		w.wantCalls(1)
	})
}

func TestWarmReadsTouchNoStorage(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{MaxAge: 50 * time.Minute})
		loads, saves := w.disk.counts()
		for range 500 {
			w.reads(zoho.Want{MaxAge: 50 * time.Minute, MinTTL: 10 * time.Minute})
			w.passes(time.Second)
		}
		if l, s := w.disk.counts(); l != loads || s != saves || l != 1 {
			t.Errorf("500 warm reads made %d loads and %d saves", l-loads, s-saves)
		}
	})
}

func TestMemoryHoldsNoMoreRecordsThanItWasToldAndLosesNothingByIt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.keeper = zoho.NewKeeper(2, nil)
		accounts := []*zoho.Account{w.account}
		for range 2 {
			w.connect("eu")
			w.account.Shelf = w.shelf
			accounts = append(accounts, w.account)
		}
		before := w.calls()
		for range 3 {
			for _, w.account = range accounts {
				w.reads(zoho.Want{MaxAge: time.Hour})
			}
		}
		w.wantCalls(before + 3)
		if loads, _ := w.disk.counts(); loads != 9 {
			t.Errorf("with 2 of 3 records in memory there were %d loads for 9 reads in turn", loads)
		}
	})
}

// slowLoad has storage take its time over the next load.
func (w *world) slowLoad() {
	w.disk.set(func(d *disk) {
		next := d.loads + 1
		d.loading = func(_ context.Context, n int) error {
			if n == next {
				time.Sleep(time.Minute)
			}
			return nil
		}
	})
}

func TestALoadThatBeganBeforeAMintDoesNotHideIt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.keeper = zoho.NewKeeper(1, nil)
		other := w.account
		w.connect("eu")
		w.account.Shelf = w.shelf
		before := w.calls()
		w.slowLoad()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = w.read(zoho.Want{MaxAge: time.Hour})
		}()
		synctest.Wait()
		w.reads(zoho.Want{MaxAge: time.Hour})
		if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil { // takes the only place in memory
			t.Fatal(err)
		}
		<-done
		// One call was the other account's.
		state, err := w.keeper.Look(w.Context(), w.account)
		if spent := w.calls() - before - 1; err != nil || state.MintsLeft != zoho.DefaultLimits.Mints-spent {
			t.Errorf("after %d mints %d are said to be left, %v", spent, state.MintsLeft, err)
		}
	})
}

func TestALoadThatBeganBeforeAnotherNodesWriteDoesNotHideIt(t *testing.T) {
	inBubble(t, func(w *world) {
		elsewhere := &world{T: t, zoho: w.zoho, disk: w.disk, keeper: zoho.NewKeeper(10, nil), account: w.readOnly()}
		first := w.reads(zoho.Want{})
		w.slowLoad()
		done := make(chan struct{})
		go func() {
			defer close(done)
			if served := elsewhere.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != first.Token.AccessToken {
				t.Error("the load did not begin before the write")
			}
		}()
		w.passes(time.Second)
		second := w.reads(zoho.Want{})
		elsewhere.keeper.Forget(w.account.ID)
		<-done
		if served := elsewhere.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != second.Token.AccessToken {
			t.Error("what was loaded before it is served after it")
		}
	})
}

func TestALoadThatBeganBeforeADeleteDoesNotUndoIt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{})
		w.restart()
		w.slowLoad()
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.reads(zoho.Want{MaxAge: time.Hour})
		}()
		w.passes(time.Second)
		if err := w.keeper.Alone(w.Context(), w.account.ID, func() error {
			w.disk.set(func(d *disk) { delete(d.records, w.account.ID) })
			w.keeper.Drop(w.account.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		<-done
		if state := w.looks(); len(state.Tokens) != 0 {
			t.Errorf("still known are %d tokens", len(state.Tokens))
		}
	})
}

func TestAMintThatCannotReadWhatThereIsAsksNobody(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0] // in a cache of one
		calls := w.calls()
		_, err := w.late(func() {
			if _, err := w.keeper.Token(w.Context(), other, zoho.Want{}); err != nil {
				t.Error(err)
			}
			w.disk.set(func(d *disk) { d.loading = func(context.Context, int) error { return errStorage } })
		})
		if !errors.Is(err, errStorage) {
			t.Errorf("got %v, want the storage's error", err)
		}
		w.wantCalls(calls + 1) // the other's
	})
}

func TestARecordOfANewerReleaseIsAnErrorAndStays(t *testing.T) {
	inBubble(t, func(w *world) {
		newer := []byte(`{"version":99,"surprise":true}`)
		w.disk.records[w.account.ID] = newer
		if _, err := w.read(zoho.Want{}); !errors.Is(err, zoho.ErrNewerFormat) {
			t.Errorf("got %v", err)
		}
		if string(w.disk.records[w.account.ID]) != string(newer) {
			t.Error("the newer record was overwritten")
		}
		w.wantCalls(0)
	})
}

func TestANodeThatCannotWriteServesTheStoredTokenAndOtherwiseAsksNobody(t *testing.T) {
	inBubble(t, func(w *world) {
		_, err := zoho.NewKeeper(1, nil).Token(w.Context(), w.readOnly(), zoho.Want{MaxAge: time.Hour})
		if !errors.Is(err, zoho.ErrReadOnly) {
			t.Errorf("without a token: %v", err)
		}
		stored := w.reads(zoho.Want{})
		standby := zoho.NewKeeper(1, nil)
		w.account = w.readOnly()
		w.keeper = standby
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != stored.Token.AccessToken {
			t.Error("the stored token was not served")
		}
		w.passes(55 * time.Minute) // the last fifth
		w.reads(zoho.Want{MaxAge: time.Hour})
		for _, want := range []zoho.Want{{}, {MaxAge: time.Minute}, {MaxAge: time.Hour, MinTTL: 10 * time.Minute}, {MinTTL: time.Hour / 2, Demand: true}} {
			if _, err := w.read(want); !errors.Is(err, zoho.ErrReadOnly) {
				t.Errorf("%+v: %v", want, err)
			}
		}
		w.wantCalls(1)
		w.wantSaves(2)
	})
}

// readOnly is the account as a standby sees it.
func (w *world) readOnly() *zoho.Account {
	account := *w.account
	account.Shelf = &shelf{disk: w.disk, standby: true}
	return &account
}

func TestAnInvalidatedRecordIsLoadedAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		standby := &world{T: t, zoho: w.zoho, disk: w.disk, keeper: zoho.NewKeeper(10, nil), account: w.readOnly()}
		first := w.reads(zoho.Want{})
		standby.reads(zoho.Want{MaxAge: time.Hour})
		second := w.reads(zoho.Want{})
		if served := standby.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != first.Token.AccessToken {
			t.Error("a record that nobody invalidated was loaded again")
		}
		standby.keeper.Forget(w.account.ID)
		if served := standby.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != second.Token.AccessToken {
			t.Error("an invalidated record was served")
		}
	})
}

// fullRecord is a record whose budget was used up at a moment, with one token.
func fullRecord(at time.Time) []byte {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	place := fmt.Sprintf(`{"at":%q,"until":%q}`, stamp(at), stamp(at.Add(lifetime)))
	return fmt.Appendf(nil, `{"version":1,"places":[%s],"tokens":[{"access_token":"of another time","issued":%q,"expires":%q}],"last_mint":%q}`,
		strings.TrimSuffix(strings.Repeat(place+",", 10), ","), stamp(at), stamp(at.Add(lifetime)), stamp(at))
}

func TestAfterTheClockWasSetBackNothingBlocksLongerThanIfItHadJustHappened(t *testing.T) {
	inBubble(t, func(w *world) {
		w.disk.records[w.account.ID] = fullRecord(time.Now().Add(1000 * time.Hour))
		_, err := w.read(zoho.Want{MaxAge: 10000 * time.Hour})
		throttled := w.wantThrottled(err) // and not the token of another time
		if most := lifetime + time.Minute; throttled.Wait > most {
			t.Fatalf("the wait is %s, want at most %s", throttled.Wait, most)
		}
		w.passes(throttled.Wait)
		w.reads(zoho.Want{})
		w.wantCalls(1)
	})
}

func TestAfterTheClockJumpedAheadOldTokensAndPlacesAreForgotten(t *testing.T) {
	inBubble(t, func(w *world) {
		w.disk.records[w.account.ID] = fullRecord(time.Now().Add(-1000 * time.Hour))
		w.reads(zoho.Want{MaxAge: 10000 * time.Hour})
		w.wantCalls(1)
	})
}

func TestAGrantsVariantsShareTheBudgetButNotTheTokens(t *testing.T) {
	inBubble(t, func(w *world) {
		self := w.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "eu"})
		w.changeAccount(func(a *zoho.Account) {
			a.ID, a.Client.ID, a.Client.Secret = "self", self.ID, zoho.Secret(self.Secret)
			a.Grant, a.Variant = zoho.Grant{Scopes: []string{"ZohoCliq.Channels.READ"}}, "channels"
		})
		channels := w.account
		w.changeAccount(func(a *zoho.Account) {
			a.Grant, a.Variant = zoho.Grant{Scopes: []string{"ZohoCliq.Users.READ"}}, "users"
		})
		users := w.account
		for range 3 {
			// Both at once: one waits for the other's flight and is not served by it.
			w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Times: 2, Delay: 400 * time.Millisecond})
			var readers sync.WaitGroup
			for _, account := range []*zoho.Account{channels, users} {
				readers.Go(func() {
					served, err := w.keeper.Token(w.Context(), account, zoho.Want{})
					if err != nil || strings.Join(served.Token.Scopes, ",") != account.Grant.Scopes[0] || time.Since(served.Token.Issued) > 3*time.Second {
						t.Errorf("a reader of %s got %+v, %v", account.Variant, served.Token, err)
					}
				})
			}
			readers.Wait()
			w.passes(10 * time.Second)
		}
		w.wantCalls(6)
		w.account = channels
		w.reads(zoho.Want{})
		w.reads(zoho.Want{})
		w.reads(zoho.Want{})
		w.wantCalls(8)
	})
}
