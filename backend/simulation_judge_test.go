// What may the engine answer? Every answer is of a documented kind, and what it says
// is true at Zoho.

package backend_test

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// judge checks an answer of any kind; h.mu is held.
func (h *simulation) judge(r *simRequest) {
	switch r.status {
	case 200:
	case 400, 429, 503:
		if len(r.text) < 10 {
			h.wrongf("an answer without words", "#%d %s: %d %q", r.number, r.what, r.status, r.text)
		}
	case 404:
		if since := h.exists[r.name]; since > 0 && since < r.begun && !r.lags() {
			h.wrongf("a connected credential is not found", "#%d %s: %s", r.number, r.what, r.text)
		}
	case 500:
		// A flight that others wait for may have failed a little earlier.
		if r.node.failed.Before(r.began.Add(-time.Minute)) {
			h.wrongf("500 though storage works", "#%d %s: %s", r.number, r.what, r.text)
		}
		if !strings.Contains(r.text, "Vault's log") {
			h.wrongf("500 in other words", "#%d %s: %s", r.number, r.what, r.text)
		}
	default:
		h.wrongf("an answer of no known kind", "#%d %s: %d %s", r.number, r.what, r.status, r.text)
	}
	if r.path == "callback" {
		h.judgePage(r)
	} else if r.codeSent > 0 && r.status != 200 && r.status != 400 {
		h.wrongf("a spent code is to be written again", "#%d %s: %d %s", r.number, r.what, r.status, r.text)
	}
	if r.status == 500 && strings.HasPrefix(r.path, "revoke") {
		h.unmark()
	}
	if r.status != 200 && strings.HasPrefix(r.path, "revoke/") && strings.Contains(r.text, "handed out no more") {
		h.learnsRevoked(r, r.name, false)
	}
	if c := r.consent; c != nil {
		lost := r.status == 400 && (strings.Contains(r.text, "belongs to no consent") || strings.Contains(r.text, "is not that of the consent") || r.result == "over")
		if lost && len(c.uses) == 1 && !r.lags() && !h.void(c, nil) && time.Now().Before(c.expires) {
			h.wrongf("a consent is lost", "#%d %s, the one started last for %q: %s", r.number, r.what, r.name, r.text)
		}
	}
}

// unmark: tokens may be dead, and no other node or later process can know. Another name may
// have the same grant.
func (h *simulation) unmark() {
	for _, name := range h.names {
		h.unmarked[name] = true
	}
}

// learns takes note of what a success means, and checks it; h.mu is held.
func (h *simulation) learns(r *simRequest) {
	switch {
	case r.op == logical.ReadOperation && strings.HasPrefix(r.path, "creds/"):
		h.learnsToken(r)
	case strings.HasPrefix(r.path, "revoke") && r.node.deposed.Load() != nil: // it revokes what it saw last, and can tell nobody
		h.unmark()
	case strings.HasPrefix(r.path, "revoke/") && strings.Contains(r.text, "may be handed out still"):
		h.unmark()
	case strings.HasPrefix(r.path, "revoke/"):
		h.learnsRevoked(r, r.name, r.text == "")
	case r.path == "revoke":
		results := r.resp.Data["results"].(map[string]any)
		for _, name := range h.names {
			result, told := results[name].(map[string]any)
			failure, _ := result["error"].(string)
			switch {
			case strings.Contains(r.text+failure, "Vault's log"): // storage may not say so, which is all that a standby knows
				h.unmark()
			case r.text == "": // everything is revoked
				h.learnsRevoked(r, name, true)
			case told:
				h.learnsRevoked(r, name, false)
			default:
				h.unmarked[name] = true // some of its tokens may be dead, and others not reached
			}
		}
	case r.deletes():
		h.learnsDeleted(r)
	case r.op == logical.UpdateOperation && strings.HasPrefix(r.path, "authorize/") && r.data["withdraw"] == nil:
		h.learnsStarted(r)
	case r.connects():
		h.learnsConnected(r)
	}
}

// lags reports whether a request was at a node that could not know better: what was
// written was on its way there. h.mu is held.
func (r *simRequest) lags() bool {
	n := r.node
	return n.deposed.Load() != nil || n.standby.Load() && (n.lag > 0 || !n.told.Before(r.began))
}

