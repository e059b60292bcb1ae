// Epochs of access tokens: each token belongs to the epoch in which it was asked for. When
// all tokens are revoked at once a new epoch begins, and no token of an earlier one is
// handed out any more, whatever its record says.

package zoho

import (
	"slices"
	"time"
)

// Epochs is what the revocations of all access tokens of a mount leave behind. A value
// never changes.
type Epochs struct {
	// Current is the epoch of tokens that are asked for now, 0 before the first.
	Current uint64 `json:"current"`
	// Revoked says which tokens of earlier epochs the accounts servers have revoked.
	Revoked []Span `json:"revoked,omitempty"`
}

// Span are grants whose tokens of earlier epochs than Before are revoked, but for tokens
// whose record says that they are condemned.
type Span struct {
	Before uint64 `json:"before"`
	// Through is the last id of a grant of the span, "" for no last one.
	Through string `json:"through,omitempty"`
	// Except are ids of grants that are not part of it, sorted.
	Except []string `json:"except,omitempty"`
	// At is when the last of the tokens was revoked.
	At time.Time `json:"at"`
}

// holds reports whether the span has a grant.
func (s Span) holds(id string) bool {
	if s.Through != "" && id > s.Through {
		return false
	}
	_, excepted := slices.BinarySearch(s.Except, id)
	return !excepted
}

// covers reports whether other says nothing that s does not say.
func (s Span) covers(other Span) bool {
	return s.Before >= other.Before && (s.Through == "" || other.Through != "" && other.Through <= s.Through) &&
		!slices.ContainsFunc(s.Except, other.holds)
}

// With returns the epochs with one more span, and without those whose tokens have all
// expired by then.
func (e Epochs) With(s Span) Epochs {
	e.Revoked = slices.DeleteFunc(slices.Clone(e.Revoked), func(known Span) bool { return s.At.Sub(known.At) > LongestLife })
	if !slices.ContainsFunc(e.Revoked, func(known Span) bool { return known.covers(s) }) {
		e.Revoked = append(slices.DeleteFunc(e.Revoked, s.covers), s)
	}
	return e
}

// revoked returns before which epoch the tokens of a grant are revoked, and since when.
func (e *Epochs) revoked(id string) (before uint64, at time.Time) {
	for _, s := range e.Revoked {
		if s.Before > before && s.holds(id) {
			before, at = s.Before, s.At
		}
	}
	return before, at
}

// Epochs returns what is known of revocations of all access tokens.
func (k *Keeper) Epochs() Epochs { return *k.epochs.Load() }

// epoch is the current one.
func (k *Keeper) epoch() uint64 { return k.epochs.Load().Current }

// SetEpochs makes known what is stored of revocations of all access tokens. An epoch that
// was followed by another one never becomes the current one again. elsewhere: another
// node stored it, and has perhaps changed any record.
func (k *Keeper) SetEpochs(e Epochs, elsewhere bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.epochs.Load()
	if e.Current < known.Current {
		return
	}
	for _, s := range known.Revoked { // e may have been read before the last of them was stored
		e = e.With(s)
	}
	k.changes++ // what was loaded before may hold tokens that are revoked
	k.epochs.Store(&e)
	if elsewhere {
		k.records.Purge()
		for _, u := range k.unstored {
			// Marks that could not be stored are known here alone.
			u.stale = u.stale || u.record == nil || !u.record.dirty
		}
		return
	}
	for _, id := range k.records.Keys() {
		// What was loaded again since its tokens were revoked still has them.
		if r, found := k.records.Peek(id); found && len(r.over(&e, id)) > 0 {
			k.records.Remove(id)
		}
	}
}

// over returns the tokens that were revoked with those of every other grant, nil without
// any.
func (r *Record) over(e *Epochs, id string) (gone map[Secret]bool) {
	before, _ := e.revoked(id)
	for _, t := range r.Tokens {
		if t.Epoch < before && !t.Condemned {
			if gone == nil {
				gone = map[Secret]bool{}
			}
			gone[t.AccessToken] = true
		}
	}
	return gone
}

// ended drops these tokens. r must be a copy of the caller's own.
func (r *Record) ended(e *Epochs, id string) *Record {
	if gone := r.over(e, id); gone != nil {
		_, at := e.revoked(id)
		r.revoked(gone, at)
	}
	return r
}

// outdate marks the tokens of earlier epochs, and reports whether there were any.
func (r *Record) outdate(epoch uint64) bool {
	return len(r.mark(func(t *Token) bool { return t.Epoch < epoch && !t.Condemned })) > 0
}

// Unstored returns the grants of which only memory knows tokens.
func (k *Keeper) Unstored() (ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, u := range k.unstored {
		if u.record != nil && u.record.unstored() {
			ids = append(ids, id)
		}
	}
	return ids
}
