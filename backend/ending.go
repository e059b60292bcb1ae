// Ending of credentials, grants and access tokens: what one request revokes, in parallel
// and within its limits.

package backend

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// ending is one request that revokes.
type ending struct {
	b *backend
	s logical.Storage
	r *revocations
	// name is the credential that is revoked or deleted, "" for all.
	name string
	// leak: access tokens have leaked, so that they are revoked though another credential
	// uses them.
	leak bool
	// epoch is the one that began with this request, 0 if none did: tokens of earlier ones
	// are condemned without a mark in their record.
	epoch uint64
}

// busy says what another request is at, so that this one can't promise more.
func busy(text string) error { return &answer{status: http.StatusServiceUnavailable, text: text} }

// beingDeleted: what the name had is still being revoked.
func beingDeleted() error {
	return busy("another request is deleting a credential of this name right now, and its answer will tell")
}

// usedSoon: whether the grant comes to be used by another credential is not known yet.
func usedSoon() error { return busy("another request is connecting a credential with the same grant") }

// errUsed says why the access tokens of client credentials are not revoked.
var errUsed error = &answer{status: http.StatusConflict, text: "another credential of this mount uses the same access tokens"}

// left is what revoking did for a name, and what it left undone.
type left struct {
	revoked int // access tokens that lived
	err     error
}

// and adds what more was done.
func (l left) and(revoked int, err error) left {
	return left{l.revoked + revoked, worse(l.err, err)}
}

func (l left) unreached() bool { return l.revoked == 0 && errors.Is(l.err, errUnreached) }

// worse returns the failure that is to be told of two: the first, but one that left
// tokens to be handed out, which Zoho's do not; and anything rather than too little time.
func worse(a, b error) error {
	switch {
	case b == nil, a != nil && errors.Is(b, errUnreached):
		return a
	case errors.Is(a, errUnreached):
		return b
	}
	if a == nil || b != nil && zoho.AsError(a) != nil && zoho.AsError(b) == nil {
		return b
	}
	return a
}

// revokeRecord revokes access tokens of a grant, whether or not a credential points to it.
func (e *ending) revokeRecord(ctx context.Context, id, variant string, v zoho.Revocation) (zoho.Revoked, error) {
	v.Revoke = func(ctx context.Context, r *zoho.Record, token zoho.Secret) error {
		clientID, accountsURL := r.ClientID, r.AccountsURL
		if accountsURL == "" {
			g, err := e.b.ledger.Get(ctx, e.s, id)
			if err != nil {
				return err
			}
			if g == nil {
				return errors.New("the record of access tokens does not say which accounts server they came from")
			}
			clientID, accountsURL = g.ClientID, g.AccountsURL
		}
		return e.r.revoke(ctx, e.r.at(clientID, accountsURL), token, zoho.AccessToken)
	}
	return e.b.keeper.RevokeTokens(ctx, &zoho.Account{
		ID: id, Name: e.name, Variant: variant, Client: &zoho.Client{}, Limits: e.r.client.limits,
		Shelf: &shelf{storage: e.s, mount: e.b, credential: e.name},
	}, v)
}

// revokeVariant revokes the access tokens of one variant of client credentials, unless
// another credential uses them and none has leaked.
func (e *ending) revokeVariant(ctx context.Context, id, variant string) (revoked int, err error) {
	var v zoho.Revocation
	if !e.leak {
		v.Unless = func() (bool, error) { return e.b.ledger.Used(ctx, e.s, id, variant, e.name) }
	}
	done, err := e.revokeRecord(ctx, id, variant, v)
	if err == nil && done.Unless {
		err = errUsed
	}
	return len(done.Tokens), err
}

// revokeName revokes the living access tokens of a name: of its credential, of grants that
// it had before, and of credentials of this name that were deleted.
func (e *ending) revokeName(ctx context.Context) (revoked int, err error) {
	k, err := e.b.memory.credential(ctx, e.s, e.name)
	switch {
	case err == nil:
		revoked, err = e.revokeCredential(ctx, k)
	case !isAbsent(err):
		return 0, err
	}
	gone := isAbsent(err)
	if gone {
		err = nil
	}
	ended, failed := e.endLeft(ctx)
	revoked, err = revoked+ended[e.name].revoked, worse(worse(err, failed), ended[e.name].err)
	n, found, failed := e.revokeForgotten(ctx)
	revoked, err = revoked+n, worse(err, failed)
	if _, tried := ended[e.name]; gone && err == nil && !tried && !found {
		return 0, absent("no credential named %q, and no access token lives that a deleted one of this name left; connect it with authorize/%s first", e.name, e.name)
	}
	return revoked, err
}

// revokeCredential revokes the access tokens of a credential, and those of the grants that
// it had before with these grants.
func (e *ending) revokeCredential(ctx context.Context, k *known) (revoked int, err error) {
	id, variant := k.Grant()
	var mu sync.Mutex
	tasks := []string{id + "/" + variant}
	former := map[string]credential.Former{}
	for _, f := range k.Former {
		task := f.ID + "/" + f.Variant
		if former[task].ID == "" {
			tasks = append(tasks, task)
		}
		former[task] = f
	}
	failed := parallel.Each(tasks, revokers, func(task string) error {
		var n int
		var err error
		if f, before := former[task]; before {
			n, err = e.endFormer(ctx, f)
		} else {
			var done zoho.Revoked
			done, err = e.revokeRecord(ctx, id, variant, zoho.Revocation{})
			n = len(done.Tokens)
		}
		mu.Lock()
		defer mu.Unlock()
		revoked += n
		return err
	})
	for _, task := range tasks { // in order, so that the same is told each time
		err = worse(err, failed[task])
	}
	return revoked, err
}

