// How is one request made? At a node, as Vault makes it; what is asked and answered
// is taken note of in the order in which it happens.

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// simRequest is one request, at any node.
type simRequest struct {
	h        *simulation
	number   int
	op       logical.Operation
	path     string
	name     string
	data     data
	what     string
	node     *simNode
	plan     simPlan
	patience time.Duration
	quiet    bool // not told to the reader of a failure
	secret   bool // its answer holds what must not be shown
	forgets  bool // a delete with revoke=false
	consent  *simConsent
	visit    *simVisit // of the consent, whose address is brought
	entity   string    // who asks
	// others are tokens of client credentials that other names use while one is deleted.
	others map[string]string
	// shared are the grants that other names use when one is deleted.
	shared map[string]bool

	operations, writes, calls atomic.Int64

	// h.mu guards the rest. Moments are h.sequence, 0 if not yet.
	began             time.Time
	begun, over       uint64
	codeSent, askedAt uint64 // when a code, or anything, was sent to Zoho
	resp              *logical.Response
	status            int
	text              string
	result            string // of a page
}

func (h *simulation) request(e simEvent, op logical.Operation, path string, d data) *simRequest {
	r := &simRequest{h: h, op: op, path: path, data: d, plan: e.plan(h.level), patience: e.patience()}
	if _, name, found := strings.Cut(path, "/"); found {
		r.name = name
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.node = h.active
	switch {
	case e.atStandby() && h.standby != nil:
		r.node = h.standby
	case e.atDeposed() && h.deposed != nil && !h.deposed.dead.Load():
		r.node = h.deposed
	}
	h.asked++
	r.number = h.asked
	r.what = fmt.Sprintf("%s %s%s", op, path, h.fields(d))
	return r
}

// fields shows what is written; h.mu is held.
func (h *simulation) fields(d data) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(d)) {
		value := fmt.Sprint(d[key])
		switch key {
		case "client_id", "client_secret", "redirect_uri", "verify", "scopes", "soid":
			continue
		case "refresh_token":
			value = h.label(value)
		case "callback_url", "code", "state":
			value = "..."
		case "return_url", "return_state", "location", "accounts-server":
			continue
		}
		fmt.Fprintf(&b, " %s=%s", key, value)
	}
	return b.String()
}

// sent notes that a request has asked Zoho for a token.
func (r *simRequest) sent(form url.Values) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	r.h.sequence++
	if r.askedAt == 0 {
		r.askedAt = r.h.sequence
	}
	if form.Get("grant_type") == "authorization_code" && r.codeSent == 0 {
		r.codeSent = r.h.sequence
		if c := r.consent; c != nil && c.by.data["add_scopes"] != nil {
			r.h.wrongf("a code is sent for more scopes", "#%d %s", r.number, r.what)
		}
		if c, who := r.consent, r.h.people[form.Get("code")]; c != nil && c.center != "" && who.Email != "" && c.center != who.DataCenter {
			r.h.wrongf("a code of another data center is sent", "#%d: for %s in %s, expected is %s", r.number, who.Email, who.DataCenter, c.center)
		}
	}
}

// do makes a request and judges its answer.
func (h *simulation) do(r *simRequest) {
	h.begins(r)
	ctx := context.WithValue(h.ctx, simAsk{}, r)
	if r.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.patience)
		defer cancel()
	}
	h.gate.move()
	resp, err := r.handle(ctx)
	if r.node.standby.Load() && err == logical.ErrReadOnly && resp == nil {
		h.mu.Lock()
		r.node = h.active // Vault forwards it
		h.mu.Unlock()
		resp, err = r.handle(ctx)
	}
	if resp != nil && !r.secret {
		fmt.Fprintf(h.shown, "%s %s: %v %v\n", r.op, r.path, resp, err)
	} else if resp != nil {
		fmt.Fprintf(h.shown, "%s %s: %v %v\n", r.op, r.path, resp.Warnings, err)
	}
	h.ends(r, resp, err)
}

