// path_revoke.go: the paths revoke and revoke/<name>, for a leak: every access token that
// was minted here and still lives is revoked at Zoho; the grants stay.

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

	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/zoho"
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
still lives, those of grants that a reconnect replaced included. They are handed out
no more even if Zoho can't be reached; writing again tries those that are left. The
grant stays, and the next read mints anew, as far as Zoho's limits let it: revoking does
not give mints back. Of a credential that was deleted, the access tokens that it left
are revoked.`,
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
					"failed":    {Type: framework.TypeInt, Description: "For how many credentials that did not succeed in full; those that were not reached count by grant."},
					"unreached": {Type: framework.TypeInt, Description: "How many of these the request's time was not enough for."},
					"results":   {Type: framework.TypeMap, Description: "By credential that had living access tokens: revoked, and error where there was one. By grant id where no credential is known."},
				}}}},
			},
		},
		HelpSynopsis: "Break glass: revoke the access tokens of all credentials.",
		HelpDescription: `
As revoke/<name>, for every access token of the mount, those of deleted credentials
included, with a result for each credential that had one. Some seconds before the
request's time is over nothing more is begun; what was not reached then is counted, and
writing again continues with it.`,
	}
}

func (b *backend) revokeOne(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	r, ctx, cancel, err := b.revocations(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	defer cancel()
	e := &ending{b: b, s: req.Storage, r: r, name: name, leak: true}
	done, cause := e.revokeName(ctx)
	if !isAbsent(cause) {
		if cause == nil && b.credentials.Deleting()[name] > 0 {
			cause = beingDeleted()
		}
		b.Logger().Info("access tokens revoked", "credential", name, "revoked", done, "complete", cause == nil)
	}
	var a *answer
	err = explain(cause, consentAgain(name))
	if done == 0 && zoho.AsError(cause) != nil && errors.As(err, &a) {
		a.text = "no access token could be revoked yet; they are handed out no more, and writing again goes on: " + a.text
	}
	if err != nil && done == 0 {
		return nil, err
	}
	resp := &logical.Response{Data: map[string]any{"revoked": done}}
	switch {
	case err == nil:
	case zoho.AsError(cause) != nil:
		resp.AddWarning("some access tokens could not be revoked yet; they are handed out no more. Write again to go on: " + err.Error())
	default:
		resp.AddWarning("some access tokens could not be revoked yet, and some may be handed out still. Write again to go on: " + b.told(err))
	}
	return resp, nil
}

// results collects what a request did, by credential.
type results struct {
	mu    sync.Mutex
	ended map[string]left
	late  int // what the request's time was not enough for
	// first is the first grant that was not reached, "" if all were. kept are grants whose
	// record does not say which tokens are left.
	first string
	kept  []string
	// unsaved is why it is not stored which access tokens are revoked, nil if it is.
	unsaved error
}

func (t *results) add(name string, revoked int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended[name] = t.ended[name].and(revoked, err)
}

func (t *results) unreached(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.late++; t.first == "" || id < t.first {
		t.first = id
	}
}

func (t *results) keep(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, id)
}

// maxExcept bounds the grants that a span names one by one.
const maxExcept = 1000

// span returns which of some grants, sorted, have no living token of an earlier epoch but
// those that their record marks; false if there are none.
func (t *results) span(epoch uint64, ids []string) (zoho.Span, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.kept)
	t.kept = slices.Compact(t.kept)
	s := zoho.Span{Before: epoch, Except: t.kept, At: time.Now().UTC().Round(0)}
	end := t.first // the first grant that is not part of the span
	if len(s.Except) > maxExcept {
		if over := s.Except[maxExcept]; end == "" || over < end {
			end = over
		}
	}
	if end == "" {
		return s, true
	}
	at, _ := slices.BinarySearch(ids, end)
	if at == 0 {
		return s, false
	}
	s.Through = ids[at-1]
	s.Except = slices.DeleteFunc(s.Except, func(id string) bool { return id > s.Through })
	return s, true
}

func (b *backend) revokeAll(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	r, ctx, cancel, err := b.revocations(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	defer cancel()
	e := &ending{b: b, s: req.Storage, r: r, leak: true}
	t := &results{ended: map[string]left{}}
	// Without an epoch each record is marked before the accounts server is asked.
	if e.epoch, err = b.memory.epochs.begin(ctx, req.Storage); err != nil {
		e.epoch = 0
	}
	unfinished, err := e.revokeAll(ctx, t)
	if err != nil {
		return nil, err
	}
	for name := range b.credentials.Deleting() {
		t.add(name, 0, beingDeleted())
	}
	shown := make(map[string]any, len(t.ended))
	total, incomplete, late := 0, t.late, t.late
	for name, l := range t.ended {
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
		shown[name] = result
	}
	// Logged apart: neither a revocation nor the answer waits behind a log line.
	b.spawn(func(context.Context) {
		b.Logger().Info("access tokens of all credentials revoked", "revoked", total, "failed", incomplete, "unreached", late)
		for name, l := range t.ended {
			if !l.unreached() {
				b.Logger().Info("access tokens revoked", "credential", name, "revoked", l.revoked, "complete", l.err == nil)
			}
		}
	})
	resp := &logical.Response{Data: map[string]any{"revoked": total, "failed": incomplete, "unreached": late, "results": shown}}
	if incomplete > 0 {
		resp.AddWarning(fmt.Sprintf("%d credentials were not revoked in full; write again to go on", incomplete))
	}
	if unfinished != nil {
		resp.AddWarning("grants of credentials that were deleted or replaced are not all revoked yet; write again to go on: " + b.told(unfinished))
	}
	if t.unsaved != nil {
		resp.AddWarning("the access tokens that were revoked are handed out no more, but it could not be stored that they are revoked, so they still count as living; write again to store it: " + b.told(t.unsaved))
	}
	return resp, nil
}

// revokeAll revokes every living access token, also those that no credential points to: the
// records of tokens say where they came from. Grants that are due to be revoked end whole.
func (e *ending) revokeAll(ctx context.Context, t *results) (unfinished, err error) {
	ids, err := e.s.List(ctx, tokenPrefix)
	if err != nil {
		return nil, err
	}
	ids = append(ids, e.b.keeper.Unstored()...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	due, err := e.b.ledger.Due(ctx, e.s, "")
	if err != nil {
		return nil, err
	}
	slices.Sort(due)
	isDue := func(id string) bool {
		_, found := slices.BinarySearch(due, id)
		return found
	}
	inUse := slices.DeleteFunc(slices.Clone(ids), isDue)
	e.revokeRecords(ctx, inUse, t)
	rest, unfinished := e.endLeft(ctx)
	for name, l := range rest {
		t.add(name, l.revoked, l.err)
	}
	// What is due and not to be revoked whole, such as client credentials.
	e.revokeRecords(ctx, slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isDue(id) }), t)
	if e.epoch == 0 {
		return unfinished, nil
	}
	if span, any := t.span(e.epoch, ids); any {
		t.unsaved = e.b.memory.epochs.revoked(ctx, e.s, span)
	}
	return unfinished, nil
}

// revokeRecords revokes the living access tokens of some grants.
func (e *ending) revokeRecords(ctx context.Context, ids []string, t *results) {
	all := zoho.Revocation{Tokens: func(*zoho.Token) bool { return true }, Before: e.epoch}
	failed := parallel.Each(ids, revokers, func(id string) error {
		if e.r.over() {
			t.unreached(id)
			return nil
		}
		done, err := e.revokeRecord(ctx, id, "", all)
		if err != nil && !done.Stored {
			t.keep(id)
			t.keep(done.ID)
		}
		for _, token := range done.Tokens {
			t.add(e.nameOf(ctx, id, token), 1, nil)
		}
		if err == nil {
			return nil
		}
		for _, token := range done.Left {
			t.add(e.nameOf(ctx, id, token), 0, err)
		}
		if len(done.Left) == 0 {
			return err
		}
		return nil
	})
	for id, err := range failed {
		t.keep(id) // again, perhaps: a fault may have come before
		t.add(e.nameOf(ctx, id, nil), 0, err)
	}
}

// nameOf returns the name of the credential that a token was minted for, or that has the
// grant, or the id of the grant if none is known.
func (e *ending) nameOf(ctx context.Context, id string, t *zoho.Token) string {
	if t != nil && t.Credential != "" {
		return t.Credential
	}
	if g, err := e.b.ledger.Get(ctx, e.s, id); err == nil && g != nil && g.Name() != "" {
		return g.Name()
	}
	return id
}
