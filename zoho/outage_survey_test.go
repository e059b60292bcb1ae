// An outage of the accounts server: how long credentials stay without a token after its
// end, and how many calls it costs. The same file measures any build of this package.

package zoho_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// failingServer is an accounts server that answers after 200 ms, fails in one way between two
// moments, and throttles a refresh token that mints more than ten times in ten minutes.
type failingServer struct {
	kind       string
	begin, end time.Time

	mu        sync.Mutex
	minted    map[string][]time.Time
	calls     int // during the outage
	mints     int // tokens
	throttled int
}

// kinds of outage: what a caller sees of each.
var outageKinds = []string{"503", "html", "reset", "hang", "dead"}

func (s *failingServer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	now := time.Now()
	if !now.Before(s.begin) && now.Before(s.end) {
		s.mu.Lock()
		s.calls++
		s.mu.Unlock()
		return s.fail(r)
	}
	time.Sleep(200 * time.Millisecond)
	if !strings.Contains(string(body), "grant_type=") {
		return reply(400, "text/html", "<html>"), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := slices.DeleteFunc(s.minted[string(body)], func(at time.Time) bool { return now.Sub(at) >= 10*time.Minute })
	if len(recent) >= 10 {
		s.throttled++
		return reply(400, "application/json", `{"error_description":"Too many requests.","error":"Access Denied","status":"failure"}`), nil
	}
	s.minted[string(body)] = append(recent, now)
	s.mints++
	return reply(200, "application/json", `{"access_token":"t`+strconv.Itoa(s.mints)+`","expires_in":3600}`), nil
}

func (s *failingServer) fail(r *http.Request) (*http.Response, error) {
	switch s.kind {
	case "503":
		return reply(503, "text/html", "<html>Service Unavailable"), nil
	case "html":
		return reply(200, "text/html", "<html>We will be back"), nil
	case "reset":
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	case "dead": // packets are dropped, so that connecting times out
		select {
		case <-time.After(5 * time.Second):
		case <-r.Context().Done():
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func reply(status int, contentType, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body))}
}

// outageResult is what an outage cost.
type outageResult struct {
	without          []time.Duration // without a token after the end, for each credential, sorted
	calls, throttled int
}

// p returns a percentile of the time without a token.
func (r outageResult) p(percent int) time.Duration {
	return r.without[(len(r.without)-1)*percent/100]
}

// survive lets cold credentials be read during an outage until each has a token. A reader
// comes back when the answer says, as Vault's clients do with Retry-After.
func survive(t *testing.T, kind string, length time.Duration, credentials int) (result outageResult) {
	synctest.Test(t, func(t *testing.T) {
		s := &failingServer{kind: kind, begin: time.Now(), end: time.Now().Add(length), minted: map[string][]time.Time{}}
		k := zoho.NewKeeper(10_000, nil)
		client := &zoho.Client{ID: "c", Secret: "s", AccountsURL: "https://accounts.example", Transport: s}
		d := newDisk()
		var readers sync.WaitGroup
		result.without = make([]time.Duration, credentials)
		for i := range credentials {
			a := &zoho.Account{
				ID: fmt.Sprint("grant", i), Setup: "setup", Grant: zoho.Grant{RefreshToken: zoho.Secret(fmt.Sprint("r", i))},
				Client: client, Limits: zoho.DefaultLimits, Shelf: &shelf{disk: d},
			}
			first := rand.N(10 * time.Second)
			readers.Go(func() {
				time.Sleep(first)
				for {
					_, err := k.Token(context.Background(), a, zoho.Want{MaxAge: time.Hour, MinTTL: 10 * time.Minute})
					if err == nil {
						result.without[i] = max(0, time.Since(s.end))
						return
					}
					time.Sleep(comeBack(t, err))
				}
			})
		}
		readers.Wait()
		result.calls, result.throttled = s.calls, s.throttled
	})
	slices.Sort(result.without)
	return result
}

// comeBack is the Retry-After of an error, in whole seconds.
func comeBack(t *testing.T, err error) time.Duration {
	var held *zoho.HeldError
	var throttled *zoho.ThrottledError
	wait := time.Second
	switch {
	case errors.As(err, &held):
		wait = held.Wait
	case errors.As(err, &throttled):
		wait = throttled.Wait
	case errors.Is(err, zoho.ErrBusy):
	default:
		t.Errorf("a reader got %v", err)
	}
	return max(time.Second, (wait + time.Second - 1).Truncate(time.Second))
}

// TestOutageSurvey prints a row for each outage: run it on two builds to compare them.
func TestOutageSurvey(t *testing.T) {
	sizes := os.Getenv("ZOHO_OUTAGES")
	if sizes == "" {
		t.Skip("set ZOHO_OUTAGES to numbers of credentials, such as 1,100,10000")
	}
	for n := range strings.SplitSeq(sizes, ",") {
		credentials, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, length := range []time.Duration{time.Minute, 4 * time.Minute, 15 * time.Minute, time.Hour} {
			for _, kind := range outageKinds {
				// The end falls into different moments of the engine's own rhythm.
				var worst outageResult
				rounds := cmp.Or(map[int]int{1: 20, 100: 5}[credentials], 1)
				calls := 0
				for round := range rounds {
					r := survive(t, kind, length+time.Duration(round)*time.Second, credentials)
					worst.without = append(worst.without, r.without...)
					calls += r.calls
					worst.throttled += r.throttled
				}
				slices.Sort(worst.without)
				fmt.Printf("outage %d %s %s p50 %.1f p99 %.1f max %.1f calls/round %.1f throttled %d\n", credentials, length, kind,
					worst.p(50).Seconds(), worst.p(99).Seconds(), worst.p(100).Seconds(), float64(calls)/float64(rounds), worst.throttled)
			}
		}
	}
}
