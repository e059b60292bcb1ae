// What does only memory know of a grant? Tokens and refresh tokens that could not be
// stored, and failures that are not worth a write: they outlive the cache, and are
// laid over what is loaded again.

package zoho

import (
	"context"
	"slices"
	"time"
)

// unstored is what storage does not know of one grant.
type unstored struct {
	// record is kept whole while a part of it is not stored; nil if failures are all.
	record *Record
	// stale: storage may know more than record by now.
	stale    bool
	failures []*Failure
	// until is when failures are forgotten, or a successor.
	until time.Time
}

// sweepEvery is how often what is over is dropped: only with another that comes, so
// that a mount without trouble does nothing.
const sweepEvery = time.Minute

// maxUnstored bounds the failures that only memory knows: some 5 MB. A grant beyond it whose
// record the cache loses is tried again sooner.
const maxUnstored = 10_000

// lateReaders is for how long readers may come who read a credential before its refresh
// token was replaced.
const lateReaders = 10 * time.Minute

// keep notes what storage does not know of a record that memory has from now on;
// k.mu is held.
func (k *Keeper) keep(id string, r *Record, now time.Time) {
	u := &unstored{}
	if r.unstored() || r.dirty || r.successor != nil {
		u.record = r
	}
	if r.successor != nil {
		u.until = now.Add(lateReaders)
	}
	for _, f := range r.Failures {
		if f.unstored {
			u.failures = append(u.failures, f)
			u.until = later(u.until, f.forgotten())
		}
	}
	if u.record == nil && (u.failures == nil || len(k.unstored) >= maxUnstored) {
		delete(k.unstored, id)
		return
	}
	if now.Sub(k.swept) > sweepEvery {
		k.swept = now
		for id, old := range k.unstored {
			if old.over(now) {
				delete(k.unstored, id)
			}
		}
	}
	k.unstored[id] = u
}

// over reports whether nothing in u matters any more.
func (u *unstored) over(now time.Time) bool {
	if u.until.After(now) {
		return false
	}
	return u.record == nil || u.record.rotated == "" &&
		!slices.ContainsFunc(u.record.Tokens, func(t *Token) bool { return t.Expires.After(now) }) &&
		!slices.ContainsFunc(u.record.Failures, func(f *Failure) bool { return f.Until.After(now) })
}

// unstored reports whether a flight has to store something before anything else.
func (r *Record) unstored() bool { return len(r.unsaved) > 0 || r.rotated != "" }

// with lays what only memory knows over a record that was just loaded.
func (r *Record) with(u *unstored, now time.Time) *Record {
	if u == nil {
		return r
	}
	for _, f := range u.failures {
		if u.until.After(now) && !r.LastMint.After(f.Since) &&
			!slices.ContainsFunc(r.Failures, func(g *Failure) bool { return g.concerns(f.Variant) && g.Since.After(f.Since) }) {
			r.remember(f)
		}
	}
	if u.record == nil {
		return r
	}
	if u.record.successor != nil {
		return u.record
	}
	r.rotated = u.record.rotated
	for _, t := range u.record.unsaved {
		if t.Expires.After(now) && !slices.ContainsFunc(r.Tokens, func(known *Token) bool { return known.AccessToken == t.AccessToken }) {
			at := later(t.Issued, u.record.LastMint)
			r.vacate(at) // it may stand for this token already
			r.add(t, Place{At: at, Until: t.Expires})
			r.unsaved = append(r.unsaved, t)
			r.LastMint = later(r.LastMint, u.record.LastMint)
		}
	}
	return r
}

// add puts a token and its place where their times belong: oldest first.
func (r *Record) add(t *Token, p Place) {
	at := len(r.Tokens)
	for at > 0 && r.Tokens[at-1].Issued.After(t.Issued) {
		at--
	}
	r.Tokens = slices.Insert(r.Tokens, at, t)
	at = len(r.Places)
	for at > 0 && r.Places[at-1].At.After(p.At) {
		at--
	}
	r.Places = slices.Insert(r.Places, at, p)
}

// vacate drops a place that stands for a token of that moment, see Account.Connected.
func (r *Record) vacate(at time.Time) {
	r.Places = slices.DeleteFunc(r.Places, func(p Place) bool { return p.At.Equal(at) && !p.Pending })
}

// recall returns what memory has of a grant, or nil; k.mu is held.
func (k *Keeper) recall(id string) *Record {
	if r, ok := k.records.Peek(id); ok {
		return r
	}
	if u := k.unstored[id]; u != nil && u.record != nil && !u.stale {
		return u.record
	}
	return nil
}

// record returns what is known of a grant, from memory or storage.
func (k *Keeper) record(ctx context.Context, a *Account) (*Record, error) {
	return k.load(ctx, a, true)
}

// load is record that may leave the cache as it is.
func (k *Keeper) load(ctx context.Context, a *Account, cache bool) (*Record, error) {
	if cache {
		if r, ok := k.records.Get(a.ID); ok {
			return r, nil
		}
	}
	k.mu.Lock()
	changes, known := k.changes, k.recall(a.ID)
	if known != nil && cache {
		k.records.Add(a.ID, known)
	}
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	r, err := stored(ctx, a)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.recall(a.ID); known != nil {
		return known, nil // a flight or another reader was faster
	}
	r = r.with(k.unstored[a.ID], time.Now()).ended(k.epochs.Load(), a.ID)
	if cache && k.changes == changes {
		k.records.Add(a.ID, r)
	}
	return r, nil
}

// stored returns what storage knows of a grant.
func stored(ctx context.Context, a *Account) (*Record, error) {
	r, err := a.Shelf.Load(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &Record{Version: recordVersion}
		if !a.Connected.IsZero() {
			// How long the token lives went with the record.
			r.Places = []Place{{At: a.Connected, Until: a.Connected.Add(max(a.maxLifetime(), DefaultLifetime))}}
		}
	}
	// The clock may have been set back since.
	return r.abandoned().pruned(a, time.Now()), nil
}

// Forget drops a grant from the cache: storage was changed by another node. What
// storage never knew is laid over what it knows now.
func (k *Keeper) Forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	k.records.Remove(id)
	if u := k.unstored[id]; u != nil {
		u.stale = true
	}
}

// Alone runs work while no mint of the grant is under way.
func (k *Keeper) Alone(ctx context.Context, id string, work func() error) error {
	return k.alone(ctx, id, work)
}

// Drop forgets a grant whose record was deleted by work that is run by Alone.
func (k *Keeper) Drop(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	k.records.Remove(id)
	delete(k.unstored, id)
}
