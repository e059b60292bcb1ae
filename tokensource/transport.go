// How does a request get its token, and what if Zoho rejects it? Sent once more with the
// next token, if there is one.

package tokensource

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Transport sends requests with a token of its source. A redirect to another host is
// followed without it, and it is never sent over plain HTTP but to this machine.
type Transport struct {
	// Source gives the tokens.
	Source *Source
	// Base sends the requests; nil means [http.DefaultTransport].
	Base http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	if elsewhere(req) {
		return base.RoundTrip(req)
	}
	if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
		closeBody(req)
		return nil, errors.New("an access token is not sent over plain http; use https")
	}
	token, err := t.Source.TokenContext(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	first := req.Clone(req.Context())
	token.SetAuthHeader(first)
	resp, err := base.RoundTrip(first)
	if err != nil || !rejects(resp) {
		return resp, err
	}
	next, err := t.Source.Rejected(req.Context(), token)
	if err != nil || next.AccessToken == token.AccessToken {
		return resp, nil // Zoho's own answer says more than that Vault has no other
	}
	second := req.Clone(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return resp, nil // the next request has the next token
		}
		if second.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	resp.Body.Close()
	next.SetAuthHeader(second)
	return base.RoundTrip(second)
}

// elsewhere says that a redirect led to another host than the request was for.
func elsewhere(req *http.Request) bool {
	first := req
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Host != req.URL.Host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// peeked is how much of a refusal is looked at: they are short.
const peeked = 4 << 10

// mismatches are answers with 401 to a token that is alive, but not for this: CRM and its
// family, accounts and WorkDrive, Cliq, another organization at Desk.
var mismatches = []string{"OAUTH_SCOPE_MISMATCH", "INVALID_OAUTHSCOPE", "oauthtoken_scope_invalid", "OAUTH_ORG_MISMATCH"}

// rejects says whether an answer means that the token is dead. What it looks at of the
// body can still be read. PhoneBridge says so with 400.
func rejects(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusBadRequest {
		return false
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, peeked))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), resp.Body}
	text := resp.Status + string(head)
	if resp.StatusCode == http.StatusBadRequest {
		return strings.Contains(text, `"INVALID_TOKEN"`)
	}
	for _, word := range mismatches {
		if strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// failing is where reading the answer failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
