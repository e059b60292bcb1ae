// Index of grants by refresh token. One refresh token can be two grants with
// different ids, if its accounts server is spelled in two ways. Before Zoho is asked to
// revoke a token, the index tells whether another grant with it is in use.

package ledger

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// IndexPrefix is the prefix of presence keys: + fingerprint of a refresh token + / +
// grant id. It is written after due/<id>, and before a credential can point to the
// grant; it is deleted before due/<id>. So each key has a grant. A grant without a
// key was left by a crash and is not in use.
const IndexPrefix = "index/"

func (g *Grant) indexPrefix() string {
	return IndexPrefix + zoho.Fingerprint(string(g.RefreshToken)) + "/"
}

// tokenLocked runs work while no other grant with the same refresh token is stored for
// the first time, acquired or marked as being revoked. It may be called with the lock
// of one grant held, and work takes no other lock.
func (l *Ledger) tokenLocked(g *Grant, work func() error) error {
	if g.RefreshToken == "" {
		return work()
	}
	return l.tokens.Locked(g.indexPrefix(), work)
}

// index makes sure that the index has a grant, which was just stored at due.
func (l *Ledger) index(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.RefreshToken == "" || g.indexed {
		return nil
	}
	if err := store.Put(ctx, s, g.indexPrefix()+g.ID, &store.Versioned{}); err != nil {
		return err
	}
	g.indexed = true
	return nil
}

// isIndexed reports whether the index certainly has a grant that is due: it is in doubt,
// and by this process alone. Otherwise a crash may have come before its key was written, or
// after the key was deleted.
func (l *Ledger) isIndexed(g *Grant) bool {
	doubts := 0
	for _, h := range g.Holders {
		if h.Doubt == nil {
			continue
		}
		if doubts++; !l.ours(h.Doubt.ID) {
			return false
		}
	}
	return g.Condemned == nil && doubts > 0
}

// unindex deletes the key of a grant that is about to be deleted.
func (l *Ledger) unindex(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.RefreshToken == "" {
		return nil
	}
	return store.Delete(ctx, s, g.indexPrefix()+g.ID)
}

// twins returns what is known of the other grants with the refresh token of a grant,
// whose token lock is held, or the answer is only to be looked at.
func (l *Ledger) twins(ctx context.Context, s logical.Storage, g *Grant) ([]*Grant, error) {
	if g.RefreshToken == "" {
		return nil, nil
	}
	ids, err := s.List(ctx, g.indexPrefix())
	if err != nil {
		return nil, err
	}
	var twins []*Grant
	for _, id := range ids {
		if id == g.ID {
			continue
		}
		twin, err := l.find(ctx, s, id)
		if store.Unreadable(err) {
			// One that credentials use counts as held; of any other nothing is known.
			other := *g
			other.ID = id
			if twin, err = l.rebuild(ctx, s, other, err); store.Unreadable(err) {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if twin != nil && twin.RefreshToken == g.RefreshToken {
			twins = append(twins, twin)
		}
	}
	return twins, nil
}

// ErrUndecided means that another request is connecting a credential with another grant that
// has the same refresh token. Whether that grant comes to be held is not known yet.
var ErrUndecided = errors.New("another request is connecting a credential with the same refresh token")

// shared reports whether another grant with the same refresh token is held, so that it
// must not be revoked at Zoho. It fails with ErrUndecided while that is not decided.
func (l *Ledger) shared(ctx context.Context, s logical.Storage, g *Grant) (held bool, err error) {
	twins, err := l.twins(ctx, s, g)
	if err != nil {
		return false, err
	}
	for _, twin := range twins {
		switch {
		case twin.Held():
			return true, nil
		case len(twin.Holders) > 0:
			err = ErrUndecided
		}
	}
	return false, err
}

// revoked reports whether Zoho is being told to revoke the refresh token of a grant.
func (l *Ledger) revoked(ctx context.Context, s logical.Storage, g *Grant) (bool, error) {
	twins, err := l.twins(ctx, s, g)
	for _, twin := range twins {
		if c := twin.Condemned; c != nil && c.Revoking {
			return true, err
		}
	}
	return false, err
}
