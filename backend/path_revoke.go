// What if an access token leaked? The paths revoke: every access token that was
// minted here and still lives dies at Zoho; the grants stay.

package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

const (
	// revokers is how many credentials break glass revokes at once: with answers after 200 ms
	// some 300 a second.
	revokers = 64
	// requestTime is Vault's default_max_request_duration, which it does not tell a plugin:
	// when it is over the request is cancelled.
	requestTime = 90 * time.Second
	// answerTime is what break glass leaves of that for its answer.
	answerTime = 5 * time.Second
)

func (b *backend) pathRevoke() *framework.Path {
	return &framework.Path{
		Pattern:      "revoke" + nameRegex,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationVerb: "revoke", OperationSuffix: "access-tokens"},
		Fields:       map[string]*framework.FieldSchema{"name": nameField("Name of the credential.")},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.revokeOne, Summary: "Revoke every living access token of a credential at Zoho.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "What was revoked; a warning says what could not be.", Fields: map[string]*framework.FieldSchema{
					"revoked": {Type: framework.TypeInt, Description: "How many access tokens were revoked."},
				}}}},
			},
		},
		HelpSynopsis: "Revoke the access tokens of one credential, after a leak.",
		HelpDescription: `
Revokes every access token that this engine has minted for the credential and that
still lives, those of grants that a reconnect replaced included. They are handed out no more even if Zoho can't be reached; writing
again tries those that are left. The grant stays, and the next read mints anew, as
far as Zoho's limits let it: revoking does not give mints back.`,
	}
}

func (b *backend) pathRevokeAll() *framework.Path {
	return &framework.Path{
		Pattern:      "revoke/?",
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationVerb: "revoke", OperationSuffix: "all-access-tokens"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.revokeAll, Summary: "Revoke every living access token of every credential of this mount.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "What was revoked, by credential.", Fields: map[string]*framework.FieldSchema{
					"revoked":   {Type: framework.TypeInt, Description: "How many access tokens were revoked."},
					"failed":    {Type: framework.TypeInt, Description: "For how many credentials that did not succeed in full."},
					"unreached": {Type: framework.TypeInt, Description: "How many of these the request's time was not enough for."},
					"results":   {Type: framework.TypeMap, Description: "By credential that was reached: revoked, and error where there was one."},
				}}}},
			},
		},
		HelpSynopsis: "Break glass: revoke the access tokens of all credentials.",
		HelpDescription: `
As revoke/<name>, for every credential of the mount, with a result for each. Some
seconds before the request's time is over nothing more is begun; what was not
reached then is counted, and writing again goes on with it.`,
	}
}

// revokeTokens revokes the living access tokens of one credential, those of the
// grants that it had before included.
func (b *backend) revokeTokens(ctx context.Context, s logical.Storage, name string) (int, error) {
	k, err := b.memory.credential(ctx, s, name)
	if err != nil {
		return 0, err
	}
	c, err := b.memory.config(ctx, s)
	if err != nil {
		return 0, err
	}
	d, err := k.derive(c)
	if err != nil {
		d = k.stranded(c) // a leaked token has to die all the same
	}
	revoked, err := b.keeper.Revoke(ctx, b.account(d, s))
	for _, f := range k.Former {
		n, failed := b.endFormer(ctx, s, name, f, true)
		revoked += n
		err = worse(err, failed)
	}
	return revoked, err
}

// endFormer revokes a grant that a credential had before, or, where the grant is
// somebody else's too and shared says so, its access tokens. It returns how many of
// them lived.
func (b *backend) endFormer(ctx context.Context, s logical.Storage, name string, f former, shared bool) (revoked int, err error) {
	if f.GrantType != grantClient {
		g, err := b.ledger.Hasten(ctx, s, f.ID, name)
		if err != nil {
			return 0, err
		}
		if g != nil {
			if revoked, err = b.endGrant(ctx, s, f.ID); err != nil {
				return 0, err
			}
		}
		// It may have come to be another's meanwhile, and then only the tokens end.
		g, err = b.ledger.Get(ctx, s, f.ID)
		switch {
		case err != nil || g == nil || len(g.Holders) == 0, !shared && g.Held():
			return revoked, err
		case !shared:
			return revoked, busy("another request is about to use a grant of it")
		}
	}
	c, err := b.memory.config(ctx, s)
	if err != nil {
		return 0, err
	}
	return b.keeper.Revoke(ctx, &zoho.Account{
		ID: f.ID, Name: name, Variant: f.Variant, Client: c.revoker(f.ClientID, f.AccountsURL), Limits: c.limits,
		Shelf: &shelf{storage: s, mount: b, credential: name},
	})
}

