package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

const mit = `MIT License

Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

// unlicensed is a license that licensecheck knows and that no module here may have.
const unlicensed = `            DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE
   TERMS AND CONDITIONS FOR COPYING, DISTRIBUTION AND MODIFICATION

  0. You just DO WHAT THE FUCK YOU WANT TO.
`

// cacheOf writes a module cache with one module, example.com/Mod v1.0.0, and a GOROOT.
func cacheOf(t *testing.T, files map[string]string) (goroot, cache string) {
	t.Helper()
	goroot, cache = t.TempDir(), t.TempDir()
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(goroot, "LICENSE"), mit)
	for name, content := range files {
		write(filepath.Join(cache, "example.com", "!mod@v1.0.0", filepath.FromSlash(name)), content)
	}
	return goroot, cache
}

var oneModule = &debug.BuildInfo{GoVersion: "go1.26.1", Deps: []*debug.Module{
	{Path: "example.com/Mod", Version: "v1.0.0"},
	{Path: "example.com/unused", Version: "v1.0.0", Replace: &debug.Module{Path: "./absent/unused", Version: "(devel)"}},
}}

func TestEachModuleAndTheStandardLibraryHaveTheirTexts(t *testing.T) {
	goroot, cache := cacheOf(t, map[string]string{
		"LICENSE.md":           mit,
		"NOTICE":               "This is a notice.",
		"json/LICENSE":         strings.Replace(mit, "Somebody", "Somebody Else", 1),
		"license.go":           "package mod",
		"testdata/x/LICENSE":   "not a part of any program",
		"docs/licensing.md":    "not a license",
		"LICENSES_are_nice.md": "not a license either",
	})
	parts, err := linked(oneModule, goroot, cache)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page("program", oneModule, parts))
	for _, want := range []string{
		"Go standard library go1.26.1 (MIT) https://go.dev/dl/go1.26.1.src.tar.gz\n",
		"example.com/Mod v1.0.0 (MIT) https://proxy.golang.org/example.com/!mod/@v/v1.0.0.zip\n",
		"Go standard library go1.26.1: LICENSE\nexample.com/Mod v1.0.0: LICENSE.md\n",
		"example.com/Mod v1.0.0: NOTICE\n",
		"This is a notice.",
		"example.com/Mod v1.0.0: json/LICENSE\n",
		"Copyright (c) 2026 Somebody Else",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times in:\n%s", want, strings.Count(text, want), text)
		}
	}
	for _, no := range []string{"not a ", "package mod", "absent"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in:\n%s", no, text)
		}
	}
}

func TestALicenseThatNobodyHasAcceptedIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no text":            {map[string]string{"README.md": "MIT"}, "has no license text"},
		"a notice alone":     {map[string]string{"NOTICE": "MIT"}, "has no license text"},
		"words of their own": {map[string]string{"LICENSE": "You may use this program on every day but Sunday."}, "unknown license"},
		"words added":        {map[string]string{"LICENSE": mit + strings.Repeat("You may not use this program on a Sunday. ", 40)}, "unknown license"},
		"another license":    {map[string]string{"LICENSE": unlicensed}, "not an accepted one"},
		"two, one accepted":  {map[string]string{"LICENSE": mit, "lib/COPYING": unlicensed}, "lib/COPYING: license "},
		"an address":         {map[string]string{"LICENSE": "https://opensource.org/licenses/MIT"}, "unknown license"},
		"no module":          {nil, "run go mod download"},
	} {
		goroot, cache := cacheOf(t, c.files)
		_, err := linked(oneModule, goroot, cache)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "example.com/Mod v1.0.0") {
			t.Errorf("%s: %v; wanted %q", name, err, c.want)
		}
	}
}

// This test is a binary, too.
func TestARealBinaryHasItsTexts(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "below", "THIRD_PARTY_LICENSES")
	if err := run(binary, output); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Go standard library " + runtime.Version() + " (BSD-3-Clause) ",
		"github.com/google/licensecheck v0.3.1 (BSD-3-Clause) ",
		"Copyright 2009 The Go Authors.",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in the texts of %s", want, binary)
		}
	}
}
