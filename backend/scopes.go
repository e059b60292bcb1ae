// scopes.go: a connected credential gains scopes (Zoho's incremental authorization). The
// person accepts more on Zoho's page, and the same refresh token can do more afterwards.

package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// beginScopes starts the consent to more scopes and returns the address to open.
func (b *backend) beginScopes(ctx context.Context, s logical.Storage, c *client, name string, f *fields, p *consent.Consent) (address string, err error) {
	var extra []string
	if f.scopes("add_scopes", &extra); f.err != nil {
		return "", f.err
	}
	if len(extra) == 0 {
		return "", refuse("add_scopes is empty; name the scopes to add")
	}
	for _, other := range []string{"scopes", "flow", "data_center"} {
		if f.sent(other) {
			return "", refuse("%s does not go with add_scopes, which extends the connected grant as it is; leave it out", other)
		}
	}
	k, err := b.memory.credential(ctx, s, name)
	if err != nil {
		return "", err
	}
	if k.RefreshToken == "" {
		return "", refuse("credential %q mints from client credentials; write its scopes anew to creds/%s instead", name, name)
	}
	d, err := k.derive(c)
	if err != nil {
		return "", err
	}
	if p.RedirectURI == "" {
		return "", errNoRedirect()
	}
	if err := checkRedirect(p.RedirectURI); err != nil {
		return "", err
	}
	p.Flow, p.Scopes, p.DataCenter, p.GrantID = consent.Scopes, extra, k.DataCenter, d.account.ID
	address, err = d.account.Client.ExtraScopesURL(ctx, k.RefreshToken, p.RedirectURI, p.State, extra)
	if err != nil {
		return "", explain(err, k.again())
	}
	return address, nil
}

// holdsGrant returns a function that reports whether the credential has a grant now,
// whatever refresh token Zoho has given it since.
func (b *backend) holdsGrant(ctx context.Context, w connectRequest) func(id string) bool {
	return func(id string) bool {
		k, err := b.memory.credential(ctx, w.storage, w.name)
		return err == nil && k.GoesOn(id)
	}
}

// finishScopes mints once to see the scopes of the grant, and stores them. The redirect
// itself proves nothing.
func (b *backend) finishScopes(ctx context.Context, w connectRequest, admitted *gate.Admitted) (*known, []string, error) {
	c := admitted.Completes()
	old, d, err := b.derived(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, err
	}
	token, err := b.keeper.Prove(ctx, b.account(d, w.storage))
	if err != nil {
		return nil, nil, explain(err, old.again())
	}
	// Zoho may have replaced the refresh token with that mint.
	proven, err := b.memory.credential(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, err
	}
	id := d.account.ID
	if proven.GoesOn(id) {
		id, _ = proven.Grant()
	}
	passed, err := admitted.Pass(ctx, gate.Obtained{GrantID: id, DataCenter: d.dc.Name, Granted: token.Scopes})
	if err != nil {
		err = gateError(err)
		b.endFailed(ctx, w, c, c, err)
		return nil, nil, err
	}
	extended, err := b.credentials.Extend(ctx, w.storage, w.name, passed, c.Scopes, token.Scopes, w.change)
	if err != nil {
		return nil, nil, gateError(err)
	}
	k := newKnown(w.name, extended)
	// Last: the address has no code, so it may be written again until its result is stored.
	if err := b.consents.Finish(ctx, w.storage, w.name, c, success(k, c.Scopes, token.Scopes)); err != nil {
		return nil, nil, err
	}
	b.Logger().Info("scopes added", "credential", w.name, "scopes", zoho.FormatScopes(c.Scopes))
	b.learnPerson(ctx, w, k, d.dc, token, zoho.Person{})
	return k, passed.Warnings(), nil
}
