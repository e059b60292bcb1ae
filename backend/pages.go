// What does a person read when their browser has come back? A page for each end that a
// consent can have. Who it is may be a customer who never heard of Vault, or the operator.

package backend

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/internal/page"
)

// htmlPage is the answer that carries a page.
func htmlPage(status int, p page.Page) *logical.Response {
	return &logical.Response{
		Data: map[string]any{
			logical.HTTPContentType: "text/html; charset=utf-8",
			logical.HTTPStatusCode:  status,
			logical.HTTPRawBody:     string(p.HTML()), // bytes would become base64 on the bridge
		},
		// These pass where the mount's allowed_response_headers names them.
		Headers: page.Headers(),
	}
}

var unknown = sync.OnceValue(func() *logical.Response {
	return htmlPage(http.StatusBadRequest, page.Page{Result: page.Unknown})
})

// unknownPage is for every request without a state of this mount, and always the same.
func unknownPage() *logical.Response {
	resp := *unknown()
	return &resp
}

// emptyPage is for a request that brings nothing of a consent.
func emptyPage(name string) *logical.Response {
	return htmlPage(http.StatusBadRequest, page.Page{
		Result: page.Failed, Credential: name,
		Problem: "This address is not complete, and nothing was done.",
		Next:    "Open the link that you were given, and accept on Zoho’s page.",
	})
}

func busyPage(name string) *logical.Response {
	return htmlPage(http.StatusServiceUnavailable, page.Page{Result: page.Busy, Credential: name})
}

// refusalPage says why nothing was connected, and leads back where that is known. What
// Zoho's servers or Vault's could not do yet may be tried again with the same address.
func refusalPage(name string, err error, back string) *logical.Response {
	var a *answer
	errors.As(err, &a)
	status := a.status
	p := page.Page{Result: page.Failed, Credential: name, Problem: a.problem, Detail: a.text, ReturnURL: back}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		p.Result, p.ReturnURL = page.Busy, ""
	} else {
		status = http.StatusBadRequest
	}
	return htmlPage(status, p)
}

// outcomePage shows what came of a consent, or sends the browser on with it.
func (b *backend) outcomePage(ctx context.Context, w *connectRequest, c *consent.Consent, o *consent.Outcome) *logical.Response {
	if o.Result == consent.OtherAccount {
		return otherAccountPage(w, c, o.Detail)
	}
	if to := w.client.returnTo(c.ReturnURL, w.name, string(o.Result), c.ReturnState); to != "" {
		return &logical.Response{Redirect: to, Headers: page.Headers()}
	}
	p := page.Page{Result: page.Failed, Credential: w.name, Granted: o.Granted, Refused: o.Refused, Detail: o.Detail}
	switch o.Result {
	case consent.Connected:
		p.Result = page.Connected
		p.DataCenter = titled(w.client, o.DataCenter)
		if k, err := b.memory.credential(ctx, w.storage, w.name); err == nil && k.goesOn(o.GrantID) {
			p.Account = firstOf(k.Person.Email, k.Person.ZUID)
			if k.Organization {
				p.Problem = "You gave access for your organisation. Vault keeps it safe and hands it to the apps that may use it."
				p.Organization = firstOf(k.SOID, "the whole organisation")
			}
		}
	case consent.Declined:
		p.Result, p.Detail = page.Declined, ""
	default:
		switch o.Status {
		case http.StatusTooManyRequests:
			p.Problem = "Zoho has had too many requests in the last ten minutes."
			p.Next = "Wait ten minutes. Then start again with a new link."
		case http.StatusServiceUnavailable:
			p.Problem = "Vault got no usable answer from Zoho, so nothing was connected."
			p.Next = "Wait a few minutes. Then start again with a new link."
		default:
			p.Problem = "Zoho did not give Vault the access that you accepted."
		}
	}
	return htmlPage(o.Status, p)
}

// otherAccountPage says which account was expected, and how to switch to it.
func otherAccountPage(w *connectRequest, c *consent.Consent, detail string) *logical.Response {
	p := page.Page{
		Result: page.Failed, Credential: w.name, Detail: detail,
		Problem: "This link is for " + expected(c) + ". You accepted with another account, so nothing was connected.",
		Next:    "Sign out of Zoho, or open the link in a private window. Then open the link again and sign in with the account that it is for.",
	}
	p.ReturnURL = w.client.returnTo(c.ReturnURL, w.name, string(consent.Failed), c.ReturnState)
	return htmlPage(http.StatusBadRequest, p)
}

// titled is a data center as people know it.
func titled(c *client, name string) string {
	if dc, found := c.table.ByName(name); found && dc.Title != "" {
		return dc.Title + " (" + name + ")"
	}
	return name
}
