// Rules 1, 2 and 4: who gets a new token, and what is kept within Zoho's limits?

package zoho_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// withLimits sets Zoho's limits and the engine's alike.
func (w *world) withLimits(mints, live int) {
	w.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens = mints, live })
	w.changeAccount(func(a *zoho.Account) { a.Limits.Mints, a.Limits.Live = mints, live })
}

func TestEachReadMintsUntilOnlyTwoPlacesAreFree(t *testing.T) {
	inBubble(t, func(w *world) {
		seen := map[zoho.Secret]bool{}
		for range 8 {
			seen[w.reads(zoho.Want{}).Token.AccessToken] = true
		}
		if len(seen) != 8 {
			t.Errorf("8 reads gave %d tokens", len(seen))
		}
		for range 5 {
			served := w.reads(zoho.Want{})
			if !seen[served.Token.AccessToken] || served.Warning != "" || !served.Warm {
				t.Errorf("without a place the newest token was not reused: %+v", served)
			}
		}
		w.wantCalls(8)
	})
}

func TestATokenYoungerThanMaxAgeIsReused(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{MaxAge: 10 * time.Minute})
		w.passes(7 * time.Minute)
		if again := w.reads(zoho.Want{MaxAge: 10 * time.Minute}); again.Token != first.Token {
			t.Error("a young token was not reused")
		}
		w.wantCalls(1)
		w.passes(3 * time.Minute)
		if again := w.reads(zoho.Want{MaxAge: 10 * time.Minute}); again.Token == first.Token {
			t.Error("a token older than max_age was reused")
		}
		w.wantCalls(2)
	})
}

func TestATokenThatArrivesOlderThanMaxAgeIsServedAndNotToBeKept(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 3 * time.Second, Times: 1})
		if served := w.reads(zoho.Want{MaxAge: time.Second}); served.Next.After(time.Now()) {
			t.Errorf("the next token is promised for %s", served.Next)
		}
		w.wantCalls(1)
	})
}

func TestATokenWithLessThanMinTTLIsReplaced(t *testing.T) {
	inBubble(t, func(w *world) {
		want := zoho.Want{MaxAge: 2 * time.Hour, MinTTL: 10 * time.Minute}
		first := w.reads(want)
		if want := first.Token.Expires.Add(-10 * time.Minute); !first.Next.Equal(want) {
			t.Errorf("the next token is promised for %s, want %s", first.Next, want)
		}
		w.passes(51 * time.Minute)
		second := w.reads(want)
		if left := time.Until(second.Token.Expires); second.Token == first.Token || left < 10*time.Minute {
			t.Errorf("the token handed out lives %s only", left)
		}
	})
}

func TestANeededMintMayUseTheLastPlacesAndADemandBeyondThemIsThrottled(t *testing.T) {
	inBubble(t, func(w *world) {
		for range 8 {
			w.reads(zoho.Want{})
		}
		demand := zoho.Want{MinTTL: 59*time.Minute + 50*time.Second, Demand: true}
		for i := range 2 {
			w.passes(15 * time.Second)
			w.reads(demand)
			w.wantCalls(9 + i)
		}
		w.passes(15 * time.Second)
		_, err := w.read(demand)
		throttled := w.wantThrottled(err)
		// Two mints happened 15 and 30 s after the first eight. The live limit is
		// the longer one: the first token dies an hour after it was minted.
		if least := lifetime - time.Minute; throttled.Wait < least || throttled.Best < least {
			t.Errorf("throttled says %+v, want a wait and a best token of about an hour", throttled)
		}
		w.wantCalls(10)
		w.passes(throttled.Wait)
		w.reads(demand)
		w.wantCalls(11)
	})
}

func TestAWishedMinTTLThatCannotBeMetGivesTheNewestTokenWithAWarning(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(10, 1)
		first := w.reads(zoho.Want{})
		w.passes(55 * time.Minute)
		served := w.reads(zoho.Want{MinTTL: 10 * time.Minute})
		if served.Token.AccessToken != first.Token.AccessToken || !served.Held || !strings.Contains(served.Warning, "Zoho's limits") {
			t.Errorf("got %+v, want the older token with a warning", served)
		}
		_, err := w.read(zoho.Want{MinTTL: 10 * time.Minute, Demand: true})
		w.wantThrottled(err)
		w.wantCalls(1)
		w.passes(5*time.Minute + 10*time.Second)
		w.reads(zoho.Want{MinTTL: 10 * time.Minute, Demand: true})
		w.wantCalls(2)
	})
}

