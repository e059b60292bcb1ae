// What if a write or a stored value is anything at all? No panic, no 500 that a
// caller could cause, no secret in the answer, and nothing good is overwritten.

package backend_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func FuzzWriteCreds(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"code":"1000.a.b"}`, `{"callback_url":"https://app.example.com/callback?code=1&state=2"}`,
		`{"refresh_token":"1000.a.b","data_center":"eu"}`, `{"max_age":"20m","min_ttl":60}`, `{"max_age":null}`, `{"max_age":-1}`,
		`{"code":"x","refresh_token":"y"}`, `{"code":{"a":[1,2]}}`, `{"grant_type":"client_credentials","scopes":["a","b"],"soid":"ZohoCRM.1"}`,
		`{"custom_metadata":{"a":"b"}}`, `{"custom_metadata":{"a":{"b":"c"}}}`, `{"leased":"maybe"}`, `{"disabled":0}`, `{"name":"other"}`,
		`{"code":"x","accounts_server":"https://evil.example"}`, `{"callback_url":"?code=a&code=b"}`, `{"max_age":1e300}`, `{"scopes":"a;b c,d"}`,
		`{"callback_url":"https://app.example.com/?status=success&scope_enhanced=true"}`, "{\"code\":\"\x00\"}", `{"state":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var written map[string]any
		if json.Unmarshal(raw, &written) != nil {
			return
		}
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(data{"verify": false})
			m.connect("crm")
			grant := m.grant()
			for _, op := range []logical.Operation{logical.UpdateOperation, logical.PatchOperation} {
				_, err := m.try(op, "creds/crm", maps.Clone(written))
				if r, ok := err.(*refusal); err != nil && (!ok || r.status >= 500) {
					t.Errorf("%s %s: %v", op, raw, err)
				}
			}
			if rts := m.zoho.RefreshTokens(); len(rts) != 1 || rts[0].Token != grant {
				t.Errorf("%s: the grant changed", raw)
			}
			if _, err := m.try(logical.PatchOperation, "creds/crm", data{"disabled": nil, "min_ttl": nil}); err != nil {
				t.Errorf("%s: afterwards: %v", raw, err)
			}
			m.token("crm")
			_, _ = m.try(logical.UpdateOperation, "creds/new", maps.Clone(written)) // no panic
			if tried := m.zoho.Violations(); len(tried) > 0 && tried[0].Kind == zohotest.WrongDataCenter {
				m.zoho.Reset()
			}
		})
	})
}

// FuzzStoredValues damages one stored value: reads answer with a token or an
// error, and what is damaged is not overwritten by reading.
func FuzzStoredValues(f *testing.F) {
	for key := range 5 {
		for _, seed := range []string{
			``, `null`, `{}`, `[]`, `"text"`, `{"version":2}`, `{"version":1}`, `{"version":-1}`, `{"version":"1"}`, `{"version":1,"refresh_token":""}`,
			`{"version":1,"data_center":"mars","client_id":"x"}`, `{"version":1,"tokens":[null]}`, `{"version":1,"tokens":[{"access_token":"a","expires":"2100-01-01T00:00:00Z"}]}`,
			`{"version":1,"places":[{"at":"9999-01-01T00:00:00Z","until":"9999-01-01T00:00:00Z"}]}`, `{"version":1,"failures":[null]}`, `{"version":1,"failure":{}}`,
			`{"version":1,"mint_limit":-1}`, `{"version":99,"client_id":"x"}`, "\x00\xff", strings.Repeat("[", 5000),
		} {
			f.Add(uint8(key), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value []byte) {
		synctest.Test(t, func(t *testing.T) {
			m := newMount(t)
			m.configure(data{"verify": false, "max_age": "30m"})
			m.connect("crm")
			m.connect("crm") // leaves a note of retirement
			m.consent("crm", nil, zohotest.Consent{})
			keys := slices.DeleteFunc(m.storage.keys(t), func(key string) bool { return strings.HasPrefix(key, "holder/") })
			key := keys[int(which)%len(keys)]
			whole := m.storage.contents(t)[key]
			put := func(value []byte) {
				if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: key, Value: value}); err != nil {
					t.Fatal(err)
				}
				m.restart()
			}
			put(value)
			for op, paths := range map[logical.Operation][]string{
				logical.ReadOperation: {"creds/crm", "config", "status/crm", "datacenters/eu"}, logical.ListOperation: {"creds/", "status/"},
			} {
				for _, path := range paths {
					_, err := m.request(t.Context(), op, path, nil)
					if err != nil && len(value) > 20 && strings.Contains(err.Error(), string(value)) {
						t.Errorf("%s %s quotes what is stored: %v", op, path, err)
					}
				}
			}
			m.tick()
			var v struct {
				Version int `json:"version"`
			}
			readable := json.Unmarshal(value, &v) == nil && v.Version <= 2
			if now := m.storage.contents(t)[key]; !readable && now != string(value) {
				t.Errorf("a damaged or newer value at %s was overwritten by reading: %q is %q now", key, value, now)
			}
			put([]byte(whole)) // the operator restores it from a backup
			passes(time.Second)
			if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err != nil && !readable {
				t.Errorf("restored, and still not readable: %v", err)
			}
		})
	})
}

func TestValueOfANewerReleaseSaysToUpgrade(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.consent("crm", nil, zohotest.Consent{})
		for key, path := range map[string]string{"config": "config", "creds/crm": "creds/crm"} {
			old := m.storage.contents(t)[key]
			newer := strings.Replace(old, `"version":2`, `"version":3`, 1)
			put := func(value string) {
				if err := m.storage.Storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(value)}); err != nil {
					t.Fatal(err)
				}
				m.restart()
			}
			put(newer)
			m.refused(logical.ReadOperation, path, nil, 500, "newer release", "upgrade the plugin", "nothing was changed")
			for _, write := range []struct {
				path string
				data data
			}{{"config", data{"max_age": 60}}, {"creds/crm", data{"max_age": 60}}} {
				if _, err := m.try(logical.UpdateOperation, write.path, write.data); err == nil && strings.HasPrefix(key, write.path) {
					t.Errorf("a write to %s went over what a newer release stored", write.path)
				}
			}
			if now := m.storage.contents(t)[key]; now != newer {
				t.Errorf("%s was overwritten", key)
			}
			put(old)
		}
		for _, key := range m.storage.keys(t) {
			if !strings.HasPrefix(key, "token/") {
				continue
			}
			old := m.storage.contents(t)[key]
			if err := m.storage.Storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(`{"version":3}`)}); err != nil {
				t.Fatal(err)
			}
			m.restart()
			m.refused(logical.ReadOperation, "creds/crm", nil, 500, "newer release")
			if now := m.storage.contents(t)[key]; now != `{"version":3}` {
				t.Error("a newer record was overwritten")
			}
			if err := m.storage.Storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(old)}); err != nil {
				t.Fatal(err)
			}
			m.restart()
		}
		m.token("crm")
	})
}
