// Are `vault path-help` and the OpenAPI document manual enough? Every path, field,
// operation and answer is described, and what is secret is marked so.

package backend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// document returns the mount's OpenAPI document as Vault asks for it.
func (m *mount) document() *framework.OASDocument {
	m.t.Helper()
	m.system.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "1.21.0"}
	resp, err := m.backend.HandleRequest(m.t.Context(), &logical.Request{
		Operation: logical.HelpOperation, Storage: m.storage, Data: map[string]any{"requestResponsePrefix": "zoho"},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if help, _ := resp.Data["help"].(string); !strings.Contains(help, "authorize/<name>") || !strings.Contains(help, "config") {
		m.t.Errorf("the mount's help names no first step: %s", help)
	}
	return resp.Data["openapi"].(*framework.OASDocument)
}

// secrets are the fields that hold one.
var secrets = map[string]bool{
	"client_secret": true, "client_secrets": true, "code": true, "callback_url": true, "refresh_token": true,
	"access_token": true, "authorization": true,
}

func TestOpenAPIDocumentDescribesEveryPathFieldOperationAndAnswer(t *testing.T) {
	m := newMount(t)
	doc := m.document()
	ids := map[string]string{}
	if len(doc.Paths) < 8 {
		t.Fatalf("only %d paths are documented", len(doc.Paths))
	}
	for path, item := range doc.Paths {
		if item.Unauthenticated != (path == "/callback") || item.Sudo {
			t.Errorf("%s is open to the world, or needs sudo", path)
		}
		if item.Description == "" {
			t.Errorf("%s has no synopsis", path)
		}
		for _, parameter := range item.Parameters {
			if parameter.Description == "" {
				t.Errorf("%s: parameter %s has no description", path, parameter.Name)
			}
		}
		for method, op := range map[string]*framework.OASOperation{"get": item.Get, "post": item.Post, "patch": item.Patch, "delete": item.Delete} {
			if op == nil {
				continue
			}
			where := method + " " + path
			if op.Summary == "" || method == "patch" && op.Summary == item.Post.Summary {
				t.Errorf("%s has no summary, or that of a write", where)
			}
			if other := ids[op.OperationID]; other != "" || !strings.HasPrefix(op.OperationID, "zoho-") {
				t.Errorf("%s: operationId %q is odd, or that of %q", where, op.OperationID, other)
			}
			ids[op.OperationID] = where
			for _, parameter := range op.Parameters {
				if parameter.Description == "" {
					t.Errorf("%s: parameter %s has no description", where, parameter.Name)
				}
			}
			if len(op.Responses) == 0 {
				t.Errorf("%s has no answer", where)
			}
			for status, answer := range op.Responses {
				if answer.Description == "" || answer.Description == "OK" {
					t.Errorf("%s: answer %d has no description of its own", where, status)
				}
				if method == "get" && answer.Content["application/json"] == nil && path != "/callback" {
					t.Errorf("%s: answer %d has no schema", where, status)
				}
			}
		}
	}
	for name, schema := range doc.Components.Schemas {
		for field, property := range schema.Properties {
			if property.Description == "" && field != "keys" {
				t.Errorf("schema %s: field %s has no description", name, field)
			}
			marked := property.DisplayAttrs != nil && property.DisplayAttrs.Sensitive
			if secrets[field] != marked && !(field == "code" && strings.Contains(name, "Authorize")) {
				t.Errorf("schema %s: field %s marked as sensitive: %v", name, field, marked)
			}
		}
	}
	if _, err := json.Marshal(doc); err != nil {
		t.Error(err)
	}
}

func TestTheseTestsKnowEveryPathAndOperation(t *testing.T) {
	m := newMount(t)
	for pattern, item := range m.document().Paths {
		path := strings.TrimPrefix(pattern, "/")
		path = strings.ReplaceAll(strings.ReplaceAll(path, "datacenters/{name}", "datacenters/eu"), "{name}", "crm")
		path = strings.ReplaceAll(path, "{id}", "crm")
		known := everyOperation()[path]
		if path == "callback" {
			known = []logical.Operation{logical.ReadOperation}
		}
		for op, documented := range map[logical.Operation]bool{
			logical.UpdateOperation: item.Post != nil, logical.PatchOperation: item.Patch != nil, logical.DeleteOperation: item.Delete != nil,
			logical.ReadOperation: item.Get != nil && !strings.HasSuffix(path, "/"), logical.ListOperation: item.Get != nil && strings.HasSuffix(path, "/"),
		} {
			if documented != slices.Contains(known, op) {
				t.Errorf("%s %s: documented is %v; everyOperation is out of date", op, path, documented)
			}
		}
	}
}

func TestPathHelpExplainsEachPathAndItsFields(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		for path := range everyOperation() {
			resp, err := m.request(t.Context(), logical.HelpOperation, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			help, _ := resp.Data["help"].(string)
			if len(help) < 150 || strings.Contains(help, "<no value>") {
				t.Errorf("path-help of %s is %q", path, help)
			}
			for name, schema := range m.fieldsOf(path) {
				if schema.Description == "" || !strings.HasSuffix(strings.TrimSpace(schema.Description), ".") {
					t.Errorf("%s: field %s is described as %q; want sentences", path, name, schema.Description)
				}
			}
		}
	})
}

