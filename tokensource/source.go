// source.go: Source, the cache of one access token, and the one read at a time that
// replaces it.

package tokensource

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/oauth2"
)

const (
	// leeway is the end of a token's life in which a better token is waited for, though
	// not for longer than brief: a call that begins with the token has to arrive.
	leeway = 30 * time.Second
	// brief is how long a read may take before a caller with a token in its last seconds
	// gets that token after all.
	brief = 2 * time.Second
	// pause is the least time between a failed read and the next one.
	pause = 5 * time.Second
	// longestWait is the longest Retry-After of Vault that is followed. A wait may end
	// early, when an operator connects the credential again, so Vault is asked after it.
	longestWait = 10 * time.Minute
	// patience bounds one read. The engine gives Zoho ten seconds, and Vault's client
	// tries again on its own.
	patience = time.Minute
	// believed is how long a report about one token is not repeated. Vault believes the
	// second in a row after five minutes only.
	believed = time.Minute
)

// Source caches the access token of one credential. It is safe for concurrent use, has
// no goroutine while nobody asks, one while it reads, and needs no closing.
type Source struct {
	vault *api.Client
	path  string

	mu         sync.Mutex
	current    *lent
	flight     *flight
	err        error     // of the last read, nil if it succeeded
	retry      time.Time // after an error: not before
	complained time.Time // about current, when Vault kept it
}

// lent is a token with its times. All but wall have the reading of the monotonic clock,
// so a step of the machine's clock does not move them.
type lent struct {
	token *oauth2.Token
	id    string
	began time.Time // when its read began
	wall  time.Time // the same in the machine's clock alone
	next  time.Time // when a newer one can be had
	dead  time.Time // when it expires
}

// left is how far a point of the token's life is away. The monotonic clock of some
// systems stands still while the machine sleeps, so what the machine's clock says counts
// if it says less.
func (l *lent) left(until, now time.Time) time.Duration {
	return until.Sub(l.began) - max(now.Sub(l.began), now.Round(0).Sub(l.wall))
}

// fresh says that no newer token is to be had.
func (l *lent) fresh(now time.Time) bool { return l != nil && l.left(l.next, now) > 0 }

// settled says that the token lives long enough for a call that begins now.
func (l *lent) settled(now time.Time) bool { return l != nil && l.left(l.dead, now) > leeway }

// lives says that the token has not expired. The machine's clock has no say here: a
// step of it would take the token away while Vault is down.
func (l *lent) lives(now time.Time) bool { return l != nil && now.Before(l.dead) }

// flight is one read of Vault.
type flight struct {
	began time.Time
	done  chan struct{} // closed when the rest is set
	lent  *lent
	err   error
}

// New makes a source that reads the credential at path, such as "zoho/creds/crm", with
// a client that its owner keeps logged in. Nothing is read yet.
//
// Each read uses a copy of the client with the address, token, namespace and settings
// that the client has then. A client of WithRequestCallbacks is copied without its
// callbacks.
func New(vault *api.Client, path string) *Source {
	return &Source{vault: vault, path: path}
}

// Token returns a token that lives, as [golang.org/x/oauth2.TokenSource] has it. Its
// type is Zoho's own, so SetAuthHeader makes the right header, and Extra has the other
// fields of Vault's answer: api_domain, data_center, token_id. Its Expiry is a time of
// this machine's clock, whatever that shows; Extra("expire_time") is Vault's.
//
// [golang.org/x/oauth2.NewClient] and ReuseTokenSource keep a token until it expires; with
// [Source.Client] an app gets the next one sooner.
func (s *Source) Token() (*oauth2.Token, error) {
	return s.TokenContext(context.Background())
}

