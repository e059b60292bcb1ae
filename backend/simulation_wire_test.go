// What goes over the wire to Zoho, and what comes back? Who got which grant is known
// from here.

package backend_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// simWire is a node's way to Zoho.
type simWire struct{ node *simNode }

type simAsk struct{} // key of a request in a context

func (w *simWire) RoundTrip(req *http.Request) (*http.Response, error) {
	n, h := w.node, w.node.h
	ask, _ := req.Context().Value(simAsk{}).(*simRequest)
	form, err := readSimForm(req)
	if err != nil {
		return nil, err
	}
	if n.standby.Load() {
		h.wrong("standby calls Zoho", "%s", req.URL.Path)
	}
	diesAfter := false
	if ask != nil {
		if call := int(ask.calls.Add(1)); call == ask.plan.nth {
			diesAfter = ask.plan.kind == diesAfterCall
			if ask.plan.kind == diesBeforeCall {
				n.die()
			}
		}
	}
	if n.dead.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errSimDead}
	}
	if ask != nil && strings.HasSuffix(req.URL.Path, "/token") {
		ask.sent(form)
	}
	switch {
	case strings.HasSuffix(req.URL.Path, "/device/code"):
		h.becomes(zohotest.Device)
	case form.Get("grant_type") == "client_credentials":
		h.becomes(zohotest.SelfClient)
	}
	h.waiting.Add(1)
	resp, err := h.zoho.Transport().RoundTrip(req)
	h.waiting.Add(-1)
	h.gate.move()
	var body []byte
	if err == nil {
		var torn error
		body, torn = io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), simTorn{torn}))
	}
	if diesAfter {
		n.die()
	}
	h.answered(n, ask, req.URL.Path, form, body, err)
	if n.dead.Load() {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: errSimDead}
	}
	return resp, err
}

// simTorn ends a body as it ended on the wire.
type simTorn struct{ err error }

func (t simTorn) Read([]byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	return 0, io.EOF
}

func readSimForm(req *http.Request) (url.Values, error) {
	if req.Body == nil {
		return url.Values{}, nil
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(raw))
	form, _ := url.ParseQuery(string(raw))
	return form, nil
}

// becomes makes the one client of the mount a client of another type: here it is
// all of them, so that every flow may meet every other.
func (h *simulation) becomes(kind zohotest.ClientType) {
	h.registering.Lock()
	defer h.registering.Unlock()
	c := h.zoho.DefaultClient()
	c.Type, c.RedirectURIs = kind, h.redirects
	if kind == zohotest.SelfClient || kind == zohotest.Device {
		c.RedirectURIs = nil
	}
	h.zoho.AddClient(c)
}

// answered notes which grants a process got, and which it tried to revoke.
func (h *simulation) answered(n *simNode, ask *simRequest, path string, form url.Values, body []byte, err error) {
	var a struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Status  string `json:"status"`
	}
	whole := err == nil && json.Unmarshal(body, &a) == nil
	alive := h.alive()
	h.mu.Lock()
	defer h.mu.Unlock()
	sent := form.Get("refresh_token")
	switch {
	case strings.HasSuffix(path, "/revoke/token"), strings.HasSuffix(path, "/token/revoke"):
		if token := form.Get("token"); whole && a.Status == "success" {
			h.notef("node %d has %s revoked", n.number, h.label(token))
		} else if alive[token] {
			h.unrevoked[token] = time.Now()
		}
	case whole && a.Refresh != "":
		h.received[a.Refresh] = simReceipt{n, time.Now()}
		h.grants[a.Refresh] = true
		if who, known := h.people[form.Get("code")]; known && ask != nil {
			h.bought[a.Refresh] = simPurchase{who, ask.consent}
		}
		h.notef("node %d has %s from Zoho", n.number, h.label(a.Refresh))
		if sent != "" && sent != a.Refresh {
			h.successor[sent] = a.Refresh
		}
		if n.dead.Load() {
			h.lost[a.Refresh] = true
		}
	case !whole && sent != "" && !alive[sent] && h.rotates:
		h.killed[sent] = true // the new one exists, and nobody has it
	}
}

// simReceipt is who got a grant, and when.
type simReceipt struct {
	node *simNode
	at   time.Time
}
