// The gate, from outside: for every flow and every wrong evidence nothing is connected,
// nothing that was connected is revoked, and the person and the operator see why.

package backend_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// gateFlow is one way in which a credential gets its grant.
type gateFlow struct {
	name string
	kind zohotest.ClientType
	// consent is what is written to authorize/crm; nil: no consent is needed.
	consent data
	// device: the person types a code, and a read asks Zoho.
	device bool
	// pasted: the address is written to creds/crm instead of being loaded at the callback.
	pasted bool
	// write is what is written to creds/crm without a consent.
	write func(m *mount) data
}

func gateFlows() []gateFlow {
	scopes := profileScopes
	return []gateFlow{
		{name: "callback", kind: zohotest.ServerBased, consent: data{"scopes": scopes}},
		{name: "pasted code", kind: zohotest.ServerBased, consent: data{"scopes": scopes}, pasted: true},
		{name: "organization", kind: zohotest.Organization, consent: data{"scopes": scopes, "flow": "organization", "soid": "ZohoCRM.600000434"}},
		{name: "more scopes", kind: zohotest.ServerBased, consent: data{"add_scopes": "ZohoCRM.users.READ"}},
		{name: "more scopes, pasted", kind: zohotest.ServerBased, consent: data{"add_scopes": "ZohoCRM.users.READ"}, pasted: true},
		{name: "device", kind: zohotest.Device, consent: data{"scopes": scopes, "flow": "device"}, device: true},
		{name: "self client code", kind: zohotest.SelfClient, write: func(m *mount) data { return data{"code": m.selfCode()} }},
		{name: "import", kind: zohotest.ServerBased, write: func(m *mount) data { return data{"refresh_token": m.anotherGrant()} }},
		{name: "client credentials", kind: zohotest.SelfClient, write: func(m *mount) data {
			return data{"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID}
		}},
	}
}

// gateCase is one flow on its way.
type gateCase struct {
	*mount
	flow    gateFlow
	started *logical.Response
	// person consents to the flow's own link.
	person zohotest.Consent
	// change alters the address that the browser landed on.
	change func(query url.Values)
	// body is written to creds/crm.
	body data
	// landed is the address that was brought last.
	landed string
}

// becomes changes the type of the simulator's default client at Zoho.
func (m *mount) becomes(kind zohotest.ClientType) {
	c := m.zoho.DefaultClient()
	c.Type, c.Enabled = kind, m.zoho.DataCenters()
	c.RedirectURIs = []string{callbackAddress}
	if kind == zohotest.SelfClient || kind == zohotest.Device {
		c.RedirectURIs = nil
	}
	m.zoho.AddClient(c)
}

// start begins the flow.
func (g *gateCase) start(more data) {
	g.t.Helper()
	g.becomes(g.flow.kind)
	if g.flow.consent == nil {
		g.body = g.flow.write(g.mount)
		return
	}
	d := data{}
	for _, from := range []data{g.flow.consent, more} {
		for field, value := range from {
			d[field] = value
		}
	}
	g.started = g.write("authorize/crm", d)
}

// bring plays the person and brings what came of it. It returns what the caller is told.
func (g *gateCase) bring() string {
	g.t.Helper()
	switch {
	case g.flow.consent == nil:
		_, err := g.try(logical.UpdateOperation, "creds/crm", g.body)
		return errorText(err)
	case g.flow.device:
		if err := g.zoho.ApproveDevice(g.started.Data["user_code"].(string), g.person); err != nil {
			g.t.Fatal(err)
		}
		passes(31 * time.Second)
		return g.readsDevice()
	}
	g.landed = g.opens(g.started, g.person)
	return g.brings(g.landed)
}

// readsDevice reads, twice: where the first question is led to another data center.
func (g *gateCase) readsDevice() string {
	var err error
	for range 2 {
		_, err = g.try(logical.ReadOperation, "creds/crm", nil)
		synctest.Wait()
		passes(31 * time.Second)
	}
	return errorText(err)
}

// brings hands over an address in the way of the flow.
func (g *gateCase) brings(address string) string {
	g.t.Helper()
	u, err := url.Parse(strings.TrimSuffix(address, "&"))
	if err != nil {
		g.t.Fatal(err)
	}
	if g.change != nil {
		q := u.Query()
		g.change(q)
		u.RawQuery = q.Encode()
	}
	if g.flow.pasted {
		_, err := g.try(logical.UpdateOperation, "creds/crm", data{"callback_url": u.String()})
		return errorText(err)
	}
	got := g.land(u.String())
	if got.says() == "Zoho is connected" {
		return ""
	}
	return got.page
}

// errorText is the text of an error, "" without one.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// gateWrong is evidence that must not pass, and the flows that it concerns; play returns
// what the caller is told.
type gateWrong struct {
	name    string
	flows   func(f gateFlow) bool
	play    func(g *gateCase) string
	words   []string // one of which the caller is told, or the operator reads
	waiting bool     // the consent keeps waiting for the right evidence
}

func inBrowser(f gateFlow) bool { return f.consent != nil && !f.device }
func addsScopes(f gateFlow) bool {
	return f.consent != nil && f.consent["add_scopes"] != nil
}
func givesCode(f gateFlow) bool { return inBrowser(f) && !addsScopes(f) }

func gateWrongs() []gateWrong {
	changed := func(change func(m *mount, q url.Values)) func(g *gateCase) string {
		return func(g *gateCase) string {
			g.start(nil)
			g.change = func(q url.Values) { change(g.mount, q) }
			return g.bring()
		}
	}
	// Somebody else's code, or a code for a fresh grant, with the state of this consent.
	foreign := func(g *gateCase) string {
		g.start(nil)
		other := newMountOn(g.t, g.zoho)
		other.write("config", data{"client_id": g.read("config")["client_id"], "client_secret": g.zoho.DefaultClient().Secret, "vault_addr": vaultAddr, "verify": false})
		landed := other.consent("crm", data{"scopes": profileScopes}, zohotest.Consent{Email: "mallory@example.com"})
		u, _ := url.Parse(strings.TrimSuffix(landed, "&"))
		q := u.Query()
		q.Set("state", g.started.Data["state"].(string))
		u.RawQuery = q.Encode()
		return g.brings(u.String())
	}
	return []gateWrong{
		{"nobody asked: the consent was withdrawn", func(f gateFlow) bool { return f.consent != nil }, func(g *gateCase) string {
			g.start(nil)
			g.delete("authorize/crm")
			if g.flow.device {
				return errorText(g.approved())
			}
			return g.bring()
		}, []string{"no longer good", "no consent", "approved"}, false},
		{"the consent expired", inBrowser, func(g *gateCase) string {
			g.start(data{"ttl": "1m"})
			g.landed = g.opens(g.started, g.person)
			passes(2 * time.Minute)
			return g.brings(g.landed)
		}, []string{"expired"}, false},
		{"the state of another name", inBrowser, func(g *gateCase) string {
			other := g.write("authorize/other", data{"scopes": profileScopes})
			g.start(nil)
			g.change = func(q url.Values) { q.Set("state", other.Data["state"].(string)) }
			defer g.delete("authorize/other")
			if g.flow.pasted {
				return g.bring()
			}
			g.opens(g.started, g.person) // nothing may reach crm by way of other
			return "not brought"
		}, []string{"belongs to the consent for \"other\"", "not brought"}, true},
		{"a state that was made up", inBrowser, changed(func(_ *mount, q url.Values) { q.Set("state", "ABCDEFGHIJKLMNOPQRSTUVWXYZ") }), []string{"not that of the consent", "does not work"}, true},
		{"no state", givesCode, changed(func(_ *mount, q url.Values) { q.Del("state") }), []string{"carries no state", "does not work"}, true},
		{"an authorization code for more scopes", addsScopes, foreign, []string{"adds scopes", "adds permissions"}, true},
		{"the news of more scopes for a code", givesCode, changed(func(_ *mount, q url.Values) {
			q.Del("code")
			q.Set("status", "success")
			q.Set("scope_enhanced", "true")
		}), []string{"not completed by the news"}, true},
		{"the news of more scopes that nobody accepted", addsScopes, func(g *gateCase) string {
			g.start(nil)
			return g.brings(callbackAddress + "?" + url.Values{"state": {g.started.Data["state"].(string)}, "status": {"success"}, "scope_enhanced": {"true"}}.Encode())
		}, []string{"has none of the scopes"}, true},
		{"another user", func(f gateFlow) bool { return f.consent != nil && !addsScopes(f) }, func(g *gateCase) string {
			g.start(data{"expected_user": g.zoho.User("us").Email})
			g.person.Email = "mallory@example.com"
			return g.bring()
		}, []string{"another account"}, true},
		{"a user whom Zoho does not name", func(f gateFlow) bool { return f.consent != nil && !addsScopes(f) }, func(g *gateCase) string {
			g.start(data{"expected_user": g.zoho.User("us").Email})
			g.tap(func(r *http.Request, _ string) (int, string) {
				if strings.HasSuffix(r.URL.Path, "/user/info") {
					return 200, `{"First_Name":"A"}`
				}
				return 0, ""
			})
			return g.bring()
		}, []string{"did not say whose account"}, false},
		{"another data center", func(f gateFlow) bool { return f.consent != nil && !addsScopes(f) }, func(g *gateCase) string {
			g.start(data{"expected_data_center": "us"})
			g.person.DataCenter = "eu"
			return g.bring()
		}, []string{"another account consented (data center eu)"}, true},
		{"an accounts server that is not known", givesCode, changed(func(_ *mount, q url.Values) { q.Set("accounts-server", "https://accounts.zoho.example") }), []string{"not one this mount knows"}, true},
		{"no refresh token", func(f gateFlow) bool { return givesCode(f) || f.device || f.name == "self client code" }, func(g *gateCase) string {
			g.start(nil)
			g.tap(func(r *http.Request, _ string) (int, string) {
				if strings.HasSuffix(r.URL.Path, "/token") {
					return 200, `{"access_token":"1000.aa.bb","expires_in":3600,"api_domain":"https://www.zohoapis.com"}`
				}
				return 0, ""
			})
			return g.bring()
		}, []string{"no refresh token"}, false},
		{"a client that config no longer names", inBrowser, func(g *gateCase) string {
			g.start(nil)
			g.landed = g.opens(g.started, g.person)
			anotherClient(g.mount)
			return g.brings(g.landed)
		}, []string{"another client_id"}, true},
		{"a grant that was replaced meanwhile", addsScopes, func(g *gateCase) string {
			g.start(nil)
			g.landed = g.opens(g.started, g.person)
			g.write("creds/crm", data{"refresh_token": g.anotherGrant()})
			return g.brings(g.landed)
		}, []string{"no longer good", "no consent"}, false},
		{"the person declines", func(f gateFlow) bool { return f.consent != nil }, func(g *gateCase) string {
			g.start(nil)
			g.person.Reject = true
			return g.bring()
		}, []string{"access_denied", "Reject"}, false},
		{"Zoho refuses the evidence", func(f gateFlow) bool { return !addsScopes(f) }, func(g *gateCase) string {
			g.start(nil)
			endpoint := "token"
			if g.flow.device {
				endpoint = "device"
			}
			g.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_code", Endpoint: endpoint})
			return g.bring()
		}, []string{"invalid_code"}, false},
	}
}

// approved types the code of a device consent that may be over, and reads.
func (g *gateCase) approved() error {
	if err := g.zoho.ApproveDevice(g.started.Data["user_code"].(string), g.person); err != nil {
		return err
	}
	passes(31 * time.Second)
	g.readsDevice()
	return &refusal{status: 404, text: "approved, and no consent waits"}
}

func TestEveryFlowPassesTheSameGate(t *testing.T) {
	played := map[string]bool{}
	for _, flow := range gateFlows() {
		for _, wrong := range gateWrongs() {
			if !wrong.flows(flow) {
				continue
			}
			for _, connected := range []bool{true, false} {
				if addsScopes(flow) && !connected {
					continue
				}
				played[flow.name] = true
				name := flow.name + "/" + wrong.name + map[bool]string{true: "/connected", false: "/new"}[connected]
				t.Run(name, func(t *testing.T) {
					inBubble(t, func(t *testing.T, m *mount) { passesTheGate(t, m, flow, wrong, connected) })
				})
			}
		}
	}
	for _, flow := range gateFlows() {
		if !played[flow.name] {
			t.Errorf("no wrong evidence is played for %s", flow.name)
		}
	}
}

func passesTheGate(t *testing.T, m *mount, flow gateFlow, wrong gateWrong, connected bool) {
	m.becomes(zohotest.ServerBased)
	m.configure(data{"scopes": profileScopes, "redirect_uri": nil, "vault_addr": vaultAddr})
	m.zoho.AddUser(zohotest.User{Email: "mallory@example.com"})
	held := ""
	if connected {
		m.clicks("crm")
		held = m.held("crm")
	}
	g := &gateCase{mount: m, flow: flow}
	var told string
	log := strings.Join(m.logged(func() { told = wrong.play(g) }), "\n")
	synctest.Wait()
	m.zoho.ClearFaults()
	if told == "" && !flow.device {
		t.Error("wrong evidence connects the credential")
	}
	seen := told + log
	if resp, err := m.try(logical.ReadOperation, "authorize/crm", nil); err == nil {
		detail, _ := resp.Data["result_detail"].(string)
		seen += detail
		if inBrowser(flow) && wrong.waiting && resp.Data["state"] != "waiting" {
			t.Errorf("the consent is %v; the right evidence can still complete it", resp.Data["state"])
		}
	}
	if !slices.ContainsFunc(wrong.words, func(word string) bool { return strings.Contains(seen, word) }) {
		t.Errorf("nobody is told why: %.1500s", seen)
	}
	m.hours()
	if wrong.name == "a grant that was replaced meanwhile" {
		return // by an import, on purpose
	}
	if now := m.held("crm"); now != held {
		t.Errorf("the credential has another grant than before")
	}
	if held != "" && !m.lives(held) {
		t.Error("the grant that the credential had was revoked")
	}
	for _, rt := range m.zoho.RefreshTokens() {
		if rt.Token != held && rt.Delivered && rt.Token != m.held("other") {
			t.Error("a grant lives at Zoho that nobody uses")
		}
	}
}