// TokenContext is Token for a caller that may leave. What is read meanwhile is kept for
// the others.
//
// An error says which address failed and what to check. If Vault answered with a
// reason, errors.As finds it as an [github.com/hashicorp/vault/api.ResponseError]. The
// same error is returned, without another read, for five seconds, or for as long as
// Vault's Retry-After says (at most ten minutes).
func (s *Source) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	now, held := time.Now(), s.current
	switch {
	case held.fresh(now), held.lives(now) && now.Before(s.retry):
		s.mu.Unlock()
		return held.token, nil
	case now.Before(s.retry):
		defer s.mu.Unlock()
		return nil, s.err
	}
	f := s.join("")
	s.mu.Unlock()
	if held.settled(now) {
		return held.token, nil // the next call gets what comes of the read
	}
	if held.lives(now) {
		// Its last seconds, or the machine slept: only a token that cannot be replaced
		// soon is used to its end.
		soon, cancel := context.WithDeadline(ctx, f.began.Add(brief))
		defer cancel()
		l, err := f.wait(soon)
		switch {
		case err == nil:
			return l.token, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case held.lives(time.Now()):
			return held.token, nil
		}
	}
	l, err := f.wait(ctx)
	if err != nil {
		return nil, err
	}
	return l.token, nil
}

// Rejected tells Vault that Zoho answered a token with 401, and returns the token to try
// once more. If that is the same one, the trouble is not the token: look at its scopes,
// the host and the header. [Transport] does all that by itself.
func (s *Source) Rejected(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	for {
		s.mu.Lock()
		now, held := time.Now(), s.current
		switch {
		case held != nil && held.token.AccessToken != rejected.AccessToken:
			s.mu.Unlock() // replaced already
			return held.token, nil
		case held == nil || now.Before(s.complained.Add(believed)):
			s.mu.Unlock()
			return rejected, nil
		case s.flight == nil && now.Before(s.retry):
			defer s.mu.Unlock()
			return nil, s.err
		}
		f, complains := s.flight, false
		if f == nil {
			f, complains = s.join(held.id), true
		}
		s.mu.Unlock()
		l, err := f.wait(ctx)
		if err != nil {
			return nil, err
		}
		if complains {
			return l.token, nil
		}
	}
}

// APIDomain is the address of Zoho's general API gateway for the account, such as
// https://www.zohoapis.eu. Desk, Mail and others have hosts of their own. It is an error
// if Vault does not know the address.
func (s *Source) APIDomain(ctx context.Context) (string, error) {
	t, err := s.TokenContext(ctx)
	if err != nil {
		return "", err
	}
	domain, _ := t.Extra("api_domain").(string)
	if domain == "" {
		return "", fmt.Errorf("the answer of %s has no api_domain; use the address of the API itself", s.address())
	}
	return domain, nil
}

// Client is an HTTP client whose requests carry the token.
func (s *Source) Client() *http.Client {
	return &http.Client{Transport: &Transport{Source: s}}
}

// join returns the flight that is under way, or starts one. s.mu is held.
func (s *Source) join(rejected string) *flight {
	if s.flight != nil {
		return s.flight
	}
	f := &flight{began: time.Now(), done: make(chan struct{})}
	s.flight = f
	go s.fly(f, rejected)
	return f
}

// fly reads. Whatever happens in the owner's HTTP transport (a panic, the end of the
// goroutine), the waiters get an error and the app goes on.
func (s *Source) fly(f *flight, rejected string) {
	f.err = &failure{text: "the read ended without an answer; the HTTP transport of the Vault client ended its goroutine"}
	defer s.land(f, rejected)
	defer func() {
		if p := recover(); p != nil {
			what := fmt.Sprintf("%T", p) // its text may have a secret, but for the runtime's own
			if e, ok := p.(runtime.Error); ok {
				what = e.Error()
			}
			f.lent, f.err = nil, &failure{text: fmt.Sprintf("reading %s panicked (%s); check the Vault client that was given to New, and its HTTP transport", s.path, what)}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f.lent, f.err = s.read(ctx, rejected)
}

// land keeps what came of a read and lets the waiters continue.
func (s *Source) land(f *flight, rejected string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.flight, s.err, s.retry = nil, f.err, time.Time{}
	if f.err != nil {
		s.retry = now.Add(pause)
		if failed, ok := f.err.(*failure); ok {
			s.retry = now.Add(max(pause, failed.after))
		}
	} else {
		s.complained = time.Time{}
		if rejected == f.lent.id {
			s.complained = now
		}
		s.current = f.lent
	}
	close(f.done)
}

func (f *flight) wait(ctx context.Context) (*lent, error) {
	select {
	case <-f.done:
		return f.lent, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
