// How does a new grant take the place of an old one? In one write, after which the
// old one is retired.

package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// replaced is what a new grant takes the place of.
type replaced struct {
	old        *known        // nil if there is nothing
	note       *retiredGrant // of old's grant
	generation uint64        // of memory, when this was looked up
}

// noteReplaced looks up what is about to be replaced, and notes that its grant
// will have to go.
func (b *backend) noteReplaced(ctx context.Context, w connectRequest) (r replaced, err error) {
	r.generation = b.memory.generation()
	r.old, err = b.memory.credential(ctx, w.storage, w.name)
	switch {
	case isAbsent(err):
		r.old, err = nil, nil
	case err == nil && r.old.RefreshToken != "": // client credentials have nothing to revoke
		r.note, err = b.retired.note(ctx, w.storage, r.old, false, true)
	}
	return r, err
}

// replace stores a new grant. What it replaces is looked up again only if
// something changed since: while what Zoho gave is in memory alone, the first
// thing to touch storage is the write that keeps it.
func (b *backend) replace(ctx context.Context, w connectRequest, k *known, r replaced) error {
	return b.locked(w.name, func() (err error) {
		if b.memory.generation() != r.generation {
			existed := r.old != nil
			if r, err = b.noteReplaced(ctx, w); err != nil {
				return err
			}
			if existed && r.old == nil {
				return refuse("credential %q was deleted while Zoho was asked, so its new grant was revoked again; start again with authorize/%s", w.name, w.name)
			}
		}
		k.Created = k.Connected
		if r.old != nil {
			k.Created, k.settings = r.old.Created, r.old.settings
		}
		if err := w.change(&k.settings); err != nil {
			return err
		}
		if err := b.storeCredential(ctx, w.storage, k); err != nil {
			return err
		}
		d, err := k.derive(w.client)
		if err != nil || k.RefreshToken == "" {
			return err
		}
		// After the credential: until then what Zoho gave is in memory alone.
		if err := put(ctx, w.storage, holderKey(d.account.ID, w.name), &holder{}); err != nil {
			b.Logger().Warn("the holder of a grant was not noted; before importing its refresh token elsewhere, connect it again", "credential", w.name, "error", err)
		}
		return nil
	})
}

// rotated stores a refresh token that came with a refresh in place of the old one.
func (b *backend) rotated(ctx context.Context, s logical.Storage, name string, before, after zoho.Secret) error {
	return b.locked(name, func() error {
		old, err := b.memory.credential(ctx, s, name)
		if err != nil || old.RefreshToken != before {
			return err
		}
		k := &known{name: name, credential: old.credential}
		k.RefreshToken, k.Connected = after, time.Now().UTC()
		b.Logger().Info("Zoho replaced the refresh token", "credential", name)
		return b.storeCredential(ctx, s, k)
	})
}
