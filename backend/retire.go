// What becomes of a grant that is no longer wanted? It is noted, and revoked at
// Zoho when no access token of it is left that somebody may hold; tried until Zoho
// agrees.

package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// retirement revokes grants. Its notes are at retired/<grant id>. A note is void
// while any credential holds its grant.
type retirement struct {
	memory *memory
	keeper *zoho.Keeper
	log    func() hclog.Logger

	mu sync.Mutex
	// empty: storage was seen to hold no note, and none was added since. Idle
	// mounts are not listed again and again.
	empty    bool
	sweeping bool
	// written counts notes, so that one written during a sweep is not overlooked.
	written int
	// rests says until when an accounts server that failed is left alone, and how
	// long the last rest was.
	rests map[string]rest
}

type rest struct {
	until  time.Time
	length time.Duration
}

// An accounts server that does not revoke is asked again after a minute, then less
// and less often.
const (
	firstRest = time.Minute
	maxRest   = time.Hour
)

// youngNote is longer than any write that replaces a grant takes: request_timeout
// of a minute at most, and storage.
const youngNote = 5 * time.Minute

// note writes down that a credential's grant has to go: once its tokens have run
// out, or, with now, at the next chance. Without revoke it is only forgotten here.
func (r *retirement) note(ctx context.Context, s logical.Storage, k *known, now, revoke bool) (*retiredGrant, error) {
	entry := &retiredGrant{
		Name: k.name, RefreshToken: k.RefreshToken, ClientID: k.ClientID, AccountsURL: k.AccountsURL,
		DataCenter: k.DataCenter, ZUID: k.Person.ZUID, Now: now, Revoke: revoke, Retired: time.Now().UTC(),
	}
	entry.GrantID, _ = k.grant()
	return entry, r.write(ctx, s, entry)
}

func (r *retirement) write(ctx context.Context, s logical.Storage, entry *retiredGrant) error {
	if err := put(ctx, s, retiredPrefix+entry.GrantID, entry); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.empty = false
	r.written++
	return nil
}

// drop takes a note back; what can't be deleted is void anyway.
func (r *retirement) drop(ctx context.Context, s logical.Storage, entry *retiredGrant) {
	if entry == nil {
		return
	}
	if err := s.Delete(ctx, retiredPrefix+entry.GrantID); err != nil {
		r.log().Warn("a void note of retirement stays until the next sweep", "credential", entry.Name, "error", err)
	}
}

// forgetUnused has the record of a grant forgotten that was tried and not stored.
func (r *retirement) forgetUnused(ctx context.Context, s logical.Storage, grantID, name string) {
	var entry retiredGrant
	if err := get(ctx, s, retiredPrefix+grantID, &entry); !errors.Is(err, errAbsent) {
		return // already noted, and perhaps to be revoked
	}
	entry = retiredGrant{Name: name, GrantID: grantID, Retired: time.Now().UTC()}
	if err := r.write(ctx, s, &entry); err != nil {
		r.log().Warn("the record of an import that failed stays in storage", "credential", name, "error", err)
	}
}

// waiting returns the grants that still have to be revoked, up to limit notes.
func (r *retirement) waiting(ctx context.Context, s logical.Storage, limit int) ([]retiredGrant, error) {
	ids, err := s.List(ctx, retiredPrefix)
	if err != nil {
		return nil, err
	}
	var grants []retiredGrant
	for _, id := range ids[:min(len(ids), limit)] {
		var entry retiredGrant
		switch err := get(ctx, s, retiredPrefix+id, &entry); {
		case errors.Is(err, errAbsent):
		case err != nil:
			return nil, err
		case entry.Revoke:
			grants = append(grants, entry)
		}
	}
	return grants, nil
}

// begin reports whether a sweep is due, and if so claims it.
func (r *retirement) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.empty || r.sweeping {
		return false
	}
	r.sweeping = true
	return true
}

