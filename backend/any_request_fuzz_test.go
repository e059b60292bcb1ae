// What if any request has any fields? Through the framework, and over the real plugin
// bridge: no panic, no 500 that a caller could cause, no secret shown, and the mount goes on.

package backend_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// knock is a request without its fields.
type knock struct {
	op   logical.Operation
	path string
}

func everyKnock() (all []knock) {
	requests := everyOperation()
	requests["callback"] = []logical.Operation{logical.ReadOperation}
	for _, path := range slices.Sorted(maps.Keys(requests)) {
		for _, op := range requests[path] {
			all = append(all, knock{op, path})
		}
	}
	return all
}

// anyFields are seeds: each field of each path with something; one of so many.
func anyFields(f *testing.F, oneOf int) {
	m, n := newMount(f), 0
	for i, k := range everyKnock() {
		fields := m.fieldsOf(k.path)
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			for _, value := range []any{"x", "1h", -1, 1e300, true, nil, []any{"a", map[string]any{}}, map[string]any{"us": "https://evil.example"}, "https://accounts.zoho.com.evil.example/?code=1&state=2", "\x00\r\nX: y"} {
				body, err := json.Marshal(map[string]any{name: value})
				if err != nil {
					f.Fatal(err)
				}
				if n++; n%oneOf == 0 {
					f.Add(uint8(i), body)
				}
			}
		}
		f.Add(uint8(i), []byte("{}"))
	}
}

// knocks makes the request, and then looks whether anybody is at home.
func (m *mount) knocks(which uint8, body []byte) {
	all := everyKnock()
	k := all[int(which)%len(all)]
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		return
	}
	m.configure(data{"verify": false})
	m.connect("crm")
	if _, err := m.try(k.op, k.path, fields); err != nil {
		if r, ok := err.(*refusal); !ok || r.status >= 500 && r.status != 503 {
			m.t.Errorf("%s %s %s: %v", k.op, k.path, body, err)
		}
	}
	for _, path := range []string{"config", "status/crm", "metrics"} {
		if _, err := m.try(logical.ReadOperation, path, nil); err != nil {
			if r, ok := err.(*refusal); !ok || r.status >= 500 {
				m.t.Errorf("%s %s %s: then %s: %v", k.op, k.path, body, path, err)
			}
		}
	}
	_, _ = m.try(logical.DeleteOperation, "creds/crm", nil)
	m.endOrphans()
	if tried := m.zoho.Violations(); len(tried) > 0 && tried[0].Kind == zohotest.WrongDataCenter {
		m.zoho.Reset() // somebody chose it
	}
}

func FuzzAnyRequest(f *testing.F) {
	anyFields(f, 3*stride)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		inBubble(t, func(t *testing.T, m *mount) { m.knocks(which, body) })
	})
}

func FuzzAnyRequestOverThePluginBridge(f *testing.F) {
	anyFields(f, 31*stride)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		m := overBridge(t)
		m.knocks(which, body)
		m.clean()
	})
}
