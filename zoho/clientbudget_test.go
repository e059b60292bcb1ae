// Tests of the mint limit that all grants of a client share.

package zoho_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// fleet is so many connected accounts of one client, on one keeper.
type fleet struct {
	zoho     *zohotest.Simulator
	disk     *disk
	keeper   *zoho.Keeper
	accounts []*zoho.Account
}

// newFleet connects accounts long ago.
func newFleet(t *testing.T, n int, key zoho.MintKey) *fleet {
	f := &fleet{zoho: zohotest.New(), disk: newDisk(), keeper: zoho.NewKeeper(1000, nil)}
	f.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
	for range n {
		a, _, err := connect(t.Context(), f.zoho, "eu")
		if err != nil {
			t.Fatal(err)
		}
		a.Limits.Key, a.Shelf = key, &shelf{disk: f.disk}
		f.accounts = append(f.accounts, a)
	}
	time.Sleep(2 * lifetime)
	f.zoho.Reset()
	return f
}

// fate is what became of the reads of one credential.
type fate struct {
	reads, failed int
	without       time.Duration // the longest time without a token
}

// live lets each account be read by one app for a while. An app comes back when it is told.
func (f *fleet) live(t *testing.T, length time.Duration, want zoho.Want) []fate {
	fates := make([]fate, len(f.accounts))
	end := time.Now().Add(length)
	var apps sync.WaitGroup
	for i, a := range f.accounts {
		apps.Go(func() {
			time.Sleep(time.Duration(i) * 200 * time.Millisecond)
			fates[i].meet(t, f.keeper, a, want, end)
		})
	}
	apps.Wait()
	return fates
}

// meet lets an app read an account until end. It comes back when it is told.
func (f *fate) meet(t *testing.T, k *zoho.Keeper, a *zoho.Account, want zoho.Want, end time.Time) {
	since := time.Now()
	for time.Now().Before(end) {
		f.reads++
		served, err := k.Token(t.Context(), a, want)
		if err != nil {
			f.failed++
			f.without = max(f.without, time.Since(since))
			time.Sleep(comeBack(t, err))
			continue
		}
		since = served.Token.Expires
		time.Sleep(max(5*time.Second, time.Until(served.Next)))
	}
}

// knobs of the throttle, whose details Zoho does not document.
var throttleKnobs = map[string]func(*zohotest.Knobs){
	"fixed window":             func(*zohotest.Knobs) {},
	"sliding window":           func(k *zohotest.Knobs) { k.SlidingWindow = true },
	"lockout of an hour":       func(k *zohotest.Knobs) { k.Lockout = time.Hour },
	"rejected attempts extend": func(k *zohotest.Knobs) { k.RejectedExtend = true },
	"an hour, and extended":    func(k *zohotest.Knobs) { k.Lockout, k.RejectedExtend = time.Hour, true },
}

// The release before made 670 throttled calls in the same six hours (fixed window).
func TestWithALimitByClientFewCallsAreThrottledAndEveryCredentialGetsItsTurn(t *testing.T) {
	for name, knobs := range throttleKnobs {
		for _, key := range []zoho.MintKey{zoho.KeyAuto, zoho.KeyClient} {
			t.Run(fmt.Sprint(name, ", ", key), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, 40, key)
					f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient; knobs(k) })
					fates := f.live(t, 6*time.Hour, zoho.Want{MaxAge: 55 * time.Minute, MinTTL: 5 * time.Minute})
					throttled, most := f.zoho.Counts().Throttled, 5
					if key == zoho.KeyClient {
						most = 0
					}
					if throttled > most {
						t.Errorf("%d calls were throttled, want at most %d", throttled, most)
					}
					reads, failed := 0, 0
					for i, app := range fates {
						reads, failed = reads+app.reads, failed+app.failed
						// Forty need four windows; a block of an hour may be met once before.
						if limit := 5 * window; app.without > limit && !(key == zoho.KeyAuto && app.without < 3*time.Hour) {
							t.Errorf("credential %d had no token for %s", i, app.without)
						}
					}
					t.Logf("%d throttled, %d of %d reads failed", throttled, failed, reads)
				})
			})
		}
	}
}

