// How long is a failed call remembered, and whom does it concern?

package zoho

import (
	"slices"
	"time"
)

// maxFailures bounds a record: the variants of one client are as many as people
// write, and a refusal of its scopes is each one's own.
const maxFailures = 64

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
	// InARow is how many throttles went right before this one.
	InARow int `json:"in_a_row,omitempty"`
	// tries counts consecutive unavailable answers.
	tries int
	// unstored: storage does not know of it.
	unstored bool
}

// forgotten is when a failure that storage does not know of need not be remembered
// any more: a while after its end, so that the next one is waited out for longer.
func (f *Failure) forgotten() time.Time {
	return f.Until.Add(2 * min(f.Until.Sub(f.Since), maxBackoff))
}

// concerns reports whether a failure is one for this variant too.
func (f *Failure) concerns(variant string) bool {
	return f.Variant == variant || f.Kind != Refused || f.About == AboutClient || f.About == AboutServer
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
	for len(r.Failures) > maxFailures {
		// Those that were waited out go first, then the oldest.
		over := slices.IndexFunc(r.Failures, func(old *Failure) bool { return !old.Until.After(f.Since) })
		r.Failures = slices.Delete(r.Failures, max(over, 0), max(over, 0)+1)
	}
}

// remembered returns the failures that an account's variant has to know of. Long
// over, one still tells an operator why nothing was minted since: its own refusal
// until a call succeeds, anything else for a day.
func remembered(failures []*Failure, variant string, now time.Time) (kept []*Failure) {
	for _, f := range failures {
		if f.Kind == Refused && f.Variant == variant || f.Until.Add(24*time.Hour).After(now) {
			kept = append(kept, f)
		}
	}
	return kept
}
