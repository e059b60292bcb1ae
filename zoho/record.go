// What is remembered of a grant? Its live tokens, the places they take in Zoho's
// windows, and the last failure. A Record is a value: changes make a new one.

package zoho

import (
	"encoding/json"
	"errors"
	"slices"
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
	// Failures are the last ones since a call succeeded; unavailability is not stored.
	Failures []*Failure `json:"failures,omitempty"`
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
	// Variant is whose call failed. A refusal of its scopes or organisation is its
	// own; anything else concerns every variant of the grant.
	Variant string `json:"variant,omitempty"`
	// tries counts consecutive unavailable answers.
	tries int
}

// ParseRecord reads a stored record. One of a newer format is refused.
func ParseRecord(data []byte) (*Record, error) {
	var r Record
	var format struct{ Version int }
	if json.Unmarshal(data, &format) == nil && format.Version > recordVersion {
		return nil, ErrNewerFormat
	}
	if err := json.Unmarshal(data, &r); err != nil {
		// The decoder's error may quote what is stored.
		return nil, errors.New("stored token record is damaged: not the JSON this engine writes")
	}
	if r.Version < 1 {
		return nil, errors.New("stored token record is damaged: it has no format version")
	}
	tokens := r.Tokens[:0]
	for _, t := range r.Tokens {
		if t != nil && t.AccessToken != "" {
			tokens = append(tokens, t)
		}
	}
	r.Tokens = tokens
	r.Failures = slices.DeleteFunc(r.Failures, func(f *Failure) bool { return f == nil })
	return &r, nil
}

// newest returns the last-minted token of a variant that lives at now, or nil.
func (r *Record) newest(variant string, now time.Time) *Token {
	for i := len(r.Tokens) - 1; i >= 0; i-- {
		t := r.Tokens[i]
		// A token from the future was minted before the clock was set back; its
		// expiry can't be trusted.
		if t.Variant == variant && !t.Condemned && t.Expires.After(now) && !t.Issued.After(now.Add(time.Minute)) {
			return t
		}
	}
	return nil
}

// latest reports whether a token is the one minted last.
func (r *Record) latest(t *Token) bool {
	return len(r.Tokens) > 0 && r.Tokens[len(r.Tokens)-1] == t
}

// pruned returns a copy without what no longer counts.
func (r *Record) pruned(l Limits, maxLifetime, timeout time.Duration, now time.Time) *Record {
	next := &Record{Version: recordVersion, LastMint: r.LastMint, unsaved: r.unsaved, landed: r.landed}
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
	for _, f := range r.Failures {
		// Long over, it still tells an operator why nothing was minted since; a refusal
		// until a call succeeds.
		if f.Kind == Refused || f.Until.Add(24*time.Hour).After(now) {
			next.Failures = append(next.Failures, f)
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
	r.Failures = slices.DeleteFunc(r.Failures, func(f *Failure) bool { return f.concerns(variant) })
	r.Places[len(r.Places)-1] = Place{At: answer.Received, Until: answer.Received.Add(token.Lifetime())}
}

// condemn marks the tokens of a variant, which are copied: a record in memory
// shares them.
func (r *Record) condemn(variant string) []*Token {
	var condemned []*Token
	for i, t := range r.Tokens {
		if t.Variant == variant {
			marked := *t
			marked.Condemned = true
			r.Tokens[i] = &marked
			condemned = append(condemned, &marked)
		}
	}
	r.unsaved = false // the caller saves
	return condemned
}

// revoked drops tokens that Zoho has forgotten. When none is left, no place holds
// a token any more.
func (r *Record) revoked(gone map[Secret]bool, now time.Time) {
	r.Tokens = slices.DeleteFunc(r.Tokens, func(t *Token) bool { return gone[t.AccessToken] })
	if len(r.Tokens) > 0 {
		return
	}
	for i, p := range r.Places {
		if !p.Lost {
			r.Places[i].Until, r.Places[i].Lost = earlier(p.Until, now), true
		}
	}
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

// concerns reports whether a failure is one for this variant too.
func (f *Failure) concerns(variant string) bool {
	return f.Variant == variant || f.Kind != Refused || f.About == AboutClient
}

// known returns the last failure that concerns a variant with this setup, waited
// out or not, or nil.
func (r *Record) known(setup, variant string) *Failure {
	for i := len(r.Failures) - 1; i >= 0; i-- {
		if f := r.Failures[i]; f.Setup == setup && f.concerns(variant) {
			return f
		}
	}
	return nil
}

// failing returns the failure that is still waited out, or nil.
func (r *Record) failing(setup, variant string, now time.Time) *Failure {
	if f := r.known(setup, variant); f != nil && f.Until.After(now) {
		return f
	}
	return nil
}

// remember adds a failure in place of the last one that it supersedes.
func (r *Record) remember(f *Failure) {
	r.Failures = append(slices.DeleteFunc(r.Failures, func(old *Failure) bool { return old.concerns(f.Variant) }), f)
}
