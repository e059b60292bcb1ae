// Tests of the admission of mints to an accounts server that fails.

package zoho_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// The numbers of calls are a tenth of what the release before made in the same outage with
// 100 credentials (f2869dc, TestOutageSurvey).
func TestAfterAnOutageEveryCredentialHasATokenWithinThirtySecondsForATenthOfTheCalls(t *testing.T) {
	for _, outage := range []struct {
		length time.Duration
		calls  int
	}{{time.Minute, 40}, {4 * time.Minute, 85}, {15 * time.Minute, 156}, {time.Hour, 591}} {
		for _, kind := range outageKinds {
			t.Run(fmt.Sprint(kind, " for ", outage.length), func(t *testing.T) {
				r := survive(t, kind, outage.length, 100)
				if worst := r.p(100); worst > 30*time.Second {
					t.Errorf("a credential had no token for %s after the outage", worst)
				}
				if r.calls > outage.calls || r.throttled > 0 {
					t.Errorf("%d calls in the outage, want at most %d; %d were throttled", r.calls, outage.calls, r.throttled)
				}
				if one := survive(t, kind, outage.length, 1); one.p(100) > 30*time.Second {
					t.Errorf("a single credential had no token for %s after the outage", one.p(100))
				}
			})
		}
	}
}

func TestAnOutageLeavesAGrantHalfOfItsMints(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Hang, 0)
		for range 100 {
			_, err := w.read(zoho.Want{MaxAge: time.Hour})
			w.passes(max(time.Second, w.wantHeld(err).Wait))
		}
		if left := w.looks().MintsLeft; left < 5 {
			t.Errorf("%d mints are left", left)
		}
		if mints := w.zoho.Counts().ByGrant["refresh_token"]; mints > 15 { // in twenty minutes
			t.Errorf("%d mints were asked for", mints)
		}
		w.zoho.ClearFaults()
		w.passes(20 * time.Second)
		w.reads(zoho.Want{MaxAge: time.Hour})
		synctest.Wait()
		if ended := w.ended(); len(ended) != 1 || ended[0].Outage < 10*time.Minute {
			t.Errorf("told of outages: %v", ended)
		}
	})
}

func TestRetryAfterOfAnOutageIsHonoredUpToAMinute(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{0: time.Second, 40 * time.Second: 40 * time.Second, time.Hour: time.Minute} {
		inBubble(t, func(w *world) {
			w.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", RetryAfter: asked})
			_, err := w.read(zoho.Want{})
			if got := w.wantHeld(err).Wait; got > want || got < want/2 {
				t.Errorf("with Retry-After %s the reader is told to wait %s, want %s", asked, got, want)
			}
			w.zoho.ClearFaults()
		})
	}
}

func TestFailuresOfOneGrantDoNotHoldUpOthers(t *testing.T) {
	for _, kind := range []string{"503", "reset", "hang"} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{after: 200 * time.Millisecond, poison: "refresh_token=r0", kind: kind}
			k := zoho.NewKeeper(100, nil)
			var readers sync.WaitGroup
			var failed int
			var mu sync.Mutex
			accounts := crowd(50, "accounts.example", s)
			for i, a := range accounts {
				readers.Go(func() {
					time.Sleep(time.Duration(i) * 100 * time.Millisecond)
					for range 120 {
						_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour, MinTTL: 10 * time.Minute})
						mu.Lock()
						if err != nil && a != accounts[0] {
							failed++
						}
						mu.Unlock()
						time.Sleep(time.Minute)
					}
				})
			}
			readers.Wait()
			// The first failure may have been the server's: who reads in that second may be told so.
			if failed > 10 {
				t.Errorf("%s: %d reads of 49 other credentials failed", kind, failed)
			}
		})
	}
}

func TestACallThatHungDoesNotBeginTheNextOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &failingServer{kind: "hang", begin: time.Now(), end: time.Now().Add(14 * time.Second), minted: map[string][]time.Time{}}
		var told told
		k := zoho.NewKeeper(100, told.observes)
		var readers sync.WaitGroup
		for i, a := range crowd(8, "accounts.example", s) { // they hang until 10 to 13.5 s
			readers.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				for {
					_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
					if err == nil {
						return
					}
					time.Sleep(comeBack(t, err))
				}
			})
		}
		readers.Wait()
		if ended := told.ended(); len(ended) != 1 {
			t.Errorf("told of outages: %v", ended)
		}
	})
}

