// Client: the calls of Zoho's OAuth that this engine makes, as one registered client at
// one data center.

package zoho

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Client is a registered OAuth client at one accounts server.
type Client struct {
	ID     string
	Secret Secret
	// AccountsURL is the accounts server. With a path it is a portal's base path,
	// under which auth, token and token/revoke lie.
	AccountsURL string
	// Transport makes the calls; see NewTransport. A call that cannot be repeated (all but
	// Mint and Revoke) sets Close in its request.
	Transport http.RoundTripper
	// Timeout bounds one call; 0 means DefaultTimeout.
	Timeout time.Duration
	// MaxLifetime is the longest life of an access token that is believed; 0 means
	// DefaultLifetime.
	MaxLifetime time.Duration
	// Observe, if not nil, is told how each call ended; see Call. It must not block, and is
	// called by several goroutines at once.
	Observe func(call Call, err error)
}

func (c *Client) endpoint(path string) string {
	if u, err := url.Parse(c.AccountsURL); err == nil && u.Path != "" {
		// A portal: https://accounts.zohoportal.com/clientoauth/v2/<id>.
		return c.AccountsURL + "/" + path
	}
	return c.AccountsURL + "/oauth/v2/" + path
}

func (c *Client) config(redirectURI string, scopes []string) *oauth2.Config {
	config := &oauth2.Config{
		ClientID:     c.ID,
		ClientSecret: string(c.Secret),
		RedirectURL:  redirectURI,
		Endpoint: oauth2.Endpoint{
			AuthURL:  c.endpoint("auth"),
			TokenURL: c.endpoint("token"),
			// Auto-detection would send every failed call twice.
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	if len(scopes) > 0 {
		// The library joins with spaces; commas are what Zoho documents.
		config.Scopes = []string{FormatScopes(scopes)}
	}
	return config
}

// AuthorizationURL returns the address that a person opens to consent. It always
// asks for offline access and for the consent page: without either Zoho gives no
// refresh token on a second consent. verifier, when not empty, adds PKCE (S256).
func (c *Client) AuthorizationURL(redirectURI, state, verifier string, scopes []string) string {
	return c.consentURL("auth", redirectURI, state, verifier, scopes)
}

// OrganizationURL is AuthorizationURL for an administrator who consents for an
// organization: the grant outlives them. soid, <service>.<id>, is left out if empty.
// Zoho, "instance-level".
func (c *Client) OrganizationURL(redirectURI, state, verifier, soid string, scopes []string) string {
	var options []oauth2.AuthCodeOption
	if soid != "" {
		options = append(options, oauth2.SetAuthURLParam("soid", soid))
	}
	return c.consentURL("org/auth", redirectURI, state, verifier, scopes, options...)
}

func (c *Client) consentURL(endpoint, redirectURI, state, verifier string, scopes []string, options ...oauth2.AuthCodeOption) string {
	options = append(options, oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"))
	if verifier != "" {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	config := c.config(redirectURI, scopes)
	config.Endpoint.AuthURL = c.endpoint(endpoint)
	return config.AuthCodeURL(state, options...)
}

// Exchange trades a code for tokens. It makes exactly one call, over a new connection: an
// idle one that Zoho is about to close could cost the consent. redirectURI is empty for a
// self client's code, verifier without PKCE.
func (c *Client) Exchange(ctx context.Context, code Secret, redirectURI, verifier string) (answer Answer, err error) {
	defer c.ended(ctx, CallExchange, &err)
	var options []oauth2.AuthCodeOption
	if verifier != "" {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	answer, err = c.token(ctx, true, func(ctx context.Context) (*oauth2.Token, error) {
		return c.config(redirectURI, nil).Exchange(ctx, string(code), options...)
	}, code, Secret(verifier))
	if e := AsError(err); e != nil && e.About == AboutGrant {
		// The same word, invalid_code, but here it is about the code.
		e.About = AboutCode
	}
	return answer, err
}

// Mint makes Zoho issue an access token from a grant: one call.
func (c *Client) Mint(ctx context.Context, g Grant) (answer Answer, err error) {
	defer c.ended(ctx, CallMint, &err)
	return c.token(ctx, false, func(ctx context.Context) (*oauth2.Token, error) {
		if g.RefreshToken != "" {
			return c.config("", nil).TokenSource(ctx, &oauth2.Token{RefreshToken: string(g.RefreshToken)}).Token()
		}
		config := clientcredentials.Config{
			ClientID: c.ID, ClientSecret: string(c.Secret), TokenURL: c.endpoint("token"),
			AuthStyle: oauth2.AuthStyleInParams,
		}
		if len(g.Scopes) > 0 {
			config.Scopes = []string{FormatScopes(g.Scopes)}
		}
		if g.SOID != "" {
			config.EndpointParams = url.Values{"soid": {g.SOID}}
		}
		return config.Token(ctx)
	}, g.RefreshToken)
}

// token runs one call of the OAuth library over tokenWire, over a new connection if it
// is told to. sent are the secrets in the request: the library hands a refresh token back
// when Zoho sends none.
func (c *Client) token(ctx context.Context, newConnection bool, call func(context.Context) (*oauth2.Token, error), sent ...Secret) (Answer, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	// The wire hands up no redirect that could be followed.
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: tokenWire{c.Transport, c.MaxLifetime, newConnection}})
	// Zoho's clock starts later than ours: counted from before the request, a
	// token is never believed alive when it is dead.
	start := time.Now().UTC().Truncate(time.Second)
	t, err := call(ctx)
	if err != nil {
		return Answer{}, c.cleaned(err, sent)
	}
	// The client-credentials half of the library keeps the lifetime here alone.
	lifetime, _ := t.Extra("expires_in").(float64)
	answer := Answer{
		Token: &Token{
			AccessToken: Secret(t.AccessToken),
			TokenType:   t.TokenType,
			APIDomain:   extra(t, "api_domain"),
			Scopes:      ParseScopes(extra(t, "scope")),
			Issued:      start,
			Expires:     start.Add(time.Duration(lifetime) * time.Second),
		},
		RefreshToken: Secret(t.RefreshToken),
		Received:     time.Now(),
	}
	if slices.Contains(sent, answer.RefreshToken) {
		answer.RefreshToken = ""
	}
	return answer, nil
}

func extra(t *oauth2.Token, name string) string {
	s, _ := t.Extra(name).(string)
	return s
}

// cleaned reduces what the library returns to our own error, and drops an unknown
// error word that repeats what was sent, or a part of it.
func (c *Client) cleaned(err error, sent []Secret) error {
	e := unreachable(err)
	if e.Server == "" {
		e.Server = c.host()
	}
	if e.Code != "" && known(e.Code) == "" {
		for _, secret := range append(sent, c.Secret) {
			if sent := string(secret); sent != "" && (strings.Contains(sent, e.Code) || strings.Contains(e.Code, sent)) {
				e.Code, e.reason = "", "an error word this engine does not know"
			}
		}
	}
	return e
}

func (c *Client) host() string {
	u, err := url.Parse(c.AccountsURL)
	if err != nil {
		return "the accounts server"
	}
	return u.Host
}

func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// Kinds of token that can be revoked.
const (
	RefreshToken = "refresh_token"
	AccessToken  = "access_token"
)

// Revoke makes Zoho forget a token; a refresh token takes its access tokens with
// it. It tries the current form, then the older one, which needs no client and so
// works with a changed secret too, or with none. A token that Zoho does not know is a
// success.
func (c *Client) Revoke(ctx context.Context, token Secret, kind string) (err error) {
	defer c.ended(ctx, CallRevoke, &err)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if c.Secret != "" {
		form := url.Values{"token": {string(token)}, "token_type": {kind}}
		if done, err := c.revoke(ctx, c.endpoint("revoke/token"), form, true); done || err != nil {
			return err
		}
	}
	done, err := c.revoke(ctx, c.endpoint("token/revoke"), url.Values{"token": {string(token)}}, false)
	if !done && err == nil {
		return &Error{Kind: Unavailable, Server: c.host(), Sent: true, reason: "neither form of revocation is known there"}
	}
	return err
}

// revoke makes one call; done is false when this form is not to be had here.
func (c *Client) revoke(ctx context.Context, endpoint string, form url.Values, authenticate bool) (done bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return false, c.cleaned(err, nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authenticate {
		req.SetBasicAuth(c.ID, string(c.Secret))
	}
	r, err := send(c.Transport, req)
	if err != nil {
		return false, err
	}
	var f failure
	isJSON := json.Unmarshal(r.body, &f) == nil
	word, _ := f.Error.(string)
	e := classify(r.status, isJSON, f, r.contentType)
	e.Server, e.RetryAfter = req.URL.Host, r.retryAfter
	switch {
	case r.status == http.StatusNotFound, r.status == http.StatusMethodNotAllowed:
		return false, nil
	case authenticate && (r.status == http.StatusUnauthorized || e.Kind == Refused && e.About == AboutClient):
		return false, nil
	case r.status == http.StatusBadRequest && !isJSON:
		// A page says that the token is unknown, or, where a client is named, that it is
		// the client which is refused. The older form names none.
		return !authenticate, nil
	case e.Kind == Refused && e.About == AboutGrant:
		// Unknown, of another kind or already revoked. A 400 says nothing by itself: the
		// throttle is one too.
		return true, nil
	case r.status < 300 && word == "" && f.Status != "failure" && f.Description == nil && (isJSON || len(r.body) == 0):
		// The success body of the current form is not documented, so any JSON
		// without an error counts as one.
		return true, nil
	}
	return false, c.cleaned(e, []Secret{Secret(form.Get("token"))})
}
