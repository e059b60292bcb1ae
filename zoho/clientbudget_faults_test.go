// Tests of the shared mint limit: evidence that misleads, lines, clocks and storage that fails.

package zoho_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// elsewhere throttles one refresh token, which another program uses, and mints for all others.
type elsewhere struct {
	mu                   sync.Mutex
	used                 []string
	mints, throttledHere int
}

func (s *elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, used := range s.used {
		if strings.HasSuffix(string(body), "refresh_token="+used) {
			s.throttledHere++
			return reply(400, "application/json", `{"error_description":"Too many requests.","error":"Access Denied","status":"failure"}`), nil
		}
	}
	if len(body) == 0 {
		return reply(400, "text/html", "<html>"), nil
	}
	s.mints++
	return reply(200, "application/json", fmt.Sprintf(`{"access_token":"t%d","expires_in":3600}`, s.mints)), nil
}

// Zoho counts by refresh token. One of 72 refresh tokens leaked, or is used by another program
// as well, which has it throttled all the time. That must stay that grant's failure.
func TestOneGrantThatIsUsedElsewhereDegradesNoOther(t *testing.T) {
	for _, key := range []zoho.MintKey{zoho.KeyGrant, zoho.KeyAuto} {
		t.Run(string(key), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 72
				s := &elsewhere{used: []string{"r0"}}
				k := zoho.NewKeeper(1000, nil)
				accounts := crowd(n, "accounts.example", s)
				fates := make([]fate, n)
				begun := time.Now()
				end := begun.Add(25 * time.Hour)
				var apps sync.WaitGroup
				for i, a := range accounts {
					a.Limits.Key = key
					apps.Go(func() {
						time.Sleep(time.Duration(i) * 50 * time.Second) // spread over an hour
						fates[i].meet(t, k, a, zoho.Want{MaxAge: 55 * time.Minute, MinTTL: 5 * time.Minute}, end)
					})
				}
				apps.Wait()
				failed, worst, concerned := 0, time.Duration(0), 0
				for _, f := range fates[1:] {
					failed += f.failed
					worst = max(worst, f.without)
					if f.failed > 0 {
						concerned++
					}
				}
				state, err := k.Look(t.Context(), accounts[1])
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d throttled calls of the one grant", s.throttledHere)
				if failed > 0 || state.Shared != nil {
					t.Errorf("%d of %d other credentials had failed reads (%d), one had no token for %s; 25 hours later the limit is still shared: %v", concerned, n-1, failed, worst, state.Shared != nil)
				}
			})
		})
	}
}

// A success of another grant in between shows that Zoho does not block the client.
func TestTwoThrottledGrantsWithSuccessesInBetweenProveNoLimitByClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &elsewhere{used: []string{"r0", "r1"}}
		k := zoho.NewKeeper(1000, nil)
		accounts := crowd(6, "accounts.example", s)
		want := zoho.Want{MaxAge: time.Hour}
		_, _ = k.Token(t.Context(), accounts[0], want)
		for _, a := range accounts[2:] {
			time.Sleep(time.Second)
			if _, err := k.Token(t.Context(), a, want); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute)
		_, _ = k.Token(t.Context(), accounts[1], want)
		if state, err := k.Look(t.Context(), accounts[2]); err != nil || state.Shared != nil {
			t.Errorf("two grants that are used elsewhere made all share one limit: %+v, %v", state.Shared, err)
		}
	})
}

