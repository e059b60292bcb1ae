// outage_test.go: what callers get while the read of Vault panics, ends its goroutine,
// hangs or answers without end, and after the machine slept.

package tokensource_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-zoho/tokensource"
)

// inTwin runs a test in a bubble, with a source whose transport fails as fail says.
func inTwin(t *testing.T, test func(t *testing.T, w *twin, source *tokensource.Source, fail *func(*http.Request) (*http.Response, error))) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwin()
		begun := time.Now()
		var fail func(*http.Request) (*http.Response, error)
		source, _ := goSource(t, w, roundTripper(func(req *http.Request) (*http.Response, error) {
			w.set(func() { w.now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(time.Since(begun)) })
			if fail != nil {
				w.set(func() { w.reads++ })
				return fail(req)
			}
			return recorded{w}.RoundTrip(req)
		}))
		test(t, w, source, &fail)
	})
}

func token(source *tokensource.Source) (string, error) {
	got, err := source.Token()
	if err != nil {
		return "", err
	}
	return got.AccessToken, nil
}

func TestReadThatPanicsOrEndsItsGoroutineIsAnError(t *testing.T) {
	var empty *http.Response
	for name, c := range map[string]struct {
		fail func(*http.Request) (*http.Response, error)
		want string
	}{
		"panics":             {func(*http.Request) (*http.Response, error) { panic("with a secret") }, "reading zoho/creds/crm panicked (string); check the Vault client"},
		"dereferences nil":   {func(*http.Request) (*http.Response, error) { return empty, errors.New(empty.Status) }, "panicked (runtime error: invalid memory address or nil pointer dereference)"},
		"ends its goroutine": {func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, "the read ended without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			inTwin(t, func(t *testing.T, w *twin, source *tokensource.Source, fail *func(*http.Request) (*http.Response, error)) {
				*fail = c.fail
				if _, err := token(source); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "with a secret") {
					t.Fatalf("got %v", err)
				}
				*fail = nil
				passes(6 * time.Second)
				if _, err := token(source); err != nil {
					t.Errorf("the next read: %v", err)
				}
			})
		})
	}
}

func TestSourceWithoutAClientIsAnError(t *testing.T) {
	if _, err := tokensource.New(nil, "zoho/creds/crm").Token(); err == nil || !strings.Contains(err.Error(), "check the Vault client") {
		t.Errorf("got %v", err)
	}
}

// A caller whose token is in its last 30 s waits 2 s for a better one while Vault hangs,
// all callers together; after that the token is used to its end.
func TestLastSecondsOfATokenAreUsedWhileVaultHangs(t *testing.T) {
	inTwin(t, func(t *testing.T, w *twin, source *tokensource.Source, fail *func(*http.Request) (*http.Response, error)) {
		start := time.Now()
		first, _ := token(source)
		passes(life*time.Second - 25*time.Second)
		*fail = func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		before := time.Now()
		for time.Since(start) < life*time.Second-3*time.Second {
			if got, err := token(source); got != first || err != nil {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
			if waited := time.Since(before); waited > 2*time.Second {
				t.Fatalf("the callers waited %s in all", waited)
			}
			passes(time.Second)
			before = before.Add(time.Second)
		}
		passes(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := source.TokenContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a dead token: %v", err)
		}
		passes(2 * time.Minute)
	})
}

// While Vault hangs a thousand callers are one read and one goroutine more.
func TestCallersThatWaitForAHangingVaultAreOneRead(t *testing.T) {
	inTwin(t, func(t *testing.T, w *twin, source *tokensource.Source, fail *func(*http.Request) (*http.Response, error)) {
		*fail = func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		before := runtime.NumGoroutine()
		for range 10 {
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					if _, err := source.TokenContext(ctx); err == nil {
						t.Error("a token")
					}
				})
			}
			wg.Wait()
			synctest.Wait()
		}
		if n := w.count(); n != 1 {
			t.Errorf("%d reads", n)
		}
		for runtime.NumGoroutine() > before+5 {
			runtime.Gosched() // a goroutine that has ended may still be counted
		}
		passes(2 * time.Minute)
	})
}

// The monotonic clock of Linux stands still while the machine sleeps. The machine's
// clock then says that the token has expired, and a new one is read before the next call.
func TestTokenThatExpiredWhileTheMachineSleptIsNotGiven(t *testing.T) {
	inTwin(t, func(t *testing.T, w *twin, source *tokensource.Source, _ *func(*http.Request) (*http.Response, error)) {
		first, _ := token(source)
		w.set(func() { w.tokens++ }) // so the next read has another
		source.StepClock(2 * time.Hour)
		if got, err := token(source); err != nil || got == first || w.reads != 2 {
			t.Errorf("%d reads, the same token: %t, %v", w.reads, got == first, err)
		}
	})
}

func TestAnswerWithoutEndIsAnError(t *testing.T) {
	for _, status := range []int{200, 404} {
		inTwin(t, func(t *testing.T, w *twin, source *tokensource.Source, fail *func(*http.Request) (*http.Response, error)) {
			*fail = func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{}, Request: req, Body: io.NopCloser(endless{})}, nil
			}
			if _, err := token(source); err == nil || !strings.Contains(err.Error(), "/v1/zoho/creds/crm") || !strings.Contains(err.Error(), "larger than 1 MiB") {
				t.Errorf("got %v", err)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// What the owner sets on the client later is used by the next read: the token, the
// namespace and the address.
func TestClientOfTheOwnerIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen *http.Request
		client, err := api.NewClient(&api.Config{Address: "https://one.example.com", HttpClient: &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			seen = req
			return answer(req, http.StatusForbidden, map[string]any{"errors": []string{"no"}}), nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		source := tokensource.New(client, "zoho/creds/crm")
		client.SetToken("second")
		client.SetNamespace("team")
		if err := client.SetAddress("https://user:password@two.example.com"); err != nil {
			t.Fatal(err)
		}
		var refusal *api.ResponseError
		if _, err := source.Token(); !errors.As(err, &refusal) || refusal.StatusCode != http.StatusForbidden {
			t.Errorf("got %v", err)
		}
		if seen.Host != "two.example.com" || seen.Header.Get("X-Vault-Token") != "second" || seen.Header.Get("X-Vault-Namespace") != "team" {
			t.Errorf("asked %s with %v", seen.Host, seen.Header)
		}
	})
}

func TestErrorOfAHangingVaultSaysHowLongItWasWaitedFor(t *testing.T) {
	inTwin(t, func(t *testing.T, w *twin, source *tokensource.Source, fail *func(*http.Request) (*http.Response, error)) {
		*fail = func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		if _, err := token(source); err == nil || !strings.Contains(err.Error(), "no whole answer within 1m0s; check that the Vault server runs") {
			t.Errorf("got %v", err)
		}
	})
}