func (h *simulation) learnsToken(r *simRequest) {
	token, _ := r.resp.Data["access_token"].(string)
	h.notef("#%d gives %s", r.number, h.label(token))
	lags := r.lags()
	if !h.zoho.Alive(token) && !h.unmarked[r.name] && !h.killed[token] && !h.outsideHit && !lags && !h.revokedMeanwhile(r, token) {
		h.wrongf("a dead token is handed out", "#%d %s: %s", r.number, r.what, h.label(token))
	}
	if since := h.barred[token]; since > 0 && since < r.begun && !lags {
		h.wrongf("a revoked token is handed out", "#%d %s: %s", r.number, r.what, h.label(token))
	}
	if h.deletedMeanwhile(r) || lags {
		return // it may be of the credential that is gone
	}
	if h.handed[r.name] == nil {
		h.handed[r.name] = map[string]uint64{}
	}
	if h.handed[r.name][token] == 0 {
		h.handed[r.name][token] = r.over
	}
}

// revokedMeanwhile reports whether somebody asked for an end of such a token while a
// read went on. Those of client credentials are several names'.
func (h *simulation) revokedMeanwhile(r *simRequest, token string) bool {
	return slices.ContainsFunc(h.revoking, func(o *simRequest) bool {
		return (o.over == 0 || o.over > r.begun) && (strings.HasPrefix(o.path, "revoke") || strings.HasPrefix(o.path, "retired/") || o.name == r.name || h.parent(token) == "")
	})
}

// deletedMeanwhile reports whether a credential was deleted while it was read.
func (h *simulation) deletedMeanwhile(r *simRequest) bool { return h.deletedBeside(r, r.name) }

// deletedBeside reports whether a credential was deleted while a request went on.
func (h *simulation) deletedBeside(r *simRequest, name string) bool {
	return slices.ContainsFunc(h.changes[name], func(o *simRequest) bool { return o.deletes() && (o.over == 0 || o.over > r.begun) })
}

// learnsRevoked: nothing that was handed out before is handed out again, and, without
// a warning, nothing of it lives.
func (h *simulation) learnsRevoked(r *simRequest, name string, whole bool) {
	for token, at := range h.handed[name] {
		if at > r.begun {
			continue
		}
		if whole && h.livesOn(token) && !h.forgotten[h.parent(token)] && !h.rotates {
			kind := "revoke leaves a token of an earlier grant alive"
			switch h.parent(token) {
			case "":
				if r.node.number > 2 {
					continue // a crash took from the name what it had minted from the client
				}
				kind = "revoke leaves a token of client credentials alive"
			case h.grantIn(h.contents(), name):
				kind = "revoke leaves a token of the present grant alive"
			}
			h.wrongf(kind, "#%d %s: %s of %s, %s", r.number, r.what, h.label(token), name, h.whose(token))
		}
		h.barred[token] = r.over
	}
}

// livesOn reports whether a token is alive, and not in its last second: the engine counts in
// whole ones, and takes a token to be over up to one too early.
func (h *simulation) livesOn(token string) bool {
	if !h.zoho.Alive(token) {
		return false
	}
	of := h.zoho.AccessTokens(h.parent(token))
	i := slices.IndexFunc(of, func(t zohotest.AccessToken) bool { return t.Token == token })
	return i < 0 || time.Until(of[i].Expires) > time.Second
}

// whose says which grant a living token is of; h.mu is held.
func (h *simulation) whose(token string) string {
	if grant := h.parent(token); grant != "" {
		return "of " + h.label(grant)
	}
	return "of client credentials"
}

// parent is the grant of a living token, "" for client credentials.
func (h *simulation) parent(token string) string {
	for _, rt := range h.zoho.RefreshTokens() {
		for _, at := range h.zoho.AccessTokens(rt.Token) {
			if at.Token == token {
				return rt.Token
			}
		}
	}
	return ""
}

func (h *simulation) learnsDeleted(r *simRequest) {
	h.othersLive(r)
	if r.text == "" && !r.forgets {
		for token, at := range h.handed[r.name] {
			if at > r.begun || !h.livesOn(token) {
				continue
			}
			grant := h.parent(token)
			if grant == "" || h.forgotten[grant] || h.usedBeside(r, grant) || h.rotates {
				continue // client credentials have nothing to revoke; a mint under way rotates
			}
			h.wrongf("delete leaves a token alive", "#%d %s: %s %s", r.number, r.what, h.label(token), h.whose(token))
		}
	}
	h.forgetsHanded(r.name, r.over)
}

// credentialsTokens are the living tokens of client credentials that were handed out for
// other names than one, with that name, and that live for some minutes yet; h.mu is held.
func (h *simulation) credentialsTokens(but string) map[string]string {
	of := map[string]string{}
	for _, at := range h.zoho.AccessTokens("") {
		for name, handed := range h.handed {
			if name != but && handed[at.Token] > 0 && h.exists[name] > 0 && time.Until(at.Expires) > 5*time.Minute {
				of[at.Token] = name
			}
		}
	}
	return of
}