func (r *simRequest) handle(ctx context.Context) (*logical.Response, error) {
	door := &simDoor{r.node, r}
	op := r.op
	if op == logical.UpdateOperation && creatable(r.path) {
		_, exists, err := r.node.backend.HandleExistenceCheck(ctx, &logical.Request{Operation: logical.CreateOperation, Path: r.path, Storage: door, Data: r.data})
		if err == nil && !exists {
			op = logical.CreateOperation
		}
	}
	return answered(ctx, r.node.backend, &logical.Request{Operation: op, Path: r.path, Storage: door, Data: maps.Clone(r.data), MountPoint: "zoho/", EntityID: r.entity, DisplayName: r.entity})
}

// begins takes note of a request before it starts.
func (h *simulation) begins(r *simRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sequence++
	r.begun, r.began = h.sequence, time.Now()
	if r.forgets {
		h.forgetGrant(r.name)
	}
	if id, found := strings.CutPrefix(r.path, "retired/"); found && r.op == logical.DeleteOperation {
		h.giveUp(id)
	}
	if !r.quiet {
		h.notef("#%d %s%s%s", r.number, r.what, r.plan, map[bool]string{true: " at the standby"}[r.node.standby.Load()])
	}
	starts := strings.HasPrefix(r.path, "authorize/") // or ends a consent
	deletes := r.deletes()
	if deletes {
		h.exists[r.name] = 0
		r.others = h.credentialsTokens(r.name)
		h.findShared(r)
	}
	if c := r.consent; c != nil {
		c.uses = append(c.uses, r)
	}
	switch {
	case r.endsConfig():
		for _, name := range h.names {
			h.changes[name] = append(h.changes[name], r)
		}
	case starts || deletes || r.connects():
		h.changes[r.name] = append(h.changes[r.name], r)
	}
	if deletes || strings.HasPrefix(r.path, "revoke") || strings.HasPrefix(r.path, "retired/") {
		h.revoking = append(h.revoking, r)
	}
}

// deletes reports whether a request deletes a credential.
func (r *simRequest) deletes() bool {
	return r.op == logical.DeleteOperation && strings.HasPrefix(r.path, "creds/")
}

// endsConfig reports whether a request deletes the client, and with it all states.
func (r *simRequest) endsConfig() bool { return r.op == logical.DeleteOperation && r.path == "config" }

// connects reports whether a request brings a grant.
func (r *simRequest) connects() bool {
	if r.path == "callback" {
		return r.consent != nil
	}
	if !strings.HasPrefix(r.path, "creds/") || r.op == logical.ReadOperation {
		return false
	}
	for _, source := range []string{"callback_url", "code", "refresh_token", "grant_type"} {
		if r.data[source] != nil {
			return true
		}
	}
	return false
}

// ends judges an answer.
func (h *simulation) ends(r *simRequest, resp *logical.Response, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sequence++
	r.over, r.resp = h.sequence, resp
	var coded logical.HTTPCodedError
	switch {
	case err == nil && r.path == "callback":
		r.readPage(resp)
	case err == nil && resp.IsError():
		r.status, r.text = 400, resp.Error().Error()
	case err == nil:
		r.status = 200
		if resp != nil {
			r.text = strings.Join(resp.Warnings, "; ")
		}
	case errors.As(err, &coded):
		r.status, r.text = coded.Code(), coded.Error()
	case errors.Is(err, logical.ErrUnsupportedOperation) && r.op == logical.RollbackOperation:
		r.status = 200
	default:
		r.status, r.text = -1, err.Error()
	}
	if r.node.dead.Load() {
		h.notef("#%d is answered by a dead process", r.number)
		r.status = 0
		return
	}
	if !r.quiet || r.status != 200 {
		h.notef("#%d -> %d %s", r.number, r.status, r.text)
	}
	h.judge(r)
	if r.status == 200 {
		h.learns(r)
	}
}

// insist makes a request again as API clients do: on 429 and 5xx.
func (h *simulation) insist(r *simRequest) {
	h.do(r)
	for range 2 {
		if r.status != 429 && r.status < 500 || r.node.dead.Load() {
			return
		}
		time.Sleep(time.Second)
		again := h.request(simEvent{}, r.op, r.path, r.data)
		again.secret, again.forgets, again.shared = r.secret, r.forgets, r.shared
		h.do(again)
		r = again
	}
}
