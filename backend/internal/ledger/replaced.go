// What if Zoho replaces a refresh token? The grant goes on as another one, and whoever
// points to the first has to point to that. Zoho documents no such thing; its SDKs would
// store such a token.

package ledger

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
)

// GoOn notes that a grant goes on as another, which replaces it, for a credential and
// for all who point to it or may, in one write. It returns the doubts to settle, by name.
// What can't be stored is owed: nobody may ask again, and it exists nowhere else.
func (l *Ledger) GoOn(ctx context.Context, s logical.Storage, next Grant, name string) (doubts map[string]string, err error) {
	doubts = map[string]string{name: ""}
	replaced, unread := l.find(ctx, s, next.Replaces)
	if store.Unreadable(unread) {
		before := next // of the same client and server
		before.ID, before.Replaces = next.Replaces, ""
		replaced, unread = l.rebuild(ctx, s, before, unread)
	}
	if replaced != nil {
		next.ZUID = replaced.ZUID
		for _, h := range replaced.Holders {
			doubts[h.Name] = ""
		}
	}
	err = l.grants.Locked(next.ID, func() error {
		known, err := l.usable(ctx, s, next)
		if err != nil {
			return err
		}
		for name := range doubts {
			d := l.newDoubt(Sentence{Name: name, Revoke: true, AtOnce: true})
			known.doubt(d)
			doubts[name] = d.ID
		}
		return l.putDue(ctx, s, known)
	})
	if err = errors.Join(unread, err); err != nil {
		for _, doubt := range doubts {
			l.abandon(doubt)
		}
		next.Holders = []Holder{{Name: name}} // for whom it is tried again
		l.owe(&next)
		return nil, err
	}
	l.paid(next.ID)
	if replaced == nil {
		return doubts, nil
	}
	// Who has not come as far as the grant that is being replaced goes by way of it.
	for _, h := range replaced.Holders {
		behind, err := l.behind(ctx, s, replaced, h)
		if err == nil && behind {
			_, err = l.Settle(ctx, s, replaced.ID, h.Name, h.Doubt.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	return doubts, nil
}

// behind reports whether a credential still points to the grant that this one replaces,
// or has only just come to point to this one. The other is dead, so that nobody else is
// waited for.
func (l *Ledger) behind(ctx context.Context, s logical.Storage, g *Grant, h Holder) (bool, error) {
	if g.Replaces == "" || h.Held || h.Doubt == nil {
		return false, nil
	}
	current, _, err := l.world.Grants(ctx, s, h.Name)
	return err == nil && current != nil && (current.ID == g.Replaces || current.ID == g.ID), err
}
