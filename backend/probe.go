// Whose account is it, and does its token work? Zoho is asked with a living token;
// nothing is minted.

package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// probe asks Zoho about a living token.
func (b *backend) probe(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if !data.Get("probe").(bool) {
		return nil, refuse("a write to status does one thing: write probe=true to ask Zoho whose account %q is", name)
	}
	k, d, err := b.derived(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	account := b.account(d, req.Storage)
	state, err := b.keeper.Look(ctx, account)
	if err != nil {
		return nil, err
	}
	if state.Newest == nil {
		return nil, refuse("credential %q has no living access token to ask with, and a probe mints none; read creds/%s first", name, name)
	}
	token := state.Newest
	resp := &logical.Response{Data: map[string]any{"token_accepted": true}}
	person, err := d.account.Client.UserInfo(ctx, token.AccessToken)
	if err := b.probed(ctx, resp, account, token, err, gate.ProfileScope); err != nil {
		return nil, explain(err, k.again())
	}
	if resp.Data["token_accepted"] == false {
		return resp, nil // a second question would say the same
	}
	if err == nil {
		resp.Data["zoho_user"], resp.Data["zoho_email"], resp.Data["zoho_name"] = person.ZUID, person.Email, person.Name
		b.notePerson(ctx, req.Storage, k, person)
	}
	org, err := d.account.Client.CRMOrganization(ctx, firstOf(token.APIDomain, k.APIDomain, d.dc.APIDomain), token.AccessToken)
	if err := b.probed(ctx, resp, account, token, err, "ZohoCRM.org.READ"); err != nil {
		return nil, explain(err, k.again())
	}
	if err == nil {
		resp.Data["organization_id"], resp.Data["organization_name"] = org.ID, org.Name
	}
	return resp, nil
}

// probed notes what the answer to a probe means: that a scope is missing is an answer as
// well. A token that Zoho calls dead is handed out no more.
func (b *backend) probed(ctx context.Context, resp *logical.Response, account *zoho.Account, token *zoho.Token, err error, scope string) error {
	e := zoho.AsError(err)
	switch {
	case err == nil:
	case e != nil && e.About == zoho.AboutGrant:
		resp.Data["token_accepted"] = false
		resp.AddWarning("Zoho does not accept the newest access token: the grant was revoked, or another user of it minted so many that Zoho evicted this one. It is handed out no more; the next read asks for a new one")
		return b.keeper.Reject(ctx, account, token)
	case e != nil && e.ScopeMissing():
		resp.AddWarning("the scope " + scope + " is not granted, so Zoho does not tell more")
	default:
		return err
	}
	return nil
}
