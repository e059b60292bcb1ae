// Is a crowd of cold credentials let through in bounded numbers, in its order, and
// does a server that hangs hold up nobody but its own?

package zoho_test

import (
	"context"
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
)

// slow answers with a token after a while, and knows how many it keeps waiting.
type slow struct {
	mu            sync.Mutex
	calls         int
	now, most     int
	after         time.Duration
	refreshTokens []string
	// poison is in the form of calls that fail in the way kind, see failingServer.
	poison, kind string
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if s.poison != "" && strings.HasSuffix(string(body), s.poison) {
		return (&failingServer{kind: s.kind}).fail(r)
	}
	s.mu.Lock()
	s.calls++
	s.now++
	s.most = max(s.most, s.now)
	s.refreshTokens = append(s.refreshTokens, string(body))
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.after):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"access_token":"t","expires_in":3600}`)),
	}, nil
}

// crowd is so many accounts at a server, each with a grant of its own.
func crowd(n int, server string, transport http.RoundTripper) (accounts []*zoho.Account) {
	for i := range n {
		accounts = append(accounts, &zoho.Account{
			ID: fmt.Sprint(server, i), Setup: "setup", Grant: zoho.Grant{RefreshToken: zoho.Secret(fmt.Sprint("r", i))},
			Client: &zoho.Client{ID: "c", Secret: "s", AccountsURL: "https://" + server, Transport: transport},
			Limits: zoho.DefaultLimits, Shelf: &shelf{disk: newDisk()},
		})
	}
	return accounts
}

func TestACrowdOfColdCredentialsIsLetThroughInBoundedNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{after: 200 * time.Millisecond}
		k := zoho.NewKeeper(2000, nil)
		begun := time.Now()
		var readers sync.WaitGroup
		for _, a := range crowd(1000, "accounts.example", s) {
			readers.Go(func() {
				if _, err := k.Token(t.Context(), a, zoho.Want{}); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if s.calls != 1000 || s.most > 128 {
			t.Errorf("%d calls, %d of them at once", s.calls, s.most)
		}
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("1000 credentials took %s, so the places were not used", took)
		}
	})
}

func TestTurnsComeInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{after: time.Second}
		k := zoho.NewKeeper(2000, func(e zoho.Event) {
			if e.Took != s.after {
				t.Errorf("a call of %s is said to have taken %s: waiting for its turn is no part of it", s.after, e.Took)
			}
		})
		var readers sync.WaitGroup
		accounts := crowd(200, "accounts.example", s)
		for _, a := range accounts {
			readers.Go(func() {
				if _, err := k.Token(t.Context(), a, zoho.Want{}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		readers.Wait()
		// Those of one round are asked for at once, in any order. Each answer makes room for
		// two, so a round is twice as large as the one before.
		begin, size := 0, 8
		for begin < len(s.refreshTokens) {
			end := min(begin+size, len(s.refreshTokens))
			for place, body := range s.refreshTokens[begin:end] {
				arrived := 0
				fmt.Sscanf(body[strings.Index(body, "refresh_token=r")+len("refresh_token=r"):], "%d", &arrived)
				if arrived < begin || arrived >= end {
					t.Errorf("number %d to arrive was asked for as number %d", arrived, begin+place)
				}
			}
			begin, size = end, 2*size
		}
	})
}

func TestAServerThatHangsHoldsUpNobodyButItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, well := &slow{after: time.Hour}, &slow{after: 200 * time.Millisecond}
		k := zoho.NewKeeper(2000, nil)
		var readers sync.WaitGroup
		accounts := crowd(300, "hung.example", hung)
		var busy, tried int
		var mu sync.Mutex
		for _, a := range accounts {
			readers.Go(func() {
				_, err := k.Token(t.Context(), a, zoho.Want{})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, zoho.ErrBusy):
					busy++
					if n := a.Shelf.(*shelf).saves; n != 0 {
						t.Errorf("who had no turn made %d writes", n)
					}
				case err != nil:
					tried++
				default:
					t.Error("a token of a server that hangs")
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		if _, err := k.Token(t.Context(), crowd(1, "well.example", well)[0], zoho.Want{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("beside a server that hangs, another one's token took %s", took)
		}
		readers.Wait()
		if took := time.Since(begun); took > 25*time.Second {
			t.Errorf("the last reader was told after %s", took)
		}
		if hung.most > 8 || busy+tried != 300 || tried < 8 {
			t.Errorf("%d calls at once; %d readers were told that it is busy, %d that it does not answer", hung.most, busy, tried)
		}
	})
}

func TestWhoseTurnDoesNotComeGetsTheTokenAtHandUnlessItWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := zoho.NewKeeper(2000, nil)
		s := &slow{after: time.Second}
		accounts := crowd(65, "accounts.example", s)
		last := accounts[64]
		last.Client.Timeout = 5 * time.Second
		first, err := k.Token(t.Context(), last, zoho.Want{})
		if err != nil {
			t.Fatal(err)
		}
		s.after = time.Hour
		var readers sync.WaitGroup
		for _, a := range accounts {
			readers.Go(func() { _, _ = k.Token(t.Context(), a, zoho.Want{}) })
			synctest.Wait()
		}
		time.Sleep(4500 * time.Millisecond) // within the second that a reader waits, its turn has not come
		readers.Go(func() {
			if _, err := k.Token(t.Context(), last, zoho.Want{Rejected: about(first.Token)}); !errors.Is(err, zoho.ErrBusy) {
				t.Errorf("who saw it refused got %v", err)
			}
		})
		if served, err := k.Token(t.Context(), last, zoho.Want{}); err != nil || served.Token != first.Token || !strings.Contains(served.Warning, "too many") {
			t.Errorf("a reader got %+v, %v", served, err)
		}
		readers.Wait()
	})
}

func TestWhoWaitsForATurnIsToldWhenTheMountEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := zoho.NewKeeper(2000, nil)
		var readers sync.WaitGroup
		for _, a := range crowd(100, "accounts.example", &slow{after: time.Hour}) {
			readers.Go(func() {
				if _, err := k.Token(t.Context(), a, zoho.Want{}); !errors.Is(err, zoho.ErrClosed) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		soon, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		k.Close(soon)
		readers.Wait()
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestWhoWaitedForATurnLooksOnceMoreAtWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := zoho.NewKeeper(1, nil) // so that the look is one at storage
		s := &slow{after: time.Second}
		accounts := crowd(65, "accounts.example", s)
		last := accounts[64]
		stored := last.Shelf.(*shelf).disk
		var readers sync.WaitGroup
		for _, a := range accounts {
			readers.Go(func() {
				if _, err := k.Token(t.Context(), a, zoho.Want{}); (a == last) != errors.Is(err, errStorage) {
					t.Errorf("%s: %v", a.ID, err)
				}
			})
			synctest.Wait()
			if a == last { // its turn has not come
				stored.set(func(d *disk) { d.loading = func(context.Context, int) error { return errStorage } })
			}
		}
		readers.Wait()
		if s.calls != 64 {
			t.Errorf("%d calls, though what there is could not be read", s.calls)
		}
	})
}
