// How does a grant gain scopes without starting over? Zoho's incremental
// authorization: the same refresh token can do more afterwards.

package zoho

import (
	"context"
	"net/url"
)

// ExtraScopesURL asks for an enhance token and returns the address at which a
// person adds scopes to a refresh token. The browser lands on redirectURI with
// status=success, or with error=access_denied. Zoho, "incremental-authorization".
func (c *Client) ExtraScopesURL(ctx context.Context, refreshToken Secret, redirectURI, state string, scopes []string) (address string, err error) {
	defer c.ended(ctx, CallScopes, &err)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	sent := []Secret{refreshToken}
	r, err := c.post(ctx, c.endpoint("token/scopeenhance"), url.Values{
		"client_id": {c.ID}, "client_secret": {string(c.Secret)},
		"grant_type": {"update_scopes_token"}, "refresh_token": {string(refreshToken)},
	})
	if err != nil {
		return "", c.cleaned(err, sent)
	}
	// The enhance token comes as an access token.
	answer, failed := parseTokenAnswer(r.status, r.contentType, r.body, c.MaxLifetime)
	if failed != nil {
		failed.Server, failed.RetryAfter = c.host(), r.retryAfter
		return "", c.cleaned(failed, sent)
	}
	return c.endpoint("token/addextrascope") + "?" + url.Values{
		"client_id": {c.ID}, "response_type": {"update_scopes"}, "redirect_uri": {redirectURI},
		"scope": {FormatScopes(scopes)}, "enhance_token": {answer.AccessToken}, "logout": {"true"}, "state": {state},
	}.Encode(), nil
}
