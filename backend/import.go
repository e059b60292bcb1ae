// import.go: a refresh token from elsewhere, or client credentials, become a grant. One
// mint proves that they work before they are stored.

package backend

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// importGrant stores a refresh token that was obtained elsewhere, or client credentials,
// after one mint has proven them. A grant that is not stored is forgotten, not revoked, and
// only when its calls no longer count.
func (b *backend) importGrant(ctx context.Context, w connectRequest, grantType string) (*known, []string, error) {
	ctx, cancel := w.detached(ctx)
	defer cancel()
	admitted, dc, err := b.admitImport(ctx, w, grantType)
	if err != nil {
		return nil, nil, err
	}
	attempt := b.credentials.Begin(w.name)
	defer b.credentials.End(attempt)
	next := &credential.Credential{
		ClientID: w.client.ClientID, DataCenter: dc.Name, AccountsURL: dc.AccountsURL, GrantType: grantType,
		RefreshToken: w.refreshToken, Requested: w.scopes, SOID: w.soid,
	}
	k := &known{name: w.name, Credential: *next}
	d, err := k.derive(w.client)
	if err != nil {
		return nil, nil, err
	}
	if err := b.knowOld(ctx, w); err != nil {
		return nil, nil, err
	}
	doubt, err := b.ledger.Doubt(ctx, w.storage, next.LedgerGrant(), ledger.Sentence{Name: w.name})
	if err != nil {
		return nil, nil, notImportable(err, dc, k, d.account.ID)
	}
	account := b.account(d, w.storage)
	account.Client = mintingFor(callImport, account.Client)
	proven := account.Shelf.(*shelf)
	proven.proving = true
	var warnings []string
	token, err := b.keeper.Prove(ctx, account)
	if proven.rotated != "" {
		next.RefreshToken = proven.rotated
	}
	if err == nil {
		next.APIDomain, next.Granted, next.Connected = token.APIDomain, token.Scopes, time.Now().UTC()
		k, warnings, err = b.pointImported(ctx, w, attempt, admitted, dc, next)
	} else {
		err = k.notProven(err)
	}
	_, unsettled := b.ledger.Settle(ctx, w.storage, d.account.ID, w.name, doubt)
	if proven.rotated != "" {
		_, failed := b.ledger.Settle(ctx, w.storage, next.LedgerGrant().ID, w.name, proven.doubt)
		unsettled = errors.Join(unsettled, failed)
	}
	if unsettled != nil { // last, so that logging delays nothing
		b.Logger().Warn("who holds a grant was not settled in storage yet", "credential", w.name, "error", unsettled)
	}
	if err != nil {
		return nil, nil, err
	}
	b.connected(w.name, dc, grantType, token)
	b.learnPerson(ctx, w, k, dc, token, zoho.Person{})
	return k, append(gate.ScopeWarnings(w.scopes, token.Scopes), warnings...), nil
}

// notImportable says why a grant cannot be imported, before any mint.
func notImportable(err error, dc zoho.DataCenter, k *known, id string) error {
	switch {
	case errors.Is(err, ledger.ErrRevoking):
		return refuse("this refresh token belonged to a credential of this mount that was deleted or replaced, and is being revoked at %s; obtain another with %s", hostOf(dc), k.again())
	case store.Unreadable(err):
		return refuse("what is stored of the grant of this refresh token cannot be read (%s); give the grant up with a delete of retired/%s, then import the refresh token again", err, id)
	}
	return err
}

// admitImport asks the gate before the mint. A consent that cannot be read is
// ignored: an import needs none.
func (b *backend) admitImport(ctx context.Context, w connectRequest, grantType string) (*gate.Admitted, zoho.DataCenter, error) {
	dc, err := w.place("")
	if err != nil {
		return nil, dc, err
	}
	stored, err := b.consents.Get(ctx, w.storage, w.name)
	if err != nil && !store.Unreadable(err) {
		return nil, dc, err
	}
	arrived := w.arrived(gate.RefreshToken)
	if grantType == credential.GrantClient {
		arrived.Evidence = gate.ClientCredentials
	}
	arrived.DataCenter = dc.Name
	admitted, err := gate.Admit(stored, arrived, time.Now())
	return admitted, dc, gateError(err)
}

// pointImported makes the credential point to a grant that one mint has proven.
func (b *backend) pointImported(ctx context.Context, w connectRequest, attempt *credential.Attempt, admitted *gate.Admitted, dc zoho.DataCenter, next *credential.Credential) (*known, []string, error) {
	id, _ := next.Grant()
	passed, err := admitted.Pass(ctx, gate.Obtained{GrantID: id, DataCenter: dc.Name, Granted: next.Granted})
	if err != nil {
		return nil, nil, gateError(err)
	}
	return b.point(ctx, w, attempt, passed, next, nil)
}
