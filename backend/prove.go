// How does a grant become a credential that no consent made here? It proves itself
// by one mint, and is stored then.

package backend

import (
	"context"
	"time"
)

// prove stores a refresh token that somebody else obtained, or client credentials,
// once they have proven themselves by one mint.
func (b *backend) prove(ctx context.Context, w connectRequest, grantType string) (*known, []string, error) {
	dc, err := w.place("")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.client.RequestTimeout+20*time.Second)
	defer cancel()
	k := &known{name: w.name, credential: credential{
		ClientID: w.client.ClientID, DataCenter: dc.Name, AccountsURL: dc.AccountsURL, GrantType: grantType,
		RefreshToken: w.refreshToken, Requested: w.scopes, SOID: w.soid,
	}}
	d, err := k.derive(w.client)
	if err != nil {
		return nil, nil, err
	}
	account := b.account(d, w.storage)
	token, err := b.keeper.Prove(ctx, account)
	if err != nil {
		if grantType == grantRefresh {
			b.retired.forgetUnused(ctx, w.storage, account.ID, w.name)
		}
		return nil, nil, explain(err, k.again())
	}
	k.APIDomain, k.Granted, k.Connected = token.APIDomain, token.Scopes, time.Now().UTC()
	k.derived.Store(nil)
	replaced, err := b.noteReplaced(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	if err := b.replace(ctx, w, k, replaced); err != nil {
		return nil, nil, err
	}
	b.connected(w.name, dc, grantType, token)
	b.learnPerson(ctx, w, k, dc, token)
	return k, scopeWarnings(w.scopes, token.Scopes), nil
}
