// What happens to a field that no path knows, of the wrong type or size, or that
// belongs elsewhere? A 400 that names the field and never its value; what was
// stored stays as it is, byte for byte.

package backend_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// everyOperation is each path with each of its operations, but for callback, which
// ignores what it does not know: it is Zoho's redirect.
func everyOperation() map[string][]logical.Operation {
	return map[string][]logical.Operation{
		"config":         {logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.ReadOperation, logical.DeleteOperation},
		"authorize/crm":  {logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"authorize/":     {logical.ListOperation},
		"creds/crm":      {logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.ReadOperation, logical.DeleteOperation},
		"creds/":         {logical.ListOperation},
		"status/crm":     {logical.ReadOperation, logical.UpdateOperation},
		"status/":        {logical.ListOperation},
		"datacenters/eu": {logical.ReadOperation},
		"datacenters/":   {logical.ListOperation},
		"revoke/crm":     {logical.UpdateOperation},
		"revoke":         {logical.UpdateOperation},
		"retired/crm":    {logical.ReadOperation, logical.UpdateOperation, logical.DeleteOperation},
		"retired/":       {logical.ListOperation},
		"metrics":        {logical.ReadOperation},
	}
}

// fieldsOf returns the schemas of a path's fields.
func (m *mount) fieldsOf(path string) map[string]*framework.FieldSchema {
	m.t.Helper()
	route := m.backend.(router).Route(path)
	if route == nil {
		m.t.Fatalf("nothing is at %s", path)
	}
	return route.Fields
}

// unmoved runs work, which must leave storage as it is, byte for byte, ask Zoho
// for nothing, and leave crm readable.
func (m *mount) unmoved(work func()) {
	m.t.Helper()
	contents := func() map[string]string {
		stored := m.storage.contents(m.t)
		if _, waits := stored["pending/crm"]; waits {
			stored["pending/crm"] = "" // why it was not completed is noted there
		}
		return stored
	}
	stored, calls := contents(), m.zoho.Counts().TokenCalls+m.zoho.Counts().RevokeCalls
	work()
	if now := contents(); !maps.Equal(stored, now) {
		m.t.Errorf("storage changed: had %v, has %v", slices.Sorted(maps.Keys(stored)), slices.Sorted(maps.Keys(now)))
	}
	if now := m.zoho.Counts().TokenCalls + m.zoho.Counts().RevokeCalls; now != calls {
		m.t.Errorf("Zoho was asked %d times", now-calls)
	}
	m.token("crm")
}

// canary returns a text that must never be shown or logged.
func (m *mount) canary(label string) string {
	secret := fmt.Sprintf("1000.canary-%s.%d", label, len(m.canaries))
	m.canaries = append(m.canaries, secret)
	return secret
}

func TestUnknownFieldIsRefusedByNameAtEveryPathAndOperation(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for path, operations := range everyOperation() {
			for _, op := range operations {
				secret := m.canary(string(op))
				m.unmoved(func() {
					m.refused(op, path, data{"cleint_secret": secret}, 400, `unknown field "cleint_secret"`, "takes")
				})
			}
		}
		m.refused(logical.ReadOperation, "creds/crm", data{"cleint": "x"}, 400, "a read takes max_age, min_ttl, rejected")
		for _, path := range []string{"config", "creds/crm"} {
			takes := slices.DeleteFunc(slices.Sorted(maps.Keys(m.fieldsOf(path))), func(name string) bool {
				return name == "name" || name == "id" || name == "rejected" || name == "revoke"
			})
			m.refused(logical.UpdateOperation, path, data{"cleint": "x"}, 400, "a write takes "+strings.Join(takes, ", "))
		}
		// What is quoted is no longer than a name.
		long := strings.Repeat("a", 40)
		m.refused(logical.UpdateOperation, "config", data{long: "x"}, 400, `"`+long+`"`)
		m.refused(logical.UpdateOperation, "config", data{long + "a": "x"}, 400, `"`+long+`..."`)
	})
}

func TestValueOfTheWrongTypeIsRefusedWithoutEchoingIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		tried := 0
		for path, operations := range everyOperation() {
			if !slices.Contains(operations, logical.UpdateOperation) {
				continue
			}
			for name, schema := range m.fieldsOf(path) {
				secret := m.canary(name)
				var wrong []any
				switch schema.Type {
				case framework.TypeString:
					wrong = []any{map[string]any{"value": secret}, []any{secret, secret}, []any{map[string]any{"value": secret}}}
				case framework.TypeInt, framework.TypeBool, framework.TypeDurationSecond:
					wrong = []any{secret, map[string]any{"value": secret}, []any{secret}}
				case framework.TypeCommaStringSlice:
					wrong = []any{map[string]any{"value": secret}, []any{map[string]any{"value": secret}}}
				case framework.TypeKVPairs:
					wrong = []any{secret, []any{secret}, []any{map[string]any{"value": secret}}, map[string]any{"eu": map[string]any{"value": secret}}}
				default:
					t.Errorf("no wrong value is known for %s %s", path, name)
				}
				for _, value := range wrong {
					if name == "name" || name == "id" {
						continue // comes from the path
					}
					tried++
					m.unmoved(func() {
						m.refused(logical.UpdateOperation, path, data{name: value}, 400, fmt.Sprintf("%q", name))
					})
				}
			}
		}
		if tried < 40 {
			t.Errorf("only %d wrong values were tried", tried)
		}
	})
}