// Calls that are throttled at the same time are one throttle, not several in a row.
func TestThrottlesAtTheSameTimeAreNoLongBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 14, zoho.KeyAuto)
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		begun := time.Now()
		for _, a := range f.accounts {
			client := *a.Client
			client.Transport = &tardy{base: client.Transport}
			a.Client = &client
		}
		var readers sync.WaitGroup
		var mu sync.Mutex
		var longest time.Duration
		for _, a := range f.accounts {
			readers.Go(func() {
				_, err := f.keeper.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
				if err != nil {
					mu.Lock()
					longest = max(longest, comeBack(t, err))
					mu.Unlock()
				}
			})
		}
		readers.Wait()
		state, err := f.keeper.Look(t.Context(), f.accounts[0])
		if err != nil || state.Shared == nil || state.Shared.Failure == nil {
			t.Fatalf("%+v, %v", state.Shared, err)
		}
		if wait := state.Shared.Failure.Until.Sub(begun); wait > window+time.Minute {
			t.Errorf("14 cold credentials at once met the first throttle; all wait %s, though Zoho's block ends with the window (%d throttled calls; readers were told to come back in %s at most)", wait, f.zoho.Counts().Throttled, longest)
		}
	})
}

type tardy struct{ base http.RoundTripper }

func (s *tardy) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(200 * time.Millisecond)
	return s.base.RoundTrip(r)
}

// A script reads every credential once and does not come back. The one app that does come
// back must get the places that nobody uses.
func TestReadersWhoDoNotComeBackDoNotHoldUpTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 201, zoho.KeyClient)
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		want := zoho.Want{MaxAge: 55 * time.Minute, MinTTL: 5 * time.Minute}
		for _, a := range f.accounts[:200] { // a monitor, once
			_, _ = f.keeper.Token(t.Context(), a, want)
		}
		app, begun, minted := f.accounts[200], time.Now(), f.zoho.Counts().Minted
		for {
			_, err := f.keeper.Token(t.Context(), app, want)
			if err == nil {
				break
			}
			time.Sleep(comeBack(t, err))
		}
		if took := time.Since(begun); took > 2*window+time.Minute {
			t.Errorf("the only app that reads got its token after %s, in which %d other tokens were minted, of %d that the limit allows", took, f.zoho.Counts().Minted-minted-1, 10*int(took/window))
		}
	})
}

// The limit by client concerns nobody whose config says refresh_token.
func TestAClientRecordThatCannotBeReadDoesNotConcernMintsByGrant(t *testing.T) {
	for _, key := range []zoho.MintKey{zoho.KeyGrant, zoho.KeyAuto} {
		synctest.Test(t, func(t *testing.T) {
			s := &elsewhere{}
			a := crowd(1, "accounts.example", s)[0]
			a.Limits.Key, a.Shelf = key, &noClients{shelf: &shelf{disk: newDisk()}}
			k := zoho.NewKeeper(10, nil)
			if _, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour}); err != nil {
				t.Errorf("%s: a read got %v", key, err)
			}
		})
	}
}

type noClients struct{ *shelf }

func (noClients) LoadClient(context.Context, string) (*zoho.ClientRecord, error) {
	return nil, errStorage
}

// A record that was written while the clock was years ahead must not hold up a client for
// years. Places of such a record are bounded; its end and its failure are not.
func TestAClientRecordFromAClockThatWasAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Now().Add(5 * 365 * 24 * time.Hour)
		for name, record := range map[string]*zoho.ClientRecord{
			"failure": {Version: 1, Until: ahead.Add(6 * time.Hour), Period: 6 * time.Hour, Failure: &zoho.Failure{Kind: zoho.Throttled, Text: "throttled", Since: ahead, Until: ahead.Add(window)}},
			"end":     {Version: 1, Until: ahead.Add(6 * time.Hour), Period: 6 * time.Hour},
		} {
			f := newFleet(t, 1, zoho.KeyAuto)
			a := f.accounts[0]
			data, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			f.disk.clients[zoho.Fingerprint("client", a.Client.AccountsURL, a.Client.ID)] = data
			_, err = f.keeper.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
			if err != nil && comeBack(t, err) > 2*time.Hour {
				t.Errorf("%s: the read is told to come back in %s", name, comeBack(t, err))
			}
			if state, err := f.keeper.Look(t.Context(), a); err == nil && state.Shared != nil && time.Until(state.Shared.Until) > 8*24*time.Hour {
				t.Errorf("%s: the limit is shared for another %s", name, time.Until(state.Shared.Until))
			}
		}
	})
}

