// What is asked of the engine? Every path's requests, at random.

package backend_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// simAction is a kind of event.
type simAction struct {
	name   string
	weight int
	do     func(h *simulation, e simEvent)
}

// simActions are all kinds. Weights make reading and time most frequent.
func simActions() []simAction {
	return []simAction{
		{"read", 26, (*simulation).readOnce},
		{"read-with", 12, (*simulation).readWith},
		{"read-at-once", 5, (*simulation).readAtOnce},
		{"authorize", 6, (*simulation).authorize},
		{"callback", 8, (*simulation).callback},
		{"connect", 10, (*simulation).connect},
		{"self-code", 6, (*simulation).selfCode},
		{"device", 4, (*simulation).device},
		{"approve", 5, (*simulation).approve},
		{"add-scopes", 5, (*simulation).addScopes},
		{"import", 8, (*simulation).imports},
		{"import-spelt", 6, (*simulation).importsSpelt},
		{"client-credentials", 3, (*simulation).clientCredentials},
		{"link", 6, (*simulation).link},
		{"browser", 12, (*simulation).browser},
		{"click", 8, (*simulation).click},
		{"stranger", 5, (*simulation).stranger},
		{"withdraw", 3, (*simulation).withdraw},
		{"damage", 1, (*simulation).damage},
		{"clock", 5, (*simulation).clock},
		{"settings", 3, (*simulation).settings},
		{"disable", 2, (*simulation).disable},
		{"revoke", 7, (*simulation).revoke},
		{"revoke-all", 2, (*simulation).revokeAll},
		{"delete", 8, (*simulation).delete},
		{"retired", 4, (*simulation).retired},
		{"config", 4, (*simulation).config},
		{"secret", 2, (*simulation).secret},
		{"status", 3, (*simulation).status},
		{"probe", 2, (*simulation).probe},
		{"list", 2, (*simulation).list},
		{"tick", 9, (*simulation).tick},
		{"time", 26, (*simulation).timePasses},
		{"zoho-fails", 10, (*simulation).zohoFails},
		{"zoho-recovers", 4, (*simulation).zohoRecovers},
		{"storage-moody", 4, (*simulation).storageMoody},
		{"crash", 3, (*simulation).crash},
		{"failover", 2, (*simulation).failover},
		{"user-revokes", 2, (*simulation).userRevokes},
		{"token-dies", 1, (*simulation).tokenDies},
		{"others-mint", 2, (*simulation).othersMint},
		{"calm", 2, (*simulation).calm},
	}
}

func (h *simulation) nameOf(e simEvent) string { return h.names[int(e.args[simWho])%len(h.names)] }

// asks makes one request, again and again if need be.
func (h *simulation) asks(e simEvent, r *simRequest) { h.flow(e, func() { h.insist(r) }) }

func (h *simulation) readOnce(e simEvent) {
	h.flow(e, func() { h.do(h.reading(e, nil)) })
}

func (h *simulation) reading(e simEvent, d data) *simRequest {
	r := h.request(e, logical.ReadOperation, "creds/"+h.nameOf(e), d)
	r.secret = true
	return r
}

func (h *simulation) readWith(e simEvent) {
	d := data{}
	if age := choose(e.args[simA], "", "0", "1s", "5m", "50m"); age != "" {
		d["max_age"] = age
	}
	if ttl := choose(e.args[simB], "", "", "1m", "55m", "59m50s"); ttl != "" {
		d["min_ttl"] = ttl
	}
	times := choose(e.args[simB]>>4, 1, 1, 2, 9)
	h.flow(e, func() {
		for range times {
			h.do(h.reading(e, d))
		}
	})
}

func (h *simulation) readAtOnce(e simEvent) {
	for i := range 2 + int(e.args[simA]%4) {
		one := e
		one.args[simHow] |= 3
		one.args[simWho] += e.args[simB] % 2 * byte(i)
		if i > 0 {
			one.args[simTrouble] = 0
		}
		h.flow(one, func() { h.do(h.reading(one, nil)) })
	}
}

// person is what a person does at Zoho's page.
func (e simEvent) person() zohotest.Consent {
	return zohotest.Consent{DataCenter: choose(e.args[simA], "", "", "eu"), Reject: e.args[simB]%16 == 15}
}

