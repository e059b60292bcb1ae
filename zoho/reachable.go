// Reachability of an accounts server: one call that needs no credential and mints nothing.

package zoho

import (
	"context"
	"encoding/json"
	"net/http"
)

// Reachable reports whether the accounts server's token endpoint answers. It sends a
// POST without a body: no grant type, no client id, no secret. Zoho answers HTTP 400 to a
// missing grant_type (Zoho, "token"), so no token is minted and no mint limit is touched.
//
// It returns nil when an OAuth server answered: status 200 with a JSON object, or a 4xx
// that is not about the connection. A 429 is an *Error of kind Throttled. Everything else
// (no answer, a redirect, a page with status 2xx, 407, 408, 421, 425 and 5xx) is an *Error
// of kind Unavailable. Both carry what the Retry-After header asked for.
func (c *Client) Reachable(ctx context.Context) (err error) {
	defer c.ended(ctx, CallCheck, &err)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint("token"), nil)
	if err != nil {
		return c.cleaned(err, nil)
	}
	req.Close = true // a new connection is what the next call would need
	r, err := send(c.Transport, req)
	if err != nil {
		return c.cleaned(err, nil)
	}
	e := &Error{Kind: Unavailable, Server: c.host(), Status: r.status, RetryAfter: r.retryAfter, Sent: true}
	var object map[string]json.RawMessage
	switch {
	case r.status == http.StatusTooManyRequests:
		e.Kind, e.Answered = Throttled, true
	case r.status >= 400 && r.status < 500 && r.status != http.StatusProxyAuthRequired && !transient(r.status):
		return nil
	case r.status == http.StatusOK && json.Unmarshal(r.body, &object) == nil && object != nil:
		return nil
	case r.status < 300:
		e.reason = "a page instead of JSON, " + mediaType(r.contentType)
	}
	return e
}
