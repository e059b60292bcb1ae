// Tests of the table of rules in README.md: what it names exists, and no violation is left out.

package zohotest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// kinds are the violations that violations.go declares.
func kinds(t *testing.T) (all []zohotest.Kind) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "violations.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if name, typed := spec.Type.(*ast.Ident); typed && name.Name == "Kind" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, zohotest.Kind(text))
			}
		}
		return true
	})
	if len(all) < 20 {
		t.Fatalf("only %d violations were found", len(all))
	}
	return all
}

func TestEveryViolationHasAMisbehavingClient(t *testing.T) {
	for _, kind := range kinds(t) {
		if misbehavior[kind].client == nil {
			t.Errorf("no client misbehaves so that %q is recorded", kind)
		}
	}
}

func TestTheTableOfRulesNamesWhatExists(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	known, named, rows := kinds(t), map[zohotest.Kind]bool{}, 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || cells[0] == "rule" {
			continue
		}
		rows++
		found := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[2], -1)
		if len(found) == 0 {
			t.Errorf("no test holds the rule %q", cells[0])
		}
		for _, test := range found {
			if !strings.Contains(tests.String(), "func "+test[1]+"(") {
				t.Errorf("there is no %s, which the rule %q names", test[1], cells[0])
			}
		}
		for source := range strings.SplitSeq(cells[1], ", ") {
			if strings.HasPrefix(source, "[") && !strings.Contains(string(page), "\n"+source+": https://") {
				t.Errorf("the source %s has no address", source)
			}
		}
		for _, kind := range strings.Split(cells[3], "; ") {
			if kind != "-" && !slices.Contains(known, zohotest.Kind(kind)) {
				t.Errorf("there is no violation %q, which the rule %q names", kind, cells[0])
			}
			named[zohotest.Kind(kind)] = true
		}
		for _, knob := range regexp.MustCompile("`([A-Z]\\w+)`").FindAllStringSubmatch(cells[0], -1) {
			if !regexp.MustCompile(`(?m)^\t`+knob[1]+` `).MatchString(knobsFile(t)) && knob[1] != "ALL" && knob[1] != "Desk" {
				t.Errorf("there is no knob %s, which the rule %q names", knob[1], cells[0])
			}
		}
	}
	if rows < 30 {
		t.Errorf("only %d rules were found", rows)
	}
	for _, kind := range known {
		if !named[kind] {
			t.Errorf("no rule names the violation %q", kind)
		}
	}
}

func knobsFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("knobs.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
