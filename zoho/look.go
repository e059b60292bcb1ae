// What can be told of a grant, and undone, without minting?

package zoho

import (
	"context"
	"fmt"
	"time"
)

// State is what an operator may know of a grant; it holds no secret but Newest's,
// of which only the times are meant to be shown.
type State struct {
	// Newest is the newest live token, or nil.
	Newest *Token
	// LastMint is when a token was last minted; zero if none is known.
	LastMint time.Time
	// MintsLeft is how many mints the budget allows right now, and Zoho.
	MintsLeft int
	// Failure is the last one since a call succeeded, or nil; it is being waited out
	// until its Until.
	Failure *Failure
	// NextMint is when they allow the next mint: now, or later.
	NextMint time.Time
	// Tokens are the ones that this engine minted and that still live.
	Tokens []*Token
	// Alive is when the last access token that may have been handed out is dead.
	Alive time.Time
	// Rejected is when the last token was rejected that is remembered; zero if none is.
	Rejected time.Time
	// Moved: the grant goes on under another id, whose state this is.
	Moved bool
	// Matters is when nothing of what is remembered matters any more, whatever the
	// setup: until then deleting it would forget a promise or a failure.
	Matters time.Time
}

// Look returns the state of a grant. It never calls Zoho, and pushes nothing out of
// memory that is in use.
func (k *Keeper) Look(ctx context.Context, a *Account) (State, error) {
	asked := a
	a = k.follow(a)
	r, err := k.load(ctx, a, false)
	if err != nil {
		return State{}, err
	}
	s := r.state(a, time.Now())
	s.Moved = a != asked
	return s, nil
}

// Glance returns the state of a grant that is in memory, and false if it is not. It
// touches no storage, and makes nothing look used.
func (k *Keeper) Glance(a *Account) (State, bool) {
	a = k.follow(a)
	k.mu.Lock()
	r := k.recall(a.ID)
	k.mu.Unlock()
	if r == nil {
		return State{}, false
	}
	return r.state(a, time.Now()), true
}

// state is what a record says of an account's grant.
func (r *Record) state(a *Account, now time.Time) State {
	r = r.pruned(a, now)
	s := State{
		Newest: r.newest(a.Variant, now), LastMint: r.LastMint, Failure: r.known(a.Setup, a.Variant),
		MintsLeft: a.Limits.left(r.Places, now), NextMint: now.Add(a.Limits.wait(r.Places, now, 0)), Tokens: r.Tokens,
	}
	if f := r.failing(a.Setup, a.Variant, now); f != nil && f.Kind == Throttled {
		// Others count too, and Zoho's word is worth more than our count.
		s.MintsLeft, s.NextMint = 0, later(s.NextMint, f.Until)
	}
	_, s.Rejected = r.rejected(a.Variant, now)
	for _, p := range r.Places {
		s.Alive = later(s.Alive, p.Until)
	}
	s.Matters = r.matters(a.Limits)
	return s
}

// Revoke makes Zoho forget every access token of the account's variant that was
// minted here and still lives. They are handed out no more from the first moment,
// even if neither Zoho nor storage can be reached; those that could not be revoked are
// tried again by the next Revoke. It returns how many were revoked.
func (k *Keeper) Revoke(ctx context.Context, a *Account) (revoked int, err error) {
	if a.Shelf.ReadOnly() {
		return 0, ErrReadOnly
	}
	a = k.follow(a)
	err = k.alone(ctx, a.ID, func() error {
		r, err := k.record(ctx, a)
		if err != nil {
			return err
		}
		next := r.pruned(a, time.Now())
		condemned := next.condemn(a.Variant)
		if len(condemned) == 0 && !r.dirty {
			return nil
		}
		// A storage in trouble does not keep a leaked token alive.
		next.dirty = a.Shelf.Save(ctx, a.ID, next) != nil
		k.put(a.ID, next)
		call, release := k.calling(ctx)
		defer release()
		var failed error
		gone := map[Secret]bool{}
		for _, t := range condemned {
			if err := a.Client.Revoke(call, t.AccessToken, AccessToken); err != nil {
				failed = err
				if e := AsError(err); e == nil || e.Kind != Refused {
					break // readers wait for this; the rest is for the next Revoke
				}
				continue
			}
			gone[t.AccessToken] = true
		}
		revoked = len(gone)
		done := time.Now()
		last := next.pruned(a, done)
		last.revoked(gone, done)
		err = a.Shelf.Save(ctx, a.ID, last)
		last.dirty = err != nil
		k.put(a.ID, last)
		if err != nil {
			return fmt.Errorf("storing that the tokens are revoked: %w", err)
		}
		return failed
	})
	return revoked, err
}