// consent starts a consent and goes through it; nil if that did not come about.
func (h *simulation) consent(e simEvent, name string, d data, plan simPlan) *simConsent {
	r := h.request(e, logical.UpdateOperation, "authorize/"+name, d)
	r.plan, r.secret = plan, d["add_scopes"] != nil
	c := h.starts(r)
	if c == nil {
		return nil
	}
	who := e.person()
	if r.secret {
		who.DataCenter = ""
	}
	if !h.visit(c, who) {
		return nil
	}
	return c
}

func (h *simulation) authorize(e simEvent) {
	h.flow(e, func() { h.consent(e, h.nameOf(e), nil, e.plan(h.level)) })
}

func (h *simulation) addScopes(e simEvent) {
	h.flow(e, func() {
		h.consent(e, h.nameOf(e), data{"add_scopes": choose(e.args[simA], "ZohoCRM.users.READ", "ZohoCRM.settings.ALL")}, e.plan(h.level))
	})
}

// callback writes an address that a browser landed on, mostly the last one.
func (h *simulation) callback(e simEvent) {
	name := h.nameOf(e)
	if c := h.oneOf(e, name); c != nil {
		h.flow(e, func() { h.finishes(e, name, c) })
	}
}

// oneOf chooses a consent that somebody went through.
func (h *simulation) oneOf(e simEvent, name string) *simConsent {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.consents[name]
	if e.args[simA]%8 == 7 {
		all = h.consents[h.names[int(e.args[simB])%len(h.names)]]
	}
	all = slices.DeleteFunc(slices.Clone(all), func(c *simConsent) bool { return len(c.visits) == 0 })
	if back := int(choose(e.args[simA]>>4, 0, 0, 0, 0, 0, 1)); len(all) > back {
		return all[len(all)-1-back]
	}
	return nil
}

func (h *simulation) finishes(e simEvent, name string, c *simConsent) {
	v := h.last(c)
	d := data{"callback_url": v.landed}
	if e.args[simB]%8 == 3 {
		d["max_age"] = "20m"
	}
	r := h.request(e, logical.UpdateOperation, "creds/"+name, d)
	if c.name == name {
		r.consent, r.visit = c, v
	}
	h.insist(r)
}

// connect is the whole way through a consent.
func (h *simulation) connect(e simEvent) {
	name := h.nameOf(e)
	h.flow(e, func() {
		if c := h.consent(e, name, nil, simPlan{}); c != nil {
			h.finishes(e, name, c)
		}
	})
}