// Prove promises to mint whatever failure is being waited out.
func TestAProofIsMadeWhateverFailureIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &elsewhere{used: []string{"r0", "r1"}}
		k := zoho.NewKeeper(1000, nil)
		accounts := crowd(3, "accounts.example", s)
		_, _ = k.Token(t.Context(), accounts[0], zoho.Want{})
		_, _ = k.Token(t.Context(), accounts[1], zoho.Want{}) // now it is shared
		if _, err := k.Prove(t.Context(), accounts[2]); err != nil {
			t.Errorf("an operator who imports a grant is refused for %s: %v", comeBack(t, err), err)
		}
	})
}

// An operator's proof goes before the line, and leaves it as it was.
func TestAProofLeavesTheLineAlone(t *testing.T) {
	f := &elsewhere{}
	k := zoho.NewKeeper(1000, nil)
	accounts := crowd(60, "accounts.example", f)
	d := newDisk()
	for _, a := range accounts {
		a.Limits.Key, a.Limits.Mints, a.Shelf = zoho.KeyClient, 1000, &shelf{disk: d}
	}
	var all sync.WaitGroup
	for i, a := range accounts {
		all.Go(func() {
			for range 5 {
				if i%2 == 0 {
					_, _ = k.Prove(t.Context(), a)
				} else {
					_, _ = k.Token(t.Context(), a, zoho.Want{})
				}
			}
		})
	}
	all.Wait() // -race
}

// A proof that is throttled takes no place in the line: its operator does not come back.
func TestAThrottledProofHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 12, zoho.KeyClient)
		for _, a := range f.accounts[:10] {
			if _, err := f.keeper.Token(t.Context(), a, zoho.Want{}); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = f.keeper.Prove(t.Context(), f.accounts[10])
		if state, err := f.keeper.Look(t.Context(), f.accounts[11]); err != nil || state.Shared.Waiting != 0 {
			t.Errorf("%d wait in the line after a proof that was throttled", state.Shared.Waiting)
		}
	})
}

// A mint that was asked for before a throttle says nothing of the block that the throttle began.
func TestAnAnswerToAnEarlierCallDoesNotEndAThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := &elsewhere{used: []string{"r1"}}
		k := zoho.NewKeeper(1000, nil)
		accounts := crowd(3, "accounts.example", s)
		for _, a := range accounts {
			a.Limits.Key = zoho.KeyClient
		}
		slowly := *accounts[0].Client
		slowly.Transport = gated{gate, s}
		accounts[0].Client = &slowly
		var readers sync.WaitGroup
		readers.Go(func() { _, _ = k.Token(t.Context(), accounts[0], zoho.Want{}) })
		synctest.Wait()
		_, _ = k.Token(t.Context(), accounts[1], zoho.Want{})
		close(gate)
		readers.Wait()
		if _, err := k.Token(t.Context(), accounts[2], zoho.Want{}); !errors.As(err, new(*zoho.HeldError)) {
			t.Errorf("the throttle is not waited out: the next grant got %v", err)
		}
	})
}

type gated struct {
	gate <-chan struct{}
	base http.RoundTripper
}

func (g gated) RoundTrip(r *http.Request) (*http.Response, error) {
	<-g.gate
	return g.base.RoundTrip(r)
}

