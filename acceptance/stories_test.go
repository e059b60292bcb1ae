// Does the plugin do what the manual says? Runs every script in testdata.

package acceptance

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestStories(t *testing.T) {
	t.Parallel() // servers fail beside it, see chaos_test.go
	playStories(t, newStage(t, vaultKind))
}

func TestStoriesOnOpenBao(t *testing.T) {
	t.Parallel()
	playStories(t, newStage(t, openBaoKind))
}

func playStories(t *testing.T, s *stage) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		// A story that hangs is ended with its processes, well before go test
		// would end this process and leave them behind.
		Deadline: time.Now().Add(25 * time.Minute),
		Setup: func(env *testscript.Env) error {
			w, err := newWorld(s, env)
			env.Values[worldKey{}] = w
			env.Defer(w.end)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"vault":            vaultCommand,
			"vault-start":      startCommand,
			"vault-standby":    standbyCommand,
			"vault-restart":    restartCommand,
			"vault-kill":       vaultKillCommand,
			"vault-configure":  configureCommand,
			"plugin-kill":      pluginKillCommand,
			"plugin-mark":      pluginMarkCommand,
			"plugin-ends":      pluginEndsCommand,
			"no-orphan":        noOrphanCommand,
			"vault-agent":      agentCommand,
			"zoho-sim":         simulatorCommand,
			"zoho":             zohoCommand,
			"consent":          consentCommand,
			"connect":          connectCommand,
			"browser":          browserCommand,
			"login":            loginCommand,
			"login-type":       loginTypeCommand,
			"login-ends":       loginEndsCommand,
			"app":              appCommand,
			"release":          releaseCommand,
			"self-client-code": selfClientCodeCommand,
			"capture":          captureCommand,
			"until":            untilCommand,
			"tokens-in":        tokensInCommand,
			"canary":           canaryCommand,
			"no-secret-in":     noSecretInCommand,
			"expect-violation": expectViolationCommand,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case vaultKind.name, openBaoKind.name:
				return name == s.kind.name, nil
			}
			// In CI a missing browser is a mistake, not a reason to skip.
			_, err := exec.LookPath(browserName)
			if name == "browser" {
				return err == nil || os.Getenv("CI") != "", nil
			}
			return installed(name)
		},
	})
}

// clients are programs of others that stories run where they are installed, each with a
// command that succeeds there.
var clients = map[string][]string{
	"node":            {"node", "--version"},
	"python3":         {"python3", "--version"},
	"hvac":            {"python3", "-c", "import hvac"},
	"ansible":         {"ansible-playbook", "--version"},
	"consul-template": {"consul-template", "-version"},
}

// installed says whether a client can be run, and loudly that it is not.
func installed(name string) (bool, error) {
	try := clients[name]
	if try == nil {
		return false, fmt.Errorf("unknown condition; there are browser and %v", slices.Sorted(maps.Keys(clients)))
	}
	if err := exec.Command(try[0], try[1:]...).Run(); err != nil {
		fmt.Fprintf(os.Stderr, "acceptance: NOT RUN: what %s does; it is not installed\n", name)
		return false, nil
	}
	return true, nil
}
