package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes files, and returns the folder that they are in.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAWorkflowInstallsAGoThatBuildsEachModule(t *testing.T) {
	step := func(with string) string {
		return "jobs:\n  release:\n    steps:\n      - uses: actions/setup-go@b7ad1dad31e06c5925ef5d2fc7ad053ef454303e\n        with: " + with + "\n"
	}
	for name, c := range map[string]struct{ workflow, tools, want string }{
		"the go line of one module, while another needs more": {step("{ go-version-file: go.mod, cache: false }"), "go 1.26.1", "go-version-file: go.mod"},
		"whatever the runner has":                             {step("{ go-version: 1.26.x }"), "go 1.26.1", "does not install the newest"},
		"one patch release for ever":                          {step("{ go-version: 1.26.1, check-latest: true }"), "go 1.26.1", "does not install the newest"},
		"nothing said":                                        {step("{ cache: false }"), "go 1.26.1", "no version"},
		"an older minor release":                              {step("{ go-version: 1.25.x, check-latest: true }"), "go 1.26.1", "scripts/go.mod needs go1.26.1"},
		"a toolchain line that is newer":                      {step("{ go-version: 1.26.x, check-latest: true }"), "go 1.26.1\n\ntoolchain go1.27.2", "needs go1.27.2"},
		"an old image":                                        {"jobs:\n  test:\n    container: golang:1.25-trixie\n", "go 1.26.1", "installs Go 1.25"},
		"an image of one patch release":                       {"jobs:\n  test:\n    container: { image: 'golang:1.26.0-trixie' }\n", "go 1.26.1", "does not install the newest"},
		"no Go at all":                                        {"jobs:\n  test:\n    steps: [{ run: make }]\n", "go 1.26.1", "no workflow"},
		"the newest patch release":                            {step("{ go-version: 1.26.x, check-latest: true }"), "go 1.26.1", ""},
		"the newest patch release, in an image":               {"jobs:\n  test:\n    container: golang:1.26-trixie\n", "go 1.26.9", ""},
	} {
		err := check(tree(t, map[string]string{
			".github/workflows/w.yml": c.workflow,
			"go.mod":                  "module m\n\ngo 1.26.0\n",
			"scripts/go.mod":          "module m/scripts\n\n" + c.tools + "\n",
		}))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v; wanted %q", name, err, c.want)
		}
	}
}

func TestTheWorkflowsHereInstallAGoThatBuildsEachModule(t *testing.T) {
	if err := check("../../.."); err != nil {
		t.Error(err)
	}
}
