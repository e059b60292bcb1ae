// Tests of outages of an accounts server that are not what the admission expects.

package zoho_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// selective is a server whose answers to checks and to mints are chosen apart.
type selective struct {
	mu            sync.Mutex
	checks, mints int
	check, mint   func(n int, r *http.Request) (*http.Response, error)
}

func (s *selective) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	answer, n := s.mint, &s.mints
	if r.ContentLength <= 0 {
		answer, n = s.check, &s.checks
	} else {
		_, _ = io.ReadAll(r.Body)
	}
	*n++
	count := *n
	s.mu.Unlock()
	return answer(count, r)
}

func grants(n int, _ *http.Request) (*http.Response, error) {
	return reply(200, "application/json", fmt.Sprintf(`{"access_token":"t%d","expires_in":3600}`, n)), nil
}

// A filter between Vault and Zoho may block a POST without a form (a security page with status
// 200, a redirect to a block page, a 5xx, a reset), while mints pass. Then one failed mint
// must not hold up the whole mount for good.
func TestAServerWhoseChecksFailButWhoseMintsWorkIsNotHeldUpForEver(t *testing.T) {
	for name, check := range map[string]func(int, *http.Request) (*http.Response, error){
		"page 200": func(int, *http.Request) (*http.Response, error) {
			return reply(200, "text/html", "<html>The requested URL was rejected"), nil
		},
		"redirect": func(int, *http.Request) (*http.Response, error) { return reply(302, "text/html", ""), nil },
		"500":      func(int, *http.Request) (*http.Response, error) { return reply(500, "text/html", "<html>"), nil },
		"429":      func(int, *http.Request) (*http.Response, error) { return reply(429, "text/html", "<html>"), nil },
		"reset": func(int, *http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &selective{check: check, mint: func(n int, r *http.Request) (*http.Response, error) {
					if n == 1 { // one bad minute of one gateway node
						return reply(503, "text/html", "<html>"), nil
					}
					return grants(n, r)
				}}
				k := zoho.NewKeeper(100, nil)
				accounts := crowd(20, "accounts.example", s)
				begun, got := time.Now(), 0
				for time.Since(begun) < 10*time.Minute && got < len(accounts) {
					got = 0
					for _, a := range accounts {
						if _, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour}); err == nil {
							got++
						}
					}
					time.Sleep(5 * time.Second)
				}
				if got < len(accounts) {
					t.Errorf("ten minutes after one 503, %d of %d credentials have a token; %d mints and %d checks were made", got, len(accounts), s.mints, s.checks)
				}
			})
		})
	}
}

// reliability: after an outage the time without a token is at most 30 seconds. Here the front
// of the server answers a missing grant_type by itself, and what mints is down behind it.
func TestAnOutageBehindAFrontThatAnswersChecksEndsForAllWithinThirtySeconds(t *testing.T) {
	for _, length := range []time.Duration{time.Minute, 4 * time.Minute, 15 * time.Minute, time.Hour} {
		t.Run(length.String(), func(t *testing.T) {
			without := afterwards(t, length, func(*http.Request) (*http.Response, error) {
				return reply(503, "text/html", "<html>"), nil
			}, false)
			if worst := without[len(without)-1]; worst > 30*time.Second {
				t.Errorf("a credential had no token for %s after the outage (median %s)", worst, without[len(without)/2])
			}
		})
	}
}

// A page with a 4xx status is what a CDN or a load balancer without backends answers to
// everybody. It is an outage as HTML with status 200 or 503 is.
func TestAnOutageThatAnswersPagesWith4xxEndsForAllWithinThirtySeconds(t *testing.T) {
	for _, status := range []int{403, 404} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			without := afterwards(t, time.Minute, func(*http.Request) (*http.Response, error) {
				return reply(status, "text/html", "<html>"), nil
			}, true)
			if worst := without[len(without)-1]; worst > 30*time.Second {
				t.Errorf("a credential had no token for %s after the outage (median %s)", worst, without[len(without)/2])
			}
		})
	}
}

