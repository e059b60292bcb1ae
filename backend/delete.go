// How does a credential end? It is forgotten at once, and its grant is revoked at
// Zoho as soon as Zoho agrees.

package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// deleteCreds forgets a credential and has its grant revoked.
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
	var entry *retiredGrant
	err := b.locked(name, func() error {
		// First, so that a consent ends that has no credential yet.
		if err := req.Storage.Delete(ctx, pendingPrefix+name); err != nil {
			return err
		}
		k, err := b.memory.credential(ctx, req.Storage, name)
		if err != nil {
			return err
		}
		// The note is written first: a crash in between revokes nothing, since the
		// credential still holds the grant.
		if k.RefreshToken != "" {
			if entry, err = b.retired.note(ctx, req.Storage, k, true, revoke); err != nil {
				return err
			}
		}
		if err := req.Storage.Delete(ctx, credsPrefix+name); err != nil {
			return err
		}
		b.memory.forget(credsPrefix + name)
		if entry == nil {
			return nil
		}
		return req.Storage.Delete(ctx, holderKey(entry.GrantID, name))
	})
	if isAbsent(err) {
		return nil, nil // deleting twice is no error
	}
	if err != nil {
		return nil, err
	}
	b.metrics.deleted.Add(1)
	b.Logger().Info("credential deleted", "credential", name, "revoke", revoke)
	b.send(eventDeleted, name)
	if !revoke || entry == nil {
		return nil, nil
	}
	ctx = context.WithoutCancel(ctx)
	held, err := b.retired.held(ctx, req.Storage, entry)
	resp := &logical.Response{}
	if err == nil && held {
		b.retired.drop(ctx, req.Storage, entry)
		resp.AddWarning("the credential is deleted, but its grant is not revoked: another credential of this mount uses the same one")
		return resp, nil
	}
	if err == nil {
		err = b.retired.settle(ctx, req.Storage, entry)
	}
	if err == nil {
		return nil, nil
	}
	resp.AddWarning("the credential is deleted, but its grant is not yet revoked at Zoho: " + err.Error() + "; this is retried until Zoho agrees, or remove the app under Connected Apps in the Zoho account")
	return resp, nil
}
