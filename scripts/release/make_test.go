// Package release has the tests of the scripts in this folder.
package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goreleaser stands for the program of that name: it prints the tag and the flags, and
// leaves the files that scripts/release/make reads afterwards.
const goreleaser = `#!/bin/sh
echo "tag=$GORELEASER_CURRENT_TAG $*"
mkdir -p dist
echo '[]' >dist/artifacts.json
: >dist/SHA256SUMS
`

// repository is a clone with one commit, and these tags at it.
func repository(t *testing.T, tags ...string) string {
	t.Helper()
	root := t.TempDir()
	script, err := os.ReadFile("make")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"scripts/release/make":       string(script),
		"scripts/release/goreleaser": goreleaser,
		"CHANGELOG.md":               "# Changelog\n\n## Unreleased\n\n## v1.2.3 - today\n\nNotes.\n\n## v1.2.3-rc1\n\nNotes of a candidate.\n\n## v1.2.2\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		command := exec.Command("git", append([]string{"-C", root, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "a commit")
	for _, tag := range tags {
		git("tag", "-a", "-m", tag, tag)
	}
	return root
}

func TestTheReleaseIsThatOfTheTagThatWasPushed(t *testing.T) {
	const candidate, final = "v1.2.3-rc1", "v1.2.3"
	for name, c := range map[string]struct {
		tags, env []string
		want      string // is printed
		fails     bool
	}{
		"no tag":                            {want: "tag= release --clean --snapshot"},
		"no tag, to be published":           {env: []string{"PUBLISH=yes"}, want: "HEAD has no tag such as v1.2.3", fails: true},
		"a tag that is no version":          {tags: []string{"vault"}, env: []string{"PUBLISH=yes", "GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=vault"}, want: "HEAD has no tag such as v1.2.3", fails: true},
		"one tag":                           {tags: []string{final}, want: "tag=v1.2.3 release --clean --release-notes="},
		"one tag, to be published":          {tags: []string{final}, env: []string{"PUBLISH=yes"}, want: "--skip=sign\n"},
		"one tag, not published by default": {tags: []string{final}, want: "--skip=publish,announce,sign\n"},
		"a tag without notes":               {tags: []string{"v1.2.2"}, want: `CHANGELOG.md has nothing under "## v1.2.2"`, fails: true},
		"two tags":                          {tags: []string{final, candidate}, want: "choose one of them with TAG=", fails: true},
		"two tags, and the choice":          {tags: []string{final, candidate}, env: []string{"TAG=v1.2.3"}, want: "tag=v1.2.3 release"},
		"two tags, one was pushed":          {tags: []string{candidate, final}, env: []string{"GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=v1.2.3"}, want: "tag=v1.2.3 release"},
		"two tags, the other was pushed":    {tags: []string{candidate, final}, env: []string{"GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=v1.2.3-rc1"}, want: "tag=v1.2.3-rc1 release"},
		"a tag of another commit":           {tags: []string{final}, env: []string{"TAG=v9.9.9"}, want: "the tag v9.9.9 does not point at HEAD", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			root := repository(t, c.tags...)
			command := exec.Command(filepath.Join(root, "scripts", "release", "make"))
			fake := filepath.Join(root, "scripts", "release", "goreleaser")
			command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "GORELEASER=" + fake, "CYCLONEDX=" + fake, "LICENSES=" + fake}
			command.Env = append(command.Env, c.env...)
			out, err := command.CombinedOutput()
			if c.fails != (err != nil) || !strings.Contains(string(out), c.want) {
				t.Errorf("error %v, want one: %v; the output has no %q:\n%s", err, c.fails, c.want, out)
			}
		})
	}
}
