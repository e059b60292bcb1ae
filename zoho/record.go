// What is remembered of a grant? Its live tokens, the places they take in Zoho's
// windows, and the last failure. A Record is a value: changes make a new one.

package zoho

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// recordVersion is the format that this code writes.
const recordVersion = 1

// ErrNewerFormat means that a newer release wrote what is stored.
var ErrNewerFormat = errors.New("stored by a newer release of this plugin; upgrade the plugin, nothing was changed")

// Record is what survives a restart.
type Record struct {
	Version int     `json:"version"`
	Places  []Place `json:"places,omitempty"`
	// Tokens are the ones that may still live, oldest first.
	Tokens []*Token `json:"tokens,omitempty"`
	// Failure is the last one while it is waited out; unavailability is not stored.
	Failure *Failure `json:"failure,omitempty"`
	// LastMint is when a token was last minted.
	LastMint time.Time `json:"last_mint,omitzero"`

	// unsaved: the newest token is not in storage yet, since a write failed.
	unsaved bool
	// landed is the Keeper's count of mints when this record was made.
	landed uint64
}

// Failure is a failed call that is being waited out.
type Failure struct {
	Kind  Kind    `json:"kind"`
	About Subject `json:"about,omitempty"`
	Code  string  `json:"code,omitempty"`
	// Text is the error's, which holds no secret.
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Setup is the fingerprint of the secret and transport it was met with; with
	// another setup it does not count.
	Setup string `json:"setup,omitempty"`
	// tries counts consecutive unavailable answers.
	tries int
}

// ParseRecord reads a stored record. One of a newer format is refused.
func ParseRecord(data []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("stored token record is damaged: %w", errors.New("not the JSON this engine writes"))
	}
	if r.Version > recordVersion {
		return nil, ErrNewerFormat
	}
	tokens := r.Tokens[:0]
	for _, t := range r.Tokens {
		if t != nil && t.AccessToken != "" {
			tokens = append(tokens, t)
		}
	}
	r.Tokens = tokens
	return &r, nil
}

// newest returns the last-minted token of a variant that lives at now, or nil.
func (r *Record) newest(variant string, now time.Time) *Token {
	for i := len(r.Tokens) - 1; i >= 0; i-- {
		t := r.Tokens[i]
		// A token from the future was minted before the clock was set back; its
		// expiry can't be trusted.
		if t.Variant == variant && t.Expires.After(now) && !t.Issued.After(now.Add(time.Minute)) {
			return t
		}
	}
	return nil
}

// pruned returns a copy without what no longer counts.
func (r *Record) pruned(l Limits, maxLifetime, timeout time.Duration, now time.Time) *Record {
	next := &Record{Version: recordVersion, Failure: r.Failure, LastMint: r.LastMint, unsaved: r.unsaved, landed: r.landed}
	for _, p := range r.Places {
		// After the clock was set back, a place may not block longer than one taken now.
		p.At = earlier(p.At, now.Add(timeout))
		p.Until = earlier(p.Until, now.Add(timeout+maxLifetime))
		if p.At.Add(l.Window+slack).After(now) || p.Until.Add(slack).After(now) {
			next.Places = append(next.Places, p)
		}
	}
	for _, t := range r.Tokens {
		if t.Expires.After(now) {
			next.Tokens = append(next.Tokens, t)
		}
	}
	// A token that died before it could be stored is not missed.
	next.unsaved = next.unsaved && len(next.Tokens) > 0
	return next
}

// minted turns the last place into that of a token.
func (r *Record) minted(answer Answer, variant string) {
	token := *answer.Token
	token.Variant = variant
	r.Tokens = append(r.Tokens, &token)
	r.LastMint = answer.Received.UTC()
	r.Failure = nil
	r.Places[len(r.Places)-1] = Place{At: answer.Received, Until: answer.Received.Add(token.Lifetime())}
}

// missed turns the last place into that of a call that failed at done.
func (r *Record) missed(e *Error, maxLifetime time.Duration, done time.Time) {
	last := len(r.Places) - 1
	switch {
	case !e.Sent:
		r.Places = r.Places[:last]
	case e.Answered:
		// No token was made, but Zoho may count the attempt.
		r.Places[last] = Place{At: done, Until: done, Lost: true}
	default:
		r.Places[last] = Place{At: done, Until: done.Add(maxLifetime), Lost: true}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// known returns the last failure with this setup, waited out or not, or nil.
func (r *Record) known(setup string) *Failure {
	if f := r.Failure; f != nil && f.Setup == setup {
		return f
	}
	return nil
}

// failing returns the failure that is still waited out with this setup, or nil.
func (r *Record) failing(setup string, now time.Time) *Failure {
	if f := r.known(setup); f != nil && f.Until.After(now) {
		return f
	}
	return nil
}