// busy says what another request is at, so that this one can't promise more.
func busy(text string) error { return &answer{status: http.StatusServiceUnavailable, text: text} }

// beingDeleted: what the name had is still being revoked.
func beingDeleted() error {
	return busy("another request is deleting a credential of this name right now, and its answer will tell")
}

// left is what revoking did for a name, and what it left undone.
type left struct {
	revoked int // access tokens that lived
	err     error
}

// and adds what more was done.
func (l left) and(revoked int, err error) left {
	return left{l.revoked + revoked, worse(l.err, err)}
}

// worse returns the failure that is to be told of two: the first, but one that left
// tokens to be handed out, which Zoho's do not.
func worse(a, b error) error {
	if a == nil || b != nil && zoho.AsError(a) != nil && zoho.AsError(b) == nil {
		return b
	}
	return a
}

// endLeft revokes at once what is due to be revoked of a name, or, for "", of every
// name: grants of credentials that were deleted, or that a crash took from them. Where
// somebody is about to use one, and shared says so, its access tokens are. Those that were
// tried are left alone: a Zoho that does not answer takes its time once.
// Nothing is begun when the context named beginning is over.
func (b *backend) endLeft(ctx, beginning context.Context, s logical.Storage, name string, shared bool, tried ...string) (map[string]left, error) {
	due, err := b.ledger.Due(ctx, s, name)
	if err != nil {
		return nil, err
	}
	due = slices.DeleteFunc(due, func(id string) bool { return slices.Contains(tried, id) })
	var mu sync.Mutex
	ended := map[string]left{}
	failed := together(due, revokers, func(id string) error {
		if beginning.Err() != nil {
			return errUnreached
		}
		g, err := b.ledger.Left(ctx, s, id)
		if g == nil || !g.Condemned.Revoke || name != "" && name != g.Condemned.Name {
			return err
		}
		n, err := b.endFormer(ctx, s, g.Condemned.Name, former{ID: id, ClientID: g.ClientID, AccountsURL: g.AccountsURL}, shared)
		mu.Lock()
		defer mu.Unlock()
		ended[g.Condemned.Name] = ended[g.Condemned.Name].and(n, err)
		return nil
	})
	for _, id := range due { // in order, so that the same is told each time
		err = worse(err, failed[id])
	}
	return ended, err
}

// endLeftOf is endLeft for one name.
func (b *backend) endLeftOf(ctx context.Context, s logical.Storage, name string, shared bool, tried ...string) (revoked int, err error) {
	ended, err := b.endLeft(ctx, ctx, s, name, shared, tried...)
	return ended[name].revoked, worse(err, ended[name].err)
}

// endGrant revokes a condemned grant with its access tokens.
func (b *backend) endGrant(ctx context.Context, s logical.Storage, id string) (revoked int, err error) {
	state, err := b.world.look(ctx, s, id)
	if err != nil {
		return 0, err
	}
	if _, err := b.ledger.Revoke(ctx, s, id); err != nil {
		return 0, err
	}
	return len(state.Tokens), nil
}

