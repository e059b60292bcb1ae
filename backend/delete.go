// delete.go: the delete of a credential. It is forgotten at once, and revoking its grants
// is retried until Zoho agrees.

package backend

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
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
	defer b.credentials.Deletes(name)()
	r, work, cancel, err := b.revocations(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	defer cancel()
	e := &ending{b: b, s: req.Storage, r: r, name: name}
	var old *known
	var doubt string
	err = b.credentials.Delete(ctx, req.Storage, name, func(stored *credential.Credential) (err error) {
		// A consent ends too, also one that has no credential yet.
		if err := b.consents.Drop(ctx, req.Storage, name); err != nil || stored == nil {
			return err
		}
		doubt, err = b.ledger.Leave(ctx, req.Storage, name, ledger.Sentence{Name: name, Revoke: revoke, AtOnce: true})
		if errors.Is(err, ledger.ErrRevoking) {
			err = nil // it is gone before its credential is
		}
		old = newKnown(name, stored)
		return err
	})
	if err != nil {
		if doubt != "" {
			// What is stored tells whether it is deleted all the same; until that is settled it
			// would weigh on whatever comes next.
			id, _ := old.Grant()
			_, unsettled := b.ledger.Settle(context.WithoutCancel(ctx), req.Storage, id, name, doubt)
			err = errors.Join(err, unsettled)
		}
		return nil, err
	}
	if old == nil { // deleting twice is no error
		if !revoke {
			return nil, b.pardon(ctx, req.Storage, name)
		}
		return warningOf(e.endDeleted(work)), nil
	}
	// From here on the work is finished whether or not the caller stays.
	warning := e.endCredential(work, old, doubt, revoke)
	b.metrics.deleted.Add(1)
	b.Logger().Info("credential deleted", "credential", name, "revoke", revoke)
	b.send(eventDeleted, name)
	return warningOf(warning), nil
}

// warningOf is an answer that warns, nil if there is nothing to warn of.
func warningOf(warning string) *logical.Response {
	if warning == "" {
		return nil
	}
	resp := &logical.Response{}
	resp.AddWarning(warning)
	return resp
}

// endDeleted revokes the remaining grants of a credential that is already deleted: another
// delete may still run, or may have failed.
func (e *ending) endDeleted(ctx context.Context) (warning string) {
	ended, err := e.endLeft(ctx)
	if err = worse(err, ended[e.name].err); err == nil && e.b.credentials.Deleting()[e.name] > 1 {
		err = beingDeleted()
	}
	if err != nil {
		return e.b.unrevoked(err)
	}
	return ""
}

// endCredential revokes the grants that a deleted credential had, and returns a warning if
// one is not revoked.
func (e *ending) endCredential(ctx context.Context, k *known, doubt string, revoke bool) (warning string) {
	id, variant := k.Grant()
	held, err := e.b.ledger.Settle(ctx, e.s, id, k.name, doubt)
	if !revoke {
		return ""
	}
	var mu sync.Mutex
	tried := []string{id}
	former := map[string]credential.Former{}
	for _, f := range k.Former {
		former[f.ID+"/"+f.Variant] = f
		tried = append(tried, f.ID)
	}
	tasks := append(slices.Sorted(maps.Keys(former)), "")
	failed := parallel.Each(tasks, revokers, func(task string) error {
		if task != "" {
			_, err := e.endFormer(ctx, former[task])
			return err
		}
		text, failed := e.endCurrent(ctx, k, id, variant, held, err)
		mu.Lock()
		defer mu.Unlock()
		warning = text
		return failed
	})
	err = failed[""]
	for _, task := range tasks {
		switch {
		case errors.Is(failed[task], errUsed):
			warning = usedWarning
		case err == nil:
			err = failed[task]
		}
	}
	// Grants of an earlier credential of this name, or that a crash left.
	ended, unfinished := e.endLeft(ctx, tried...)
	if err == nil {
		err = worse(unfinished, ended[e.name].err)
	}
	for _, f := range former {
		if f.GrantType == credential.GrantClient {
			_ = e.b.ledger.Unuse(ctx, e.s, f.ID, k.name) // a key that is left does no harm
		}
	}
	if err != nil {
		warning = e.b.unrevoked(err)
	}
	return warning
}

const usedWarning = "the credential is deleted, but its access tokens are not revoked: another credential of this mount uses the same access tokens. They expire by themselves; to end them now, write to revoke/<name> of the other credential"

// endCurrent revokes the grant that a deleted credential had, or, of client credentials,
// its access tokens. held and settled are the result of settling the grant.
func (e *ending) endCurrent(ctx context.Context, k *known, id, variant string, held bool, settled error) (warning string, err error) {
	if k.GrantType == credential.GrantClient {
		_, failed := e.revokeVariant(ctx, id, variant)
		switch {
		case errors.Is(failed, errUsed):
			warning = usedWarning
		case failed != nil:
			warning = "the credential is deleted, but its access tokens are not all revoked at Zoho: " + e.b.cause(failed) + "; Vault does not retry this, and the tokens expire within " + e.r.client.MaxTokenLifetime.String()
		}
		return warning, settled
	}
	if settled == nil {
		// Another request may be importing it, and a crash may have ended that request.
		held, settled = e.b.ledger.Revoke(ctx, e.s, id)
	}
	if errors.Is(settled, ledger.ErrUndecided) {
		return "", usedSoon()
	}
	if held {
		warning = "the credential is deleted, but its grant is not revoked: another credential of this mount uses the same grant. To end the grant, delete that credential too"
	}
	return warning, settled
}

func (b *backend) unrevoked(err error) string {
	if errors.Is(err, errUnreadableGrant) {
		return "the credential is deleted, but a grant that it had before is not revoked: its stored entry cannot be read; Vault's log names the entry. List retired to see it. To end the grant, its user removes the app under Connected Apps in the Zoho account"
	}
	return "the credential is deleted, but its grant is not yet revoked at Zoho: " + b.cause(err) + "; this is retried until Zoho agrees. List retired to see the grant; to end it earlier, its user removes the app under Connected Apps in the Zoho account"
}

// cause is why Zoho revoked nothing, as text for an answer.
func (b *backend) cause(err error) string {
	if zoho.AsError(err) != nil {
		return err.Error()
	}
	return b.told(err)
}

// pardon forgets what is still to be revoked of a credential that is deleted: its
// accounts server is gone for ever, or the grant is wanted after all.
func (b *backend) pardon(ctx context.Context, s logical.Storage, name string) error {
	due, err := b.ledger.DueGrants(ctx, s, name)
	if err != nil {
		return err
	}
	for _, g := range due {
		// What is only waiting for its tokens to run out was not deleted, and goes on: a
		// client may send its request twice.
		if g.Condemned == nil || len(g.Holders) > 0 || g.Condemned.Name != name || !g.Condemned.AtOnce {
			continue
		}
		err := b.ledger.Pardon(ctx, s, g.ID)
		if errors.Is(err, ledger.ErrInFlight) {
			err = beingRevoked(g.ID)
		}
		if err != nil && !store.Unreadable(err) {
			return err
		}
	}
	return nil
}
