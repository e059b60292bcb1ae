// What if a refresh answers with a new refresh token? The grant goes on under another
// id, with its tokens and budget, and whoever still asks with the old one follows.

package zoho

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrMoved means that the account holds a refresh token that was replaced by now: its
// tokens are served, but the next mint is for whoever reads the credential anew, since
// an answer to it has to be stored over the right refresh token.
var ErrMoved = errors.New("the refresh token of this credential was replaced a moment ago; read again")

// successor is the grant that took over from one whose refresh token was replaced.
type successor struct {
	id           string
	refreshToken Secret
	// record is what was moved to it.
	record *Record
}

// rotate stores the refresh token that a record carries along, and moves the record
// to the new grant.
func (k *Keeper) rotate(ctx context.Context, a *Account, r *Record) (*Token, error) {
	rotated := r.rotated
	// Their grant gets another id: what is noted by id of earlier epochs no longer fits.
	r.outdate(k.epoch())
	id, err := a.Shelf.Rotated(ctx, rotated, r)
	// An epoch that began meanwhile did not find the new id.
	if err == nil && id != "" && r.outdate(k.epoch()) {
		err = a.Shelf.Save(ctx, id, r)
	}
	if err != nil {
		k.put(a.ID, r)
		return nil, fmt.Errorf("storing the refresh token that came with a refresh: %w", err)
	}
	r.rotated = ""
	if id == "" || id == a.ID {
		return k.save(ctx, a, r)
	}
	var token *Token
	if n := len(r.unsaved); n > 0 {
		token = r.unsaved[n-1]
	}
	r.unsaved = nil
	moved := &Record{Version: recordVersion, successor: &successor{id, rotated, r}, landed: r.landed}
	k.put(a.ID, moved)
	k.mu.Lock()
	defer k.mu.Unlock()
	// A reader of the new grant may have been faster: it knows what was stored.
	if k.flights[id] == nil && k.recall(id) == nil {
		k.records.Add(id, r)
		k.keep(id, r, time.Now())
	}
	return token, nil
}

// follow returns the account as it is after what is known of its grant's successors.
func (k *Keeper) follow(a *Account) *Account {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		r := k.recall(a.ID)
		if r == nil || r.successor == nil {
			return a
		}
		a = a.as(r.successor)
	}
}

// as returns the account with its grant's successor.
func (a *Account) as(s *successor) *Account {
	next := *a
	next.ID, next.Grant.RefreshToken = s.id, s.refreshToken
	return &next
}