func TestNumbersOutsideTheirRangeAreRefusedWithTheRange(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, c := range []struct {
			path string
			data data
			says string
		}{
			{"config", data{"mint_limit": 0}, "between 1 and 1000"},
			{"config", data{"mint_limit": -5}, "between 1 and 1000"},
			{"config", data{"mint_limit": 1001}, "between 1 and 1000"},
			{"config", data{"live_token_limit": 1001}, "between 1 and 1000"},
			{"config", data{"mint_window": "86401s"}, "between 1s and 24h"},
			{"config", data{"max_token_lifetime": "86401s"}, "between 1m and 24h"},
			{"config", data{"min_ttl": "59m56s"}, "below the lifetime"},
			{"creds/crm", data{"min_ttl": "59m56s"}, "below the lifetime"},
			{"config", data{"mint_limit": 1 << 40}, "between 1 and 1000"},
			{"config", data{"live_token_limit": 0}, "between 1 and 1000"},
			{"config", data{"mint_window": 0}, "between 1s and 24h"},
			{"config", data{"mint_window": "25h"}, "between 1s and 24h"},
			{"config", data{"request_timeout": 0}, "between 1s and 1m"},
			{"config", data{"request_timeout": "61s"}, "between 1s and 1m"},
			{"config", data{"max_token_lifetime": "59s", "min_ttl": "9s"}, "between 1m and 24h"},
			{"config", data{"min_ttl": "1h"}, "below the lifetime"},
			{"config", data{"min_ttl": "-1s"}, `"min_ttl"`},
			{"config", data{"max_age": "-1s"}, `"max_age"`},
			{"config", data{"max_age": "9999999999h"}, `"max_age"`},
			{"creds/crm", data{"min_ttl": "1h"}, "below the lifetime"},
			{"creds/crm", data{"max_age": -1}, `"max_age"`},
			{"creds/crm", data{"max_age": 1e300}, `"max_age"`},
		} {
			m.unmoved(func() { m.refused(logical.UpdateOperation, c.path, c.data, 400, c.says) })
		}
		m.unmoved(func() {
			m.refused(logical.ReadOperation, "creds/crm", data{"min_ttl": "1h"}, 400, "below the lifetime")
		})
	})
}

func TestTheLeastAndTheMostThatALimitAllowsAreTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, limits := range []data{
			{"mint_limit": 1, "live_token_limit": 1, "mint_window": "1s", "request_timeout": "1s", "max_token_lifetime": "1m", "min_ttl": "55s"},
			{"mint_limit": 1000, "live_token_limit": 1000, "mint_window": "24h", "request_timeout": "1m", "max_token_lifetime": "24h", "min_ttl": "86395s"},
			{"max_token_lifetime": "1h", "min_ttl": "59m55s"},
		} {
			m.write("config", limits)
		}
		m.write("creds/crm", data{"min_ttl": "59m55s"})
		m.readWith("creds/crm", data{"min_ttl": "59m55s"})

		longest := strings.Repeat(strings.Repeat("s", 127)+",", 32)
		m.write("config", data{"scopes": longest, "verify": false})
		m.refused(logical.UpdateOperation, "config", data{"scopes": longest + "s"}, 400, "longer than 4096 bytes")
		m.write("config", data{"scopes": "ZohoCRM.modules.ALL", "verify": false})

		notes := func(names, name, text int) data {
			noted := map[string]any{}
			for i := range names {
				noted[fmt.Sprintf("%0*d", name, i)] = strings.Repeat("t", text)
			}
			return data{"custom_metadata": noted}
		}
		m.write("creds/crm", notes(64, 2, 512))
		m.write("creds/crm", notes(1, 128, 1))
		for _, more := range []data{notes(65, 2, 1), notes(1, 129, 1), notes(1, 1, 513)} {
			m.refused(logical.UpdateOperation, "creds/crm", more, 400, "custom_metadata")
		}

		const returns = "https://desk.example.com/connected"
		m.behindVault(data{"return_urls": returns})
		state := strings.Repeat("s", 1024)
		m.write("authorize/a", data{"ttl": "1m", "return_url": returns, "return_state": state})
		m.write("authorize/b", data{"ttl": "168h"})
		m.refused(logical.UpdateOperation, "authorize/c", data{"ttl": "59s"}, 400, "between 1m and 7d")
		m.refused(logical.UpdateOperation, "authorize/c", data{"ttl": "604801s"}, 400, "between 1m and 7d")
		m.refused(logical.UpdateOperation, "authorize/c", data{"return_url": returns, "return_state": state + "s"}, 400, "1024 bytes")
	})
}

