// Could each command in the documents be typed? Its path, operation and fields must be the
// engine's.

package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// command is a vault command on this engine, wherever it is mounted.
var command = regexp.MustCompile("vault (write|read|list|patch|delete) ((?:-[a-z]+(?:=\\S+)? )*)zoho/(\\S+)((?: [^`#|\\n]*)?)")

func TestCommandsNamePathsAndFieldsThatExist(t *testing.T) {
	engine := newMount(t)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	howTo, err := filepath.Glob("../docs/how-to/*.md")
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]logical.Operation{
		"write": logical.UpdateOperation, "read": logical.ReadOperation, "list": logical.ListOperation, "patch": logical.PatchOperation, "delete": logical.DeleteOperation,
	}
	found := 0
	for _, page := range append(append(pages, howTo...), "../README.md") {
		text := strings.ReplaceAll(read(t, strings.TrimPrefix(page, "../")), "\\\n", " ")
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			found++
			name := strings.TrimRight(strings.NewReplacer("<name>", "crm", "<id>", "crm", "...", "crm", "`", "", ")", "", ",", "", ".", "").Replace(m[3]), ":;")
			if m[1] == "list" {
				name = strings.TrimSuffix(name, "/") + "/"
			}
			path := engine.Backend.(router).Route(name)
			if path == nil || path.Operations[operations[m[1]]] == nil {
				t.Errorf("%s: %q: no such path, or no %s there", page, m[0], m[1])
				continue
			}
			for _, argument := range strings.Fields(m[4]) {
				field, _, assigned := strings.Cut(argument, "=")
				if assigned && regexp.MustCompile(`^[a-z_]+$`).MatchString(field) && path.Fields[field] == nil {
					t.Errorf("%s: %q: no field %s", page, m[0], field)
				}
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d commands were found", found)
	}
}
