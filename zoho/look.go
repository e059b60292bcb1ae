// What can be told of a grant without minting?

package zoho

import (
	"context"
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
	// Shared is the mint limit that all grants of the client share, nil if this one has its
	// own.
	Shared *SharedLimit
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
	if a.Limits.Key != KeyGrant {
		_ = k.clients.of(a).load(ctx, a, time.Now()) // unread, its limit is not shown
	}
	s := k.state(a, r)
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
	return k.state(a, r), true
}

// state is what a record and what is known of its server say of an account's grant.
func (k *Keeper) state(a *Account, r *Record) State {
	now := time.Now()
	s := r.state(a, k.epochs.Load(), now)
	if client := k.clients.inForce(a, now); client != nil {
		s.Shared = client.look(a, now)
		s.MintsLeft, s.NextMint = min(s.MintsLeft, s.Shared.MintsLeft), later(s.NextMint, s.Shared.NextMint)
		if f := s.Shared.Failure; f != nil && (s.Failure == nil || s.Failure.Kind != Refused) {
			s.Failure = f
		}
	}
	if f, _, _ := k.servers.outage(a, now); f != nil && (s.Failure == nil ||
		s.Failure.Kind != Refused && now.Sub(f.Until) < outageRemembered && !s.Failure.Until.After(now)) {
		s.Failure = f
	}
	return s
}

// state is what a record says of an account's grant.
func (r *Record) state(a *Account, e *Epochs, now time.Time) State {
	r = r.pruned(a, now).ended(e, a.ID)
	s := State{
		Newest: r.newest(a.Variant, e.Current, now), LastMint: r.LastMint, Failure: r.known(a.Setup, a.Variant),
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
