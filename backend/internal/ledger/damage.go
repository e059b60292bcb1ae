// Damage of stored entries: an entry that cannot be read does not block a read, a delete or
// a revocation of anything else, nor of the credential that points to its grant.

package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// damaged remembers which unreadable entries were logged, so that each is logged at once,
// after an hour, and then once a day.
type damaged struct {
	mu     sync.Mutex
	logged map[string]logged
}

type logged struct {
	at   time.Time
	wait time.Duration // until the next log line
}

// maxDamaged bounds how many entries are remembered.
const maxDamaged = 1000

// due reports whether an entry is to be logged now, and notes that.
func (d *damaged) due(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, known := d.logged[id]
	if known && time.Since(last.at) < last.wait {
		return false
	}
	wait := time.Hour
	switch {
	case known:
		wait = 24 * time.Hour
	case len(d.logged) >= maxDamaged:
		clear(d.logged)
	}
	d.logged[id] = logged{time.Now(), wait}
	return true
}

// forget drops what is remembered of an entry that was deleted or written again.
func (d *damaged) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.logged, id)
}

// warnDamaged logs that the entry of a grant cannot be read, in a goroutine of its own: the
// caller holds locks.
func (l *Ledger) warnDamaged(id string, cause error) {
	go l.notRead(id, cause)()
}

// rebuild returns a grant whose stored entry cannot be read, from the credentials that point
// to it. It fails with the cause if none does: then the entry may say that Zoho is being
// told to revoke the grant. Unfinished connects and what deleted names left are lost.
func (l *Ledger) rebuild(ctx context.Context, s logical.Storage, g Grant, cause error) (*Grant, error) {
	g.Holders, g.Condemned, g.indexed = nil, nil, false
	g.Uncounted = g.ZUID != "" && g.RefreshToken != ""
	if g.RefreshToken != "" { // holders of client credentials are not noted
		names, err := l.world.Holders(ctx, s, g.ID)
		if err != nil {
			return nil, fmt.Errorf("finding the credentials that use a grant whose entry cannot be read: %w", err)
		}
		if len(names) == 0 {
			return nil, cause
		}
		for _, name := range names {
			g.holder(name).Held = true
		}
	}
	l.warnDamaged(g.ID, cause)
	return &g, nil
}

// lifetimes is World.Tokens for a condemned grant. A record that cannot be read counts for
// as long as an access token can live.
func (l *Ledger) lifetimes(ctx context.Context, s logical.Storage, g *Grant) (alive, matters time.Time, err error) {
	alive, matters, err = l.world.Tokens(ctx, s, g.ID)
	if store.Unreadable(err) {
		until := g.Condemned.Since.Add(zoho.LongestLife)
		return until, until, nil
	}
	return alive, matters, err
}

// giveUpUnreadable deletes an entry that cannot be read, unless a credential points to its
// grant or Zoho is being asked to revoke it.
func (l *Ledger) giveUpUnreadable(ctx context.Context, s logical.Storage, id string) error {
	err := l.world.Alone(ctx, id, func() error {
		return l.grants.Locked(id, func() error {
			if _, err := l.find(ctx, s, id); !store.Unreadable(err) {
				return err
			}
			if l.inFlight(id) {
				return ErrInFlight
			}
			names, err := l.world.Holders(ctx, s, id)
			if err != nil {
				return err
			}
			if len(names) > 0 {
				return ErrHeld
			}
			// Its access tokens may live: their record stays until none does.
			if err := l.putDue(ctx, s, &Grant{ID: id, Condemned: &Sentence{Since: time.Now().UTC()}}); err != nil {
				return err
			}
			l.damaged.forget(id)
			return store.Delete(ctx, s, GrantPrefix+id)
		})
	})
	if err != nil {
		return err
	}
	return l.Forget(ctx, s, id)
}
