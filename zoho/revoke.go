// Revocation of access tokens: those of a grant that were minted here and still live are
// marked first, so that nobody gets them any more, and then revoked at Zoho.

package zoho

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Revocation says which access tokens of a grant are to be revoked, and by whom. Its zero
// value revokes those of the account's variant, by the account's client.
type Revocation struct {
	// Tokens chooses them; nil: those of the account's variant.
	Tokens func(*Token) bool
	// Before, if not 0, leaves out the tokens of this epoch and of later ones. It is the
	// current epoch, and is stored: no mark is needed in the record before the call.
	Before uint64
	// Unless is asked first, while nothing is minted from the grant: true revokes none.
	Unless func() (bool, error)
	// Revoke asks Zoho to revoke one token of a record; nil: the account's client does.
	Revoke func(ctx context.Context, r *Record, token Secret) error
}

// Revoked is what a revocation did.
type Revoked struct {
	// Tokens are those that Zoho has revoked, Left those that it has not yet.
	Tokens, Left []*Token
	// Unless: nothing was revoked, since Revocation.Unless said so.
	Unless bool
	// Stored: the record in storage marks those that are left. Without an error it is so.
	Stored bool
	// ID is the grant that had the tokens: another one, if a new refresh token took over.
	ID string
}

// atOncePerGrant is how many tokens of one grant are revoked at once.
const atOncePerGrant = 8

// Revoke makes Zoho forget every access token of the account's variant that was
// minted here and still lives. They are handed out no more from the first moment,
// even if neither Zoho nor storage can be reached; those that could not be revoked are
// tried again by the next Revoke. It returns how many were revoked.
func (k *Keeper) Revoke(ctx context.Context, a *Account) (revoked int, err error) {
	done, err := k.RevokeTokens(ctx, a, Revocation{})
	return len(done.Tokens), err
}

// RevokeTokens is Revoke for the tokens that v chooses. It pushes nothing out of memory
// that is in use.
func (k *Keeper) RevokeTokens(ctx context.Context, a *Account, v Revocation) (done Revoked, err error) {
	// The epoch was just stored, so this node can store: asking Vault costs as much as a read.
	if v.Before == 0 && a.Shelf.ReadOnly() {
		return done, ErrReadOnly
	}
	if v.Tokens == nil {
		v.Tokens = func(t *Token) bool { return t.Variant == a.Variant }
	}
	if v.Revoke == nil {
		v.Revoke = func(ctx context.Context, _ *Record, token Secret) error {
			return a.Client.Revoke(ctx, token, AccessToken)
		}
	}
	for moved := true; moved; {
		a = k.follow(a)
		err = k.alone(ctx, a.ID, func() (err error) {
			// A flight that was waited for may have moved the tokens to another grant.
			if moved = k.follow(a) != a; moved {
				return nil
			}
			done, err = k.revokeUnless(ctx, a, v)
			return err
		})
		if err != nil {
			break
		}
	}
	done.ID = a.ID
	return done, err
}

// revokeUnless is revoke, if v.Unless does not forbid it.
func (k *Keeper) revokeUnless(ctx context.Context, a *Account, v Revocation) (done Revoked, err error) {
	if v.Unless != nil {
		if done.Unless, err = v.Unless(); err != nil || done.Unless {
			return done, err
		}
	}
	return k.revoke(ctx, a, v)
}

// revoke does it, as the only flight on the grant.
func (k *Keeper) revoke(ctx context.Context, a *Account, v Revocation) (done Revoked, err error) {
	r, err := k.load(ctx, a, false)
	if err != nil {
		return done, err
	}
	next := r.pruned(a, time.Now()).ended(k.epochs.Load(), a.ID)
	next.Failures = r.Failures
	// Storage need not change when the tokens are revoked that only their epoch condemns.
	asIs := v.Before > 0 && !r.dirty && !next.unstored()
	condemned := next.condemn(func(t *Token) bool {
		chosen := v.Tokens(t) && (v.Before == 0 || t.Epoch < v.Before)
		asIs = asIs && !(chosen && t.Condemned)
		return chosen
	})
	if len(condemned) == 0 && !r.dirty {
		return done, nil
	}
	if !asIs {
		// Stored before Zoho is asked, so that no crash hands one out again. A storage in
		// trouble does not keep a leaked token alive.
		next.dirty = a.Shelf.Save(ctx, a.ID, next) != nil
	}
	k.replace(a.ID, next)
	gone, failed := k.revokeEach(ctx, v, next, condemned)
	for _, t := range condemned {
		if gone[t.AccessToken] {
			done.Tokens = append(done.Tokens, t)
		} else {
			done.Left = append(done.Left, t)
		}
	}
	over := time.Now()
	last := next.pruned(a, over)
	last.Failures = next.Failures
	last.revoked(gone, over)
	switch {
	case asIs && len(done.Left) > 0, !asIs && (len(gone) > 0 || next.dirty):
		err = a.Shelf.Save(ctx, a.ID, last)
	}
	last.dirty = err != nil
	k.replace(a.ID, last)
	if err != nil {
		return done, fmt.Errorf("storing that the tokens are revoked: %w", err)
	}
	done.Stored = true
	return done, failed
}

// revokeEach asks Zoho to revoke some tokens: the first alone, and the others if the
// server answered, since one that hangs is asked once. A refusal keeps no other alive.
func (k *Keeper) revokeEach(ctx context.Context, v Revocation, r *Record, tokens []*Token) (gone map[Secret]bool, failed error) {
	call, release := k.calling(ctx)
	defer release()
	gone = make(map[Secret]bool, len(tokens))
	var mu sync.Mutex
	ask := func(t *Token) (err error) {
		// A panic in a goroutine of its own would take every mount of the plugin with it.
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("internal fault while revoking: %T", p)
			}
		}()
		return v.Revoke(call, r, t.AccessToken)
	}
	one := func(t *Token) (goOn bool) {
		err := ask(t)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = err
		} else {
			gone[t.AccessToken] = true
		}
		e := AsError(err)
		return err == nil || e != nil && e.Kind == Refused
	}
	for len(tokens) > 0 {
		if !one(tokens[0]) {
			break // readers wait for this; the rest is for the next Revoke
		}
		tokens = tokens[1:]
		n := min(len(tokens), atOncePerGrant)
		var group errgroup.Group
		for _, t := range tokens[:n] {
			group.Go(func() error {
				if !one(t) {
					return errNoAnswer
				}
				return nil
			})
		}
		if tokens = tokens[n:]; group.Wait() != nil {
			break
		}
	}
	return gone, failed
}

var errNoAnswer = errors.New("the server did not answer")

// replace makes a record the one in memory where there is one already.
func (k *Keeper) replace(id string, r *Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++ // what was loaded before must not be kept
	if k.records.Contains(id) {
		k.records.Add(id, r)
	}
	k.keep(id, r, time.Now())
	if f := k.flights[id]; f != nil {
		f.record = r
	}
}

// condemn marks the tokens that are chosen, and counts all as saved: the caller saves.
func (r *Record) condemn(chosen func(*Token) bool) []*Token {
	condemned := r.mark(chosen)
	r.unsaved = slices.DeleteFunc(r.unsaved, func(*Token) bool { return true })
	return condemned
}

// mark marks the tokens that are chosen, which are copied: a record in memory shares them.
func (r *Record) mark(chosen func(*Token) bool) (condemned []*Token) {
	for i, t := range r.Tokens {
		if chosen(t) {
			marked := *t
			marked.Condemned = true
			r.Tokens[i] = &marked
			condemned = append(condemned, &marked)
		}
	}
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
