// Is the budget never more generous than Zoho, and no stingier than it must be?
// Compared with a plain model, through the keeper.

package zoho_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// Mints at random moments: a needed one is allowed exactly when fewer than the
// limits lie within the last window and the last lifetime, give or take the two
// seconds that clocks may differ.
func TestANeededMintIsAllowedExactlyWhenBothWindowsHaveRoom(t *testing.T) {
	const tolerance = 3 * time.Second
	for seed := range uint64(30) {
		inBubble(t, func(w *world) {
			random := rand.New(rand.NewPCG(seed, 0))
			w.withLimits(1+random.IntN(12), 1+random.IntN(30))
			w.zoho.Knobs(func(k *zohotest.Knobs) { k.SlidingWindow = true })
			var minted []time.Time
			within := func(d time.Duration) (n int) {
				for _, at := range minted {
					if time.Since(at) < d {
						n++
					}
				}
				return n
			}
			for range 150 {
				w.passes(time.Duration(random.ExpFloat64() * float64(2*time.Minute)))
				limits := w.account.Limits
				calls := w.calls()
				_, err := w.keeper.Prove(w.Context(), w.account)
				switch {
				case err == nil && (within(limits.Window) >= limits.Mints || within(lifetime) >= limits.Live):
					t.Fatalf("seed %d: %+v: minted at %v, and once more", seed, limits, minted)
				case err == nil:
					minted = append(minted, time.Now())
				case within(limits.Window+tolerance) < limits.Mints && within(lifetime+tolerance) < limits.Live:
					t.Fatalf("seed %d: %+v: minted at %v, and now refused: %v", seed, limits, minted, err)
				case w.calls() != calls:
					t.Fatalf("seed %d: Zoho was asked without a place", seed)
				default:
					if throttled := w.wantThrottled(err); throttled.Wait <= 0 {
						t.Fatalf("seed %d: refused for %s", seed, throttled.Wait)
					}
				}
				state, err := w.keeper.Look(w.Context(), w.account)
				if err != nil || (state.MintsLeft == 0) != state.NextMint.After(time.Now()) {
					t.Fatalf("seed %d: %d mints left, the next at %s, %v", seed, state.MintsLeft, state.NextMint, err)
				}
			}
		})
	}
}

func TestWhatIsSaidToBeLeftCanReallyBeMinted(t *testing.T) {
	for mints := 1; mints <= 12; mints++ {
		for live := 1; live <= 12; live += 3 {
			synctest.Test(t, func(t *testing.T) {
				keeper, d := zoho.NewKeeper(1, nil), newDisk()
				account := &zoho.Account{
					ID: "id", Grant: zoho.Grant{RefreshToken: "r"}, Client: over(json200(`{"access_token":"t"}`)),
					Limits: zoho.Limits{Mints: mints, Window: window, Live: live}, Shelf: &shelf{disk: d},
				}
				for left := min(mints, live); left >= 0; left-- {
					state, err := keeper.Look(t.Context(), account)
					if err != nil || state.MintsLeft != left {
						t.Errorf("%+v: %d mints are said to be left, want %d (%v)", account.Limits, state.MintsLeft, left, err)
					}
					if _, err = keeper.Prove(t.Context(), account); (err == nil) != (left > 0) {
						t.Errorf("%+v: with %d left a mint gave %v", account.Limits, left, err)
					}
				}
			})
		}
	}
}

func TestAFullWindowSaysWhenItHasRoomAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		for range 10 {
			if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
				t.Fatal(err)
			}
			w.passes(6 * time.Minute) // the live limit is the one that binds
		}
		began := time.Now().Add(-time.Hour) // the first mint
		for i := range 5 {
			state, err := w.keeper.Look(w.Context(), w.account)
			if err != nil {
				t.Fatal(err)
			}
			want := began.Add(lifetime + time.Duration(i)*6*time.Minute)
			if late := state.NextMint.Sub(want); late < 0 || late > 3*time.Second {
				t.Errorf("the next mint is promised for %s, want just after %s", state.NextMint, want)
			}
			w.passes(time.Until(state.NextMint))
			if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
				t.Error(fmt.Errorf("at the promised moment: %w", err))
			}
		}
	})
}

func TestTheTokenThatDiesFirstMakesRoomWhicheverWasMintedFirst(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(10, 2)
		w.reads(zoho.Want{})
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = 20 * time.Minute })
		if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
			t.Fatal(err)
		}
		next := w.looks().NextMint
		if late := time.Until(next) - 20*time.Minute; late < 0 || late > 3*time.Second {
			t.Errorf("the next mint is promised for %s, want just after the shorter life of 20m", time.Until(next))
		}
		w.passes(time.Until(next))
		if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
			t.Error(fmt.Errorf("at the promised moment: %w", err))
		}
	})
}
