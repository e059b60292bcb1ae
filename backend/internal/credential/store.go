// store.go: the owner of what is stored at creds/. One change at a time for each name, so
// that a check and the write that depends on it belong together.

package credential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// Prefix + name is the key of a credential.
const Prefix = "creds/"

// Cache is where stored credentials are read.
type Cache interface {
	// Stored returns the credential of a name, nil without one.
	Stored(ctx context.Context, s logical.Storage, name string) (*Credential, error)
	// Forget drops what is remembered of a name that was written.
	Forget(name string)
}

// Store owns what is stored at creds/.
type Store struct {
	cache Cache
	locks *store.Locks

	mu       sync.Mutex
	attempts map[*Attempt]bool
	// idle is closed when the last attempt ends.
	idle chan struct{}
	// deletions counts the requests that are deleting a name.
	deletions map[string]int
}

// NewStore returns the credentials of a mount.
func NewStore(cache Cache) *Store {
	return &Store{cache: cache, locks: store.NewLocks(), attempts: map[*Attempt]bool{}, deletions: map[string]int{}}
}

// Stored returns the credential of a name, nil without one.
func (c *Store) Stored(ctx context.Context, s logical.Storage, name string) (*Credential, error) {
	return c.cache.Stored(ctx, s, name)
}

// Still runs work while the credential of a name does not change.
func (c *Store) Still(name string, work func() error) error {
	return c.locks.Locked(name, work)
}

// Connection is a write of a grant.
type Connection struct {
	// Passed is the permission of the gate.
	Passed gate.Passed
	// ConsentID is the consent that the grant answers, empty if it needs none. Claimed fails
	// if that consent has ended since; nil without one.
	ConsentID string
	Claimed   func() error
	// Create: a credential that exists is not replaced.
	Create bool
	// Edit changes the settings of the credential.
	Edit func(*Settings) error
	// Connected runs when the credential is stored, before it can change again; nil: nothing.
	Connected func()
}

// claimed fails if the consent has ended. The lock of the name is held, as it is when a
// consent is withdrawn.
func (w *Connection) claimed() error {
	if w.Claimed == nil {
		return nil
	}
	return w.Claimed()
}

// Connect makes a name's credential point to a grant that passed the gate. It keeps the
// settings of the credential, changed by Edit.
func (c *Store) Connect(ctx context.Context, s logical.Storage, a *Attempt, next *Credential, w Connection) (connected *Credential, err error) {
	err = c.Still(a.name, func() error {
		connected, err = c.updateHeld(ctx, s, a.name, c.connecting(a, next, w))
		if err == nil && w.Connected != nil {
			w.Connected()
		}
		return err
	})
	return connected, err
}

// connecting returns the change that Connect makes.
func (c *Store) connecting(a *Attempt, next *Credential, w Connection) func(old *Credential) (*Credential, error) {
	return func(old *Credential) (*Credential, error) {
		id, _ := next.Grant()
		switch {
		case c.stopped(a):
			return nil, gate.Refuse("credential %q was deleted while Zoho was asked, so nothing was connected; start again with authorize/%s", a.name, a.name)
		case !w.Passed.Allows(a.name, id):
			return nil, fmt.Errorf("a grant for %q did not pass the gate", a.name)
		case w.Create && old != nil:
			return nil, gate.Refuse("credential %q was connected by another request while Zoho was asked, and the create capability replaces none, so nothing was changed; write again with the update capability to replace it", a.name)
		}
		if err := w.claimed(); err != nil {
			return nil, err
		}
		next.Consent = w.ConsentID
		next.succeed(old, true)
		if err := w.Edit(&next.Settings); err != nil {
			return nil, err
		}
		return next, nil
	}
}

// Extend notes that the grant of a name's credential gained scopes.
func (c *Store) Extend(ctx context.Context, s logical.Storage, name string, requested, granted []string, w Connection) (*Credential, error) {
	return c.update(ctx, s, name, func(old *Credential) (*Credential, error) {
		if old == nil {
			return nil, gate.Refuse("credential %q was deleted while Zoho was asked; connect it again with authorize/%s", name, name)
		}
		id, _ := old.Grant()
		if !w.Passed.Allows(name, id) {
			return nil, gate.Refuse("credential %q was connected again while Zoho was asked, so the scopes were added to a grant that it no longer has; start again with authorize/%s add_scopes=%s", name, name, zoho.FormatScopes(requested))
		}
		if err := w.claimed(); err != nil {
			return nil, err
		}
		next := *old
		next.Consent = w.ConsentID
		for _, scope := range requested {
			if !zoho.HasScope(next.Requested, scope) {
				next.Requested = append(slices.Clone(next.Requested), scope)
			}
		}
		if len(granted) > 0 {
			next.Granted = granted
		}
		if err := w.Edit(&next.Settings); err != nil {
			return nil, err
		}
		return &next, nil
	})
}

// Change changes the settings of a name's credential. absent is the error without one.
func (c *Store) Change(ctx context.Context, s logical.Storage, name string, edit func(*Settings) error, absent error) (*Credential, error) {
	return c.update(ctx, s, name, func(old *Credential) (*Credential, error) {
		if old == nil {
			return nil, absent
		}
		next := *old
		if err := edit(&next.Settings); err != nil {
			return nil, err
		}
		return &next, nil
	})
}

