// Command licenses writes the license texts of what is linked into a Go binary: each module that
// its build information names, and the Go standard library. It reads the module cache and GOROOT
// that the binary was built from, and no network.
//
//	licenses BINARY OUTPUT
//
// It fails if a module has no license text, or one that is not in the list of accepted licenses.
package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/licensecheck"
	"golang.org/x/mod/module"
)

// accepted are the SPDX identifiers of the licenses under which modules may be linked into a
// release. A person reads any other license before it is added here.
var accepted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// enough is how much of a file, in percent of its words, must be text of known licenses. Headings
// and names of copyright holders are the rest. pkg.go.dev has the same limit.
const enough = 75

var (
	licenseName = regexp.MustCompile(`(?i)^((un)?licen[cs]es?|copying|copyright)([.-][a-z0-9.-]+)?$`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents)([.-][a-z0-9.-]+)?$`)
	source      = regexp.MustCompile(`(?i)\.(go|s|c|h|json|ya?ml|sh|tmpl|hcl|lre)$`) // such as license.go
)

// part is a module, or the Go standard library, with its texts.
type part struct {
	name, version string
	source        string   // URL of its source code
	licenses      []string // SPDX identifiers, sorted
	texts         []text
}

type text struct {
	file    string // slash-separated, below the root of the module
	content []byte
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: licenses BINARY OUTPUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "licenses: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(binary, output string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	out, err := exec.Command("go", "env", "-json", "GOROOT", "GOMODCACHE", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	var env struct{ GOROOT, GOMODCACHE, GOVERSION string }
	if err := json.Unmarshal(out, &env); err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	if info.GoVersion != env.GOVERSION {
		return fmt.Errorf("it was built by %s, and the license of %s is at hand; run this with the Go that built it", info.GoVersion, env.GOVERSION)
	}
	parts, err := linked(info, env.GOROOT, env.GOMODCACHE)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	return os.WriteFile(output, page(strings.TrimSuffix(filepath.Base(binary), ".exe"), info, parts), 0o644)
}

// linked returns the Go standard library and each module of a build, in the order of the build
// information. A module that was replaced by a folder of this repository is a part of the
// repository, whose own license is released beside these.
func linked(info *debug.BuildInfo, goroot, cache string) ([]part, error) {
	std := part{name: "Go standard library", version: info.GoVersion, source: "https://go.dev/dl/" + info.GoVersion + ".src.tar.gz"}
	failed := std.read(goroot, false)
	parts := []part{std}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if strings.HasPrefix(m.Path, "./") {
			continue
		}
		path, err := module.EscapePath(m.Path)
		if err != nil {
			return nil, err
		}
		version, err := module.EscapeVersion(m.Version)
		if err != nil {
			return nil, err
		}
		p := part{name: m.Path, version: m.Version, source: "https://proxy.golang.org/" + path + "/@v/" + version + ".zip"}
		failed = errors.Join(failed, p.read(filepath.Join(cache, filepath.FromSlash(path)+"@"+version), true))
		parts = append(parts, p)
	}
	return parts, failed
}

// read finds the texts below root, or only in it, and the licenses that they are.
func (p *part) read(root string, deep bool) error {
	if _, err := os.Stat(root); err != nil {
		return fmt.Errorf("%s %s is not where the build took it from; run go mod download: %w", p.name, p.version, err)
	}
	var failed error
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (!deep || name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		isLicense := licenseName.MatchString(name)
		if source.MatchString(name) || !isLicense && !noticeName.MatchString(name) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file = filepath.ToSlash(file)
		p.texts = append(p.texts, text{file, content})
		if isLicense {
			found, err := classify(content)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s %s: %s: %w", p.name, p.version, file, err))
			}
			p.licenses = append(p.licenses, found...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", p.name, p.version, err)
	}
	slices.Sort(p.licenses)
	p.licenses = slices.Compact(p.licenses)
	if len(p.licenses) == 0 && failed == nil {
		failed = fmt.Errorf("%s %s has no license text in %s", p.name, p.version, root)
	}
	return failed
}

// classify returns the licenses that a text consists of.
func classify(content []byte) ([]string, error) {
	coverage := licensecheck.Scan(content)
	var found []string
	for _, match := range coverage.Match {
		if match.IsURL {
			continue // it names a license, and is not its text
		}
		if !slices.Contains(accepted, match.ID) {
			return nil, fmt.Errorf("license %s is not an accepted one; read it, then add it to the list in scripts/release/licenses/main.go or drop the module", match.ID)
		}
		found = append(found, match.ID)
	}
	if coverage.Percent < enough || len(found) == 0 {
		return nil, fmt.Errorf("unknown license: %.0f%% of the text is that of known licenses, %d%% is the least", coverage.Percent, enough)
	}
	return found, nil
}

const rule = "================================================================================\n"

// page is the file that a release carries.
func page(binary string, info *debug.BuildInfo, parts []part) []byte {
	setting := func(key string) string {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
		return ""
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "Third-party software in %s for %s/%s\n\n", binary, setting("GOOS"), setting("GOARCH"))
	out.WriteString("Each line has a module, its version, its licenses, and the address of its source code.\n" +
		"The license texts follow. The license of the program itself is in the file LICENSE.\n\n")
	for _, p := range parts {
		fmt.Fprintf(&out, "%s %s (%s) %s\n", p.name, p.version, strings.Join(p.licenses, ", "), p.source)
	}
	// Many modules have the same text. It is printed once, below the names of all of them.
	var texts []string
	heads := map[string]string{}
	for _, p := range parts {
		for _, t := range p.texts {
			content := strings.TrimSpace(strings.ReplaceAll(string(t.content), "\r\n", "\n"))
			if heads[content] == "" {
				texts = append(texts, content)
			}
			heads[content] += fmt.Sprintf("%s %s: %s\n", p.name, p.version, t.file)
		}
	}
	for _, content := range texts {
		fmt.Fprintf(&out, "\n%s%s%s\n%s\n", rule, heads[content], rule, content)
	}
	return out.Bytes()
}