func TestAProofIsMadeDuringAnOutageAndEndsIt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Status5xx, 2)
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		if _, err := w.keeper.Prove(w.Context(), w.account); !errors.Is(err, zoho.AsError(err)) || zoho.AsError(err).Kind != zoho.Unavailable {
			t.Errorf("a proof in the outage got %v", err)
		}
		if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
			t.Error(err)
		}
		w.reads(zoho.Want{MaxAge: time.Hour})
		if n := w.zoho.Counts().ByGrant["refresh_token"]; n != 3 {
			t.Errorf("%d mints", n)
		}
	})
}

func TestAnOutageEndsWithAChangedSetup(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Reset, 1)
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.changeAccount(func(a *zoho.Account) { a.Setup = "new" })
		w.reads(zoho.Want{})
		w.wantCalls(2) // without a check
	})
}

func TestStatusShowsAnOutageUntilItEnds(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.pair()[0]
		w.fails(zohotest.Status5xx, 0)
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		state, err := w.keeper.Look(w.Context(), other)
		if err != nil || state.Failure == nil || state.Failure.Kind != zoho.Unavailable || !strings.Contains(state.Failure.Text, "503") {
			t.Errorf("another credential of that server shows %+v, %v", state.Failure, err)
		}
		w.zoho.ClearFaults()
		w.passes(2 * time.Second)
		w.reads(zoho.Want{})
		if state, err := w.keeper.Look(w.Context(), other); err != nil || state.Failure != nil {
			t.Errorf("after the outage it shows %+v, %v", state.Failure, err)
		}
	})
}

func TestACheckThatTheCallerLeavesIsNoFailureOfTheServer(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Status5xx, 1)
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.passes(time.Second)
		w.fails(zohotest.Hang, 1)
		soon, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := w.keeper.Token(soon, w.account, zoho.Want{}); !errors.Is(err, context.DeadlineExceeded) && err == nil {
			t.Errorf("got %v", err)
		}
		w.keeper.Close(soon) // cancels the check
		synctest.Wait()
	})
}

// mintless is a server that answers checks, and no mint.
type mintless struct{}

func (mintless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength <= 0 {
		return reply(400, "text/html", "<html>"), nil
	}
	return reply(503, "text/html", "<html>"), nil
}

func TestMemoryStaysBoundedWhateverManyGrantsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := zoho.NewKeeper(100, nil)
		for _, a := range crowd(12_000, "accounts.example", mintless{}) {
			if _, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour}); err == nil {
				t.Fatal("a token of a server that mints none")
			}
		}
		if n := k.UnstoredLen(); n > 10_000 {
			t.Errorf("memory holds failures of %d grants", n)
		}
	})
}

// pathological fails with what holds no grant type: a proxy before the server, for example.
type pathological struct{ failingServer }

func (s *pathological) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength <= 0 {
		return reply(302, "text/html", "<html>"), nil
	}
	return s.failingServer.RoundTrip(r)
}

func TestAServerThatAnswersMintsAloneIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pathological{failingServer{kind: "503", begin: time.Now(), end: time.Now().Add(20 * time.Minute), minted: map[string][]time.Time{}}}
		k := zoho.NewKeeper(10, nil)
		a := crowd(1, "accounts.example", s)[0]
		for {
			_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
			if err == nil {
				break
			}
			time.Sleep(comeBack(t, err))
		}
		if late := time.Since(s.end); late > 3*time.Minute {
			t.Errorf("a token came %s after the end", late)
		}
		if s.calls > 15 {
			t.Errorf("%d mints during the outage", s.calls)
		}
	})
}

func TestNoMintWaitsBehindALogLineAboutACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &failingServer{kind: "503", begin: time.Now(), end: time.Now().Add(time.Second), minted: map[string][]time.Time{}}
		read := make(chan struct{})
		k := zoho.NewKeeper(10, func(e zoho.Event) {
			if e.Check || e.Outage > 0 { // nobody reads the log
				<-read
			}
		})
		a := crowd(1, "accounts.example", s)[0]
		got := make(chan struct{})
		go func() {
			defer close(got)
			for {
				_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
				if err == nil {
					return
				}
				time.Sleep(comeBack(t, err))
			}
		}()
		select {
		case <-got:
		case <-time.After(5 * time.Second):
			t.Error("a read waits for a log line")
		}
		close(read)
		<-got
	})
}
