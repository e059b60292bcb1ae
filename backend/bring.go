// How does a grant become a credential that no consent made here? It proves itself
// by one mint, and is stored then.

package backend

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/ledger"
)

// bring stores a refresh token that somebody else obtained, or client credentials,
// once they have proven themselves by one mint. What comes to nothing is forgotten,
// not revoked, and only when its calls do not count any more.
func (b *backend) bring(ctx context.Context, w connectRequest, grantType string) (*known, []string, error) {
	dc, err := w.place("")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := w.detached(ctx)
	defer cancel()
	attempt := b.credentials.begin(w.name)
	defer b.credentials.end(attempt)
	next := &credential{
		ClientID: w.client.ClientID, DataCenter: dc.Name, AccountsURL: dc.AccountsURL, GrantType: grantType,
		RefreshToken: w.refreshToken, Requested: w.scopes, SOID: w.soid,
	}
	k := &known{name: w.name, credential: *next}
	d, err := k.derive(w.client)
	if err != nil {
		return nil, nil, err
	}
	if err := b.knowOld(ctx, w); err != nil {
		return nil, nil, err
	}
	g := next.ledgerGrant()
	doubt, err := b.ledger.Doubt(ctx, w.storage, g, ledger.Sentence{Name: w.name})
	if errors.Is(err, ledger.ErrRevoking) {
		return nil, nil, refuse("this refresh token belonged to a credential of this mount that was deleted or replaced, and is being revoked at %s; obtain another with %s", hostOf(dc), k.again())
	}
	if err != nil {
		return nil, nil, err
	}
	account := b.account(d, w.storage)
	proven := account.Shelf.(*shelf)
	proven.proving = true
	token, err := b.keeper.Prove(ctx, account)
	if proven.rotated != "" {
		next.RefreshToken = proven.rotated
	}
	if err == nil {
		next.APIDomain, next.Granted, next.Connected = token.APIDomain, token.Scopes, time.Now().UTC()
		k, err = b.point(ctx, w, attempt, next)
	} else {
		err = k.notProven(err)
	}
	_, unsettled := b.ledger.Settle(ctx, w.storage, g.ID, w.name, doubt)
	if proven.rotated != "" {
		_, failed := b.ledger.Settle(ctx, w.storage, next.ledgerGrant().ID, w.name, proven.doubt)
		unsettled = errors.Join(unsettled, failed)
	}
	if unsettled != nil {
		b.Logger().Warn("who holds a grant was not settled in storage yet", "credential", w.name, "error", unsettled)
	}
	if err != nil {
		return nil, nil, err
	}
	b.connected(w.name, dc, grantType, token)
	b.learnPerson(ctx, w, k, dc, token)
	return k, scopeWarnings(w.scopes, token.Scopes), nil
}