// A token that comes with a code counts by client as any other, after a restart too.
func TestTokensOfCodesCountAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 14, zoho.KeyAuto)
		f.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
		for _, a := range f.accounts {
			_, _ = f.keeper.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
		}
		time.Sleep(2 * time.Hour)
		f.keeper = zoho.NewKeeper(1000, nil) // a restart
		f.zoho.Reset()
		for range 8 {
			a, answer, err := connect(t.Context(), f.zoho, "eu")
			if err != nil {
				t.Fatal(err)
			}
			a.Limits.Key, a.Shelf = zoho.KeyAuto, &shelf{disk: f.disk}
			if err := f.keeper.Adopt(t.Context(), a, answer, func() error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range f.accounts {
			_, _ = f.keeper.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
		}
		if n := f.zoho.Counts().Throttled; n > 0 {
			t.Errorf("%d calls were throttled, though all tokens were minted by this engine and the limit is known to be shared", n)
		}
	})
}

// Rule 8 of the token manager, with the limit by client.
func TestAWarmReadAllocatesNothingWithALimitByClient(t *testing.T) {
	for name, want := range warmWishes() {
		keeper, account := warm(t, want)
		account.Limits.Key = zoho.KeyClient
		ctx := context.Background()
		if n := testing.AllocsPerRun(200, func() { _, _ = keeper.Token(ctx, account, want) }); n != 0 {
			t.Errorf("%s: a warm read makes %v allocations", name, n)
		}
	}
}

// What an operator has to do about a grant that Zoho refused stays in its status, whatever
// happened to other grants since.
func TestARefusedGrantStaysRefusedInStatus(t *testing.T) {
	answers := map[string]string{"outage": "", "shared throttle": `{"error_description":"Too many requests.","error":"Access Denied","status":"failure"}`}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &selective{
					check: func(int, *http.Request) (*http.Response, error) { return reply(503, "text/html", "<html>"), nil },
					mint: func(n int, r *http.Request) (*http.Response, error) {
						switch {
						case n == 1:
							return reply(200, "application/json", `{"error":"invalid_code"}`), nil
						case answer != "":
							return reply(400, "application/json", answer), nil
						}
						return reply(503, "text/html", "<html>"), nil
					},
				}
				k := zoho.NewKeeper(1000, nil)
				accounts := crowd(2, "accounts.example", s)
				for _, a := range accounts {
					if answer != "" {
						a.Limits.Key = zoho.KeyClient
					}
				}
				_, _ = k.Token(t.Context(), accounts[0], zoho.Want{})
				_, _ = k.Token(t.Context(), accounts[1], zoho.Want{})
				for _, later := range []time.Duration{time.Second, 20 * time.Minute} {
					time.Sleep(later)
					state, err := k.Look(t.Context(), accounts[0])
					if err != nil || state.Failure == nil || state.Failure.Kind != zoho.Refused {
						t.Errorf("%s later the refused grant's failure is %+v (waited out: %v), so its state is not needs_consent", later, state.Failure, state.Failure != nil && state.Failure.Until.After(time.Now()))
					}
				}
			})
		})
	}
}

// Forgetting what memory knows of a client must not forget what storage knows.
func TestForgettingAClientDuringAMintLosesNoStoredMints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := &elsewhere{used: []string{"r9"}}
		k := zoho.NewKeeper(1000, nil)
		d := newDisk()
		accounts := crowd(10, "accounts.example", s)
		for _, a := range accounts {
			a.Limits.Key, a.Shelf = zoho.KeyClient, &shelf{disk: d}
		}
		for _, a := range accounts[:9] {
			if _, err := k.Token(t.Context(), a, zoho.Want{}); err != nil {
				t.Fatal(err)
			}
		}
		last := *accounts[9].Client
		last.Transport = gated{gate, s}
		accounts[9].Client = &last
		var readers sync.WaitGroup
		readers.Go(func() { _, _ = k.Token(t.Context(), accounts[9], zoho.Want{}) })
		synctest.Wait()
		id := zoho.Fingerprint("client", last.AccountsURL, last.ID)
		k.ForgetClient(id)
		close(gate)
		readers.Wait()
		r, err := zoho.ParseClientRecord(d.clients[id])
		if err != nil || len(r.Places) < 9 {
			t.Errorf("%d of ten mints are left in storage, %v", len(r.Places), err)
		}
	})
}