func TestADemandLongerThanAnyTokenLivesIsRefusedAfterOneMint(t *testing.T) {
	for _, minTTL := range []time.Duration{2 * time.Hour, time.Hour, time.Hour - time.Millisecond} {
		inBubble(t, func(w *world) {
			w.passes(300 * time.Millisecond) // tokens count from the whole second
			var tooLong *zoho.TooLongError
			for range 20 {
				_, err := w.read(zoho.Want{MinTTL: minTTL, Demand: true})
				if !errors.As(err, &tooLong) || tooLong.Lifetime >= minTTL || !strings.Contains(err.Error(), "ask for less") {
					t.Fatalf("%s: got %v", minTTL, err)
				}
			}
			w.wantCalls(1)
			w.reads(zoho.Want{MinTTL: tooLong.Lifetime, Demand: true})
		})
	}
}

func TestShorterTokensThanExpectedAreNotMintedOnEveryRead(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = 5 * time.Minute })
		for range 100 {
			w.reads(zoho.Want{MaxAge: time.Hour, MinTTL: 10 * time.Minute})
		}
		w.wantCalls(1)
	})
}

func TestTheTokenThatCameWithTheConsentIsServedAndTakesAPlace(t *testing.T) {
	inBubble(t, func(w *world) {
		w.connect("eu")
		w.restart()
		before := w.calls()
		if err := w.keeper.Adopt(w.Context(), w.account, w.first, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != w.first.Token.AccessToken {
			t.Error("the consent's token was not served")
		}
		w.wantCalls(before)
		for range 20 {
			w.reads(zoho.Want{})
		}
		w.wantCalls(before + 7)
	})
}

func TestAConsentWhoseRecordACrashLostStillTakesAPlace(t *testing.T) {
	inBubble(t, func(w *world) {
		w.connect("eu")
		w.changeAccount(func(a *zoho.Account) { a.Connected = w.first.Received })
		w.restart()
		before := w.calls()
		for range 20 {
			w.reads(zoho.Want{})
		}
		w.wantCalls(before + 7)
	})
}

func TestAnImportIsProvenByOneMintThatTakesAPlace(t *testing.T) {
	inBubble(t, func(w *world) {
		token, err := w.keeper.Prove(w.Context(), w.account)
		if err != nil {
			t.Fatal(err)
		}
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != token.AccessToken {
			t.Error("the proof's token was not served")
		}
		for range 20 {
			w.reads(zoho.Want{})
		}
		w.wantCalls(8)
	})
}

// Either clock may be rounded, so that Zoho's window ends up to two seconds later than
// by ours.
func TestACallThatMadeNoTokenCountsUntilZohosWindowIsOverByAnyClock(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client", Endpoint: "token", Times: 1})
		began := time.Now()
		if served, err := w.read(zoho.Want{}); err == nil {
			t.Fatalf("Zoho failed, and %+v was served", served)
		}
		for _, c := range []struct {
			after time.Duration
			left  int
		}{{10*time.Minute - time.Second, 9}, {10*time.Minute + time.Second, 9}, {10*time.Minute + 3*time.Second, 10}} {
			w.passes(time.Until(began.Add(c.after)))
			w.restart() // what is loaded is pruned
			if left := w.looks().MintsLeft; left != c.left {
				t.Errorf("%s after it %d mints are left, want %d", c.after, left, c.left)
			}
		}
	})
}

func TestAPlaceIsStoredBeforeZohoIsAsked(t *testing.T) {
	inBubble(t, func(w *world) {
		w.disk.set(func(d *disk) {
			d.saving = func(_ context.Context, n int) error {
				if calls := w.calls(); calls != n-1 {
					t.Errorf("at storage write %d Zoho had been called %d times", n, calls)
				}
				return nil
			}
		})
		w.reads(zoho.Want{})
		w.wantSaves(2)
	})
}

func TestWithoutAStoredPlaceZohoIsNotAsked(t *testing.T) {
	inBubble(t, func(w *world) {
		w.disk.set(func(d *disk) { d.saving = func(context.Context, int) error { return errStorage } })
		if _, err := w.read(zoho.Want{}); !errors.Is(err, errStorage) {
			t.Errorf("got %v, want the storage's error", err)
		}
		w.wantCalls(0)
		w.disk.set(func(d *disk) { d.saving = nil })
		w.reads(zoho.Want{})
		w.wantCalls(1)
	})
}

