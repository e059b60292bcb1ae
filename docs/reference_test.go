// What are the fields, defaults and operations of each path? docs/reference.md is written
// from the engine's own schema: go test ./docs -update. Without -update it must agree.

package docs_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

var update = flag.Bool("update", false, "write docs/reference.md anew")

// paths are an example of each, in the order of a reader's interest.
var paths = []struct{ title, example string }{
	{"config", "config"},
	{"authorize/<name>", "authorize/crm"},
	{"authorize", "authorize/"},
	{"callback", "callback"},
	{"creds/<name>", "creds/crm"},
	{"creds", "creds/"},
	{"status/<name>", "status/crm"},
	{"status", "status/"},
	{"revoke/<name>", "revoke/crm"},
	{"revoke", "revoke"},
	{"retired/<id>", "retired/crm"},
	{"retired", "retired/"},
	{"datacenters/<name>", "datacenters/eu"},
	{"datacenters", "datacenters/"},
	{"metrics", "metrics"},
}

var operations = []logical.Operation{logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation}

type router interface {
	Route(path string) *framework.Path
}

func TestReferenceIsWhatTheEngineSays(t *testing.T) {
	engine := newMount(t)
	var page strings.Builder
	page.WriteString("# Reference\n\nWritten from the engine's own schema by `go test ./docs -update`; with examples and reasons: [api.md](api.md).\n")
	documented := map[string]bool{}
	for _, p := range paths {
		path := engine.Backend.(router).Route(p.example)
		if path == nil {
			t.Fatalf("no path %s", p.example)
		}
		documented[path.Pattern] = true
		describe(&page, p.title, path)
	}
	if help := engine.ask(logical.HelpOperation, "", map[string]any{"requestResponsePrefix": "zoho"}).Data["openapi"].(*framework.OASDocument); len(help.Paths) != len(documented) {
		t.Errorf("the engine has %d paths: %v; %d are documented", len(help.Paths), slices.Sorted(maps.Keys(help.Paths)), len(documented))
	}
	if *update {
		if err := os.WriteFile("reference.md", []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if written := read(t, "docs/reference.md"); written != page.String() {
		t.Error("docs/reference.md is not what the engine says; run go test ./docs -update")
	}
}

func describe(w *strings.Builder, title string, path *framework.Path) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n\n| operation | does |\n|---|---|\n", strings.NewReplacer("<", `\<`, ">", `\>`).Replace(title), path.HelpSynopsis)
	for _, op := range operations {
		if handler := path.Operations[op]; handler != nil {
			fmt.Fprintf(w, "| %s | %s |\n", op, handler.Properties().Summary)
		}
	}
	if len(path.Fields) > 0 {
		w.WriteString("\n| field | type | default | meaning |\n|---|---|---|---|\n")
	}
	for _, name := range slices.Sorted(maps.Keys(path.Fields)) {
		field := path.Fields[name]
		value := ""
		if field.Default != nil {
			value = fmt.Sprintf("`%v`", field.Default)
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", name, field.Type, value, cell(field.Description))
	}
	for _, op := range operations {
		handler := path.Operations[op]
		if handler == nil || op == logical.PatchOperation || op == logical.CreateOperation && path.Operations[logical.UpdateOperation] != nil {
			continue // they answer as an update does
		}
		for _, status := range slices.Sorted(maps.Keys(handler.Properties().Responses)) {
			for _, answer := range handler.Properties().Responses[status] {
				if len(answer.Fields) == 0 {
					continue
				}
				fmt.Fprintf(w, "\nAnswer to %s. %s\n\n| field | type | meaning |\n|---|---|---|\n", op, cell(answer.Description))
				for _, name := range slices.Sorted(maps.Keys(answer.Fields)) {
					fmt.Fprintf(w, "| `%s` | %s | %s |\n", name, answer.Fields[name].Type, cell(answer.Fields[name].Description))
				}
			}
		}
	}
}

// cell is a text within a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "\n", " ").Replace(text)
}