func (h *simulation) selfCode(e simEvent) {
	var code string
	var err error
	for range 100 { // another event may make the client something else at the same time
		h.becomes(zohotest.SelfClient)
		if code, err = h.zoho.SelfClientCode(h.zoho.DefaultClient().ID, "us", 0, "ZohoCRM.modules.ALL"); err == nil {
			break
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	if e.args[simA]%8 == 7 && time.Since(h.coded) < 10*time.Minute {
		code = h.code // once more, while it may live
	} else {
		h.code, h.coded = code, time.Now()
	}
	h.mu.Unlock()
	h.asks(e, h.request(e, logical.UpdateOperation, "creds/"+h.nameOf(e), data{"code": code}))
}

func (h *simulation) device(e simEvent) {
	name := h.nameOf(e)
	r := h.request(e, logical.UpdateOperation, "authorize/"+name, data{"flow": "device"})
	h.flow(e, func() {
		h.do(r)
		if r.status != 200 || r.node.dead.Load() {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.devices[name] = r.resp.Data["user_code"].(string)
	})
}

func (h *simulation) approve(e simEvent) {
	h.mu.Lock()
	code := h.devices[h.nameOf(e)]
	h.mu.Unlock()
	if code == "" {
		return
	}
	h.note("the person types the code of %s: %v", h.nameOf(e), h.zoho.ApproveDevice(code, e.person()))
	if e.args[simB]%4 > 0 {
		passes(31 * time.Second)
		h.flow(e, func() { h.do(h.reading(e, nil)) })
	}
}

// imports writes a refresh token that lives: one that is used, under this name or
// another, one that was replaced, or somebody else's.
func (h *simulation) imports(e simEvent) {
	alive, stored := h.zoho.RefreshTokens(), h.contents()
	h.mu.Lock()
	alive = slices.DeleteFunc(alive, func(rt zohotest.RefreshToken) bool {
		// What was forgotten, or never arrived, has taken places that nobody knows of. What no
		// credential had yet nobody else can have. And one token that Zoho replaces cannot be used twice.
		return h.forgotten[rt.Token] || h.lost[rt.Token] || !rt.Delivered || !h.outside[rt.Token] && !h.wasUsed(stored, rt.Token) || h.rotates && (!h.outside[rt.Token] || h.imported[rt.Token])
	})
	if len(alive) == 0 {
		h.mu.Unlock()
		return
	}
	rt := alive[int(e.args[simA])%len(alive)]
	h.imported[rt.Token] = true
	h.grants[rt.Token] = true
	h.mu.Unlock()
	d := data{"refresh_token": rt.Token, "data_center": rt.DataCenter}
	h.asks(e, h.request(e, logical.UpdateOperation, "creds/"+h.nameOf(e), d))
}

// importsSpelt writes a refresh token that lives, with its accounts server spelt in another
// way. That makes two grants of one token, which do not know of each other's mints.
func (h *simulation) importsSpelt(e simEvent) {
	alive := slices.DeleteFunc(h.zoho.RefreshTokens(), func(rt zohotest.RefreshToken) bool { return rt.DataCenter != "us" })
	if !h.spelt || h.rotates || len(alive) == 0 {
		return
	}
	rt := alive[int(e.args[simA])%len(alive)]
	stored := h.contents()
	h.mu.Lock()
	if h.forgotten[rt.Token] || h.lost[rt.Token] || !rt.Delivered || !h.outside[rt.Token] && !h.wasUsed(stored, rt.Token) {
		h.mu.Unlock()
		return
	}
	h.outsideHit = true
	h.imported[rt.Token], h.grants[rt.Token] = true, true
	h.mu.Unlock()
	h.asks(e, h.request(e, logical.UpdateOperation, "creds/"+h.nameOf(e), data{"refresh_token": rt.Token, "data_center": "us2"}))
}

// wasUsed reports whether a credential has a grant, or had it and gave a token of it.
func (h *simulation) wasUsed(stored simStored, grant string) bool {
	return stored.hold(grant) && slices.ContainsFunc(h.names, func(name string) bool {
		if h.grantIn(stored, name) == grant {
			return true
		}
		for token := range h.handed[name] {
			if h.parent(token) == grant {
				return true
			}
		}
		return false
	})
}

func (h *simulation) clientCredentials(e simEvent) {
	h.asks(e, h.request(e, logical.UpdateOperation, "creds/"+h.nameOf(e), data{
		"grant_type": "client_credentials", "scopes": choose(e.args[simA], "ZohoCRM.modules.READ", "ZohoCRM.users.READ"), "soid": "ZohoCRM." + h.zoho.User("us").OrgID,
	}))
}

func (h *simulation) settings(e simEvent) {
	d := choose(e.args[simA], data{"max_age": "20m"}, data{"max_age": "0", "min_ttl": "1m"}, data{"custom_metadata": map[string]any{"team": "x"}}, data{"leased": e.args[simB]&1 == 1})
	h.asks(e, h.request(e, choose[logical.Operation](e.args[simB]>>1, logical.UpdateOperation, logical.PatchOperation), "creds/"+h.nameOf(e), d))
}

func (h *simulation) disable(e simEvent) {
	h.asks(e, h.request(e, logical.UpdateOperation, "creds/"+h.nameOf(e), data{"disabled": e.args[simA]%3 == 1}))
}

func (h *simulation) revoke(e simEvent) {
	h.asks(e, h.request(e, logical.UpdateOperation, "revoke/"+h.nameOf(e), nil))
}

func (h *simulation) revokeAll(e simEvent) {
	h.asks(e, h.request(e, logical.UpdateOperation, "revoke", nil))
}

func (h *simulation) delete(e simEvent) { h.deletes(e, e.args[simA]%4 != 3) }

func (h *simulation) deletes(e simEvent, revoke bool) {
	d := data{}
	if !revoke {
		d["revoke"] = "false"
	}
	r := h.request(e, logical.DeleteOperation, "creds/"+h.nameOf(e), d)
	r.forgets = !revoke
	h.asks(e, r)
}

// retired retries, or gives up, a grant that is due.
func (h *simulation) retired(e simEvent) {
	due := slices.DeleteFunc(slices.Sorted(maps.Keys(h.contents())), func(key string) bool { return !strings.HasPrefix(key, "due/") })
	if len(due) == 0 {
		return
	}
	id := strings.TrimPrefix(due[int(e.args[simA])%len(due)], "due/")
	r := h.request(e, choose[logical.Operation](e.args[simB], logical.UpdateOperation, logical.DeleteOperation), "retired/"+id, nil)
	r.name, r.what = "", string(r.op)+" "+h.unnamed("retired/"+id)
	h.asks(e, r)
}

// giveUp notes that a grant that is due may be given up; h.mu is held.
func (h *simulation) giveUp(id string) {
	value := h.contents()["due/"+id]
	for grant := range h.grants {
		if strings.Contains(value, grant) {
			h.forgotten[grant] = true
		}
	}
}

// forgetGrant notes that a grant is left alone at Zoho on purpose; h.mu is held.
func (h *simulation) forgetGrant(name string) {
	stored := h.contents()
	if grant := h.grantIn(stored, name); grant != "" {
		h.forgotten[grant] = true
	}
	// Of a credential that is deleted already it forgets what is still to be revoked.
	for _, grant := range h.leftOf(stored, name) {
		h.forgotten[grant] = true
	}
}

func (h *simulation) config(e simEvent) {
	if e.args[simA]%8 == 7 {
		h.asks(e, h.request(e, logical.DeleteOperation, "config", nil))
		return
	}
	h.asks(e, h.request(e, choose[logical.Operation](e.args[simB], logical.UpdateOperation, logical.PatchOperation), "config", choose(e.args[simA],
		data{"mint_limit": 5, "verify": false}, data{"mint_limit": 10, "live_token_limit": 6, "verify": false}, data{"request_timeout": "2s", "verify": false},
		data{"request_timeout": "30s", "verify": false}, data{"max_age": "30m"}, data{"max_age": "0", "min_ttl": "5m", "verify": false}, h.wholeConfig(nil))))
}

// secret changes the client secret at Zoho, in config, or in one of them alone.
func (h *simulation) secret(e simEvent) {
	how := e.args[simA] % 3
	d := data{"client_secret": fmt.Sprintf("a-secret-that-is-wrong-%d", e.args[simB]), "verify": e.args[simB]&1 == 1}
	if how != 0 {
		h.registering.Lock()
		d["client_secret"] = h.zoho.RotateSecret(h.zoho.DefaultClient().ID, "")
		h.registering.Unlock()
		h.note("the client has a new secret")
	}
	if how != 1 {
		h.asks(e, h.request(e, logical.UpdateOperation, "config", d))
	}
}

func (h *simulation) status(e simEvent) {
	h.asks(e, h.request(e, logical.ReadOperation, "status/"+h.nameOf(e), nil))
}

func (h *simulation) probe(e simEvent) {
	h.asks(e, h.request(e, logical.UpdateOperation, "status/"+h.nameOf(e), data{"probe": true}))
}

func (h *simulation) list(e simEvent) {
	path := choose(e.args[simA], "creds/", "status/", "config", "metrics", "datacenters/")
	var op logical.Operation = logical.ListOperation
	if !strings.HasSuffix(path, "/") {
		op = logical.ReadOperation
	}
	r := h.request(e, op, path, nil)
	r.name = ""
	h.asks(e, r)
}

// tick is Vault's minute at the active node.
func (h *simulation) tick(e simEvent) {
	r := h.request(e, logical.RollbackOperation, "", nil)
	r.patience = 0
	h.mu.Lock()
	r.node = h.active
	h.mu.Unlock()
	h.flow(e, func() { h.do(r) })
}

// othersMint is another program that uses a grant of this mount.
func (h *simulation) othersMint(e simEvent) {
	alive := h.zoho.RefreshTokens()
	if !h.outsiders || len(alive) == 0 || h.rotates {
		return
	}
	rt := alive[int(e.args[simA])%len(alive)]
	h.mu.Lock()
	h.outsideHit = true
	h.notef("another program mints from %s", h.label(rt.Token))
	h.mu.Unlock()
	for range 1 + int(e.args[simB]%12) {
		h.callZoho(rt.DataCenter, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rt.Token}})
	}
}
