// What do browsers and the people before them do? They open links, consent with one
// account or another, land on the callback once, twice, or with something else.

package backend_test

import (
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// simStranger has an account that no link is for, or one alone.
const simStranger = "mallory@example.com"

// simConsent is a consent that was started.
type simConsent struct {
	name, state, address string
	expires              time.Time
	by                   *simRequest   // which started it
	user, center         string        // whose account it must be; empty: any
	visits               []*simVisit   // h.mu guards it, and the rest
	uses                 []*simRequest // that brought its state
	connected            *simRequest   // the first that was told so
	stored               bool          // and storage did not fail meanwhile
}

// simVisit is one time that a person went through a consent.
type simVisit struct {
	landed string
	who    zohotest.User
	reject bool
}

// simPurchase is what a grant was bought with.
type simPurchase struct {
	who     zohotest.User
	consent *simConsent // nil if none was needed
}

// expects reports whether a consent is for somebody's account.
func (c *simConsent) expects(who zohotest.User) bool {
	return (c.user == "" || strings.EqualFold(c.user, who.Email) || c.user == who.ZUID) && (c.center == "" || c.center == who.DataCenter)
}

// link starts a consent that somebody else is to go through, perhaps much later.
func (h *simulation) link(e simEvent) {
	h.flow(e, func() {
		if c := h.starts(h.linking(e)); c != nil && e.args[simA]%4 < 3 {
			h.visit(c, h.visitor(e))
		}
	})
}

// linking asks for a link, in the name of one of three.
func (h *simulation) linking(e simEvent) *simRequest {
	a, b := e.args[simA], e.args[simB]
	d := data{}
	if ttl := choose(a, "", "", "1m", "1h", "24h", "168h"); ttl != "" {
		d["ttl"] = ttl
	}
	us := h.zoho.User("us")
	if user := choose(a>>3, "", "", us.Email, strings.ToUpper(us.Email), us.ZUID, simStranger, "nobody@example.com"); user != "" {
		d["expected_user"] = user
	}
	if center := choose(b, "", "", "", "", "us", "eu"); center != "" {
		d["expected_data_center"] = center
	}
	if b>>5&1 == 1 {
		d["redirect_uri"] = callbackAddress
		if b>>6&1 == 1 {
			d["return_url"], d["return_state"] = returns, "a&b"
		}
	}
	if a>>6&1 == 1 {
		d["force"] = true
	}
	if b%16 == 7 {
		d["flow"], d["soid"] = "organization", "ZohoCRM."+us.OrgID
	}
	r := h.request(e, logical.UpdateOperation, "authorize/"+h.nameOf(e), d)
	r.entity = choose(e.args[simWho]>>4, "alice", "alice", "bob", "")
	return r
}

// visitor is who opens a link.
func (h *simulation) visitor(e simEvent) zohotest.Consent {
	return zohotest.Consent{Email: choose(e.args[simB]>>2, "", "", "", h.zoho.User("eu").Email, simStranger), Reject: e.args[simB]%16 == 15}
}

// starts makes a request that starts a consent; nil if it does not.
func (h *simulation) starts(r *simRequest) *simConsent {
	h.do(r)
	if r.status != 200 || r.node.dead.Load() {
		return nil
	}
	c := &simConsent{name: r.name, state: r.resp.Data["state"].(string), address: r.resp.Data["authorization_url"].(string), by: r, expires: r.began.Add(10 * time.Minute)}
	if ttl, ok := r.data["ttl"].(string); ok {
		life, _ := time.ParseDuration(ttl)
		c.expires = r.began.Add(life)
	}
	c.expires = c.expires.Add(-time.Second) // it is cut to seconds
	c.user, _ = r.data["expected_user"].(string)
	c.center, _ = r.data["expected_data_center"].(string)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.consents[c.name] = append(h.consents[c.name], c)
	return c
}

// visit is a person who opens a link and decides. It reports whether the browser landed.
func (h *simulation) visit(c *simConsent, who zohotest.Consent) bool {
	h.becomes(zohotest.ServerBased)
	landed, err := h.zoho.Authorize(c.address, who)
	if err != nil {
		h.note("%v", err) // the grant was revoked meanwhile, or it is no administrator's
		return false
	}
	u, _ := url.Parse(strings.TrimSuffix(landed, "&"))
	v := &simVisit{landed: landed, reject: u.Query().Has("error"), who: h.zoho.User("us")}
	switch {
	case who.Email == simStranger:
		v.who = zohotest.User{Email: simStranger, DataCenter: "us"}
	case who.Email != "" && who.Email != v.who.Email, who.DataCenter == "eu":
		v.who = h.zoho.User("eu")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if code := u.Query().Get("code"); code != "" {
		h.people[code] = v.who
	}
	c.visits = append(c.visits, v)
	h.notef("%s consents to %q: %v", v.who.Email, c.name, !v.reject)
	return true
}

func (h *simulation) last(c *simConsent) *simVisit {
	h.mu.Lock()
	defer h.mu.Unlock()
	return c.visits[len(c.visits)-1]
}

// click is the whole way of a link.
func (h *simulation) click(e simEvent) {
	h.flow(e, func() {
		r := h.linking(e)
		r.plan = simPlan{}
		if c := h.starts(r); c != nil && h.visit(c, h.visitor(e)) {
			h.loads(h.landing(e, c, h.last(c), nil))
		}
	})
}

// stranger is a person who got hold of somebody's link, of any flow, and brings a code for
// an account of their own with its state.
func (h *simulation) stranger(e simEvent) {
	name := h.nameOf(e)
	h.mu.Lock()
	all := h.consents[name]
	h.mu.Unlock()
	if len(all) == 0 {
		return
	}
	c := all[len(all)-1]
	h.flow(e, func() {
		h.becomes(zohotest.ServerBased)
		link, _ := url.Parse(c.address)
		landed, err := h.zoho.Authorize(h.zoho.AccountsURL("us")+"/oauth/v2/auth?"+url.Values{
			"client_id": {h.zoho.DefaultClient().ID}, "redirect_uri": {link.Query().Get("redirect_uri")}, "response_type": {"code"},
			"scope": {"ZohoCRM.modules.ALL,AaaServer.profile.READ"}, "access_type": {"offline"}, "prompt": {"consent"}, "state": {c.state},
		}.Encode(), zohotest.Consent{Email: simStranger})
		if err != nil {
			h.note("%v", err)
			return
		}
		u, _ := url.Parse(strings.TrimSuffix(landed, "&"))
		v := &simVisit{landed: landed, who: zohotest.User{Email: simStranger, DataCenter: "us"}}
		h.mu.Lock()
		h.people[u.Query().Get("code")] = v.who
		h.notef("a stranger has the link of %q", c.name)
		h.mu.Unlock()
		if e.args[simA]%2 == 0 {
			h.loads(h.landing(e, c, v, nil))
			return
		}
		r := h.request(e, logical.UpdateOperation, "creds/"+name, data{"callback_url": landed})
		r.consent, r.visit = c, v
		h.insist(r)
	})
}

// withdraw ends a consent that waits.
func (h *simulation) withdraw(e simEvent) {
	op, d := logical.Operation(logical.DeleteOperation), data{}
	name := h.nameOf(e)
	h.mu.Lock()
	if all := h.consents[name]; len(all) > 0 && e.args[simA]%2 == 1 {
		op, d["withdraw"] = logical.UpdateOperation, true
		d["if_state"] = all[len(all)-1-int(e.args[simB])%min(2, len(all))].state
	}
	h.mu.Unlock()
	h.asks(e, h.request(e, op, "authorize/"+name, d))
}

// landing is a browser that brings what a visit came to, with some of it changed; an empty
// text takes a parameter out.
func (h *simulation) landing(e simEvent, c *simConsent, v *simVisit, changes map[string]string) *simRequest {
	d := data{}
	u, _ := url.Parse(strings.TrimSuffix(v.landed, "&"))
	for name, values := range u.Query() {
		d[name] = values[0]
	}
	for name, value := range changes {
		if d[name] = value; value == "" {
			delete(d, name)
		}
	}
	r := h.request(e, logical.ReadOperation, "callback", d)
	r.name = c.name
	r.what = "a browser brings " + h.fields(d) + " of " + c.name
	if d["state"] == c.state {
		r.consent, r.visit = c, v
	}
	return r
}

// loads is a person who loads a page again as it tells them to.
func (h *simulation) loads(r *simRequest) {
	h.do(r)
	for range 2 {
		if r.result != "busy" || r.node.dead.Load() {
			return
		}
		time.Sleep(time.Minute)
		again := h.request(simEvent{}, r.op, r.path, r.data)
		again.name, again.what, again.consent, again.visit = r.name, r.what, r.consent, r.visit
		h.do(again)
		r = again
	}
}

// browser lands on the callback, mostly with what the last consent came to.
func (h *simulation) browser(e simEvent) {
	c := h.oneOf(e, h.nameOf(e))
	if c == nil {
		return
	}
	v, other := h.last(c), h.anotherVisit(e, c)
	h.flow(e, func() {
		switch e.args[simB] % 16 {
		default:
			h.loads(h.landing(e, c, v, nil))
		case 5, 6, 7: // two tabs
			h.tabs(h.landing(e, c, v, nil), h.landing(simEvent{args: [6]byte{simHow: e.args[simA]}}, c, v, nil))
		case 8: // again
			h.loads(h.landing(e, c, v, nil))
			time.Sleep(choose(e.args[simA], time.Second, time.Minute, 20*time.Minute))
			h.do(h.landing(simEvent{}, c, v, nil))
		case 9, 10: // another code
			changes := map[string]string{"code": "1000.made.up"}
			if other != nil {
				u, _ := url.Parse(strings.TrimSuffix(other.landed, "&"))
				for _, name := range []string{"code", "location", "accounts-server", "error"} {
					changes[name] = u.Query().Get(name)
				}
			}
			r := h.landing(e, c, v, changes)
			r.visit = nil
			h.do(r)
		case 11:
			r := h.landing(e, c, v, map[string]string{"code": "", "error": "access_denied"})
			r.visit = nil
			h.do(r)
		case 12: // who only looks
			h.do(h.landing(e, c, v, map[string]string{"code": "", "error": "", "status": ""}))
		case 13:
			h.do(h.landing(e, c, v, map[string]string{"state": c.state[:len(c.state)-2] + choose(e.args[simA], "AA", "==", "", "\n")}))
		case 14, 15: // the link once more, for another account
			if h.visit(c, zohotest.Consent{Email: choose(e.args[simA], "", simStranger, h.zoho.User("eu").Email)}) {
				h.loads(h.landing(e, c, h.last(c), nil))
			}
		}
	})
}

// anotherVisit is one of another consent.
func (h *simulation) anotherVisit(e simEvent, c *simConsent) *simVisit {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.consents[h.names[int(e.args[simA])%len(h.names)]] {
		if other != c && len(other.visits) > 0 && time.Now().Before(other.expires) {
			return other.visits[0]
		}
	}
	return nil
}

// tabs loads two at once.
func (h *simulation) tabs(a, b *simRequest) {
	var both sync.WaitGroup
	both.Go(func() { h.do(a) })
	both.Go(func() { h.do(b) })
	both.Wait()
}

// linksWork sends a link to somebody: the wrong account gets nowhere, the right one is
// connected, and stays so however often the page is loaded.
func (h *simulation) linksWork() {
	name, us := h.names[0], h.zoho.User("us")
	r := h.request(simEvent{}, logical.UpdateOperation, "authorize/"+name, data{"expected_user": us.Email, "force": true, "ttl": "1h"})
	c := h.starts(r)
	if c == nil {
		h.wrong("a link cannot be made though all is well", "%d %s", r.status, r.text)
		return
	}
	land := func(who, want string) {
		if !h.visit(c, zohotest.Consent{Email: who}) {
			h.wrong("a link cannot be opened though all is well", "by %s", who)
			return
		}
		for range 2 {
			r := h.landing(simEvent{}, c, h.last(c), nil)
			if h.do(r); r.result != want {
				h.wrong("a link does not work though all is well", "by %s: %s %s", who, r.result, r.text)
			}
		}
	}
	land(simStranger, "other account")
	land(us.Email, "connected")
	h.readable(name, simEvent{})
}
