// Command goversion fails if a workflow installs a Go that is too old for a module of this
// repository, or one that misses security fixes. It needs no network.
//
//	goversion ROOT
//
// actions/setup-go sets GOTOOLCHAIN=local, and so do the golang images: Go then never gets a newer
// Go by itself, and refuses a module whose go line names one. What a step installs:
//
//	go-version: 1.26.x with check-latest    the newest patch release of Go 1.26
//	go-version: 1.26.x                      any patch release that the runner happens to have
//	go-version-file: go.mod                 the version of the toolchain line, else of the go line, literally
//	container: golang:1.26-trixie           the newest patch release
//
// Source: parseGoVersionFile and getGo in src/installer.ts, and setGoToolchain in src/main.ts, of actions/setup-go v7.0.0.
package main

import (
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
	"gopkg.in/yaml.v3"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: goversion ROOT")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// workflow has the parts of a GitHub Actions workflow that decide about the version of Go.
type workflow struct {
	Jobs map[string]struct {
		Container yaml.Node // an image, or a mapping with one
		Steps     []struct {
			Uses string
			With map[string]string
		}
	}
}

// check returns one error for each mistake in the workflows below root.
func check(root string) error {
	needed, err := modules(root)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.y*ml"))
	if err != nil {
		return err
	}
	var mistakes error
	found := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var w workflow
		if err := yaml.Unmarshal(content, &w); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for job, j := range w.Jobs {
			var installed []string
			if image := imageOf(j.Container); strings.HasPrefix(image, "golang:") {
				installed = append(installed, image)
			}
			for _, step := range j.Steps {
				if strings.HasPrefix(step.Uses, "actions/setup-go@") {
					installed = append(installed, setup(step.With))
				}
			}
			for _, what := range installed {
				found++
				if err := judge(what, needed); err != nil {
					mistakes = errors.Join(mistakes, fmt.Errorf("%s: job %s: %w", filepath.Base(file), job, err))
				}
			}
		}
	}
	if found == 0 {
		return fmt.Errorf("no workflow in %s installs Go", root)
	}
	return mistakes
}

func imageOf(container yaml.Node) string {
	var image string
	if container.Decode(&image) == nil {
		return image
	}
	var mapping struct{ Image string }
	_ = container.Decode(&mapping) // an empty image is none of golang's
	return mapping.Image
}

// setup is what a step of actions/setup-go is asked for, in words.
func setup(with map[string]string) string {
	switch {
	case with["go-version"] != "" && with["check-latest"] == "true":
		return "the newest " + with["go-version"]
	case with["go-version"] != "":
		return with["go-version"]
	case with["go-version-file"] != "":
		return "go-version-file: " + with["go-version-file"]
	}
	return "no version"
}

// newest matches what names a minor release of Go and installs its newest patch release.
var newest = regexp.MustCompile(`^(?:the newest |golang:)(1\.\d+)(?:\.x)?(?:-[a-z]+)?$`)

// judge says whether what is installed can build all modules, and has all fixes.
func judge(what string, needed map[string]string) error {
	m := newest.FindStringSubmatch(what)
	if m == nil {
		return fmt.Errorf("%q does not install the newest patch release of Go, which has the security fixes; "+
			"write go-version: 1.N.x and check-latest: true, or an image such as golang:1.N-trixie", what)
	}
	var mistakes error
	for file, want := range needed {
		if version.Compare("go"+m[1], version.Lang(want)) < 0 {
			mistakes = errors.Join(mistakes, fmt.Errorf("%q installs Go %s, and %s needs %s", what, m[1], file, want))
		}
	}
	return mistakes
}

// modules returns the Go release that each module below root needs, such as "go1.26.1".
func modules(root string) (map[string]string, error) {
	needed := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bin" || entry.Name() == "dist") {
			return fs.SkipDir
		}
		if entry.Name() != "go.mod" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := modfile.Parse(path, content, nil)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if file.Go == nil {
			return fmt.Errorf("%s has no go line", name)
		}
		needed[name] = "go" + file.Go.Version
		if file.Toolchain != nil && version.Compare(file.Toolchain.Name, needed[name]) > 0 {
			needed[name] = file.Toolchain.Name
		}
		return nil
	})
	return needed, err
}
