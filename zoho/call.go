// call.go: the kinds of calls to Zoho, and how the end of each is observed.

package zoho

import (
	"context"
	"errors"
)

// Call is what a call to Zoho is for.
type Call string

// The kinds of calls that a Client makes.
const (
	// CallMint is Mint: an access token from a grant.
	CallMint Call = "mint"
	// CallExchange is Exchange: a grant from an authorization code.
	CallExchange Call = "exchange"
	// CallDevice is StartDevice or PollDevice.
	CallDevice Call = "device"
	// CallScopes is ExtraScopesURL: the start of incremental authorization.
	CallScopes Call = "scopes"
	// CallRevoke is Revoke, of a refresh token or of an access token.
	CallRevoke Call = "revoke"
	// CallProbe is UserInfo or CRMOrganization.
	CallProbe Call = "probe"
	// CallCheck is Reachable.
	CallCheck Call = "check"
)

// ended tells Observe how a call ended, nil for a success. It is deferred with the context
// of the caller. A call that the caller cancelled is not observed, unless Zoho answered
// before: it shows nothing about Zoho.
func (c *Client) ended(ctx context.Context, call Call, err *error) {
	if c.Observe == nil {
		return
	}
	if e := AsError(*err); e != nil && !e.Answered && errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	c.Observe(call, *err)
}
