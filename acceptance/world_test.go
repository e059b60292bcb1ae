// What does one story own? Its servers, what it printed, and what must not
// have been printed.

package acceptance

import (
	"bytes"
	"net/http/httptest"
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
	standby    *server
	simulators []*simulator
	agents     []*process
	logins     []*login
	apps       []*httptest.Server
	browser    *browser

	printed    bytes.Buffer     // what the vault command printed, but for tokens that were asked for
	shown      bytes.Buffer     // the pages that the browser showed at the end of a consent
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
		"VAULT_CACERT="+s.certificate.file, "CURL_CA_BUNDLE="+s.certificate.file,
		"PLUGIN_DIRECTORY="+s.plugins, "SERVER="+s.kind.name,
		"NODE_EXTRA_CA_CERTS="+s.certificate.file, "SSL_CERT_FILE="+s.certificate.file,
		"EXAMPLES="+s.examples, "VAULT_BIN="+s.vault, "PLUGIN_SHA256="+s.pluginSHA256, "PLUGIN_VERSION="+pluginVersion,
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
	if w.browser != nil {
		w.browser.close()
	}
	for _, app := range w.apps {
		app.Close()
	}
	for _, a := range w.agents {
		a.stop(syscall.SIGKILL)
	}
	for _, l := range w.logins {
		l.stop(syscall.SIGKILL)
	}
	for _, s := range []*server{w.standby, w.vault} {
		if s != nil {
			s.stop(syscall.SIGTERM) // its last words count, too
		}
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