func (b *backend) revokeOne(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	revoked, cause := b.revokeTokens(ctx, req.Storage, name)
	if !isAbsent(cause) {
		n, failed := b.endLeftOf(ctx, req.Storage, name, true)
		revoked += n
		cause = worse(cause, failed)
		if cause == nil && b.credentials.deleting()[name] > 0 {
			cause = beingDeleted()
		}
		b.Logger().Info("access tokens revoked", "credential", name, "revoked", revoked, "complete", cause == nil)
	}
	err := cause
	var a *answer
	if err = explain(err, consentAgain(name)); revoked == 0 && zoho.AsError(cause) != nil && errors.As(err, &a) {
		a.text = "no access token could be revoked yet; they are handed out no more, and writing again goes on: " + a.text
	}
	if err != nil && revoked == 0 {
		return nil, err
	}
	resp := &logical.Response{Data: map[string]any{"revoked": revoked}}
	switch {
	case err == nil:
	case zoho.AsError(cause) != nil:
		resp.AddWarning("some access tokens could not be revoked yet; they are handed out no more. Write again to go on: " + err.Error())
	default:
		resp.AddWarning("some access tokens could not be revoked yet, and some may be handed out still. Write again to go on: " + b.told(err))
	}
	return resp, nil
}

func (l left) unreached() bool { return l.revoked == 0 && errors.Is(l.err, errUnreached) }

// errUnreached says that a request's time was not enough.
var errUnreached = busy("the request's time was over before this was reached; write again to go on")

// beginning returns a context that is over when nothing more should be begun that may take
// as long as one call: Vault gives up on a plugin when the request's time is over, and then
// nobody hears what was done.
func beginning(ctx context.Context, call time.Duration) (context.Context, context.CancelFunc) {
	end, known := ctx.Deadline()
	if !known {
		end = time.Now().Add(requestTime)
	}
	return context.WithDeadline(ctx, end.Add(-min(call+answerTime, time.Until(end)/2)))
}

func (b *backend) revokeAll(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	names, err := req.Storage.List(ctx, credsPrefix)
	if err != nil {
		return nil, err
	}
	call := zoho.DefaultTimeout
	if c, err := b.memory.config(ctx, req.Storage); err == nil {
		call = c.RequestTimeout
	}
	beginning, cancel := beginning(ctx, call)
	defer cancel()
	var mu sync.Mutex
	ended := make(map[string]left, len(names))
	failed := together(names, revokers, func(name string) error {
		revoked, err := 0, errUnreached
		if beginning.Err() == nil {
			revoked, err = b.revokeTokens(ctx, req.Storage, name)
		}
		mu.Lock()
		defer mu.Unlock()
		ended[name] = left{revoked: revoked}
		return err
	})
	for name, err := range failed {
		ended[name] = ended[name].and(0, err)
	}
	rest, unfinished := b.endLeft(ctx, beginning, req.Storage, "", true)
	for name, l := range rest {
		ended[name] = ended[name].and(l.revoked, l.err)
	}
	for name := range b.credentials.deleting() {
		ended[name] = ended[name].and(0, beingDeleted())
	}
	results := make(map[string]any, len(ended))
	total, incomplete, late := 0, 0, 0
	for name, l := range ended {
		if total += l.revoked; l.err != nil {
			incomplete++
		}
		if l.unreached() {
			late++ // there may be very many
			continue
		}
		result := map[string]any{"revoked": l.revoked}
		if l.err != nil {
			result["error"] = b.told(explain(l.err, consentAgain(name)))
		}
		results[name] = result
	}
	// Logged apart: neither a revocation nor the answer waits behind a log line.
	b.spawn(func(context.Context) {
		b.Logger().Info("access tokens of all credentials revoked", "revoked", total, "failed", incomplete, "unreached", late)
		for name, l := range ended {
			if !l.unreached() {
				b.Logger().Info("access tokens revoked", "credential", name, "revoked", l.revoked, "complete", l.err == nil)
			}
		}
	})
	resp := &logical.Response{Data: map[string]any{"revoked": total, "failed": incomplete, "unreached": late, "results": results}}
	if incomplete > 0 {
		resp.AddWarning(fmt.Sprintf("%d of %d credentials were not revoked in full; write again to go on", incomplete, len(ended)))
	}
	if unfinished != nil {
		resp.AddWarning("grants of credentials that were deleted or replaced are not all revoked yet; write again to go on: " + b.told(unfinished))
	}
	return resp, nil
}
