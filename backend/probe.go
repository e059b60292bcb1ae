// probe: asks Zoho with a living access token whose account a grant is in, and which
// organization of Zoho CRM. Nothing is minted.

package backend

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// orgScope lets a token be asked for the organization in Zoho CRM.
const orgScope = "ZohoCRM.org.READ"

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
	token := state.Newest
	if token == nil {
		return nil, refuse("credential %q has no living access token to ask with, and a probe mints none; read creds/%s first", name, name)
	}
	resp := &logical.Response{Data: map[string]any{}}
	person, userErr := d.account.Client.UserInfo(ctx, token.AccessToken)
	if tokenInvalid(userErr) {
		return b.tokenDead(ctx, resp, account, token)
	}
	if userErr == nil {
		resp.Data["zoho_user"], resp.Data["zoho_email"], resp.Data["zoho_name"] = person.ZUID, person.Email, person.Name
		b.notePerson(ctx, req.Storage, k, person)
	} else {
		resp.AddWarning(noUser(userErr))
	}
	org, orgErr := d.account.Client.CRMOrganization(ctx, firstOf(token.APIDomain, k.APIDomain, d.dc.APIDomain), token.AccessToken)
	switch {
	case orgErr == nil:
		resp.Data["organization_id"], resp.Data["organization_name"] = org.ID, org.Name
	case tokenRefused(orgErr) && userErr != nil:
		resp.AddWarning(refusedByAPI(name, orgErr))
	default:
		resp.AddWarning(noOrganization(orgErr))
	}
	if tokenRefused(orgErr) && scopeMissing(userErr) {
		return resp, nil // the servers disagree, so token_accepted is left out
	}
	if tokenAccepted(userErr) || tokenAccepted(orgErr) {
		resp.Data["token_accepted"] = true
		return resp, nil
	}
	for _, err := range []error{userErr, orgErr} {
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Refused {
			return nil, explain(err, k.again()) // an outage or a throttle left both without an answer
		}
	}
	return resp, nil
}

// tokenInvalid reports whether the accounts server says that a token is invalid. Only such an
// answer discards a token.
//
// Known about Zoho: without the profile scope the accounts server answers a valid token with
// INVALID_OAUTHSCOPE. Not known: whether it also answers INVALID_OAUTHSCOPE for an invalid
// token without that scope, which words it uses for an invalid token, and what a 401 in other
// words means. In doubt the token is kept: a reader that gets a 401 reports it with rejected.
func tokenInvalid(userErr error) bool {
	e := zoho.AsError(userErr)
	return tokenRefused(userErr) && (e.Code == "INVALID_TOKEN" || e.Code == "INVALID_OAUTHTOKEN")
}

// tokenRefused reports whether a server refuses a token with a 401, or calls it invalid. An
// API does so for a token of another data center, for a missing scope, and for a missing
// permission too.
func tokenRefused(err error) bool {
	e := zoho.AsError(err)
	return e != nil && e.Kind == zoho.Refused && e.About == zoho.AboutGrant
}

// scopeMissing reports whether a server only misses a scope.
func scopeMissing(err error) bool {
	e := zoho.AsError(err)
	return e != nil && e.ScopeMissing()
}

// tokenAccepted reports whether an answer shows that a token is alive.
func tokenAccepted(err error) bool {
	e := zoho.AsError(err)
	return err == nil || e != nil && (e.ScopeMissing() || e.PermissionMissing())
}

// tokenDead stops handing out a token, and reports that.
func (b *backend) tokenDead(ctx context.Context, resp *logical.Response, account *zoho.Account, token *zoho.Token) (*logical.Response, error) {
	if err := b.keeper.Reject(ctx, account, token); err != nil {
		return nil, explain(err, "")
	}
	resp.Data["token_accepted"] = false
	resp.AddWarning("Zoho does not accept the newest access token: the grant was revoked, or another user of it minted so many that Zoho evicted this one. It is handed out no more; the next read asks for a new one")
	return resp, nil
}

// noUser says why the accounts server did not say whose account it is.
func noUser(err error) string {
	if tokenRefused(err) {
		return "Zoho did not name the user of the account: " + zoho.AsError(err).Error() + ". The answer does not say that the access token is invalid, so Vault does not discard it. Check that data_center is that of the account, and whether a proxy or a filter answered in Zoho's place"
	}
	if scopeMissing(err) {
		return "the scope " + gate.ProfileScope + " is not granted, so Zoho does not name the user; to see the user, connect again with this scope"
	}
	return "Zoho did not name the user of the account: " + askedInVain(err)
}

// refusedByAPI says that the API of Zoho CRM refuses a token that the accounts server neither
// accepts for certain nor calls invalid.
func refusedByAPI(name string, orgErr error) string {
	e := zoho.AsError(orgErr)
	return "the API at " + e.Server + " does not accept the access token, and the accounts server did not say whether the token is valid, so Vault does not discard it. " +
		"Check that api_domain is that of the account's data center, that the scopes are those of Zoho CRM, and that the account may use it. " +
		"If a program gets a 401 with this token, let it read creds/" + name + " with rejected=<token_id>"
}

// noOrganization says why Zoho CRM did not name the organization. None of these answers
// says that the grant is dead.
func noOrganization(err error) string {
	e := zoho.AsError(err)
	switch {
	case e == nil:
	case e.ScopeMissing():
		return "the scope " + orgScope + " is not granted, so Zoho does not name the organization; to see the organization, connect again with this scope"
	case e.PermissionMissing():
		return "Zoho CRM refuses the API calls of this account (NO_PERMISSION). The grant works: an administrator of Zoho CRM must allow API access in the profile of the user (permission Crm_Implied_Api_Access)"
	case e.Kind == zoho.Refused && e.About == zoho.AboutGrant:
		return "the API at " + e.Server + " does not accept the access token, but the accounts server does not refuse it, so Vault still hands it out. Check that api_domain is that of the account's data center, that the scopes are those of Zoho CRM, and that the account may use it"
	case e.Status == http.StatusNoContent:
		return "Zoho CRM answered without content (HTTP 204), so the organization is not known. The token is not refused; check in Zoho CRM that the account belongs to an organization there"
	case e.About == zoho.AboutServer:
		return "Zoho CRM did not name the organization: " + e.Error() + ". The token is not refused; check that api_domain is that of the account's data center, and whether a proxy or a filter answered in Zoho's place"
	case e.Kind == zoho.Refused:
		return "Zoho CRM did not name the organization: " + e.Error() + ". The token is not refused; check in Zoho CRM that the account may use it"
	}
	return "Zoho CRM did not name the organization: " + askedInVain(err)
}

// askedInVain is the error of a probe's question, with what to do.
func askedInVain(err error) string {
	e := zoho.AsError(err)
	if e == nil {
		return "the question failed within Vault; probe again"
	}
	return e.Error() + ": " + remedy(e.Kind, e.About, e.Code, "")
}
