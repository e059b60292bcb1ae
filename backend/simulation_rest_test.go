// What must hold when nobody asks anything? No grant leaks, none in use is revoked,
// and in the end all works, can be deleted, and leaves nothing behind.

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// simStored is all that is in storage.
type simStored map[string]string

func (s simStored) hold(token string) bool {
	for _, value := range s {
		if strings.Contains(value, token) {
			return true
		}
	}
	return false
}

// names are those of the stored credentials.
func (s simStored) names() []string {
	var names []string
	for key := range s {
		if name, found := strings.CutPrefix(key, "creds/"); found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// left are the keys that may not stay when everything is deleted. What may: config,
// the epoch of access tokens, and one record of those that came from client credentials.
func (s simStored) left() (left []string) {
	records := 0
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if strings.HasPrefix(key, "token/") {
			records++
		}
		if key != "config" && key != "epoch" && !(strings.HasPrefix(key, "token/") && records == 1) {
			left = append(left, key)
		}
	}
	return left
}

// contents reads storage past all trouble.
func (h *simulation) contents() simStored {
	all := simStored{}
	var walk func(prefix string)
	walk = func(prefix string) {
		names, _ := h.disk.List(context.Background(), prefix)
		for _, name := range names {
			if strings.HasSuffix(name, "/") {
				walk(prefix + name)
			} else if entry, _ := h.disk.Get(context.Background(), prefix+name); entry != nil {
				all[prefix+name] = string(entry.Value)
			}
		}
	}
	walk("")
	return all
}

// grantOf is the refresh token that a stored credential uses, "" without one.
func (h *simulation) grantOf(name string) string {
	stored := h.contents()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.grantIn(stored, name)
}

// grantIn finds it in the credential's value; h.mu is held.
func (h *simulation) grantIn(stored simStored, name string) string {
	var own struct {
		RefreshToken string `json:"refresh_token"`
	}
	_ = json.Unmarshal([]byte(stored["creds/"+name]), &own) // absent: ""
	if !h.grants[own.RefreshToken] {
		return ""
	}
	return own.RefreshToken
}

// leftOf are the grants that a name had, whether or not it has them still; h.mu is held.
func (h *simulation) leftOf(stored simStored, name string) (grants []string) {
	for _, value := range stored {
		for grant := range h.grants {
			if strings.Contains(value, grant) && strings.Contains(value, `"name":"`+name+`"`) {
				grants = append(grants, grant)
			}
		}
	}
	return grants
}

// alive are the refresh tokens that Zoho knows.
func (h *simulation) alive() map[string]bool {
	alive := map[string]bool{}
	for _, rt := range h.zoho.RefreshTokens() {
		alive[rt.Token] = true
	}
	return alive
}

// inspect checks what must hold at any time, and what must hold at rest.
func (h *simulation) inspect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	violations := h.zoho.Violations()
	for _, v := range violations[h.judged:] {
		switch v.Kind {
		case zohotest.CodeTriedLate: // the person was late
		case zohotest.RefusedCallRepeated:
			// Operators import a token and people add scopes as often as the script says. That
			// reads do not repeat a refused call is held by the tests of zoho.
		case zohotest.WrongRedirectURI: // a browser brought the code of another consent
		case zohotest.CodeTriedTwice:
			// One that came with the state of another consent is known until that is over.
			words := strings.Fields(v.Detail)
			if late, err := time.ParseDuration(words[len(words)-2]); err != nil || late < time.Hour {
				h.wrongf(string(v.Kind), "%s", v.Detail)
			}
		case zohotest.ThrottleTripped, zohotest.AccessTokenEvicted:
			// A block that a fault began is forgotten with a refused import, or by another secret.
			faulted := v.Kind == zohotest.ThrottleTripped && h.throttleFault
			if !h.outsideHit && !faulted && !h.ofForgotten(v) {
				h.wrongf(string(v.Kind), "%s", v.Detail)
			}
		default:
			h.wrongf(string(v.Kind), "%s", v.Detail)
		}
	}
	h.judged = len(violations)
	if h.running == 0 && h.waiting.Load() == 0 {
		patience := simMoment
		if h.rotates {
			patience = 24 * time.Hour // what storage did not take waits for the next read
		}
		h.atRest(patience)
	}
}

