// pages.go: the pages that the browser shows after a consent, one for each result. The
// reader may be a customer who does not know Vault, or the operator.

package backend

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/internal/page"
	"vault-plugin-secrets-zoho/zoho"
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

// refusalPage says why nothing was connected, and links to back if that is known. After a
// 429 or 503 the person can load the same address again.
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

// outcomePage shows the result of a consent, or sends the browser on with it.
func (b *backend) outcomePage(ctx context.Context, w *connectRequest, c *consent.Consent, o *consent.Outcome) *logical.Response {
	to := w.client.returnTo(c.ReturnURL, w.name, *o, c.ReturnState)
	if o.Result == consent.WrongAccount {
		return wrongAccountPage(w.name, c, o, to)
	}
	if to != "" {
		return &logical.Response{Redirect: to, Headers: page.Headers()}
	}
	p := page.Page{Result: page.Failed, Credential: w.name, Granted: o.Granted, Refused: o.Refused, Detail: o.Detail}
	switch o.Result {
	case consent.Connected:
		b.describeConnected(ctx, w, o, &p)
	case consent.Superseded:
		p.Result = page.Over
	case consent.Declined:
		p.Result = page.Declined
		p.Problem, p.Next = zoho.ConsentErrorText(o.Word)
	default:
		p.Problem, p.Next = failedText(o.Status)
	}
	return htmlPage(o.Status, p)
}

// describeConnected adds what was connected to a page.
func (b *backend) describeConnected(ctx context.Context, w *connectRequest, o *consent.Outcome, p *page.Page) {
	p.Result, p.DataCenter = page.Connected, titled(w.client, o.DataCenter)
	k, err := b.memory.credential(ctx, w.storage, w.name)
	if err != nil || !k.GoesOn(o.GrantID) {
		return
	}
	p.Account = firstOf(k.Person.Email, k.Person.ZUID)
	if k.Organization {
		p.Problem = "You were asked for access for your organization. Vault keeps it safe and hands it to the apps that may use it."
		p.Organization = firstOf(k.SOID, "the whole organization")
	}
}

// failedText explains a failure by the status that the browser gets.
func failedText(status int) (problem, next string) {
	switch status {
	case http.StatusTooManyRequests:
		return "Zoho has had too many requests in the last ten minutes.", "Wait ten minutes. Then start again with a new link."
	case http.StatusServiceUnavailable:
		return "Vault got no usable answer from Zoho, so nothing was connected.", "Wait a few minutes. Then start again with a new link."
	}
	return "Zoho did not give Vault the access that you accepted.", ""
}

// wrongAccountPage says which account can complete a consent, and how to switch to it.
func wrongAccountPage(name string, c *consent.Consent, o *consent.Outcome, back string) *logical.Response {
	p := page.Page{
		Result: page.Failed, Credential: name, Detail: o.Detail, ReturnURL: back,
		Problem: "This link is for " + c.Expected() + ". You accepted with another account, so nothing was connected.",
		Next:    "Sign out of Zoho, or open the link in a private window. Then open the link again and sign in with the account that it is for.",
	}
	if o.Word != "" {
		p.Problem, p.Next = zoho.ConsentErrorText(o.Word)
		p.Next += " You can use the same link: sign out of Zoho, or open it in a private window."
	}
	return htmlPage(http.StatusBadRequest, p)
}

// titled is a data center as people know it.
func titled(c *client, name string) string {
	if dc, found := c.table.ByName(name); found && dc.Title != "" {
		return dc.Title + " (" + name + ")"
	}
	return name
}