func TestPoliciesTellCreateFromUpdate(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		exists := func(path string) bool {
			found, exists, err := m.backend.HandleExistenceCheck(t.Context(), &logical.Request{
				Operation: logical.CreateOperation, Path: path, Storage: m.storage, Data: map[string]any{"refresh_token": []any{m.canary("x")}},
			})
			if err != nil || !found {
				t.Fatalf("%s: %v, %v", path, found, err)
			}
			return exists
		}
		if exists("config") || exists("creds/crm") {
			t.Error("nothing was written, and something exists")
		}
		m.configure(nil)
		m.connect("crm")
		if !exists("config") || !exists("creds/crm") || exists("creds/crm2") || exists("creds/c..m") {
			t.Error("what was written does not exist, or something else does")
		}
	})
}

func TestSealWrapCoversEveryKeyThatIsEverStored(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("crm")
		m.consent("crm", nil, zohotest.Consent{})
		m.token("crm")
		wrapped := m.backend.SpecialPaths().SealWrapStorage
		for _, key := range m.storage.keys(t) {
			covered := strings.HasPrefix(key, "holder/") // holds nothing but a name
			for _, pattern := range wrapped {
				covered = covered || key == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(key, pattern)
			}
			if !covered {
				t.Errorf("%s is not seal-wrapped", key)
			}
		}
	})
}

func TestUnknownPathAndOperationAreVaultsOwnErrors(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		for path, want := range map[string]error{"nothing/here": logical.ErrUnsupportedPath, "": logical.ErrUnsupportedPath} {
			if _, err := m.request(t.Context(), logical.ReadOperation, path, nil); err != want {
				t.Errorf("%q: got %v; want %v", path, err, want)
			}
		}
		if _, err := m.request(t.Context(), logical.DeleteOperation, "status/crm", nil); err != logical.ErrUnsupportedOperation {
			t.Errorf("got %v; want status %d from Vault", err, http.StatusMethodNotAllowed)
		}
	})
}

func TestQueryParametersStandWithTheOperationThatTakesThem(t *testing.T) {
	m := newMount(t)
	doc := m.document()
	taken := map[string]string{}
	for path, item := range doc.Paths {
		for method, op := range map[string]*framework.OASOperation{"get": item.Get, "post": item.Post, "patch": item.Patch, "delete": item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				taken[method+" "+path] += p.Name + " "
			}
		}
	}
	want := map[string]string{
		"get /creds/{name}": "max_age min_ttl rejected ", "delete /creds/{name}": "revoke ", "get /authorize/": "after limit list ", "get /metrics": "format ",
		"get /creds/": "after limit list ", "get /status/": "after limit list ", "get /datacenters/": "list ", "get /retired/": "after limit list ",
		"get /callback": "accounts-server code error location scope_enhanced state status ",
	}
	if !maps.Equal(taken, want) {
		t.Errorf("query parameters are %v; want %v", taken, want)
	}
	for name, schema := range doc.Components.Schemas {
		if schema.Properties["revoke"] != nil || schema.Properties["rejected"] != nil {
			t.Errorf("%s has a field that belongs to a read or a delete", name)
		}
	}
}

func TestReadOfConfigAnswersTheFieldsThatAreDocumented(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		documented := schema.GetResponseSchema(t, m.backend.(router).Route("config"), logical.ReadOperation).Fields
		answered := slices.Sorted(maps.Keys(m.read("config")))
		if !slices.Equal(answered, slices.Sorted(maps.Keys(documented))) {
			t.Errorf("a read answers %v, and documented is %v", answered, slices.Sorted(maps.Keys(documented)))
		}
		if asJSON(t, m.read("config"))["accounts_urls"] == nil {
			t.Error("without accounts_urls a read answers null for them")
		}
	})
}

func TestEachDefaultOfConfigIsWhatCountsWithoutTheField(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		resp := m.write("config", data{"client_id": "1000.NOSUCHCLIENT", "client_secret": m.canary("secret")})
		counts := m.read("config")
		counts["verify"] = resp != nil && len(resp.Warnings) > 0
		nulls := data{"client_secret": m.canary("secret")}
		for name, schema := range m.fieldsOf("config") {
			if schema.Default != nil && counts[name] != schema.Default {
				t.Errorf("%s is documented to be %v, and without it %v counts", name, schema.Default, counts[name])
			}
			if schema.Default != nil {
				nulls[name] = nil
			}
		}
		resp = m.do(logical.PatchOperation, "config", nulls)
		again := m.read("config")
		again["verify"] = resp != nil && len(resp.Warnings) > 0
		if fmt.Sprint(again) != fmt.Sprint(counts) {
			t.Errorf("null gives %v, and no field at all %v", again, counts)
		}
	})
}

func TestEachDefaultOfACredentialIsWhatCountsWithoutTheField(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		started, err := m.startBy(logical.Request{EntityID: "ann"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		expires, err := time.Parse(time.RFC3339, started.Data["expire_time"].(string))
		if err != nil {
			t.Fatal(err)
		}
		_, refused := m.startBy(logical.Request{EntityID: "bob"}, nil)
		counts := data{"flow": started.Data["flow"], "ttl": int(time.Until(expires).Seconds()), "force": refused == nil, "withdraw": started.Data["state"] == nil}
		m.write("creds/crm", data{"callback_url": m.opens(started, zohotest.Consent{})})
		counts["disabled"], counts["leased"] = m.read("status/crm")["disabled"], m.do(logical.ReadOperation, "creds/crm", nil).Secret != nil
		m.delete("creds/crm")
		counts["revoke"] = len(m.zoho.RefreshTokens()) == 0
		for _, path := range []string{"authorize/crm", "creds/crm"} {
			for name, schema := range m.fieldsOf(path) {
				if schema.Default != nil && counts[name] != schema.Default {
					t.Errorf("%s of %s is documented to be %v, and without it %v counts", name, path, schema.Default, counts[name])
				}
			}
		}
	})
}