// sweep settles what can be settled. It is claimed with begin.
func (r *retirement) sweep(ctx context.Context, s logical.Storage) {
	r.mu.Lock()
	written := r.written
	r.mu.Unlock()
	ids, err := s.List(ctx, retiredPrefix)
	r.mu.Lock()
	r.empty = err == nil && len(ids) == 0 && r.written == written
	r.mu.Unlock()
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		var entry retiredGrant
		if err := get(ctx, s, retiredPrefix+id, &entry); err != nil {
			if !errors.Is(err, errAbsent) {
				r.log().Warn("a note of retirement cannot be read", "error", err)
			}
			continue
		}
		// Only one sweep runs at a time, and rests is its alone.
		last := r.rests[entry.AccountsURL]
		if entry.Revoke && time.Now().Before(last.until) {
			continue
		}
		settled, err := r.consider(ctx, s, &entry)
		if e := zoho.AsError(err); err != nil && (e == nil || e.Kind == zoho.Refused) {
			// This note's own trouble: the others of the same server are not held up.
			r.log().Warn("a retired grant is not yet revoked", "credential", entry.Name, "error", err)
			continue
		}
		if err != nil {
			length := min(max(2*last.length, firstRest), maxRest)
			r.rests[entry.AccountsURL] = rest{time.Now().Add(length - firstRest/2), length}
			r.log().Warn("a retired grant is not yet revoked", "credential", entry.Name, "error", err, "again_in", length.String())
			continue
		}
		if settled {
			delete(r.rests, entry.AccountsURL)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweeping = false
}

// consider settles a note if it is due, and drops it if it is void.
func (r *retirement) consider(ctx context.Context, s logical.Storage, entry *retiredGrant) (settled bool, err error) {
	held, err := r.held(ctx, s, entry)
	if err != nil {
		return false, err
	}
	if held {
		// A young note may belong to a consent that is being finished right now.
		if time.Since(entry.Retired) > youngNote {
			r.drop(ctx, s, entry)
		}
		return false, nil
	}
	if !entry.Now {
		state, err := r.keeper.Look(ctx, &zoho.Account{
			ID: entry.GrantID, Client: &zoho.Client{}, Limits: zoho.DefaultLimits, Shelf: &shelf{storage: s},
		})
		if err != nil {
			return false, err
		}
		now := time.Now()
		if state.Alive.After(now) || state.Failure != nil && state.Failure.Until.After(now) {
			return false, nil
		}
	}
	err = r.settle(ctx, s, entry)
	return err == nil && entry.Revoke, err
}

// held reports whether a credential uses the grant: then it must not be revoked.
func (r *retirement) held(ctx context.Context, s logical.Storage, entry *retiredGrant) (bool, error) {
	names, err := s.List(ctx, holderKey(entry.GrantID, ""))
	if err != nil {
		return false, err
	}
	for _, name := range append(names, entry.Name) {
		k, err := r.memory.credential(ctx, s, name)
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		if id, _ := k.grant(); id == entry.GrantID {
			return true, nil
		}
	}
	return false, nil
}

// settle revokes a grant at Zoho and forgets its record and the note.
func (r *retirement) settle(ctx context.Context, s logical.Storage, entry *retiredGrant) error {
	if entry.Revoke {
		at, err := r.client(ctx, s, entry)
		if err != nil {
			return err
		}
		if err := at.Revoke(ctx, entry.RefreshToken, zoho.RefreshToken); err != nil {
			return err
		}
		r.log().Info("grant revoked at Zoho", "credential", entry.Name)
	}
	err := r.keeper.Alone(ctx, entry.GrantID, func() error {
		return s.Delete(ctx, tokenPrefix+entry.GrantID)
	})
	if err != nil {
		return fmt.Errorf("forgetting the tokens: %w", err)
	}
	names, err := s.List(ctx, holderKey(entry.GrantID, ""))
	if err != nil {
		return fmt.Errorf("finding who held the grant: %w", err)
	}
	for _, name := range names {
		if err := s.Delete(ctx, holderKey(entry.GrantID, name)); err != nil {
			return fmt.Errorf("forgetting who held the grant: %w", err)
		}
	}
	if err := s.Delete(ctx, retiredPrefix+entry.GrantID); err != nil {
		return fmt.Errorf("forgetting the grant: %w", err)
	}
	return nil
}

// client returns what can revoke a grant. The secret goes only where it belongs;
// the older form of revocation needs none.
func (r *retirement) client(ctx context.Context, s logical.Storage, entry *retiredGrant) (*zoho.Client, error) {
	c, err := r.memory.config(ctx, s)
	var a *answer
	if errors.As(err, &a) { // the mount has no config any more
		c, err = newClient(defaultConfig(), r.memory.transport)
	}
	if err != nil {
		return nil, err
	}
	at := c.at(zoho.DataCenter{AccountsURL: entry.AccountsURL})
	at.ID, at.Secret = entry.ClientID, ""
	if dc, found := c.table.ByAccountsURL(entry.AccountsURL); found && c.ClientID == entry.ClientID {
		at.Secret = c.secret(dc.Name)
	}
	return at, nil
}
