// What if something fails that hardly ever does: an address that is none, a panic, storage
// under a complaint, a clock that is wrong, a caller who leaves?

package zoho_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestAnAddressThatIsNoneFailsEachCallWithoutARequest(t *testing.T) {
	a := json200(`{}`)
	c := over(a)
	c.AccountsURL = "https://accounts.zoho.eu\x7f"
	for call, err := range map[string]error{
		"mint":     second(c.Mint(context.Background(), zoho.Grant{RefreshToken: canaryRefreshToken})),
		"exchange": second(c.Exchange(context.Background(), canaryCode, "", "")),
		"revoke":   c.Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken),
		"device":   second(c.StartDevice(context.Background(), nil)),
		"user":     second(c.UserInfo(context.Background(), canaryRefreshToken)),
		"CRM":      second(c.CRMOrganization(context.Background(), "\x7f", canaryRefreshToken)),
	} {
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Unavailable || e.Server != "the accounts server" || strings.Contains(e.Error(), "canary") {
			t.Errorf("%s: %v", call, err)
		}
	}
	if len(a.requests) > 0 {
		t.Errorf("%d requests", len(a.requests))
	}
}

// closing is a body that tells when it is closed.
type closing struct {
	io.ReadCloser
	closed *int
}

func (c closing) Close() error { *c.closed++; return c.ReadCloser.Close() }

// What a call was bounded by is a timer that lives on for thirty seconds if nobody stops
// it, and a connection whose answer is not closed serves nobody else.
func TestACallLeavesNothingOpen(t *testing.T) {
	closed := 0
	var bounds []context.Context
	c := over(roundTrip(func(req *http.Request) (*http.Response, error) {
		bounds = append(bounds, req.Context())
		resp, err := json200(`{}`).RoundTrip(req)
		resp.Body = closing{resp.Body, &closed}
		return resp, err
	}))
	_, _ = c.Mint(context.Background(), zoho.Grant{RefreshToken: canaryRefreshToken})
	_ = c.Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken)
	_, _ = c.StartDevice(context.Background(), nil)
	_, _ = c.PollDevice(context.Background(), canaryCode)
	_, _ = c.ExtraScopesURL(context.Background(), canaryRefreshToken, "", "", nil)
	_, _ = c.UserInfo(context.Background(), canaryRefreshToken)
	if len(bounds) != 6 || closed < 6 {
		t.Fatalf("%d requests, %d answers closed", len(bounds), closed)
	}
	for i, bound := range bounds {
		if _, bounded := bound.Deadline(); !bounded || bound.Err() == nil {
			t.Errorf("call %d goes on", i)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestACallThatFailsSaysWhereAndForHowLong(t *testing.T) {
	c := over(&answering{status: 503, contentType: "text/html", body: "<html>", retryAfter: "7"})
	for call, err := range map[string]error{
		"mint":   second(c.Mint(context.Background(), zoho.Grant{RefreshToken: canaryRefreshToken})),
		"revoke": c.Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken),
		"device": second(c.StartDevice(context.Background(), nil)),
		"poll":   second(c.PollDevice(context.Background(), canaryCode)),
		"scopes": second(c.ExtraScopesURL(context.Background(), canaryRefreshToken, "", "", nil)),
		"user":   second(c.UserInfo(context.Background(), canaryRefreshToken)),
	} {
		if e := zoho.AsError(err); e == nil || e.Server != "accounts.zoho.eu" || e.RetryAfter != 7*time.Second {
			t.Errorf("%s fails with %+v", call, e)
		}
	}
}

func TestACallThatNeverLeftCostsNoPlace(t *testing.T) {
	inBubble(t, func(w *world) {
		reachable := w.account.Client.Transport
		w.changeAccount(func(a *zoho.Account) {
			a.Client.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, &net.DNSError{Err: "no such host"} })
		})
		for range 20 {
			_, err := w.read(zoho.Want{})
			w.passes(w.wantHeld(err).Wait)
		}
		if left := w.looks().MintsLeft; left != 10 {
			t.Errorf("%d mints are left", left)
		}
		w.changeAccount(func(a *zoho.Account) { a.Client.Transport = reachable })
		w.reads(zoho.Want{})
	})
}

