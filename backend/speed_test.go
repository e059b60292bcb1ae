// How fast is a warm read? Compared with the limit for any plugin: a backend of the
// same framework whose handler answers the same fields as constants.

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
)

// warmMount is a mount with n credentials, of which crm0 is warm.
func warmMount(b *testing.B, n int) *mount {
	b.Helper()
	m := newMount(b)
	m.configure(data{"max_age": "50m", "verify": false})
	m.connect("crm0")
	stored, err := m.storage.Storage.Get(b.Context(), "creds/crm0")
	if err != nil {
		b.Fatal(err)
	}
	for i := 1; i < n; i++ {
		err := m.storage.Storage.Put(b.Context(), &logical.StorageEntry{Key: fmt.Sprintf("creds/crm%d", i), Value: stored.Value})
		if err != nil {
			b.Fatal(err)
		}
	}
	m.quiet()
	m.read("creds/crm0")
	return m
}

// quiet restarts the backend without logging, as benchmarks want it.
func (m *mount) quiet() {
	m.t.Helper()
	m.backend.Cleanup(context.Background())
	conf := logical.TestBackendConfig()
	conf.System, conf.StorageView, conf.Logger = m.system, m.storage.Storage, hclog.NewNullLogger()
	made, err := backend.NewFactory(m.zoho.Transport())(context.Background(), conf)
	if err != nil {
		m.t.Fatal(err)
	}
	m.backend = made
}

// reads measures reads of creds/crm0.
func reads(b *testing.B, engine logical.Backend, s logical.Storage) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		resp, err := engine.HandleRequest(context.Background(), &logical.Request{Operation: logical.ReadOperation, Path: "creds/crm0", Storage: s})
		if err != nil || resp.Data["access_token"] == "" {
			b.Fatal(resp, err)
		}
	}
}

func BenchmarkWarmRead(b *testing.B) {
	m := warmMount(b, 1)
	reads(b, m.backend, m.storage.Storage)
}

// BenchmarkWarmReadOverTheBridge is what the bridge asks for: the answer as JSON, from
// memory alone.
func BenchmarkWarmReadOverTheBridge(b *testing.B) {
	m := warmMount(b, 1)
	engine := m.backend.(warm)
	b.ReportAllocs()
	room := make([]byte, 0, 1<<10)
	for b.Loop() {
		if _, ok := engine.WarmRead("creds/crm0", room); !ok {
			b.Fatal("not answered from memory")
		}
	}
}

func BenchmarkWarmReadAmong100000(b *testing.B) {
	m := warmMount(b, 100_000)
	reads(b, m.backend, m.storage.Storage)
}

// BenchmarkColdReadAmong100000 reads another credential each time: a storage read,
// and a cache that is full.
func BenchmarkColdReadAmong100000(b *testing.B) {
	m := warmMount(b, 100_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % 100_000
		resp, err := m.backend.HandleRequest(context.Background(), &logical.Request{
			Operation: logical.ReadOperation, Path: fmt.Sprintf("creds/crm%d", i), Storage: m.storage.Storage,
		})
		if err != nil || resp.Data["access_token"] == "" {
			b.Fatal(resp, err)
		}
	}
}

// BenchmarkWarmReadEncodedBySDK is the long way, with what the SDK does to the answer.
func BenchmarkWarmReadEncodedBySDK(b *testing.B) {
	m := warmMount(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := m.backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.ReadOperation, Path: "creds/crm0", Storage: m.storage.Storage})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(resp.Data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConstantRead(b *testing.B) {
	m := warmMount(b, 1)
	answer := m.read("creds/crm0")
	engine := constantBackend(b, answer)
	if got, err := engine.HandleRequest(b.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "creds/crm0", Storage: m.storage.Storage}); err != nil || len(got.Data) != len(answer) {
		b.Fatalf("the constant answers %d fields, the engine %d: %v", len(got.Data), len(answer), err)
	}
	reads(b, engine, m.storage.Storage)
}

// constantBackend answers creds/<name> with the same fields as the engine, from a
// map that is built for each request: Vault may change what it is given.
func constantBackend(b *testing.B, answer map[string]any) logical.Backend {
	b.Helper()
	text := func(name string) string { return answer[name].(string) }
	token, tokenType, authorization, apiDomain := text("access_token"), text("token_type"), text("authorization"), text("api_domain")
	center, issued, expires, rotated := text("data_center"), text("issue_time"), text("expire_time"), text("last_vault_rotation")
	id, scopes := text("token_id"), answer["scopes"].([]string)
	engine := &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{{
			Pattern: "creds/" + framework.GenericNameRegex("name"),
			Fields:  map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}},
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
						return &logical.Response{Data: map[string]any{
							"access_token":        token,
							"token_type":          tokenType,
							"authorization":       authorization,
							"api_domain":          apiDomain,
							"data_center":         center,
							"scopes":              scopes,
							"token_id":            id,
							"issue_time":          issued,
							"expire_time":         expires,
							"last_vault_rotation": rotated,
							"rotation_period":     3000,
							"service_url":         "https://www.zohoapis.com/crm/v8",
							"ttl":                 1500,
						}}, nil
					},
				},
			},
		}},
	}
	conf := logical.TestBackendConfig()
	conf.StorageView, conf.Logger = &logical.InmemStorage{}, hclog.NewNullLogger()
	if err := engine.Setup(b.Context(), conf); err != nil {
		b.Fatal(err)
	}
	return engine
}
