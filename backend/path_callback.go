// path_callback.go: Vault as the redirect URI. The path is open to requests that hold a
// state of this mount, and to no others. It does what writing the address to creds/<name>
// does, and answers a page for a person.

package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/internal/page"
	"vault-plugin-secrets-zoho/zoho"
)

// maxCode bounds what a browser may bring in one parameter; real ones are below 100.
const maxCode = 1 << 10

func (b *backend) pathCallback() *framework.Path {
	query := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Query: true, Description: description}
	}
	return &framework.Path{
		Pattern:      callbackPath,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationVerb: "receive", OperationSuffix: "redirect"},
		Fields: map[string]*framework.FieldSchema{
			"code":            query("The one-time code."),
			"state":           query("The state of a consent that authorize/<name> started; without one nothing is done."),
			"location":        query("Data center of the account."),
			"accounts-server": query("Accounts server of the account; it must be one that this mount knows."),
			"error":           query("Why there is no code."),
			"status":          query("success, when scopes were added."),
			"scope_enhanced":  query("true, when scopes were added."),
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				// HandleRequest goes there before it looks at fields: it is Zoho's redirect.
				Callback: func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
					return b.callback(ctx, req)
				},
				Summary: "Receive the browser that Zoho sends back after a consent.",
				Responses: map[int][]framework.Response{http.StatusOK: {{
					Description: "A page for the person: what was connected. Statuses 400, 429 and 503 come with a page too.", MediaType: "text/html",
				}}},
			},
		},
		HelpSynopsis: "The redirect URI: Zoho sends the browser here after a consent.",
		HelpDescription: `
Register <address of Vault>/v1/<mount>/callback as redirect URI in Zoho's API console
and write vault_addr to config: then a consent is complete when the person has clicked
Accept. The path takes no Vault token. It does something only for a state that
authorize/<name> made on this mount, once; loading it again shows the outcome again.`,
	}
}

// errStorage is told to a browser when Vault can't look.
var errStorage = &answer{status: http.StatusServiceUnavailable, text: "Vault's storage does not answer; load the page again"}

// callback answers the browser that Zoho sent back. A state that was not made here costs
// nothing but its decryption.
func (b *backend) callback(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	state, whole := parameter(req.Data, "state")
	if !whole || state == "" {
		return unknownPage(), nil
	}
	name, err := b.memory.whose(ctx, req.Storage, state)
	switch {
	case err != nil:
		return refusalPage("", errStorage, ""), nil
	case name == "":
		return unknownPage(), nil
	}
	arrived, whole := arrival(req.Data, state)
	if !whole {
		return emptyPage(name), nil
	}
	if !b.WriteSafeReplicationState() {
		return nil, logical.ErrReadOnly // Vault takes it to a node that can write
	}
	// A browser may fetch twice, and a person may open two tabs: one of them does it, and
	// goes on if all are closed. The result of another code says nothing about this one: then
	// this one is next.
	for {
		done := b.arrivals.DoChan(state, func() (_ any, _ error) {
			return landing{arrived, b.arrive(context.WithoutCancel(ctx), req, name, arrived)}, nil
		})
		select {
		case d := <-done:
			if l := d.Val.(landing); l.arrived == arrived {
				resp := *l.resp
				return &resp, nil
			}
		case <-ctx.Done():
			return busyPage(name), nil // the tab is closed, or Vault's time for a request is over
		}
	}
}

// landing is the answer to a browser, with what it brought.
type landing struct {
	arrived zoho.Callback
	resp    *logical.Response
}

// parameter returns a parameter that came once, or not at all.
func parameter(query map[string]any, name string) (value string, whole bool) {
	v, sent := query[name]
	if !sent {
		return "", true
	}
	value, single := v.(string)
	return value, single && len(value) <= maxCode
}

// arrival reads what Zoho sent back with the browser, and ignores the rest. It is not
// whole without a code, a refusal or the news that scopes were added: whoever only looks at
// an address spends nothing.
func arrival(query map[string]any, state string) (c zoho.Callback, whole bool) {
	got := map[string]string{}
	for _, name := range []string{"code", "location", "accounts-server", "error", "status", "scope_enhanced"} {
		if got[name], whole = parameter(query, name); !whole {
			return c, false
		}
	}
	c = zoho.Callback{
		State: state, Code: zoho.Secret(got["code"]), Location: got["location"], AccountsServer: got["accounts-server"], Err: zoho.CleanRedirectWord(got["error"]),
		Enhanced: got["status"] == "success" && got["scope_enhanced"] == "true",
	}
	return c, c.Code != "" || c.Err != "" || c.Enhanced
}