// afterwards plays an outage and returns how long 50 credentials had no token after its end.
func afterwards(t *testing.T, length time.Duration, fails func(*http.Request) (*http.Response, error), checksToo bool) (without []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(length)
		well := func(int, *http.Request) (*http.Response, error) { return reply(400, "text/html", "<html>"), nil }
		s := &selective{
			check: func(n int, r *http.Request) (*http.Response, error) {
				if checksToo && time.Now().Before(end) {
					return fails(r)
				}
				return well(n, r)
			},
			mint: func(n int, r *http.Request) (*http.Response, error) {
				time.Sleep(200 * time.Millisecond)
				if time.Now().Before(end) {
					return fails(r)
				}
				return grants(n, r)
			},
		}
		k := zoho.NewKeeper(100, nil)
		accounts := crowd(50, "accounts.example", s)
		without = make([]time.Duration, len(accounts))
		var readers sync.WaitGroup
		for i, a := range accounts {
			readers.Go(func() {
				time.Sleep(time.Duration(i) * 200 * time.Millisecond)
				for {
					_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
					if err == nil {
						without[i] = max(0, time.Since(end))
						return
					}
					time.Sleep(comeBack(t, err))
				}
			})
		}
		readers.Wait()
	})
	slices.Sort(without)
	return without
}

// An operator who watches the log must hear of the beginning and of the end of each outage.
func TestAnOutageThatACheckFoundIsToldAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down, refuses bool
		s := &selective{
			check: func(int, *http.Request) (*http.Response, error) {
				if down {
					return reply(503, "text/html", "<html>"), nil
				}
				return reply(400, "text/html", "<html>"), nil
			},
			mint: func(n int, r *http.Request) (*http.Response, error) {
				switch {
				case refuses:
					return reply(200, "application/json", `{"error":"invalid_code"}`), nil
				case n <= 2 || down:
					return reply(503, "text/html", "<html>"), nil
				}
				return grants(n, r)
			},
		}
		var told told
		k := zoho.NewKeeper(100, told.observes)
		a := crowd(1, "accounts.example", s)[0]
		// The first failure is the server's, the second one, right after a check, the grant's.
		for range 2 {
			_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
			time.Sleep(comeBack(t, err))
		}
		if begun, ended := told.begun(), told.ended(); len(begun) != 1 || len(ended) != 1 {
			t.Fatalf("the first outage: %d beginnings, %d ends", len(begun), len(ended))
		}
		down = true
		time.Sleep(time.Minute)
		for range 20 {
			_, err := k.Token(t.Context(), a, zoho.Want{MaxAge: time.Hour})
			if !errors.As(err, new(*zoho.HeldError)) {
				t.Fatal(err)
			}
			time.Sleep(comeBack(t, err))
		}
		if n := len(told.begun()); n != 2 {
			t.Errorf("a second outage went on for a minute and more, and no event says that the server fails (server events: %d)", n)
		}
		// It ends with an operator's call that Zoho refuses: an answer.
		down, refuses = false, true
		_, _ = k.Prove(t.Context(), a)
		if len(told.ended()) != 2 {
			t.Errorf("the second outage ended with a refusal, and no event says so")
		}
	})
}

// A server that answers everything after eight seconds works.
func TestASlowServerServesACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowly := func(answer func(int, *http.Request) (*http.Response, error)) func(int, *http.Request) (*http.Response, error) {
			return func(n int, r *http.Request) (*http.Response, error) {
				time.Sleep(8 * time.Second)
				return answer(n, r)
			}
		}
		s := &selective{
			check: slowly(func(int, *http.Request) (*http.Response, error) { return reply(400, "text/html", "<html>"), nil }),
			mint: slowly(func(n int, r *http.Request) (*http.Response, error) {
				if n == 1 {
					return reply(503, "text/html", "<html>"), nil
				}
				return grants(n, r)
			}),
		}
		k := zoho.NewKeeper(1000, nil)
		var readers sync.WaitGroup
		begun := time.Now()
		for _, a := range crowd(300, "accounts.example", s) {
			readers.Go(func() {
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
		if took := time.Since(begun); took > 2*time.Minute {
			t.Errorf("300 credentials took %s; %d mints, %d checks", took, s.mints, s.checks)
		} else {
			t.Logf("300 credentials took %s; %d mints, %d checks", took, s.mints, s.checks)
		}
	})
}
