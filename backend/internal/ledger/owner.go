// Owners of grants: the Zoho user who gave a grant, where that is known. Zoho keeps
// twenty refresh tokens for one user and client, and one more consent silently ends
// the oldest. Each known owner and grant has a key of its own, so that the number of
// grants is one list, and no counter can be wrong.

package ledger

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// PerUser is Zoho's limit. Zoho, "token-limits".
const PerUser = 20

// OwnerPrefix is the prefix of presence keys: + fingerprint of the owner + / + grant id.
const OwnerPrefix = "owner/"

// Owner is a Zoho user of a data center and a client.
type Owner struct{ ClientID, DataCenter, ZUID string }

func (o Owner) prefix() string {
	return OwnerPrefix + zoho.Fingerprint(o.ClientID, o.DataCenter, o.ZUID) + "/"
}

func (g *Grant) owner() Owner { return Owner{g.ClientID, g.DataCenter, g.ZUID} }

// Owned returns the ids of the known grants of an owner. A grant that was forgotten without
// being revoked counts, since Zoho still keeps it. If storage fails, it returns none.
func (l *Ledger) Owned(ctx context.Context, s logical.Storage, o Owner) (ids []string) {
	if o.ZUID == "" {
		return nil
	}
	ids, err := s.List(ctx, o.prefix())
	if err != nil {
		return nil
	}
	return ids
}

// Forgotten returns how many of an owner's grants were forgotten without being revoked:
// nothing else is known of them. What cannot be read counts as known.
func (l *Ledger) Forgotten(ctx context.Context, s logical.Storage, ids []string) (n int) {
	for _, id := range ids[:min(len(ids), maxForgotten)] {
		if g, err := l.find(ctx, s, id); err == nil && g == nil {
			n++
		}
	}
	return n
}

// maxForgotten bounds how many grants a warning is read for.
const maxForgotten = 100

// count stores that a grant is one of its owner's. If that fails the grant stays due,
// and the sweep tries again. The grant's lock is held.
func (l *Ledger) count(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.Replaces != "" { // Zoho no longer has that one
		if err := store.Delete(ctx, s, g.owner().prefix()+g.Replaces); err != nil {
			return err
		}
	}
	if err := store.Put(ctx, s, g.owner().prefix()+g.ID, &store.Versioned{}); err != nil {
		return err
	}
	g.Uncounted = false
	return nil
}

// discount removes a grant that Zoho has revoked from those of its owner.
func (l *Ledger) discount(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.ZUID == "" {
		return nil
	}
	return store.Delete(ctx, s, g.owner().prefix()+g.ID)
}

// Own notes the Zoho user who gave a grant, once that is known.
func (l *Ledger) Own(ctx context.Context, s logical.Storage, id, zuid string) error {
	if zuid == "" {
		return nil // an answer may lack it
	}
	return l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil || g == nil || g.ZUID == zuid && !g.Uncounted {
			return err
		}
		// Stored before the presence key, so that the grant's end finds the key.
		g.ZUID, g.Uncounted = zuid, g.RefreshToken != ""
		if err := l.putDue(ctx, s, g); err != nil {
			return err
		}
		return l.settle(ctx, s, g)
	})
}