// othersLive checks that a delete ended no token that another name uses; h.mu is held.
func (h *simulation) othersLive(r *simRequest) {
	troubled := !r.node.failed.Before(r.began.Add(-time.Minute))
	besides := slices.ContainsFunc(h.revoking, func(o *simRequest) bool { return o != r && (o.over == 0 || o.over > r.begun) })
	if troubled || besides || h.outsideHit || r.lags() || time.Since(r.began) > 4*time.Minute {
		return
	}
	for token, name := range r.others {
		if !h.zoho.Alive(token) && !h.killed[token] && h.exists[name] > 0 && h.barred[token] == 0 {
			h.wrongf("a delete ends a token that another credential uses", "#%d %s: %s of %q", r.number, r.what, h.label(token), name)
		}
	}
}

// forgetsHanded: what a credential gave goes with it.
func (h *simulation) forgetsHanded(name string, before uint64) {
	for token, at := range h.handed[name] {
		if at < before {
			delete(h.handed[name], token)
		}
	}
}

// cutShort: what a process knew of a name while it revoked, or deleted, is gone with it;
// h.mu is held.
func (h *simulation) cutShort(r *simRequest) {
	if r.op == logical.DeleteOperation {
		h.forgetsHanded(r.name, r.begun)
		return
	}
	for _, name := range h.names {
		// Some may be dead at Zoho, and storage did not take it.
		if (r.name == "" || r.name == name) && !r.node.failed.Before(r.began) {
			h.unmarked[name] = true
		}
	}
}

// findShared notes which grants other names use before a delete; h.mu is held.
func (h *simulation) findShared(deletion *simRequest) {
	if deletion.shared == nil { // otherwise it is sent again
		deletion.shared = map[string]bool{}
	}
	stored := h.contents()
	for _, name := range h.names {
		if grant := h.grantIn(stored, name); name != deletion.name && grant != "" {
			deletion.shared[grant] = true
		}
	}
}

// usedBeside reports whether a credential uses a grant beside a delete: another one, which
// may be deleted or connected with another grant at the same time, or one of the same name
// that was connected with it once more. What was another's meanwhile ends as the other's does.
func (h *simulation) usedBeside(deletion *simRequest, grant string) bool {
	return deletion.shared[grant] || slices.ContainsFunc(h.names, func(name string) bool {
		return h.grantIn(h.contents(), name) == grant && (name != deletion.name || h.connectsBeside(deletion, deletion)) ||
			name != deletion.name && h.imported[grant] && (h.deletedBeside(deletion, name) || h.importedBeside(deletion, name, grant))
	})
}

// importedBeside reports whether a name was connected with a grant during a delete.
func (h *simulation) importedBeside(deletion *simRequest, name, grant string) bool {
	return slices.ContainsFunc(h.changes[name], func(o *simRequest) bool {
		return o.data["refresh_token"] == grant && o.status == 200 && o.over > deletion.begun
	})
}

func (h *simulation) learnsConnected(r *simRequest) {
	if token, ok := r.data["refresh_token"].(string); ok {
		h.stored[token] = true
	}
	if c := r.consent; r.path == "callback" && r.calls.Load() == 0 && !c.alone(r) {
		return // another tab brought the news, perhaps before this one began
	}
	begun := r.begun // of what is told, which another browser may have started
	if r.consent != nil && r.path == "callback" {
		for _, use := range r.consent.uses {
			begun = min(begun, use.begun)
		}
	}
	deleted := false
	for _, o := range h.changes[r.name] {
		if !o.deletes() || o.over > 0 && o.over < begun {
			continue
		}
		deleted = true
		undone := o.status == 200 && r.askedAt > 0 && o.begun > r.askedAt && h.contents()["creds/"+r.name] != ""
		if undone && h.devices[r.name] == "" && !h.connectsBeside(r, o) {
			kind := "a delete is undone"
			if r.codeSent == 0 {
				kind = "a delete is undone by an import"
			}
			h.wrongf(kind, "#%d %s, begun before #%d, which has deleted the credential", r.number, r.what, o.number)
		}
	}
	if !deleted {
		h.exists[r.name] = r.over
	}
}

// connectsBeside reports whether something else may have connected the name since a
// delete.
func (h *simulation) connectsBeside(r, deletion *simRequest) bool {
	return slices.ContainsFunc(h.changes[r.name], func(o *simRequest) bool {
		return o != r && o.connects() && (o.over == 0 || o.over > deletion.begun)
	})
}