// revokeForgotten revokes the living access tokens that deleted credentials of the name
// left, also those of grants that other credentials use; found reports whether there were
// any.
func (e *ending) revokeForgotten(ctx context.Context) (revoked int, found bool, err error) {
	forgotten, err := e.b.ledger.ForgottenOf(ctx, e.s, e.name)
	if err != nil {
		return 0, false, err
	}
	for id, variants := range forgotten {
		for _, variant := range variants {
			done, failed := e.revokeRecord(ctx, id, variant, zoho.Revocation{})
			revoked, err = revoked+len(done.Tokens), worse(err, failed)
			found = found || len(done.Tokens)+len(done.Left) > 0
		}
	}
	former, failed := e.b.ledger.FormerGrants(ctx, e.s, e.name)
	err = worse(err, failed)
	for _, id := range former { // others use these, so that only the tokens of the name end
		done, failed := e.revokeRecord(ctx, id, "", e.mintedForName())
		revoked, err = revoked+len(done.Tokens), worse(err, failed)
		found = found || len(done.Tokens)+len(done.Left) > 0
	}
	return revoked, found, err
}

// endFormer revokes a grant that a credential had before, with its access tokens. Where
// another credential has the grant too, it revokes the access tokens if they have leaked.
// It returns how many of them lived.
func (e *ending) endFormer(ctx context.Context, f credential.Former) (revoked int, err error) {
	if f.GrantType == credential.GrantClient {
		return e.revokeVariant(ctx, f.ID, f.Variant)
	}
	g, err := e.b.ledger.Hasten(ctx, e.s, f.ID, e.name)
	if store.Unreadable(err) {
		return e.endUnreadable(ctx, f)
	}
	if err != nil {
		return 0, err
	}
	elsewhere, undecided := false, false
	if g != nil {
		revoked, elsewhere, err = e.endGrant(ctx, f.ID)
		if undecided = errors.Is(err, ledger.ErrUndecided); err != nil && !undecided {
			return 0, err
		}
	}
	// It may have come to be another's meanwhile, and then only the tokens end.
	g, err = e.b.ledger.Get(ctx, e.s, f.ID)
	switch {
	case err != nil || g == nil || len(g.Holders) == 0 && !elsewhere && !undecided, !e.leak && (g.Held() || elsewhere):
		return revoked, err
	case !e.leak:
		return revoked, usedSoon()
	}
	done, err := e.revokeRecord(ctx, f.ID, f.Variant, zoho.Revocation{})
	return len(done.Tokens), err
}

// errUnreadableGrant says why a grant that a credential had before is not revoked.
var errUnreadableGrant error = &answer{status: http.StatusInternalServerError, text: "what is stored of a grant that it had before cannot be read, and Vault's log names the entry"}

// endUnreadable revokes the access tokens of a former grant whose entry cannot be read, of
// those that were minted for the name. The grant itself cannot be revoked.
func (e *ending) endUnreadable(ctx context.Context, f credential.Former) (revoked int, err error) {
	done, err := e.revokeRecord(ctx, f.ID, f.Variant, e.mintedForName())
	if err == nil && !e.leak {
		err = errUnreadableGrant
	}
	return len(done.Tokens), err
}

// mintedForName chooses the access tokens that were minted for the name.
func (e *ending) mintedForName() zoho.Revocation {
	return zoho.Revocation{Tokens: func(t *zoho.Token) bool { return t.Credential == e.name }}
}

// endLeft revokes at once what is due to be revoked of the name, or of every name: grants
// of credentials that were deleted, or that a crash took from them. Where somebody is about
// to use one, and tokens have leaked, its access tokens are. Those that were tried are left
// out: a Zoho that does not answer takes its time once.
func (e *ending) endLeft(ctx context.Context, tried ...string) (map[string]left, error) {
	due, err := e.b.ledger.Due(ctx, e.s, e.name)
	if err != nil {
		return nil, err
	}
	due = slices.DeleteFunc(due, func(id string) bool { return slices.Contains(tried, id) })
	var mu sync.Mutex
	ended := map[string]left{}
	failed := parallel.Each(due, revokers, func(id string) error {
		if e.r.over() {
			return errUnreached
		}
		g, err := e.b.ledger.Left(ctx, e.s, id)
		if e.name != "" && store.Unreadable(err) {
			return nil // nothing says that it is of this name; the sweep logs it
		}
		if g == nil || !g.Condemned.Revoke || e.name != "" && e.name != g.Condemned.Name {
			return err
		}
		of := *e
		of.name = g.Condemned.Name
		n, err := of.endFormer(ctx, credential.Former{ID: id, ClientID: g.ClientID, AccountsURL: g.AccountsURL})
		mu.Lock()
		defer mu.Unlock()
		ended[of.name] = ended[of.name].and(n, err)
		return nil
	})
	for _, id := range due { // in order, so that the same is told each time
		err = worse(err, failed[id])
	}
	return ended, err
}

// endGrant revokes a condemned grant with its access tokens. elsewhere reports that another
// grant with the same refresh token is in use, so that this one is only forgotten. It fails
// with ledger.ErrUndecided while another may come to be in use.
func (e *ending) endGrant(ctx context.Context, id string) (revoked int, elsewhere bool, err error) {
	state, err := e.b.world.look(ctx, e.s, id)
	if err != nil && !store.Unreadable(err) {
		return 0, false, err
	}
	held, err := e.b.ledger.Revoke(ctx, e.s, id)
	if err != nil || held {
		return 0, held, err
	}
	return len(state.Tokens), false, nil
}
