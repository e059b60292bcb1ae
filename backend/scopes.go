// How does a connected credential gain scopes? The person accepts more on Zoho's
// page; the same refresh token can do more afterwards.

package backend

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// beginScopes starts the consent to more scopes and returns the address to open.
func (b *backend) beginScopes(ctx context.Context, s logical.Storage, c *client, name string, f *fields, extra []string, p *consent.Consent) (address string, err error) {
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

// finishScopes mints once to see what the grant can do now, and stores that.
func (b *backend) finishScopes(ctx context.Context, w connectRequest, c *consent.Consent) (*known, []string, error) {
	if w.callback.Err != "" || !w.callback.Enhanced {
		return nil, nil, b.end(ctx, w, c, declinedScopes(w, c))
	}
	old, d, err := b.derived(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, err
	}
	if c.GrantID != "" && !old.goesOn(c.GrantID) {
		return nil, nil, b.end(ctx, w, c, otherGrant(w.name, c))
	}
	token, err := b.keeper.Prove(ctx, b.account(d, w.storage))
	if err != nil {
		return nil, nil, explain(err, old.again())
	}
	k, err := b.credentials.change(ctx, w.storage, w.name, func(now *known) (*credential, error) {
		if now == nil || !now.goesOn(d.account.ID) {
			return nil, otherGrant(w.name, c)
		}
		next := now.credential
		for _, scope := range c.Scopes {
			if !slices.ContainsFunc(next.Requested, func(s string) bool { return strings.EqualFold(s, scope) }) {
				next.Requested = append(slices.Clone(next.Requested), scope)
			}
		}
		if len(token.Scopes) > 0 {
			next.Granted = token.Scopes
		}
		return &next, w.change(&next.settings)
	})
	if err != nil {
		return nil, nil, err
	}
	// Last: there is no code in that address, so it may be written again until what
	// it brought is stored.
	if err := b.consents.Finish(ctx, w.storage, w.name, c, success(k, c.Scopes, token.Scopes)); err != nil {
		return nil, nil, err
	}
	b.Logger().Info("scopes added", "credential", w.name, "scopes", zoho.FormatScopes(c.Scopes))
	b.learnPerson(ctx, w, k, d.dc, token)
	return k, scopeWarnings(c.Scopes, token.Scopes), nil
}

func declinedScopes(w connectRequest, c *consent.Consent) error {
	return &answer{
		status: http.StatusBadRequest, result: consent.Declined,
		text: fmt.Sprintf("the scopes were not added: the person declined, or what was written is not the address of that consent; the credential works as before. Start again with authorize/%s add_scopes=%s", w.name, zoho.FormatScopes(c.Scopes)),
	}
}

func otherGrant(name string, c *consent.Consent) error {
	return refuse("the scopes were added to a grant that credential %q has no more: it was connected anew, or deleted, meanwhile; start again with authorize/%s add_scopes=%s", name, name, zoho.FormatScopes(c.Scopes))
}
