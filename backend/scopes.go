// How does a connected credential gain scopes? The person accepts more on Zoho's
// page; the same refresh token can do more afterwards.

package backend

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// beginScopes starts the consent to more scopes and returns the address to open.
func (b *backend) beginScopes(ctx context.Context, s logical.Storage, c *client, name string, f *fields, extra []string, p *pending) (address string, err error) {
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
	p.Flow, p.Scopes, p.DataCenter = flowScopes, extra, k.DataCenter
	address, err = d.account.Client.ExtraScopesURL(ctx, k.RefreshToken, p.RedirectURI, p.State, extra)
	if err != nil {
		return "", explain(err, k.again())
	}
	return address, nil
}

// finishScopes mints once to see what the grant can do now, and stores that.
func (b *backend) finishScopes(ctx context.Context, w connectRequest, p *pending) (*known, []string, error) {
	if w.callback.Err != "" || !w.callback.Enhanced {
		if err := w.storage.Delete(ctx, pendingPrefix+w.name); err != nil {
			return nil, nil, err
		}
		return nil, nil, refuse("the scopes were not added: the person declined, or what was written is not the address of that consent; the credential works as before. Start again with authorize/%s add_scopes=%s", w.name, zoho.FormatScopes(p.Scopes))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.client.RequestTimeout+20*time.Second)
	defer cancel()
	old, d, err := b.derived(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, err
	}
	token, err := b.keeper.Prove(ctx, b.account(d, w.storage))
	if err != nil {
		return nil, nil, explain(err, old.again())
	}
	k := &known{name: w.name}
	err = b.locked(w.name, func() error {
		now, err := b.memory.credential(ctx, w.storage, w.name)
		if err != nil {
			return err
		}
		k.credential = now.credential
		for _, scope := range p.Scopes {
			if !slices.ContainsFunc(k.Requested, func(s string) bool { return strings.EqualFold(s, scope) }) {
				k.Requested = append(slices.Clone(k.Requested), scope)
			}
		}
		if len(token.Scopes) > 0 {
			k.Granted = token.Scopes
		}
		if err := w.change(&k.settings); err != nil {
			return err
		}
		if err := b.storeCredential(ctx, w.storage, k); err != nil {
			return err
		}
		// Last: there is no code in that address, so it may be written again until
		// what it brought is stored.
		return w.storage.Delete(ctx, pendingPrefix+w.name)
	})
	if err != nil {
		return nil, nil, err
	}
	b.learnPerson(ctx, w, k, d.dc, token)
	b.Logger().Info("scopes added", "credential", w.name, "scopes", zoho.FormatScopes(p.Scopes))
	return k, scopeWarnings(p.Scopes, token.Scopes), nil
}