func TestATokenThatCouldNotBeStoredIsStoredAndServedByTheNextRead(t *testing.T) {
	inBubble(t, func(w *world) {
		w.failingSave(2, 3)
		for range 2 { // at the mint, and at the next read
			if _, err := w.read(zoho.Want{}); !errors.Is(err, errStorage) {
				t.Fatalf("got %v, want the storage's error", err)
			}
		}
		served := w.reads(zoho.Want{})
		w.wantCalls(1)
		w.wantSaves(4)
		w.restart()
		if again := w.reads(zoho.Want{MaxAge: time.Hour}); again.Token.AccessToken != served.Token.AccessToken {
			t.Error("the token was served without being stored")
		}
		w.wantCalls(1)
	})
}

func TestATokenThatDiedBeforeItCouldBeStoredIsNotMissed(t *testing.T) {
	inBubble(t, func(w *world) {
		w.failingSave(2)
		_, err := w.read(zoho.Want{})
		if !errors.Is(err, errStorage) {
			t.Fatalf("got %v, want the storage's error", err)
		}
		w.passes(2 * lifetime)
		w.reads(zoho.Want{})
		w.wantCalls(2)
	})
}

func TestALiveTokenIsServedOnWhileStorageIsBroken(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{})
		w.disk.set(func(d *disk) { d.saving = func(context.Context, int) error { return errStorage } })
		w.passes(55 * time.Minute)
		for _, want := range []zoho.Want{{}, {MinTTL: 10 * time.Minute}, {MinTTL: 5 * time.Minute, Demand: true}} {
			served := w.reads(want)
			if served.Token.AccessToken != first.Token.AccessToken || !served.Held || served.Warning == "" {
				t.Errorf("%+v: got %+v, want the older token with a warning", want, served)
			}
		}
		if _, err := w.read(zoho.Want{MinTTL: 10 * time.Minute, Demand: true}); !errors.Is(err, errStorage) {
			t.Errorf("a demand that it does not meet got %v, want the storage's error", err)
		}
		w.wantCalls(1)
	})
}

func TestTokensThatNobodyReceivedAreEvictedBeforeOneThatSomebodyHolds(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(100, 10)
		for range 5 { // minted and lost
			w.failsMints(zohotest.LostAnswer, 1)
			_, err := w.read(zoho.Want{})
			w.passes(w.wantHeld(err).Wait)
		}
		w.passes(2 * time.Minute) // later than that no request straggles in
		held := w.reads(zoho.Want{})
		for range 50 {
			w.passes(10 * time.Second)
			w.reads(zoho.Want{MinTTL: 59*time.Minute + 55*time.Second})
		}
		w.passes(time.Until(held.Token.Expires) - time.Second)
		if !w.zoho.Alive(string(held.Token.AccessToken)) {
			t.Error("a token died before its time")
		}
		if evicted := w.zoho.Counts().EvictedAccess; evicted == 0 {
			t.Error("the lost tokens' places were never used again")
		}
	})
}

// straggling serves the first call only when its caller has long given up.
type straggling struct {
	http.RoundTripper
	after time.Duration
	// lost makes sure that nobody gets what it is served with.
	lost  func()
	calls atomic.Int32
}

func (s *straggling) RoundTrip(req *http.Request) (*http.Response, error) {
	if s.calls.Add(1) > 1 {
		return s.RoundTripper.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	late := req.Clone(context.Background())
	late.Body = io.NopCloser(bytes.NewReader(body))
	time.AfterFunc(s.after, func() {
		s.lost()
		if resp, err := s.RoundTripper.RoundTrip(late); err == nil {
			_ = resp.Body.Close()
		}
	})
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestACallThatIsServedLateEvictsNoTokenThatSomebodyHolds(t *testing.T) {
	for _, live := range []int{1, 3} {
		lateCallEvictsNothing(t, live)
	}
}

func lateCallEvictsNothing(t *testing.T, live int) {
	inBubble(t, func(w *world) {
		w.withLimits(100, live)
		wire := &straggling{RoundTripper: w.account.Client.Transport, after: 20 * time.Second, lost: func() { w.fails(zohotest.LostAnswer, 1) }}
		w.account.Client.Transport = wire
		_, err := w.read(zoho.Want{})
		w.passes(w.wantHeld(err).Wait)
		for {
			if _, err = w.read(zoho.Want{}); err == nil {
				break
			}
			w.passes(w.wantThrottled(err).Wait)
		}
		held := w.reads(zoho.Want{MaxAge: time.Hour})
		w.passes(30 * time.Second) // the first call is served meanwhile
		for range 5 {
			if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
				w.wantThrottled(err)
			}
			w.passes(10 * time.Second)
		}
		if !w.zoho.Alive(string(held.Token.AccessToken)) {
			t.Error("a token died before its time")
		}
	})
}
