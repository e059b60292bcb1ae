// When is a reader believed that says a token is dead? Zoho kills tokens without
// telling; but an app that calls the wrong host must not spend everybody's mints.

package zoho

import (
	"context"
	"fmt"
	"time"
)

// doubt is how old a token has to be before a complaint about it is believed, for each
// token that was rejected before and whose end is not yet past.
const doubt = 5 * time.Minute

// complaint returns the newest token if the reader's complaint is about it and is to
// be believed; warning says why it is not.
func (w Want) complaint(r *Record, variant string, epoch uint64, now time.Time) (dead *Token, warning string) {
	t := r.newest(variant, epoch, now)
	if t == nil || r.unstored() || !w.Rejected(t) {
		return nil, ""
	}
	rejected, _ := r.rejected(variant, now)
	if age := now.Sub(t.Issued); age < time.Duration(rejected)*doubt {
		return nil, fmt.Sprintf("this access token was minted %s ago because the one before it was rejected too, so the trouble is probably not the token: "+
			"check its scopes, the API domain, and that the header is Authorization: Zoho-oauthtoken <token>", age.Truncate(time.Second))
	}
	return t, ""
}

// rejected returns how many tokens of a variant were rejected whose own end is not yet
// past, and when the last of them was.
func (r *Record) rejected(variant string, now time.Time) (n int, last time.Time) {
	for _, t := range r.Tokens {
		if t.Variant == variant && !t.Rejected.IsZero() && t.Expires.After(now) {
			n, last = n+1, later(last, t.Rejected)
		}
	}
	return n, last
}

// reject marks a token, which is copied: a record in memory shares it. It returns
// false if there is nothing to mark.
func (r *Record) reject(dead *Token, now time.Time) bool {
	for i, t := range r.Tokens {
		if t.AccessToken == dead.AccessToken && t.Rejected.IsZero() {
			marked := *t
			marked.Rejected = now.UTC()
			r.Tokens[i] = &marked
			return true
		}
	}
	return false
}

// Reject marks a token that Zoho itself called dead, as a reader's complaint does. It
// mints nothing.
func (k *Keeper) Reject(ctx context.Context, a *Account, t *Token) error {
	if a.Shelf.ReadOnly() {
		return ErrReadOnly
	}
	a = k.follow(a)
	return k.alone(ctx, a.ID, func() error {
		r, err := k.record(ctx, a)
		if err != nil {
			return err
		}
		now := time.Now()
		if next := r.pruned(a, now); next.reject(t, now) {
			return k.mark(ctx, a, next)
		}
		return nil
	})
}

// mark stores a record in which a token was rejected. It is believed dead even if that
// can't be stored.
func (k *Keeper) mark(ctx context.Context, a *Account, r *Record) error {
	err := a.Shelf.Save(ctx, a.ID, r)
	if err != nil {
		err = fmt.Errorf("storing that an access token was rejected: %w", err)
	} else {
		r.unsaved = nil
	}
	r.dirty = err != nil
	k.put(a.ID, r)
	return err
}
