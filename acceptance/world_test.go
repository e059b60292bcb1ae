// What does one story own? Its servers, what it printed, and what must not
// have been printed.

package acceptance

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

type worldKey struct{}

type world struct {
	stage *stage
	t     testscript.T
	env   []string

	dir     string // where the script is
	servers string // where the files of servers are; scripts speak of them through variables alone

	vault      *server
	simulators []*simulator
	agents     []*process
	logins     []*login
	tabs       *tabs

	printed    bytes.Buffer     // what the vault command printed, but for tokens that were asked for
	canaries   []string         // secrets that Zoho does not know of
	violations []*regexp.Regexp // that this story means to cause
}

func newWorld(s *stage, env *testscript.Env) (*world, error) {
	// No token, no proxy and no address of the person who runs the tests.
	env.Vars = append(env.Vars,
		"HOME="+env.WorkDir,
		"PATH="+filepath.Dir(s.simulator)+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"VAULT_TOKEN=", "VAULT_ADDR=", "VAULT_NAMESPACE=", "VAULT_FORMAT=", "VAULT_CLI_NO_COLOR=1",
		"LOGIN_PORT="+port(s.port()),
		"VAULT_BIN="+s.vault, "PLUGIN_SHA256="+s.pluginSHA256, "PLUGIN_VERSION="+pluginVersion,
	)
	w := &world{
		stage: s, t: env.T(), env: append([]string{}, env.Vars...),
		dir: env.WorkDir, servers: filepath.Join(env.WorkDir, ".servers"),
	}
	return w, os.Mkdir(w.servers, 0o700)
}

// worldOf is the world that a command's script lives in.
func worldOf(ts *testscript.TestScript) *world {
	return ts.Value(worldKey{}).(*world)
}

// end stops everything, then asks the two questions that every story answers:
// did Zoho complain, and was a secret told?
func (w *world) end() {
	for _, a := range w.agents {
		a.stop(syscall.SIGKILL)
	}
	for _, l := range w.logins {
		l.stop(syscall.SIGKILL)
	}
	w.tabs.close()
	if w.vault != nil {
		w.vault.stop(syscall.SIGTERM) // its last words count, too
	}
	var wrong []string
	for _, s := range w.simulators {
		wrong = append(wrong, s.unexpectedViolations(w.violations)...)
	}
	wrong = append(wrong, w.leaks()...)
	for _, s := range w.simulators {
		s.stop(syscall.SIGKILL)
	}
	if len(wrong) > 0 {
		w.t.Log(strings.Join(wrong, "\n"))
		w.t.FailNow()
	}
}