// arrive finishes the consent of a state, or shows what came of it before.
func (b *backend) arrive(ctx context.Context, req *logical.Request, name string, arrived zoho.Callback) (resp *logical.Response) {
	defer func() {
		// It runs beside the request, whose own net does not reach here.
		if p := recover(); p != nil {
			resp = refusalPage(name, &answer{status: http.StatusServiceUnavailable, text: b.told(parallel.Fault(p))}, "")
		}
	}()
	w := connectRequest{
		name: name, storage: req.Storage, mountPoint: req.MountPoint, callback: arrived, visitor: true,
		change: func(*credential.Settings) error { return nil },
	}
	var err error
	if w.client, err = b.memory.config(ctx, w.storage); err != nil {
		return b.errorPage(ctx, &w, nil, err)
	}
	c, known, err := b.stored(ctx, &w)
	switch {
	case err != nil:
		return b.errorPage(ctx, &w, nil, err)
	case known != nil && c.Ended.IsZero(), known != nil && time.Since(c.Ended) <= shownFor:
		return known
	case c == nil, !c.Ended.IsZero() && time.Since(c.Ended) > shownFor:
		return htmlPage(http.StatusBadRequest, page.Page{Result: page.Over, Credential: name, Detail: "no consent for " + name + " waits for this link; start another with authorize/" + name})
	case c.Spent != "":
		return refusalPage(name, refuseLink("start again with authorize/"+name, "Vault was interrupted before it had connected anything."), "")
	}
	k, _, err := b.connect(ctx, w)
	// What is stored of it is what another tab will see.
	if _, known, failed := b.stored(ctx, &w); failed == nil && known != nil {
		return known
	}
	if err != nil {
		return b.errorPage(ctx, &w, c, err)
	}
	o := success(k, c.Scopes, k.Granted)
	return b.outcomePage(ctx, &w, c, &o)
}

func refuseLink(text, problem string) error {
	return &answer{status: http.StatusBadRequest, text: text, problem: problem}
}

// stored returns the consent that a browser's state belongs to, nil if there is none any
// more, and the page of what came of it, or is coming, nil if neither is known.
func (b *backend) stored(ctx context.Context, w *connectRequest) (*consent.Consent, *logical.Response, error) {
	look := func() (c *consent.Consent, err error) {
		if c, err = b.consents.Get(ctx, w.storage, w.name); c != nil && !c.HasState(w.callback.State) {
			c = nil
		}
		return c, unreadableConsent(w.name, err)
	}
	c, err := look()
	if c.InProgress() {
		if b.credentials.InProgressFor(w.name) {
			return c, busyPage(w.name), nil
		}
		c, err = look() // who spent it has come to an end, or died
	}
	if err != nil || c == nil {
		return nil, nil, err
	}
	o := b.outcome(ctx, w, c)
	switch {
	case o == nil:
		return c, nil, nil
	case o.Result == consent.WrongAccount && w.callback.Code != "" && o.Code != w.code():
		// It expired while that account's code was exchanged, which says nothing about this one.
		text := fmt.Sprintf("the consent for %q expired at %s; start again with authorize/%s", w.name, stamp(c.Expires), w.name)
		return c, b.errorPage(ctx, w, c, refuseLink(text, "This link has expired.")), nil
	}
	return c, b.outcomePage(ctx, w, c, o), nil
}

// shownFor is how long the result of a consent is shown to a browser that holds its state.
const shownFor = time.Hour

// outcome is the result of a consent, nil while it has none. If the credential has the grant
// of the code, the consent succeeded, even if its result could not be stored.
func (b *backend) outcome(ctx context.Context, w *connectRequest, c *consent.Consent) *consent.Outcome {
	if c.Spent != "" && (c.Outcome == nil || c.Outcome.Result == consent.Failed) {
		if k, err := b.memory.credential(ctx, w.storage, w.name); err == nil && k.Code == c.Spent {
			o := success(k, k.Requested, k.Granted)
			return &o
		}
	}
	if c.Open() && (c.Outcome == nil || w.callback.Code == "" || c.Outcome.Code != w.code()) {
		return nil // it waits for another code
	}
	return c.Outcome
}

// errorPage is for what was not stored: the consent waits on, or never did.
func (b *backend) errorPage(ctx context.Context, w *connectRequest, c *consent.Consent, err error) *logical.Response {
	var a *answer
	if !errors.As(err, &a) {
		a = &answer{status: http.StatusServiceUnavailable, text: b.told(err)}
	}
	switch {
	case a.result == consent.WrongAccount && c != nil:
		o := b.failure(a)
		return b.outcomePage(ctx, w, c, &o)
	case a.browser != 0: // the code is spent: loading the page again won't help
		o := b.failure(a)
		return b.outcomePage(ctx, w, c, &o)
	}
	back := ""
	if c != nil {
		back = w.client.returnTo(c.ReturnURL, w.name, consent.Outcome{Result: consent.Failed, Word: a.word}, c.ReturnState)
	}
	return refusalPage(w.name, a, back)
}
