// scopes.go: a connected credential gains scopes (Zoho's incremental authorization). The
// person accepts more on Zoho's page, and the same refresh token can do more afterwards.

package backend

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
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
	if len(k.Granted) > 0 && len(zoho.NewScopes(extra, k.Granted)) == 0 {
		return "", refuse("credential %q has the scopes %s already; name the ones to add", name, zoho.FormatScopes(extra))
	}
	p.Flow, p.Scopes, p.DataCenter, p.GrantID, p.Had = consent.Scopes, extra, k.DataCenter, d.account.ID, k.Granted
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

// proofInterval is the least time between two mints that prove added scopes for a visitor.
// The callback needs no Vault token, and each proof is one of ten mints.
const proofInterval = 5 * time.Minute

// finishScopes mints once to see the scopes of the grant, and stores them. The redirect
// itself proves nothing.
func (b *backend) finishScopes(ctx context.Context, w connectRequest, admitted *gate.Admitted) (*known, []string, error) {
	c := admitted.Completes()
	if last := c.Outcome; w.visitor && last != nil && time.Since(last.At).Abs() < proofInterval {
		return nil, nil, &answer{status: http.StatusBadRequest, waits: true, text: fmt.Sprintf("the scopes of credential %q were checked at %s, and the check failed: %s. They can be checked again from %s on, with the same address", w.name, stamp(last.At), last.Detail, stamp(last.At.Add(proofInterval)))}
	}
	k, token, warnings, err := b.extend(ctx, w, admitted)
	if err != nil {
		b.scopesFailed(ctx, w, c, err)
		return nil, nil, err
	}
	// Last: the address has no code, so it may be written again until its result is stored.
	if err := b.consents.Finish(ctx, w.storage, w.name, c, success(k, c.Scopes, token.Scopes)); err != nil {
		return nil, nil, err
	}
	b.Logger().Info("scopes added", "credential", w.name, "scopes", zoho.FormatScopes(c.Scopes))
	if dc, err := w.client.dataCenter(k.DataCenter); err == nil {
		b.learnPerson(ctx, w, k, dc, token, zoho.Person{})
	}
	return k, warnings, nil
}

// extend proves that the grant gained scopes, and stores them.
func (b *backend) extend(ctx context.Context, w connectRequest, admitted *gate.Admitted) (*known, *zoho.Token, []string, error) {
	c := admitted.Completes()
	old, d, err := b.derived(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, nil, err
	}
	token, err := b.keeper.Prove(ctx, b.account(d, w.storage))
	if err != nil {
		return nil, nil, nil, explain(err, old.again())
	}
	// Zoho may have replaced the refresh token with that mint.
	proven, err := b.memory.credential(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, nil, err
	}
	id := d.account.ID
	if proven.GoesOn(id) {
		id, _ = proven.Grant()
	}
	passed, err := admitted.Pass(ctx, gate.Obtained{GrantID: id, DataCenter: d.dc.Name, Granted: token.Scopes})
	if err != nil {
		return nil, nil, nil, gateError(err)
	}
	con := credential.Connection{Passed: passed, ConsentID: c.ID, Edit: w.change, Claimed: b.stillClaimed(ctx, w, c)}
	var k *known
	err = b.whileInForce(ctx, w, func() error {
		extended, err := b.credentials.Extend(ctx, w.storage, w.name, c.Scopes, token.Scopes, con)
		if err == nil {
			k = newKnown(w.name, extended)
		}
		return gateError(err)
	})
	return k, token, passed.Warnings(), err
}

// scopesFailed stores and logs why scopes were not added. The consent keeps waiting, since
// the person may accept yet.
func (b *backend) scopesFailed(ctx context.Context, w connectRequest, c *consent.Consent, cause error) {
	o := b.failure(cause)
	b.logFailed(w.name, o, b.consents.Reopen(ctx, w.storage, w.name, c, c, o))
}
