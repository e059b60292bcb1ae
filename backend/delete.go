// How does a credential end? It is forgotten at once, and its grants are revoked at
// Zoho as soon as Zoho agrees.

package backend

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/zoho"
)

// deleteCreds forgets a credential and has its grants revoked.
func (b *backend) deleteCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	revoke := true
	f := &fields{FieldData: data}
	if err := f.only("delete", "revoke"); err != nil {
		return nil, err
	}
	f.bool("revoke", &revoke)
	defer b.credentials.deletes(name)()
	var old *known
	var doubt string
	err := b.credentials.remove(ctx, req.Storage, name, func(k *known) (err error) {
		// A consent ends too, also one that has no credential yet.
		if err := b.consents.Drop(ctx, req.Storage, name); err != nil || k == nil {
			return err
		}
		doubt, err = b.ledger.Leave(ctx, req.Storage, name, ledger.Sentence{Name: name, Revoke: revoke, AtOnce: true})
		if errors.Is(err, ledger.ErrRevoking) {
			err = nil // it is gone before its credential is
		}
		old = k
		return err
	})
	if err != nil {
		if doubt != "" {
			// What is stored tells whether it is deleted all the same; until that is settled it
			// would weigh on whatever comes next.
			id, _ := old.grant()
			_, unsettled := b.ledger.Settle(context.WithoutCancel(ctx), req.Storage, id, name, doubt)
			err = errors.Join(err, unsettled)
		}
		return nil, err
	}
	if old == nil { // deleting twice is no error
		if !revoke {
			return nil, b.pardon(ctx, req.Storage, name)
		}
		// Another delete may be at it still, or have failed.
		_, err := b.endLeftOf(context.WithoutCancel(ctx), req.Storage, name, false)
		if err == nil && b.credentials.deleting()[name] > 1 {
			err = beingDeleted()
		}
		if err != nil {
			resp := &logical.Response{}
			resp.AddWarning(b.unrevoked(err))
			return resp, nil
		}
		return nil, nil
	}
	// From here on the work is finished whether or not the caller stays.
	ctx = context.WithoutCancel(ctx)
	warning := b.endGrants(ctx, req.Storage, old, doubt, revoke)
	b.metrics.deleted.Add(1)
	b.Logger().Info("credential deleted", "credential", name, "revoke", revoke)
	b.send(eventDeleted, name)
	if warning == "" {
		return nil, nil
	}
	resp := &logical.Response{}
	resp.AddWarning(warning)
	return resp, nil
}

// endGrants revokes the grants that a deleted credential had, and returns what is
// left to say of them.
func (b *backend) endGrants(ctx context.Context, s logical.Storage, k *known, doubt string, revoke bool) (warning string) {
	id, _ := k.grant()
	held, err := b.ledger.Settle(ctx, s, id, k.name, doubt)
	if !revoke {
		return ""
	}
	if k.GrantType == grantClient {
		// There is no grant to revoke, only what was minted.
		if c, failed := b.memory.config(ctx, s); failed == nil {
			if _, failed = b.keeper.Revoke(ctx, b.account(k.stranded(c), s)); failed != nil {
				warning = "the credential is deleted, but its access tokens are not all revoked at Zoho: " + b.cause(failed) + "; that is not retried, and they run out within " + c.MaxTokenLifetime.String()
			}
		}
	} else {
		if !held && err == nil {
			held, err = b.ledger.Revoke(ctx, s, id) // somebody may have begun to import it
		}
		if held {
			warning = "the credential is deleted, but its grant is not revoked: another credential of this mount uses the same one"
		}
	}
	tried := []string{id}
	for _, f := range k.Former {
		tried = append(tried, f.ID)
		if _, failed := b.endFormer(ctx, s, k.name, f, false); err == nil {
			err = failed
		}
	}
	// What the name had in an earlier life, or a crash took from it.
	if _, failed := b.endLeftOf(ctx, s, k.name, false, tried...); err == nil {
		err = failed
	}
	if err != nil {
		warning = b.unrevoked(err)
	}
	return warning
}

func (b *backend) unrevoked(err error) string {
	return "the credential is deleted, but its grant is not yet revoked at Zoho: " + b.cause(err) + "; this is retried until Zoho agrees, or remove the app under Connected Apps in the Zoho account"
}

// cause is what may be told of why Zoho revoked nothing.
func (b *backend) cause(err error) string {
	if zoho.AsError(err) != nil {
		return err.Error()
	}
	return b.told(err)
}

// pardon forgets what is still to be revoked of a credential that is deleted: its
// accounts server is gone for ever, or the grant is wanted after all.
func (b *backend) pardon(ctx context.Context, s logical.Storage, name string) error {
	ids, err := b.ledger.Due(ctx, s, name)
	if err != nil {
		return err
	}
	for _, id := range ids {
		g, err := b.ledger.Condemned(ctx, s, id)
		// What is only waiting for its tokens to run out was not deleted, and goes on: a
		// client may send its request twice.
		if err == nil && g != nil && g.Condemned.Name == name && g.Condemned.AtOnce {
			err = b.ledger.Pardon(ctx, s, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
