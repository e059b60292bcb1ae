// What did the person give? One source of a grant, read from the fields of a write,
// and the place to which it may be sent.

package backend

import (
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/zoho"
)

// connectRequest is one write to creds/<name>, read and checked.
type connectRequest struct {
	name    string
	client  *client
	storage logical.Storage
	// mountPoint is where the mount is in Vault, with a slash at the end.
	mountPoint string
	change     func(*credential.Settings) error
	// visitor: the request came to the callback, without a Vault token.
	visitor bool
	// create: the caller may connect a new credential, and replace none.
	create bool

	callback     zoho.Callback
	fromCallback bool
	redirectURI  string
	center       string
	refreshToken zoho.Secret
	scopes       []string
	soid         string
}

// read takes the source of a grant from the fields: "code", "refresh_token",
// "client_credentials", or "" for settings alone.
func (w *connectRequest) read(f *fields) (string, error) {
	var callbackURL, code, grantType string
	f = f.withoutEmpty("state", "redirect_uri", "data_center", "accounts_server", "grant_type", "scopes", "soid")
	f.text("callback_url", &callbackURL)
	f.text("code", &code)
	f.secret("refresh_token", &w.refreshToken)
	f.text("redirect_uri", &w.redirectURI)
	f.text("data_center", &w.center)
	f.text("state", &w.callback.State)
	f.text("accounts_server", &w.callback.AccountsServer)
	f.text("grant_type", &grantType)
	f.scopes("scopes", &w.scopes)
	f.organization("soid", &w.soid)
	if f.err != nil {
		return "", f.err
	}
	if strings.Contains(code, "://") && callbackURL == "" {
		callbackURL, code = code, "" // the whole address was pasted
	}
	sources := 0
	for _, given := range []bool{callbackURL != "", code != "", w.refreshToken != "", grantType == credential.GrantClient} {
		if given {
			sources++
		}
	}
	switch {
	case sources > 1:
		return "", refuse("a write takes one source of a grant; give only one of callback_url, code, refresh_token and grant_type=client_credentials")
	case grantType != "" && grantType != credential.GrantClient:
		return "", refuse("grant_type %q is not needed or not known; with callback_url, code or refresh_token leave it out, for a self client's own credentials write client_credentials", shorten(grantType))
	case grantType == credential.GrantClient && len(w.scopes) == 0:
		return "", refuse("scopes are missing; client credentials are minted for the scopes named here, such as ZohoCRM.modules.READ")
	case grantType == credential.GrantClient:
		return credential.GrantClient, f.onlyWith("client credentials", "data_center", "scopes", "soid")
	case callbackURL != "":
		callback, err := zoho.ParseCallback(callbackURL)
		if err != nil {
			return "", refuse("%s", err)
		}
		w.callback, w.fromCallback = callback, true
		return "code", f.onlyWith("callback_url, which says it itself")
	case code != "":
		w.callback.Code = zoho.Secret(code)
		return "code", f.onlyWith("code", "state", "redirect_uri", "data_center", "accounts_server")
	case w.refreshToken != "":
		if strings.ContainsAny(string(w.refreshToken), " \t\r\n\"'") {
			return "", refuse("refresh_token holds spaces or quotes; paste the token alone")
		}
		return "refresh_token", f.onlyWith("refresh_token", "data_center")
	case f.sent("callback_url") || f.sent("code") || f.sent("refresh_token"):
		return "", refuse("the source of the grant is empty; give callback_url, code or refresh_token")
	}
	return "", f.onlyWith("settings alone")
}

// onlyWith refuses the fields of other sources of a grant.
func (f *fields) onlyWith(source string, takes ...string) error {
	for _, name := range []string{"state", "redirect_uri", "data_center", "accounts_server", "scopes", "soid"} {
		if f.sent(name) && !slices.Contains(takes, name) {
			return refuse("field %q does not go with %s; leave it out", name, source)
		}
	}
	return nil
}

// place decides the data centre to which a code or refresh token is sent. Nothing
// in a callback is trusted beyond choosing a row of the table.
func (w *connectRequest) place(fallback string) (zoho.DataCenter, error) {
	dc, named, err := w.callback.DataCenter(w.client.table)
	if err != nil {
		return dc, refuse("%s", err)
	}
	if w.center != "" {
		chosen, err := w.client.dataCenter(w.center)
		if err != nil {
			return dc, err
		}
		if named && chosen.AccountsURL != dc.AccountsURL {
			return dc, refuse("data_center says %s, the accounts server given belongs to %s; leave data_center out", chosen.Name, dc.Name)
		}
		dc, named = chosen, true
	}
	if !named {
		if dc, err = w.client.dataCenter(firstOf(fallback, w.client.DataCenter)); err != nil {
			return dc, err
		}
	}
	if w.client.secret(dc.Name) == "" {
		return dc, noSecret(dc, w.name)
	}
	return dc, nil
}

func noSecret(dc zoho.DataCenter, name string) error {
	return refuse("there is no client secret for data center %q; add it to client_secrets in config (in Zoho's API console: the client's Settings tab), then start again with authorize/%s", dc.Name, name)
}
