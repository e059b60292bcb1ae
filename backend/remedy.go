// What should a person do about it? Each failure with all its causes and the next
// step. Zoho's two ambiguous words, invalid_client and invalid_code, get every
// cause they stand for.

package backend

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/zoho"
)

// again says how a credential gets a new grant, by how it got the last one.
func (k *known) again() string {
	switch {
	case k.GrantType == credential.GrantDevice:
		return fmt.Sprintf("authorize/%s flow=device", k.name)
	case k.GrantType == credential.GrantClient:
		return fmt.Sprintf("grant_type=client_credentials on creds/%s", k.name)
	case k.GrantType == credential.GrantRefresh:
		return fmt.Sprintf("authorize/%s, or import another refresh_token", k.name)
	case len(k.Requested) == 0:
		return codeAgain(k.name)
	case k.Organization:
		return fmt.Sprintf("authorize/%s flow=organization", k.name)
	}
	return consentAgain(k.name)
}

// nextCommand is what to type to get a new grant, by how the last one was had. A
// dash makes the command line read a secret from the terminal.
func (k *known) nextCommand(mountPoint string) string {
	creds, authorize := mountPoint+credsPrefix+k.name, mountPoint+"authorize/"+k.name
	scopes := "scopes=" + zoho.FormatScopes(k.Requested)
	var soid []string
	if k.SOID != "" {
		soid = append(soid, "soid="+k.SOID)
	}
	switch {
	case k.GrantType == credential.GrantClient:
		fields := append([]string{"grant_type=" + credential.GrantClient, scopes}, soid...)
		return vaultCommand("write", creds, append(fields, "data_center="+k.DataCenter)...)
	case k.GrantType == credential.GrantRefresh:
		return vaultCommand("write", creds, "refresh_token=-", "data_center="+k.DataCenter)
	case k.GrantType == credential.GrantDevice:
		return vaultCommand("write", authorize, "flow="+consent.Device, scopes)
	case len(k.Requested) == 0:
		return vaultCommand("write", creds, "code=-")
	case k.Organization:
		return vaultCommand("write", authorize, append([]string{scopes, "flow=" + consent.Organization}, soid...)...)
	}
	return vaultCommand("write", authorize, scopes)
}

// consentAgain says how a consent in the browser is started.
func consentAgain(name string) string { return "authorize/" + name }

// codeAgain says how a code is had that came without a consent started here.
func codeAgain(name string) string {
	return fmt.Sprintf("authorize/%s, or for a self client with a code from its tab in Zoho's API console", name)
}

// remedy says what to do about a failure with a credential; again says how a new
// grant is had.
func remedy(kind zoho.Kind, about zoho.Subject, code, again string) string {
	switch {
	case kind == zoho.Throttled:
		return "Zoho counts ten access tokens in ten minutes; other users of the same grant count too"
	case kind == zoho.Unavailable:
		return "Zoho is in trouble or out of reach; try again in a moment"
	case about == zoho.AboutServer:
		return "this is not an answer of Zoho's OAuth server: a proxy or a filter between Vault and Zoho answered, or data_center or accounts_urls in config names the wrong accounts server; check both. The HTTP status and the content type help to find out which server answered"
	case about == zoho.AboutClient:
		return "wrong client_id, wrong client_secret, wrong data center, a data center that is not enabled for this client in Zoho's API console, or a secret that differs by data center (client_secrets); correct config"
	case about == zoho.AboutGrant:
		return fmt.Sprintf("revoked, evicted by a 21st consent, or from another data center; connect again with %s", again)
	case about == zoho.AboutCode:
		return fmt.Sprintf("expired (a code lives one to three minutes), already used, from another client or another data center; get a new code with %s", again)
	case about == zoho.AboutUser:
		return fmt.Sprintf("the account is blocked or not confirmed; have its user sign in to Zoho, then connect again with %s", again)
	case code == "invalid_redirect_uri" || code == "redirect_uri_mismatch":
		return fmt.Sprintf("redirect_uri must be exactly, byte for byte, one that is registered for the client in Zoho's API console; correct it and start again with %s", again)
	case code == "missing_org_info":
		return "the app has several organizations; name one with soid"
	case code == "invalid_scope" || code == "invalid_oauthscope":
		return "Zoho does not know one of the scopes for this client; correct scopes"
	}
	return "Zoho did not accept the request; check config and the settings of the credential"
}

// notProven returns the error for an imported grant that Zoho did not accept. The likeliest
// causes differ from those for a grant that has worked.
func (k *known) notProven(err error) error {
	e := zoho.AsError(err)
	if e == nil || e.Kind != zoho.Refused {
		return explain(err, k.again())
	}
	what := e.Error()
	switch {
	case k.GrantType == credential.GrantClient && e.About != zoho.AboutUser && e.About != zoho.AboutServer && !slices.Contains([]string{"missing_org_info", "invalid_scope", "invalid_soid", "restricted_scope"}, e.Code):
		if e.About == zoho.AboutGrant { // there is no refresh token that could be refused
			what = fmt.Sprintf("client credentials refused by %s (%s)", e.Server, e.Code)
		}
		return refuse("%s: client credentials need a client of the type Self Client in Zoho's API console, and this one may be of another type; or client_id, client_secret or data_center is wrong. Use a self client, or connect with authorize/%s", what, k.name)
	case k.GrantType == credential.GrantRefresh && e.About == zoho.AboutGrant:
		return refuse("%s: most likely an access token or a code was given in place of the refresh token (all three look alike), or the refresh token belongs to another client or to another data center than %s, or it was revoked; copy refresh_token from Zoho's answer to the code and name its data_center, or connect with authorize/%s", what, k.DataCenter, k.name)
	}
	return explain(err, k.again())
}

// explain turns what the keeper or a call returned into an answer.
func explain(err error, again string) error {
	var held *zoho.HeldError
	var throttled *zoho.ThrottledError
	var tooLong *zoho.TooLongError
	switch {
	case errors.As(err, &held):
		f := held.Failure
		return explained(f.Kind, fmt.Sprintf("%s: %s", f.Text, remedy(f.Kind, f.About, f.Code, again)), held.Wait)
	case errors.As(err, &throttled):
		return &answer{status: http.StatusTooManyRequests, text: throttled.Error(), retryAfter: throttled.Wait}
	case errors.As(err, &tooLong):
		return refuse("%s", tooLong.Error())
	case errors.Is(err, zoho.ErrClosed), errors.Is(err, zoho.ErrMoved), errors.Is(err, zoho.ErrBusy):
		return &answer{status: http.StatusServiceUnavailable, text: err.Error(), retryAfter: time.Second}
	}
	if e := zoho.AsError(err); e != nil {
		return explained(e.Kind, fmt.Sprintf("%s: %s", e.Error(), remedy(e.Kind, e.About, e.Code, again)), e.RetryAfter)
	}
	return err
}

func explained(kind zoho.Kind, text string, wait time.Duration) error {
	switch kind {
	case zoho.Refused:
		return refuse("%s", text)
	case zoho.Throttled:
		return &answer{status: http.StatusTooManyRequests, text: fmt.Sprintf("%s; come back in %s", text, time.Duration(seconds(max(wait, time.Second)))*time.Second), retryAfter: wait}
	}
	return &answer{status: http.StatusServiceUnavailable, text: text, retryAfter: wait}
}
