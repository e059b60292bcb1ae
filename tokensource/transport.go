// transport.go: Transport, which adds the token to a request and sends the request once
// more with another token if Zoho rejects the first.

package tokensource

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
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
	if err != nil || !rejects(first, resp) {
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

// peeked is how many bytes of a refusal are looked at: they are short.
const peeked = 4 << 10

// mismatches are the answers with 401 that are surely not about the token: a scope that
// it does not have, another organization, a missing resource, a server that answers with
// a page. Any other 401 is reported, above all those that are known for dead tokens
// (INVALID_TOKEN, INVALID_OAUTH, INVALID_OAUTHTOKEN, UNAUTHORIZED, oauthtoken_invalid,
// AUTHENTICATION_FAILURE, the codes 14 of Books, 1007 of Campaigns, 1030 of Creator, 7202
// and 7213 of People, 9031 and 9041 of Sign): a report that is wrong costs one mint, a
// dead token that is not reported stays with every app until its ttl is over.
var mismatches = []struct {
	where *regexp.Regexp // host and path of the request; nil for any
	says  *regexp.Regexp // in the status line, the media type or the body
	known string         // the service, and who has seen it
}{
	{nil, regexp.MustCompile(`\bOAUTH_SCOPE_MISMATCH\b`), "CRM, Bigin, Recruit: the scope; CRM's page on scopes"},
	{nil, regexp.MustCompile(`\bINVALID_OAUTHSCOPE\b`), "Accounts in cause, WorkDrive in the status line: the scope; bk-rs/oauth2-rs and rclone"},
	{nil, regexp.MustCompile(`\boauthtoken_scope_invalid\b`), "Cliq: the scope; sprintberlin/openclaw-cliq"},
	{nil, regexp.MustCompile(`\bInvalid OAuthScope\b`), "SalesIQ, code 1009: the scope; public code"},
	{nil, regexp.MustCompile(`\bOAUTH_ORG_MISMATCH\b`), "Desk: another organization; a note on Desk's API of 2026-10"},
	{regexp.MustCompile(`(?i)\bworkdrive\b`), regexp.MustCompile(`"R008"`), "WorkDrive, at workdrive.zoho.com, /workdrive/ and upload.zoho.com/workdrive-api/: a missing resource; rclone"},
	{regexp.MustCompile(`/(books|inventory)/`), regexp.MustCompile(`"code"\s*:\s*"?57\b`), "Books, Inventory: the scope, where 14 is the token; seen 2026-09"},
	// JSON that a service calls text/html is no page.
	{nil, regexp.MustCompile(`(?i)^[^\n]*\n(text/html\b[^\n]*\n\s*([^\s{[]|$)|[^\n]*\n\s*(<!doctype html|<html))`), "Desk at the wrong data center, and any proxy: a page; seen 2026-09"},
}

// rejects says whether an answer means that the token is dead. What it looks at of the
// body can still be read. PhoneBridge says so with 400.
func rejects(req *http.Request, resp *http.Response) bool {
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
	text := unpacked(head, resp.Header.Get("Content-Encoding"))
	if resp.StatusCode == http.StatusBadRequest {
		return strings.Contains(text, `"INVALID_TOKEN"`)
	}
	// rclone knows it of WorkDrive.
	if strings.Contains(strings.Join(resp.Header.Values("WWW-Authenticate"), " "), "expired_token") {
		return true
	}
	where := req.URL.Host + req.URL.Path
	answer := resp.Status + "\n" + resp.Header.Get("Content-Type") + "\n" + text
	for _, m := range mismatches {
		if (m.where == nil || m.where.MatchString(where)) && m.says.MatchString(answer) {
			return false
		}
	}
	return true
}

// unpacked is the beginning of a body as text. An app that sets Accept-Encoding itself gets
// the body as gzip.
func unpacked(head []byte, encoding string) string {
	if strings.EqualFold(encoding, "gzip") {
		if reader, err := gzip.NewReader(bytes.NewReader(head)); err == nil {
			head, _ = io.ReadAll(io.LimitReader(reader, peeked)) // what is there of a long one
		}
	}
	return string(head)
}

// failing is where reading the answer failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
