// The mount, as the ledger needs it: the grant of a credential, the state of its tokens,
// and one call to Zoho that revokes.

package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// world is the mount as its ledger asks it.
type world struct {
	*credential.Store
	memory *memory
	keeper *zoho.Keeper
}

// Revoke implements ledger.World. A request limits the calls that it makes; see
// revocations.
func (w *world) Revoke(ctx context.Context, s logical.Storage, g *ledger.Grant) error {
	if r, limited := ctx.Value(revocationsKey{}).(*revocations); limited {
		return r.revoke(ctx, r.at(g.ClientID, g.AccountsURL), g.RefreshToken, zoho.RefreshToken)
	}
	c, err := w.client(ctx, s)
	if err != nil {
		return err
	}
	return c.revoker(g.ClientID, g.AccountsURL).Revoke(ctx, g.RefreshToken, zoho.RefreshToken)
}

// client returns the client in force, or one without an id and a secret if the mount no
// longer has a config, or has one that cannot be read.
func (w *world) client(ctx context.Context, s logical.Storage) (*client, error) {
	c, err := w.memory.configured(ctx, s)
	if errors.As(err, new(*answer)) || store.Unreadable(err) {
		return w.unconfigured()
	}
	return c, err
}

// unconfigured returns a client without an id and a secret, which can still revoke.
func (w *world) unconfigured() (*client, error) {
	without := defaultConfig()
	without.LogKey = []byte(rand.Text()) // nothing is logged or started with it
	return newClient(without, w.memory.transport, w.memory.observe)
}

// revoker returns what can revoke tokens of a client at an accounts server. The
// secret goes only where it belongs; the older form of revocation needs none.
func (c *client) revoker(clientID, accountsURL string) *zoho.Client {
	at := c.at(zoho.DataCenter{AccountsURL: accountsURL})
	at.ID, at.Secret = clientID, ""
	if dc, found := c.table.ByAccountsURL(accountsURL); found && c.ClientID == clientID {
		at.Secret = c.secret(dc.Name)
	}
	return at
}

// look returns what the keeper knows of a grant, whoever holds it.
func (w *world) look(ctx context.Context, s logical.Storage, id string) (zoho.State, error) {
	limits := zoho.DefaultLimits
	if c, err := w.memory.config(ctx, s); err == nil {
		limits = c.limits
	}
	state, err := w.keeper.Look(ctx, &zoho.Account{ID: id, Client: &zoho.Client{}, Limits: limits, Shelf: &shelf{storage: s}})
	if state.Moved {
		return zoho.State{}, err // its tokens are another grant's by now
	}
	return state, err
}

// Tokens implements ledger.World.
func (w *world) Tokens(ctx context.Context, s logical.Storage, id string) (alive, matters time.Time, err error) {
	state, err := w.look(ctx, s, id)
	return state.Alive, state.Matters, err
}

// Alone implements ledger.World.
func (w *world) Alone(ctx context.Context, id string, work func() error) error {
	return w.keeper.Alone(ctx, id, work)
}

// DropTokens implements ledger.World.
func (w *world) DropTokens(ctx context.Context, s logical.Storage, id string) error {
	if err := s.Delete(ctx, tokenPrefix+id); err != nil {
		w.keeper.Forget(id) // it may be deleted all the same
		return err
	}
	w.keeper.Drop(id)
	return nil
}
