// path_retired.go: the paths retired and retired/<id>: grants that no credential holds
// any more and that are still to be revoked at Zoho.

package backend

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// States of a retired grant.
const (
	retiredWaiting  = "waiting"
	retiredRetrying = "retrying"
)

func retiredFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"credential":      {Type: framework.TypeString, Description: "Name of the credential that had the grant."},
		"data_center":     {Type: framework.TypeString, Description: "Data center of the grant."},
		"accounts_server": {Type: framework.TypeString, Description: "Accounts server that issued the grant and is asked to revoke it."},
		"retired_time":    {Type: framework.TypeString, Description: "When the last credential stopped using the grant."},
		"state":           {Type: framework.TypeString, Description: "waiting: Vault revokes the grant when its last access token has expired. retrying: Vault asks Zoho to revoke the grant until Zoho agrees."},
		"attempts":        {Type: framework.TypeInt, Description: "How many attempts to revoke the grant failed."},
		"last_error":      {Type: framework.TypeString, Description: "Why the last attempt failed. Left out if no attempt failed."},
		"next_attempt":    {Type: framework.TypeString, Description: "Time of the next attempt, unless you write to retired/<id> earlier. Left out if the next attempt is due within a minute."},
	}
}

func (b *backend) pathRetiredList() *framework.Path {
	return listPath("retired/?", "retired-grants", &framework.PathOperation{
		Callback: b.listRetired, Summary: "List the grants that are still to be revoked at Zoho.",
		Responses: listResponses("The retired grants, with credential, state and attempts of each."),
	}, "List the grants that are still to be revoked at Zoho.", `
A grant is retired when its credential is deleted or connected with another grant. It
is revoked at Zoho at once, or when its last access token has expired, and retried
until Zoho agrees.`)
}

func (b *backend) pathRetired() *framework.Path {
	return &framework.Path{
		Pattern:      "retired/" + framework.GenericNameRegex("id"),
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "retired-grant"},
		Fields: map[string]*framework.FieldSchema{
			"id": {Type: framework.TypeString, Description: "Id of the retired grant, from the list at retired."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readRetired, Summary: "Show a grant that is still to be revoked at Zoho.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The retired grant.", Fields: retiredFields()}}},
			},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.retryRetired, Summary: "Ask Zoho now to revoke a retired grant.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "retry"},
				Responses:    map[int][]framework.Response{http.StatusNoContent: {{Description: "Zoho has revoked it."}}},
			},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.giveUpRetired, Summary: "Forget a retired grant without revoking it at Zoho.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "give-up"},
				Responses:    map[int][]framework.Response{http.StatusOK: {{Description: "The grant is given up. The warning names the server at which its refresh token may still work."}}},
			},
		},
		HelpSynopsis: "Show, retry or give up a grant that is still to be revoked at Zoho.",
		HelpDescription: `
Write to this path without fields to ask Zoho now to revoke the grant. The access tokens
of the grant end with it. Delete this path to give the grant up: Vault forgets it without
revoking it, and its refresh token may still work at Zoho until the user removes the app
under Connected Apps. A grant that a credential uses cannot be given up.`,
	}
}

func (b *backend) listRetired(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	limit, err := pageLimit(data, "ids")
	if err != nil {
		return nil, err
	}
	due, err := b.ledger.Due(ctx, req.Storage, "")
	if err != nil {
		return nil, err
	}
	due = pageOf(due, data.Get("after").(string), 0)
	ids, info := []string{}, map[string]any{}
	full := func() bool { return limit > 0 && len(ids) == limit }
	for len(due) > 0 && !full() { // what is due and not retired is left out, so that a page may take several rounds
		n := len(due)
		if limit > 0 {
			n = min(n, max(limit-len(ids), listers))
		}
		found, err := b.retiredAmong(ctx, req.Storage, due[:n])
		if err != nil {
			return nil, err
		}
		for _, id := range due[:n] {
			details, retired := found[id]
			if !retired || full() {
				continue
			}
			if ids = append(ids, id); len(ids) <= maxListed {
				info[id] = details
			}
		}
		due = due[n:]
	}
	return listAnswer(ids, info, "ids"), nil
}

