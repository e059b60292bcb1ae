// Who reads at Vault, and when? One flight for all who need a token; whoever has one
// that still lives does not wait for it.

package tokensource

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/oauth2"
)

const (
	// leeway is the end of a token's life in which it is given out only for want of a
	// better one: a call that begins with it has to arrive.
	leeway = 30 * time.Second
	// pause is how long Vault is left alone after a failed read.
	pause = 5 * time.Second
	// patience bounds one read. The engine gives Zoho ten seconds, and Vault's client
	// tries again on its own.
	patience = time.Minute
	// believed is how long a complaint about one token is not repeated. Vault believes
	// the second in a row after five minutes only.
	believed = time.Minute
)

// Source reads access tokens of one credential. It is safe for concurrent use, has no
// goroutine while nobody asks, and needs no closing.
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

// lent is a token with the time after which a newer one can be had.
type lent struct {
	token *oauth2.Token
	id    string
	next  time.Time
}

func (l *lent) lives(now time.Time) bool {
	return l != nil && (now.Before(l.next) || now.Before(l.token.Expiry.Add(-leeway)))
}

// flight is one read at Vault.
type flight struct {
	done chan struct{} // closed when the rest is set
	lent *lent
	err  error
}

// New makes a source that reads the credential at path, such as "zoho/creds/crm", with
// a client that its owner keeps logged in. Nothing is read yet.
func New(vault *api.Client, path string) *Source {
	return &Source{vault: vault, path: path}
}

// Token returns a token that lives, as [golang.org/x/oauth2.TokenSource] has it. Its
// type is Zoho's own, so SetAuthHeader makes the right header, and Extra has the other
// fields of Vault's answer: api_domain, data_center, token_id.
//
// [golang.org/x/oauth2.NewClient] and ReuseTokenSource keep a token until it expires; with
// [Source.Client] an app gets the next one sooner.
func (s *Source) Token() (*oauth2.Token, error) {
	return s.TokenContext(context.Background())
}

// TokenContext is Token for a caller that may leave. What is read meanwhile is kept for
// the others.
func (s *Source) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	now, held := time.Now(), s.current
	lives := held.lives(now)
	switch {
	case lives && now.Before(held.next), lives && now.Before(s.retry):
		s.mu.Unlock()
		return held.token, nil
	case now.Before(s.retry):
		defer s.mu.Unlock()
		return nil, s.err
	}
	f := s.join("")
	s.mu.Unlock()
	if lives {
		return held.token, nil // the next call gets what comes of it
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
// https://www.zohoapis.eu. Desk, Mail and others have hosts of their own.
func (s *Source) APIDomain(ctx context.Context) (string, error) {
	t, err := s.TokenContext(ctx)
	if err != nil {
		return "", err
	}
	domain, _ := t.Extra("api_domain").(string)
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
	f := &flight{done: make(chan struct{})}
	s.flight = f
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		f.lent, f.err = s.read(ctx, rejected)
		s.land(f, rejected)
	}()
	return f
}

// land keeps what came of a flight and lets the waiters go.
func (s *Source) land(f *flight, rejected string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.flight, s.err, s.retry = nil, f.err, time.Time{}
	if f.err != nil {
		s.retry = now.Add(pause)
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