// Identify notes whose account the grant of a credential is in, and reports whether the
// credential still has that grant.
func (c *Store) Identify(ctx context.Context, s logical.Storage, name string, k *Credential, person zoho.Person) (same bool, err error) {
	_, err = c.update(ctx, s, name, func(now *Credential) (*Credential, error) {
		if same = now != nil && now.RefreshToken == k.RefreshToken; !same || now.Person == person {
			return nil, nil
		}
		next := *now
		next.Person = person
		return &next, nil
	})
	return same, err
}

// update replaces the credential of a name by the result of next, which gets the stored
// one, or nil. No other change happens at the same time. A nil result changes nothing.
// It is not for other files: a change of the grant belongs to Connect.
func (c *Store) update(ctx context.Context, s logical.Storage, name string, next func(old *Credential) (*Credential, error)) (k *Credential, err error) {
	err = c.Still(name, func() error {
		k, err = c.updateHeld(ctx, s, name, next)
		return err
	})
	return k, err
}

// updateHeld is update where the lock of the name is held.
func (c *Store) updateHeld(ctx context.Context, s logical.Storage, name string, next func(old *Credential) (*Credential, error)) (*Credential, error) {
	old, err := c.cache.Stored(ctx, s, name)
	if err != nil {
		return nil, err
	}
	changed, err := next(old)
	if err != nil || changed == nil {
		return old, err
	}
	defer c.cache.Forget(name)
	return changed, store.Put(ctx, s, Prefix+name, changed)
}

// Delete deletes the credential of a name after before has run with the stored one, or nil.
// It cancels the attempts that obtain a grant for the name.
func (c *Store) Delete(ctx context.Context, s logical.Storage, name string, before func(old *Credential) error) error {
	return c.Still(name, func() error {
		c.cancel(name)
		old, err := c.cache.Stored(ctx, s, name)
		if err != nil {
			return err
		}
		if err := before(old); err != nil || old == nil {
			return err
		}
		defer c.cache.Forget(name)
		return store.Delete(ctx, s, Prefix+name)
	})
}

// Grants returns the grant that a credential points to, and those before it.
func (c *Store) Grants(ctx context.Context, s logical.Storage, name string) (*ledger.Grant, []ledger.Former, error) {
	k, err := c.cache.Stored(ctx, s, name)
	if err != nil || k == nil {
		return nil, nil, err
	}
	current := k.LedgerGrant()
	var before []ledger.Former
	for _, f := range k.Former {
		before = append(before, ledger.Former{
			Grant:  ledger.Grant{ID: f.ID, Variant: f.Variant, ClientID: f.ClientID, AccountsURL: f.AccountsURL, DataCenter: f.DataCenter},
			Revoke: f.Revoke && f.GrantType != GrantClient, Until: f.Until,
		})
	}
	return &current, before, nil
}

// readers is how many credentials are read at once to find those that use a grant.
const readers = 16

// Holders returns the names of the credentials that point to a grant. It reads them past
// the cache, which keeps what is in use. One that cannot be read is skipped.
func (c *Store) Holders(ctx context.Context, s logical.Storage, id string) ([]string, error) {
	names, err := s.List(ctx, Prefix)
	if err != nil {
		return nil, err
	}
	holders, err := parallel.All(ctx, names, readers, func(ctx context.Context, name string) (holder string, err error) {
		var k Credential
		err = store.Get(ctx, s, Prefix+name, &k)
		switch held, _ := k.Grant(); {
		case errors.Is(err, store.ErrAbsent), store.Unreadable(err):
			return "", nil
		case err == nil && held == id:
			return name, nil
		}
		return "", err
	})
	return slices.DeleteFunc(holders, func(name string) bool { return name == "" }), err
}

// Remember makes a credential remember a grant that it had before.
func (c *Store) Remember(ctx context.Context, s logical.Storage, name string, f ledger.Former) error {
	_, err := c.update(ctx, s, name, func(old *Credential) (*Credential, error) {
		if old == nil || !f.Revoke {
			return nil, nil
		}
		if id, _ := old.Grant(); id == f.ID || slices.ContainsFunc(old.Former, func(known Former) bool { return known.ID == f.ID }) {
			return nil, nil
		}
		next := *old
		next.Former = append(slices.Clone(next.Former), Former{
			ID: f.ID, ClientID: f.ClientID, AccountsURL: f.AccountsURL, DataCenter: f.DataCenter, Revoke: f.Revoke, Until: time.Now().UTC(),
		})
		return &next, nil
	})
	return err
}

// Replace makes a credential, the lock of whose name is held, point to the grant with
// that replaces its own: Zoho replaced the refresh token.
func (c *Store) Replace(ctx context.Context, s logical.Storage, name string, g *ledger.Grant) error {
	_, err := c.updateHeld(ctx, s, name, func(old *Credential) (*Credential, error) {
		if old == nil {
			return nil, nil
		}
		next := *old
		next.RefreshToken, next.Connected = g.RefreshToken, time.Now().UTC()
		next.succeed(old, false)
		return &next, nil
	})
	return err
}