// retiredAmong returns the details of the retired grants among some, read in parallel. It
// fails when the request ends before all are read.
func (b *backend) retiredAmong(ctx context.Context, s logical.Storage, ids []string) (map[string]map[string]any, error) {
	found := map[string]map[string]any{}
	var mu sync.Mutex
	failed := parallel.Each(ids, listers, func(id string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		g, err := b.ledger.Get(ctx, s, id)
		if err != nil || !g.Retired() {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found[id] = describeRetired(g)
		return nil
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for id, err := range failed {
		b.Logger().Warn("a retired grant cannot be listed", "grant", id, "error", err)
		found[id] = map[string]any{"error": "the stored grant cannot be read; see Vault's log"}
	}
	return found, nil
}

// describeRetired is what an operator sees of a retired grant. It holds no secret.
func describeRetired(g *ledger.Grant) map[string]any {
	c := g.Condemned
	d := map[string]any{
		"credential": c.Name, "data_center": g.DataCenter, "accounts_server": g.AccountsURL,
		"retired_time": stamp(c.Since), "state": retiredRetrying, "attempts": 0,
	}
	if !c.AtOnce && !c.Revoking && c.Attempts == nil {
		d["state"] = retiredWaiting
	}
	if a := c.Attempts; a != nil {
		d["attempts"], d["last_error"] = a.Count, a.Error
		if a.Next.After(time.Now()) {
			d["next_attempt"] = stamp(a.Next)
		}
	}
	return d
}

func (b *backend) readRetired(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	id := data.Get("id").(string)
	g, err := b.ledger.Get(ctx, req.Storage, id)
	if store.Unreadable(err) {
		return nil, unreadableGrant(id, err)
	}
	if err != nil {
		return nil, err
	}
	if !g.Retired() {
		return nil, notRetired(id)
	}
	return &logical.Response{Data: describeRetired(g)}, nil
}

func unreadableGrant(id string, err error) error {
	return refuse("the stored entry of grant %s cannot be read (%s); upgrade the plugin if a newer release wrote it, or give the grant up with a delete of retired/%s", id, err, id)
}

func notRetired(id string) error {
	return absent("no retired grant has the id %q: it was already revoked at Zoho or given up, or it was never retired; list retired to see the grants that are still to be revoked", shorten(id))
}

// beingRevoked says that a request to Zoho about a grant is not answered yet.
func beingRevoked(id string) error {
	return busy("grant " + id + " is being revoked right now: a request to Zoho is not answered yet; try again in a minute, unless retired no longer lists the grant")
}

func (b *backend) retryRetired(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	id := data.Get("id").(string)
	err := b.ledger.Retry(ctx, req.Storage, id)
	switch e := zoho.AsError(err); {
	case store.Unreadable(err):
		return nil, unreadableGrant(id, err)
	case errors.Is(err, ledger.ErrNotRetired):
		return nil, notRetired(id)
	case errors.Is(err, ledger.ErrHeld):
		return nil, refuse("grant %s is not revoked: %s. No action is needed", id, ledger.ErrHeld)
	case errors.Is(err, ledger.ErrInFlight):
		return nil, beingRevoked(id)
	case e != nil && e.Kind == zoho.Refused:
		return nil, refuse("grant %s is not revoked: %s. Vault retries, after a minute at first and up to a day apart later. If this server can never revoke the grant, delete retired/%s to give it up", id, e, id)
	case e != nil:
		return nil, busy("grant " + id + " is not revoked yet: " + e.Error() + "; it is retried until Zoho agrees")
	}
	return nil, err
}

func (b *backend) giveUpRetired(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	id := data.Get("id").(string)
	g, err := b.ledger.GiveUp(ctx, req.Storage, id)
	switch {
	case errors.Is(err, ledger.ErrNotRetired):
		return nil, notRetired(id)
	case errors.Is(err, ledger.ErrHeld):
		return nil, refuse("grant %s is not given up: %s. To end it, delete the credential", id, ledger.ErrHeld)
	case errors.Is(err, ledger.ErrInFlight):
		return nil, beingRevoked(id)
	case err != nil:
		return nil, err
	}
	if g == nil {
		b.Logger().Info("a retired grant is given up", "grant", id, "readable", false)
		return warningOf("the stored entry of grant " + id + " could not be read and is deleted, with its refresh token, its accounts server and the name of its credential: Vault can never revoke the grant, and its refresh token may still work at Zoho. To end it, its Zoho user removes the app under Connected Apps in the Zoho account, which ends every grant of this client for that user"), nil
	}
	b.Logger().Info("a retired grant is given up", "grant", id, "credential", g.Condemned.Name)
	host := g.AccountsURL
	if u, err := url.Parse(host); err == nil {
		host = u.Host
	}
	return warningOf("the grant of credential " + g.Condemned.Name + " was given up: Vault does not revoke it, and its refresh token may still work at " + host +
		". To end it, its Zoho user removes the app under Connected Apps in the Zoho account, which ends every grant of this client for that user"), nil
}