// ofForgotten reports whether a violation is about a grant whose mints nobody counts
// any more; h.mu is held.
func (h *simulation) ofForgotten(v zohotest.Violation) bool {
	for grant := range h.forgotten {
		if strings.Contains(v.Detail, grant[:12]) {
			return true
		}
	}
	return false
}

// atRest checks storage against Zoho. What a process has had for no longer than
// patience it may still be about to store; h.mu is held.
func (h *simulation) atRest(patience time.Duration) {
	stored, alive := h.contents(), h.alive()
	for _, rt := range h.zoho.Orphans() {
		got := h.received[rt.Token]
		if stored.hold(rt.Token) || h.excused(rt.Token) || time.Since(got.at) < patience {
			continue
		}
		h.wrongf("a grant leaks", "%s, got by node %d %s ago, is neither stored nor revoked", h.label(rt.Token), got.node.number, time.Since(got.at))
	}
	for _, name := range stored.names() {
		grant := h.grantIn(stored, name)
		if b, known := h.bought[grant]; known && b.consent != nil && !b.consent.expects(b.who) && !h.imported[grant] {
			h.wrongf("connected for another account", "%q is %s's, and the consent was for %s in %s", name, b.who.Email, b.consent.user, b.consent.center)
		}
		if grant == "" || alive[grant] || h.killed[grant] {
			continue
		}
		next := h.successor[grant]
		for h.successor[next] != "" {
			next = h.successor[next]
		}
		if h.lost[next] || alive[next] && time.Since(h.received[next].at) < patience {
			continue
		}
		h.wrongf("a grant in use is revoked", "%s of credential %q", h.label(grant), name)
	}
	for name, since := range h.exists {
		if since > 0 && stored["creds/"+name] == "" {
			h.wrongf("a connected credential is gone", "%q", name)
		}
	}
}

// excused reports whether nobody can be blamed for a grant that lives at Zoho; h.mu
// is held.
func (h *simulation) excused(grant string) bool {
	got, byUs := h.received[grant]
	if !byUs || h.lost[grant] || h.forgotten[grant] || h.outside[grant] {
		return true
	}
	// Storage and Zoho failed, both; the answer or the log says so.
	if tried := h.unrevoked[grant]; !tried.IsZero() && tried.Sub(got.at) < simMoment && !got.node.failed.Before(got.at) {
		h.lost[grant] = true
	}
	return h.lost[grant]
}

// simHours is as long as anything is waited out.
const simHours = 4 * time.Hour

