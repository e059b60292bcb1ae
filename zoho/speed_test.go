// What does a warm read cost? No allocation, with a token that is young enough and
// with a budget that is used up.

package zoho_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// warm is a keeper whose next reads of an account make no call.
func warm(t testing.TB, want zoho.Want) (*zoho.Keeper, *zoho.Account) {
	t.Helper()
	account := &zoho.Account{
		ID: "id", Setup: "setup", Grant: zoho.Grant{RefreshToken: "r"}, Client: over(json200(`{"access_token":"t"}`)),
		Limits: zoho.DefaultLimits, Shelf: &shelf{disk: newDisk()},
	}
	keeper := zoho.NewKeeper(10, nil)
	for range account.Limits.Mints {
		if _, err := keeper.Token(t.Context(), account, want); err != nil {
			t.Fatal(err)
		}
	}
	return keeper, account
}

// warmWishes are the two ways in which a token at hand is served.
func warmWishes() map[string]zoho.Want {
	return map[string]zoho.Want{
		"young enough":           {MaxAge: 50 * time.Minute, MinTTL: 10 * time.Minute},
		"with the budget in use": {MinTTL: 10 * time.Minute},
		"young and demanded":     {MaxAge: 50 * time.Minute, MinTTL: 10 * time.Minute, Demand: true},
	}
}

func TestAWarmReadAllocatesNothing(t *testing.T) {
	for name, want := range warmWishes() {
		keeper, account := warm(t, want)
		ctx := context.Background()
		if allocations := testing.AllocsPerRun(200, func() {
			if served, err := keeper.Token(ctx, account, want); err != nil || !served.Warm {
				t.Fatalf("%s: %+v, %v", name, served, err)
			}
		}); allocations != 0 {
			t.Errorf("%s: a warm read makes %v allocations", name, allocations)
		}
	}
}

func BenchmarkWarmRead(b *testing.B) {
	for name, want := range warmWishes() {
		b.Run(name, func(b *testing.B) {
			keeper, account := warm(b, want)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := keeper.Token(ctx, account, want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWarmReadsInParallel(b *testing.B) {
	want := warmWishes()["young enough"]
	keeper, account := warm(b, want)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := keeper.Token(context.Background(), account, want); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// The budget is what a read asks when no young token is at hand; its cost grows
// with the places in the windows.
func BenchmarkReadWithFullWindows(b *testing.B) {
	for _, places := range []int{10, 30} {
		b.Run(fmt.Sprint(places, " places"), func(b *testing.B) {
			keeper, account := warm(b, zoho.Want{})
			account.Limits.Mints, account.Limits.Live = places, places
			for range places {
				if _, err := keeper.Token(b.Context(), account, zoho.Want{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := keeper.Token(b.Context(), account, zoho.Want{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
