// Tests of servers and clients that need to see inside: clocks that step, memory, and what a call leaves behind.

package zoho

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

const aToken = `{"access_token":"t","expires_in":3600}`

// memoryShelf stores nothing.
type memoryShelf struct{}

func (s *memoryShelf) Load(context.Context, string) (*Record, error) { return nil, nil }
func (s *memoryShelf) Save(context.Context, string, *Record) error   { return nil }
func (s *memoryShelf) Rotated(context.Context, Secret, *Record) (string, error) {
	return "", nil
}
func (s *memoryShelf) LoadClient(context.Context, string) (*ClientRecord, error) { return nil, nil }
func (s *memoryShelf) SaveClient(context.Context, string, *ClientRecord) error   { return nil }
func (s *memoryShelf) ReadOnly() bool                                            { return false }

func anAccount(i int, url string, transport http.RoundTripper) *Account {
	return &Account{
		ID: fmt.Sprint(url, i), Setup: "setup", Grant: Grant{RefreshToken: Secret(fmt.Sprint("r", i))},
		Client: &Client{ID: "c", Secret: "s", AccountsURL: url, Transport: transport},
		Limits: DefaultLimits, Shelf: &memoryShelf{},
	}
}

// A clock that is set back moves stored times into the future. An outage lives in memory only and
// its wait is at most a minute, so more than that is never right.
func TestAClockThatIsSetBackDoesNotProlongAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mints := 0
		a := anAccount(0, "https://accounts.example", roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.ContentLength <= 0 {
				return answered(400, "{}"), nil
			}
			if mints++; mints == 1 {
				return answered(503, "{}"), nil
			}
			return answered(200, aToken), nil
		}))
		k := NewKeeper(10, nil)
		_, _ = k.Token(t.Context(), a, Want{MaxAge: time.Hour})
		s := k.servers.of(a)
		s.mu.Lock()
		if s.outage.failure.Until.String() != s.outage.failure.Until.Round(0).String() {
			t.Log("the time has a monotonic reading, so a step of the clock does it no harm")
		}
		// What now.Sub and After see once the clock was set back by an hour.
		s.outage.failure.Since = s.outage.failure.Since.Add(time.Hour)
		s.outage.failure.Until = s.outage.failure.Until.Add(time.Hour)
		s.mu.Unlock()
		begun := time.Now()
		for {
			_, err := k.Token(t.Context(), a, Want{MaxAge: time.Hour})
			if err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took > 2*maxRetryAfter {
			t.Errorf("the server answers, and for %s it was not called", took)
		}
	})
}

// Changed addresses and client ids leave nothing behind for good.
func TestMemoryHoldsNoServersAndClientsThatNobodyUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper(10, nil)
		for i := range 500 {
			a := anAccount(0, fmt.Sprintf("https://accounts%d.example", i), roundTrip(func(*http.Request) (*http.Response, error) {
				return answered(503, "{}"), nil
			}))
			a.Client.ID = fmt.Sprint("client", i)
			_, _ = k.Token(t.Context(), a, Want{})
			time.Sleep(time.Hour)
		}
		if n := len(k.servers.known); n > 100 {
			t.Errorf("%d servers are in memory, of which one was used in the last hour", n)
		}
		if n := len(k.clients.known); n > 100 {
			t.Errorf("%d clients are in memory", n)
		}
		if n := k.servers.failing.Load(); n > 100 {
			t.Errorf("%d servers are believed to fail; each read looks for one", n)
		}
	})
}

// A limit by client with windows that begin with their first token allows 29 tokens within the
// 602 seconds that are looked at. They must not be taken for a proof that there is none.
func TestAllThatALimitByClientAllowsDoesNotRefuteIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &clientBudget{shared: new(atomic.Int32)}
		a := anAccount(0, "https://accounts.example", nil)
		begun := time.Now()
		// Windows begin at 0, 600 and 1200 seconds; each has ten tokens.
		for _, at := range []struct{ second, tokens int }{{0, 1}, {599, 9}, {600, 10}, {1200, 10}} {
			time.Sleep(time.Until(begun.Add(time.Duration(at.second) * time.Second)))
			for range at.tokens {
				b.minted(a, nil, time.Now(), time.Now())
			}
		}
		if !b.refuted.IsZero() {
			t.Error("ten tokens in each window of a limit by client are taken for more than it allows; for a day no throttle will show it")
		}
	})
}

// A call that panicked is over.
func TestACallThatPanickedDoesNotHoldUpTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			switch calls++; calls {
			case 1:
				return answered(400, `{"error_description":"Too many requests.","error":"Access Denied","status":"failure"}`), nil
			case 2:
				panic("fault")
			}
			return answered(200, aToken), nil
		})
		k := NewKeeper(10, nil)
		accounts := []*Account{anAccount(0, "https://accounts.example", transport), anAccount(1, "https://accounts.example", transport)}
		for _, a := range accounts {
			a.Limits.Key = KeyClient
		}
		_, _ = k.Token(t.Context(), accounts[0], Want{MaxAge: time.Hour})
		time.Sleep(DefaultLimits.Window + time.Second)
		_, _ = k.Token(t.Context(), accounts[0], Want{MaxAge: time.Hour}) // panics
		begun := time.Now()
		for {
			if _, err := k.Token(t.Context(), accounts[1], Want{MaxAge: time.Hour}); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("another credential of the client waited %s for a call that was over at once", took)
		}
	})
}

// Whatever becomes of calls, readers and the mount, no admission and no check stays behind.
func TestNothingIsLeftOfAdmissionsWhateverHappens(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			draw := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
			transport := roundTrip(func(r *http.Request) (*http.Response, error) {
				time.Sleep(time.Duration(draw(3000)) * time.Millisecond)
				switch draw(8) {
				case 0:
					panic("fault")
				case 1:
					<-r.Context().Done()
					return nil, r.Context().Err()
				case 2, 3:
					return answered(503, "{}"), nil
				case 4:
					return answered(400, `{"error_description":"Too many requests.","error":"Access Denied","status":"failure"}`), nil
				}
				if r.ContentLength <= 0 {
					return answered(400, "{}"), nil
				}
				return answered(200, aToken), nil
			})
			k := NewKeeper(1000, nil)
			var readers sync.WaitGroup
			var accounts []*Account
			for i := range 60 {
				a := anAccount(i, "https://accounts.example", transport)
				accounts = append(accounts, a)
				readers.Go(func() {
					for range 12 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(draw(20000))*time.Millisecond)
						if draw(6) == 0 {
							func() {
								defer func() { _ = recover() }()
								_, _ = k.Prove(ctx, a)
							}()
						} else {
							_, _ = k.Token(ctx, a, Want{MaxAge: time.Minute})
						}
						cancel()
						time.Sleep(time.Duration(draw(20000)) * time.Millisecond)
					}
				})
			}
			if seed%3 == 0 {
				time.Sleep(time.Minute)
				soon, cancel := context.WithTimeout(t.Context(), time.Second)
				k.Close(soon)
				cancel()
			}
			readers.Wait()
			time.Sleep(time.Minute)
			synctest.Wait()
			s := k.servers.of(accounts[0])
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.under != 0 || len(s.waiting) != 0 || s.check != nil {
				t.Errorf("seed %d: %d under way, %d waiting, check %v", seed, s.under, len(s.waiting), s.check != nil)
			}
			failing := int32(0)
			if s.outage != nil {
				failing = 1
			}
			if k.servers.failing.Load() != failing {
				t.Errorf("seed %d: failing is %d", seed, k.servers.failing.Load())
			}
		})
	}
}