func TestAnAnswerWithoutAnOrganizationIsNoOrganization(t *testing.T) {
	for _, answer := range []string{`{}`, `{"org":[]}`, `{"org":{}}`, `{"org":null}`, `{"error":"general_error"}`} {
		org, err := over(json200(answer)).CRMOrganization(context.Background(), "https://www.zohoapis.eu", "t")
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Unavailable || !e.Sent {
			t.Errorf("%s is read as %+v, %v", answer, org, err)
		}
	}
}

// panicking is a shelf that breaks.
type panicking struct{ *shelf }

func (panicking) Save(context.Context, string, *zoho.Record) error { panic("1000.secret.in-a-panic") }

func TestAPanicDuringAMintIsAnErrorOfItsReadersAlone(t *testing.T) {
	inBubble(t, func(w *world) {
		broken := *w.account
		broken.Shelf = panicking{w.shelf}
		_, err := w.keeper.Token(w.Context(), &broken, zoho.Want{})
		if err == nil || !strings.Contains(err.Error(), "internal fault while minting") || strings.Contains(err.Error(), "secret") {
			t.Errorf("the reader gets %v", err)
		}
		w.reads(zoho.Want{})
	})
}

func TestAComplaintIsNotTakenWhereStorageCannotBeReadOrWritten(t *testing.T) {
	inBubble(t, func(w *world) {
		token := w.reads(zoho.Want{}).Token
		w.restart()
		w.disk.set(func(d *disk) { d.loading = func(context.Context, int) error { return errStorage } })
		if err := w.keeper.Reject(w.Context(), w.account, token); !errors.Is(err, errStorage) {
			t.Errorf("without a record a complaint is answered with %v", err)
		}
		w.disk.set(func(d *disk) { d.loading, d.readOnly = nil, true })
		if _, err := w.keeper.Revoke(w.Context(), w.account); !errors.Is(err, zoho.ErrReadOnly) {
			t.Errorf("a node that cannot write revokes: %v", err)
		}
		w.disk.set(func(d *disk) { d.readOnly = false })
		w.reads(zoho.Want{MaxAge: time.Hour})
	})
}

func TestTokensThatAreDeadOnArrivalEndInAnErrorAndNotInTheBudget(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = time.Second })
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token"})
		_, err := w.read(zoho.Want{})
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Unavailable || !e.Sent || !strings.Contains(e.Error(), "dead on arrival") {
			t.Errorf("got %v", err)
		}
		w.wantCalls(3)
	})
}

func TestAReadKnowsWhetherTheMintWasAnothers(t *testing.T) {
	for name, want := range map[string]zoho.Want{"a fresh one": {}, "a young one": {MaxAge: 30 * time.Minute}} {
		inBubble(t, func(w *world) {
			w.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
			var readers sync.WaitGroup
			for i := range 3 {
				account := *w.account
				readers.Go(func() {
					served, err := w.keeper.Token(w.Context(), &account, want)
					if err != nil || served.Warm || served.Shared != (i > 0) {
						t.Errorf("%s, reader %d: %+v, %v", name, i, served, err)
					}
				})
				w.passes(time.Second)
			}
			readers.Wait()
			w.wantCalls(1)
		})
	}
}

func TestAWaitIsNeverSaidToBeShorterThanItIs(t *testing.T) {
	for wait, told := range map[time.Duration]string{time.Nanosecond: " 1s ", time.Second: " 1s ", 1500 * time.Millisecond: " 2s ", 61 * time.Second: " 1m1s "} {
		if text := (&zoho.ThrottledError{Wait: wait}).Error(); !strings.Contains(text, told) || strings.Contains(text, "lives") {
			t.Errorf("%s: %s", wait, text)
		}
	}
}

func TestWhoAsksForTooFreshATokenIsToldHowLongTheNewestLives(t *testing.T) {
	if text := (&zoho.ThrottledError{Wait: time.Minute, Best: 90*time.Second + time.Millisecond}).Error(); !strings.Contains(text, "lives 1m30s,") {
		t.Error(text)
	}
}

func TestWhoWaitsForAnotherFlightMayLeave(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		landed := make(chan struct{})
		go func() {
			defer close(landed)
			w.reads(zoho.Want{})
		}()
		w.passes(time.Second)
		ctx, leave := context.WithTimeout(w.Context(), time.Second)
		defer leave()
		if _, err := w.keeper.Prove(ctx, w.account); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who left got %v", err)
		}
		<-landed
	})
}
