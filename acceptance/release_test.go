// How does a story come by a release? It is built with that version, and lies where a
// person has unpacked it.

package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// buildCommand builds one of cmd/ as a release of this version.
func (s *stage) buildCommand(command, version, output string) error {
	build := exec.Command("go", "build", "-trimpath", "-o", output,
		"-ldflags", "-X vault-plugin-secrets-zoho/internal/release.Version="+version, "./cmd/"+command)
	build.Dir = s.root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", command, err, out)
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
