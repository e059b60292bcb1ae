// What is remembered of a grant? Its live tokens, the places they take in Zoho's
// windows, and the last failure. A Record is a value: changes make a new one.

package zoho

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// recordVersion is the format that this code writes.
//
//	2: a place says whether its call was still under way
const recordVersion = 2

// ErrNewerFormat means that a newer release wrote what is stored.
var ErrNewerFormat = errors.New("stored by a newer release of this plugin; upgrade the plugin, nothing was changed")

// ErrDamagedRecord means that a stored record of tokens is not what this package writes.
var ErrDamagedRecord = errors.New("stored token record is damaged")

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
	// ClientID and AccountsURL are the client and the accounts server that the tokens came
	// from, so that they can be revoked after their credential was deleted.
	ClientID    string `json:"client_id,omitempty"`
	AccountsURL string `json:"accounts_url,omitempty"`

	// unsaved are the tokens that are not in storage yet, since a write failed.
	unsaved []*Token
	// rotated is a refresh token that is not in storage yet.
	rotated Secret
	// successor is set when the grant goes on under another id: then nothing else is.
	successor *successor
	// dirty: storage knows more than it should, since a write failed.
	dirty bool
	// landed is the Keeper's count of mints when this record was made.
	landed uint64
}

// ParseRecord reads a stored record. One of a newer format is refused.
func ParseRecord(data []byte) (*Record, error) {
	var r Record
	err := json.Unmarshal(data, &r)
	if r.Version != recordVersion { // a newer format may be one that this code cannot read
		var format struct{ Version int }
		if json.Unmarshal(data, &format) == nil && format.Version > recordVersion {
			return nil, ErrNewerFormat
		}
	}
	if err != nil {
		// The decoder's error may quote what is stored.
		return nil, fmt.Errorf("%w: not the JSON this engine writes", ErrDamagedRecord)
	}
	if r.Version < 1 {
		return nil, fmt.Errorf("%w: it has no format version", ErrDamagedRecord)
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

// newest returns the last-minted token of a variant that lives at now and is not of an
// earlier epoch, or nil.
func (r *Record) newest(variant string, epoch uint64, now time.Time) *Token {
	for i := len(r.Tokens) - 1; i >= 0; i-- {
		t := r.Tokens[i]
		if t.Variant == variant && !t.Rejected.IsZero() {
			// What kills one token early, a revoked grant or an eviction, has killed the
			// older ones.
			return nil
		}
		// A token from the future was minted before the clock was set back; its
		// expiry can't be trusted.
		if t.Variant == variant && !t.Condemned && t.Epoch >= epoch && t.Expires.After(now) && !t.Issued.After(now.Add(time.Minute)) {
			return t
		}
	}
	return nil
}

// latest reports whether a token is the one minted last.
func (r *Record) latest(t *Token) bool {
	return len(r.Tokens) > 0 && r.Tokens[len(r.Tokens)-1] == t
}

// pruned returns a copy without what no longer counts for an account.
func (r *Record) pruned(a *Account, now time.Time) *Record {
	next := &Record{Version: recordVersion, LastMint: r.LastMint, ClientID: r.ClientID, AccountsURL: r.AccountsURL, rotated: r.rotated, landed: r.landed}
	latest := now.Add(2 * a.timeout())
	for _, p := range r.Places {
		if p.At.After(latest) {
			// The clock was set back. The place moves as a whole: its token lives as long
			// as somebody was told, whatever lifetime is believed by now.
			p.At, p.Until = latest, latest.Add(p.Until.Sub(p.At))
		}
		if p.At.Add(a.Limits.Window+slack).After(now) || p.Until.Add(slack).After(now) {
			next.Places = append(next.Places, p)
		}
	}
	for _, t := range r.Tokens {
		if t.Expires.After(now) {
			next.Tokens = append(next.Tokens, t)
		}
	}
	next.Failures = remembered(r.Failures, a.Variant, now)
	for _, t := range r.unsaved {
		if t.Expires.After(now) { // dead before it could be stored, it is not missed
			next.unsaved = append(next.unsaved, t)
		}
	}
	return next
}

// minted turns the place of the call under way into that of its token.
func (r *Record) minted(answer Answer, a *Account, epoch uint64) {
	t, p := r.made(answer, a, epoch)
	r.settle(p)
	r.Tokens = append(r.Tokens, t)
}

// adopt adds a token that came in another way, and perhaps before others.
func (r *Record) adopt(answer Answer, a *Account, epoch uint64) { r.add(r.made(answer, a, epoch)) }

// made notes that a call succeeded, and returns its token and place.
func (r *Record) made(answer Answer, a *Account, epoch uint64) (*Token, Place) {
	token := *answer.Token
	token.Variant, token.Credential, token.Epoch = a.Variant, a.Name, epoch
	r.ClientID, r.AccountsURL = a.Client.ID, a.Client.AccountsURL
	r.unsaved = append(r.unsaved, &token)
	r.LastMint = later(r.LastMint, answer.Received.UTC())
	r.Failures = slices.DeleteFunc(r.Failures, func(f *Failure) bool { return f.concerns(a.Variant) })
	return &token, Place{At: answer.Received, Until: answer.Received.Add(token.Lifetime())}
}

// settle puts what is known of a call by now in the place that it took.
func (r *Record) settle(known ...Place) {
	r.Places = append(slices.DeleteFunc(r.Places, func(p Place) bool { return p.Pending }), known...)
}

// missed turns the place of the call under way into that of one that failed at done.
func (r *Record) missed(e *Error, maxLifetime time.Duration, done time.Time) {
	switch {
	case !e.Sent:
		r.settle()
	case e.Answered:
		// No token was made, but Zoho may count the attempt.
		r.settle(Place{At: done, Until: done, Lost: true})
	default:
		r.settle(Place{At: done, Until: done.Add(maxLifetime), Lost: true})
	}
}

// abandoned counts the calls that were under way when r was stored as lost: a token
// is stored before anybody gets it, so nobody holds one of theirs.
func (r *Record) abandoned() *Record {
	for i, p := range r.Places {
		if p.Pending {
			r.Places[i].Pending, r.Places[i].Lost = false, true
		}
	}
	return r
}

// matters is when nothing in a record does any more. Each token has a place that lasts
// as long. A refresh token that is not stored yet is the shelf's, who was told of it.
func (r *Record) matters(l Limits) (end time.Time) {
	for _, p := range r.Places {
		end = later(end, later(p.At.Add(l.Window), p.Until).Add(slack))
	}
	for _, f := range r.Failures {
		end = later(end, f.Until)
	}
	return end
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