// endsWell mends everything: then all works, and can be deleted without a trace.
func (h *simulation) endsWell() {
	h.note("all is mended")
	h.settle()
	h.must(h.request(simEvent{}, logical.UpdateOperation, "config", h.wholeConfig(nil)))
	stored := h.contents()
	for _, name := range stored.names() {
		h.must(h.request(simEvent{}, logical.UpdateOperation, "creds/"+name, data{"disabled": false}))
	}
	h.minutes(simHours, 5*time.Minute)
	for _, name := range stored.names() {
		h.readable(name, simEvent{})
		h.readable(name, simEvent{args: [6]byte{simHow: 7 << 5}})
		h.do(h.request(simEvent{}, logical.ReadOperation, "status/"+name, nil))
	}
	synctest.Wait()
	h.inspect()
	h.mu.Lock()
	h.atRest(0)
	for _, rt := range h.zoho.Orphans() {
		held := slices.ContainsFunc(stored.names(), func(name string) bool { return h.grantIn(h.contents(), name) == rt.Token })
		if !held && !h.excused(rt.Token) {
			h.wrongf("a grant that nobody uses lives on", "%s", h.label(rt.Token))
		}
	}
	failed := len(h.problems) > 0
	h.mu.Unlock()
	if failed {
		return
	}
	h.linksWork()
	if len(h.wrongs()) > 0 {
		return
	}
	h.note("all is deleted")
	for _, name := range h.names {
		r := h.request(simEvent{}, logical.DeleteOperation, "authorize/"+name, nil)
		if h.do(r); r.status != 200 && !strings.Contains(r.text, "was completed before it could be withdrawn") {
			h.wrong("a request fails though all is well", "%s: %d %s", r.what, r.status, r.text)
		}
	}
	for _, name := range h.contents().names() {
		r := h.request(simEvent{}, logical.DeleteOperation, "creds/"+name, nil)
		if h.must(r); strings.Contains(r.text, "not yet revoked") {
			h.wrong("a delete fails though all is well", "%s: %s", name, r.text)
		}
	}
	h.minutes(simHours, 10*time.Minute)
	synctest.Wait()
	h.inspect()
	h.leaves("pending/", "spent/", "former/") // a token of a former name lives for a day at most
	h.mu.Lock()
	h.deletedIsGone()
	h.mu.Unlock()
	h.minutes(8*24*time.Hour, 8*time.Hour) // links live for seven days
	synctest.Wait()
	h.leaves()
	h.nothingSecret()
}

// leaves checks that nothing stays in storage but keys with these prefixes.
func (h *simulation) leaves(prefixes ...string) {
	left := slices.DeleteFunc(h.contents().left(), func(key string) bool {
		if strings.HasPrefix(key, "client/") {
			return true // a mint limit that was shared goes with config
		}
		if strings.HasPrefix(key, "owner/") && len(h.forgotten) > 0 {
			return true // what was forgotten and not revoked still counts at Zoho
		}
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	})
	for i, key := range left {
		left[i] = h.unnamed(key)
	}
	if len(left) > 0 {
		h.wrong("something stays in storage", "%v", left)
	}
}

// deletedIsGone checks that no grant of a deleted credential lives at Zoho; h.mu is held.
func (h *simulation) deletedIsGone() {
	for _, rt := range h.zoho.Orphans() {
		if h.outside[rt.Token] && !h.stored[rt.Token] || h.lost[rt.Token] || h.forgotten[rt.Token] || h.successor[rt.Token] != "" {
			continue
		}
		if _, byUs := h.received[rt.Token]; byUs && h.excused(rt.Token) {
			continue
		}
		h.wrongf("a deleted grant lives on", "%s", h.label(rt.Token))
	}
}

// must makes a request that has to succeed.
func (h *simulation) must(r *simRequest) {
	if h.do(r); r.status != 200 {
		h.wrong("a request fails though all is well", "%s: %d %s", r.what, r.status, r.text)
	}
}

// readable reads a credential that has to give a living token, unless the world ended
// its grant.
func (h *simulation) readable(name string, e simEvent) {
	grant := h.grantOf(name)
	r := h.reading(e, nil)
	r.path, r.name, r.what = "creds/"+name, name, "read creds/"+name
	h.do(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	next := grant
	for h.successor[next] != "" {
		next = h.successor[next]
	}
	if r.status != 200 && !h.killed[grant] && !h.killed[next] && !h.lost[next] {
		h.wrongf("a credential cannot be read though all is well", "%s: %d %s", name, r.status, r.text)
	}
}

// nothingSecret searches for secrets where none may be.
func (h *simulation) nothingSecret() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events.Lock()
	defer h.events.Unlock()
	out := h.logs.String() + h.shown.String()
	for _, e := range h.events.Events {
		out += fmt.Sprint(e.Type, e.Event.Metadata.AsMap())
	}
	for _, secret := range h.zoho.Secrets() {
		if strings.Contains(out, secret) {
			h.wrongf("a secret is shown or logged", "%.12s...", secret)
		}
	}
}