func TestWithALimitByGrantAFleetSharesNothing(t *testing.T) {
	for name, knobs := range throttleKnobs {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 40, zoho.KeyAuto)
			f.zoho.Knobs(knobs)
			// One grant is used by another program, which has it throttled.
			f.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", GrantType: "refresh_token", Times: 1})
			failed := 0
			for _, app := range f.live(t, 6*time.Hour, zoho.Want{MaxAge: 55 * time.Minute, MinTTL: 5 * time.Minute})[1:] {
				failed += app.failed
			}
			// It tries again after a window each, within a block that lasts longer.
			if throttled := f.zoho.Counts().Throttled; throttled > 3 || failed > 0 {
				t.Errorf("%s: %d calls were throttled, %d reads of others failed", name, throttled, failed)
			}
		})
	}
}

func TestTheLimitIsNarrowedAgainAfterACleanTimeAndRememberedUntilThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 12, zoho.KeyAuto)
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		want := zoho.Want{MaxAge: 55 * time.Minute, MinTTL: 5 * time.Minute}
		f.live(t, time.Hour, want)
		shared := func() *zoho.SharedLimit {
			state, err := f.keeper.Look(t.Context(), f.accounts[0])
			if err != nil {
				t.Fatal(err)
			}
			return state.Shared
		}
		if s := shared(); s == nil || time.Until(s.Until) > 6*time.Hour || time.Until(s.Until) < 4*time.Hour {
			t.Fatalf("after a throttle that no grant explains the limit is %+v", s)
		}
		f.keeper = zoho.NewKeeper(1000, nil) // a restart
		f.zoho.Reset()
		f.live(t, 2*time.Hour, want)
		if n := f.zoho.Counts().Throttled; n > 0 || shared() == nil {
			t.Errorf("after a restart %d calls were throttled; shared: %+v", n, shared())
		}
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerRefreshToken })
		f.live(t, 5*time.Hour, want)
		if s := shared(); s != nil {
			t.Errorf("after a clean time the limit is still shared: %+v", s)
		}
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		f.live(t, 2*time.Hour, want)
		if s := shared(); s == nil || time.Until(s.Until) < 7*time.Hour {
			t.Errorf("the second time is not longer than the first: %+v", s)
		}
	})
}

func TestWhoIsReadMoreOftenGetsNoMoreOfASharedLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 30, zoho.KeyClient)
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		mints := make([]int, len(f.accounts))
		var apps sync.WaitGroup
		for i, a := range f.accounts {
			pause := 20 * time.Second
			if i < 3 {
				pause = 100 * time.Millisecond
			}
			apps.Go(func() {
				var last *zoho.Token
				for end := time.Now().Add(3 * time.Hour); time.Now().Before(end); time.Sleep(pause) {
					served, err := f.keeper.Token(t.Context(), a, zoho.Want{MinTTL: 59*time.Minute + 30*time.Second, Demand: true})
					if err == nil && served.Token != last {
						last = served.Token
						mints[i]++
					}
				}
			})
		}
		apps.Wait()
		least, most := mints[0], mints[0]
		for _, n := range mints {
			least, most = min(least, n), max(most, n)
		}
		if least < 4 || most > least+2 {
			t.Errorf("mints of each credential: %v", mints)
		}
		if n := f.zoho.Counts().Throttled; n > 0 {
			t.Errorf("%d calls were throttled", n)
		}
	})
}

func TestWhatCannotBeStoredOfASharedLimitMakesNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, zoho.KeyClient)
		f.disk.set(func(d *disk) { d.readOnly = true })
		if _, err := f.keeper.Token(t.Context(), f.accounts[0], zoho.Want{}); !errors.Is(err, zoho.ErrReadOnly) && !errors.Is(err, errStorage) {
			t.Errorf("got %v", err)
		}
		f.disk.set(func(d *disk) { d.readOnly = false })
		if _, err := f.keeper.Token(t.Context(), f.accounts[0], zoho.Want{}); err != nil {
			t.Error(err)
		}
		if n := f.zoho.Counts().TokenCalls; n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}
