// How does a story come by a release? It is built with that version, and lies where a
// person has unpacked it.

package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// buildCommand builds one of cmd/ as a release of this version.
func (s *stage) buildCommand(command, version, output string) error {
	return goBuild(s.root, "-ldflags", "-X vault-plugin-secrets-zoho/internal/release.Version="+version, "-o", output, "./cmd/"+command)
}

// goBuild runs go build in the repository at root, with the dependencies that a release has.
func goBuild(root string, args ...string) error {
	modfile := exec.Command(filepath.Join(root, "scripts", "modfile"))
	var stderr strings.Builder
	modfile.Stderr = &stderr
	path, err := modfile.Output()
	if err != nil {
		return fmt.Errorf("writing the go.mod of releases: %w\n%s", err, stderr.String())
	}
	build := exec.Command("go", append([]string{"build", "-trimpath", "-modfile=" + strings.TrimSpace(string(path))}, args...)...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", args[len(args)-1], err, out)
	}
	return nil
}

// releaseCommand unpacks a release of the plugin into the folder of its version.
func releaseCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: release VERSION")
	}
	w := worldOf(ts)
	ts.Check(w.stage.buildCommand(pluginName, args[0], filepath.Join(w.dir, args[0], pluginName)))
	register, err := os.ReadFile(filepath.Join(w.stage.root, "scripts", "register"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(w.dir, args[0], "register"), register, 0o700))
}
