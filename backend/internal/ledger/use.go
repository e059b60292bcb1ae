// Users of client credentials: every credential of a client has the same grant, and
// credentials with the same scopes share access tokens. A presence key for each credential
// tells whether another one uses the tokens that are about to be revoked.

package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// UsePrefix is the prefix of presence keys: + grant id + / + variant + / + name. A key is
// written before the credential's first mint. It is a hint: the grant
// that the credential points to decides.
const UsePrefix = "use/"

// Deleted is a credential that had a grant of client credentials, with tokens of a variant
// that may live on.
type Deleted struct {
	Name    string    `json:"name"`
	Variant string    `json:"variant"`
	Since   time.Time `json:"since"`
}

// maxDeleted bounds how many of them one grant remembers.
const maxDeleted = 64

// deleted notes a credential that is gone.
func (c *Sentence) deleted(d Deleted) {
	c.Deleted = slices.DeleteFunc(c.Deleted, func(old Deleted) bool {
		return old.Name == d.Name && old.Variant == d.Variant || time.Since(old.Since) > zoho.LongestLife
	})
	c.Deleted = append(c.Deleted, d)
	c.Deleted = c.Deleted[max(0, len(c.Deleted)-maxDeleted):]
}

// use notes that a credential is about to use the tokens of client credentials.
func (l *Ledger) use(ctx context.Context, s logical.Storage, g *Grant, name string) error {
	if g.RefreshToken != "" || g.Variant == "" {
		return nil
	}
	return store.Put(ctx, s, UsePrefix+g.ID+"/"+g.Variant+"/"+name, &store.Versioned{})
}

// Used reports whether a credential other than the named one uses the tokens of a variant
// of client credentials, or is about to. It is exact while nothing is minted from the grant,
// because a credential that is about to use them stores its key before its mint.
func (l *Ledger) Used(ctx context.Context, s logical.Storage, id, variant, except string) (bool, error) {
	names, err := s.List(ctx, UsePrefix+id+"/"+variant+"/")
	if err != nil {
		return false, fmt.Errorf("finding who uses client credentials: %w", err)
	}
	for _, name := range names {
		if name == except {
			continue
		}
		used, err := l.uses(ctx, s, id, variant, name)
		if err != nil || used {
			return used, err
		}
	}
	return false, nil
}

// uses reports whether a credential uses the tokens of a variant, or is about to, and
// deletes its key if not.
func (l *Ledger) uses(ctx context.Context, s logical.Storage, id, variant, name string) (used bool, err error) {
	err = l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil {
			return err
		}
		used, err = l.usesHeld(ctx, s, g, id, variant, name, zoho.LongestLife)
		return err
	})
	return used, err
}

// usesHeld is uses where the grant's lock is held. A credential uses the tokens of a grant
// that it had before for as long as former says.
func (l *Ledger) usesHeld(ctx context.Context, s logical.Storage, g *Grant, id, variant, name string, former time.Duration) (bool, error) {
	if g != nil && slices.ContainsFunc(g.Holders, func(h Holder) bool { return h.Name == name && h.Doubt != nil }) {
		return true, nil
	}
	current, before, err := l.world.Grants(ctx, s, name)
	if err != nil {
		return false, err
	}
	if current != nil && current.ID == id && current.Variant == variant || slices.ContainsFunc(before, func(f Former) bool {
		return f.ID == id && f.Variant == variant && time.Since(f.Until) < former
	}) {
		return true, nil
	}
	return false, store.Delete(ctx, s, UsePrefix+id+"/"+variant+"/"+name)
}

// Unuse deletes the keys of a credential that does not exist any more, or that does not use
// the variants that it used before.
func (l *Ledger) Unuse(ctx context.Context, s logical.Storage, id, name string) error {
	return l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil {
			return err
		}
		return l.unuse(ctx, s, g, id, name, zoho.LongestLife)
	})
}

func (l *Ledger) unuse(ctx context.Context, s logical.Storage, g *Grant, id, name string, former time.Duration) error {
	variants, err := s.List(ctx, UsePrefix+id+"/")
	if err != nil {
		return fmt.Errorf("finding what a credential used: %w", err)
	}
	for _, variant := range variants {
		if _, err := l.usesHeld(ctx, s, g, id, strings.TrimSuffix(variant, "/"), name, former); err != nil {
			return err
		}
	}
	return nil
}

// unused deletes the keys of client credentials that nobody holds and of which no token
// lives any more. The grant's lock is held.
func (l *Ledger) unused(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.RefreshToken != "" {
		return nil
	}
	variants, err := s.List(ctx, UsePrefix+g.ID+"/")
	if err != nil {
		return fmt.Errorf("finding who used client credentials: %w", err)
	}
	for _, variant := range variants {
		names, err := s.List(ctx, UsePrefix+g.ID+"/"+variant)
		if err != nil {
			return fmt.Errorf("finding who used client credentials: %w", err)
		}
		for _, name := range names {
			if _, err := l.usesHeld(ctx, s, g, g.ID, strings.TrimSuffix(variant, "/"), name, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// ForgottenOf returns the grants of credentials of a name that were deleted without
// revoking them, or that have no refresh token to revoke, with the variants of tokens that
// were theirs. Their access tokens may live.
func (l *Ledger) ForgottenOf(ctx context.Context, s logical.Storage, name string) (map[string][]string, error) {
	due, err := l.DueGrants(ctx, s, name)
	if err != nil {
		return nil, err
	}
	forgotten := map[string][]string{}
	for _, g := range due {
		id := g.ID
		if g.Condemned == nil || g.Condemned.Revoke {
			continue
		}
		for _, d := range g.Condemned.Deleted {
			if d.Name == name {
				forgotten[id] = append(forgotten[id], d.Variant)
			}
		}
		if g.RefreshToken != "" && g.Condemned.Name == name {
			forgotten[id] = append(forgotten[id], "")
		}
	}
	return forgotten, nil
}