func TestOversizedValueIsRefusedInEachField(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for path, operations := range everyOperation() {
			for _, op := range operations {
				for name := range m.fieldsOf(path) {
					if name == "name" || name == "id" {
						continue
					}
					m.unmoved(func() {
						m.refused(op, path, data{name: strings.Repeat("7", 64<<10+1)}, 400, fmt.Sprintf("%q", name), "longer than", "pasted")
					})
				}
			}
		}
		for _, value := range []any{
			[]any{strings.Repeat("s", 5000)}, slices.Repeat([]any{"scope"}, 1000), []string{strings.Repeat("s", 5000)},
		} {
			m.unmoved(func() {
				m.refused(logical.UpdateOperation, "authorize/crm", data{"scopes": value}, 400, `"scopes"`, "longer than")
			})
		}
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "config", data{"accounts_urls": map[string]any{strings.Repeat("d", 5000): "https://a.example.com"}}, 400, "longer than")
		})
	})
}

func TestFieldOfAnotherOperationIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, c := range []struct {
			op   logical.Operation
			path string
			data data
		}{
			{logical.ReadOperation, "creds/crm", data{"code": m.canary("code")}},
			{logical.ReadOperation, "creds/crm", data{"refresh_token": m.canary("token")}},
			{logical.ReadOperation, "creds/crm", data{"revoke": true}},
			{logical.DeleteOperation, "creds/crm", data{"code": m.canary("code")}},
			{logical.DeleteOperation, "creds/crm", data{"max_age": 60}},
			{logical.UpdateOperation, "creds/crm", data{"accounts_server": "https://accounts.zoho.com"}},
			{logical.UpdateOperation, "creds/crm", data{"state": "s"}},
			{logical.UpdateOperation, "creds/crm", data{"data_center": "eu"}},
			{logical.UpdateOperation, "creds/crm", data{"refresh_token": m.canary("token"), "redirect_uri": "https://app.example.com/callback"}},
			{logical.ReadOperation, "config", data{"client_secret": m.canary("secret")}},
			{logical.DeleteOperation, "config", data{"client_secret": m.canary("secret")}},
		} {
			m.unmoved(func() { m.refused(c.op, c.path, c.data, 400, "field") })
		}
		m.refused(logical.DeleteOperation, "creds/crm", data{"max_age": 60}, 400, `"max_age" does not belong to a delete; it takes revoke`)
		m.refused(logical.ReadOperation, "creds/crm", data{"revoke": true}, 400, `"revoke" does not belong to a read`, "min_ttl and rejected")
	})
}

func TestOddNameIsRefusedWithWhatAUsableOneIs(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, name := range []string{
			"../config", "a/b", "a b", "crm%2f", "crm\x00", "crm\n", "…", "naïve", "-crm", "crm-", ".", "..", "a..", "+", "crm?x=1",
			"\xff\xfe", strings.Repeat("n", 129), strings.Repeat("n", 100_000),
		} {
			for _, c := range []struct {
				op   logical.Operation
				path string
				data data
			}{
				{logical.UpdateOperation, "authorize/", nil},
				{logical.UpdateOperation, "creds/", data{"code": m.canary("code")}},
				{logical.ReadOperation, "creds/", nil},
				{logical.DeleteOperation, "creds/", nil},
				{logical.ReadOperation, "status/", nil},
			} {
				if strings.Contains(name, "\n") {
					continue // no route: a dot in the pattern stops at a line end
				}
				m.unmoved(func() { m.refused(c.op, c.path+name, c.data, 400, "not a usable name", "letters, digits") })
			}
		}
	})
}

func TestNamesBeginAndEndWithAnyLetterOrDigit(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for r := rune(' '); r < 127; r++ {
			usable := r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
			if r == '/' {
				continue // another path
			}
			for _, name := range []string{string(r), "a" + string(r), string(r) + "a"} {
				_, err := m.try(logical.ReadOperation, "status/"+name, nil)
				if refused := err != nil && strings.Contains(err.Error(), "not a usable name"); refused == usable {
					t.Errorf("%q: %v", name, err)
				}
			}
		}
	})
}
