// How does a story drive Vault? One raft server on disk, as in production, and
// the command line.

package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// server is one Vault and what it takes to start it again.
type server struct {
	*process
	config  string
	log     string
	address string
	key     string // unseals it
	token   string // root
	marked  []int  // plugin processes that are to end
	client  *http.Client
}

func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	address, clusterAddress := w.stage.port(), w.stage.port()
	s := &server{
		config: filepath.Join(w.servers, "vault.hcl"), log: filepath.Join(w.servers, "vault.log"), address: "http://" + address,
	}
	audit := filepath.Join(w.servers, "audit.log")
	ts.Check(os.WriteFile(s.config, fmt.Appendf(nil, `
storage "raft" {
  path                   = %q
  node_id                = "one"
  performance_multiplier = 1
}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_disable     = true
}
api_addr         = %q
cluster_addr     = "http://%s"
plugin_directory = %q
disable_mlock    = true

raw_storage_endpoint = %t
`, w.servers, address, clusterAddress, s.address, clusterAddress, w.stage.plugins, slices.Contains(args, "raw")), 0o600))
	w.vault = s
	ts.Check(w.startServer())

	var init struct {
		Keys  []string `json:"unseal_keys_b64"`
		Token string   `json:"root_token"`
	}
	ts.Check(json.Unmarshal(w.mustVault(ts, "operator", "init", "-key-shares=1", "-key-threshold=1", "-format=json"), &init))
	s.key, s.token = init.Keys[0], init.Token
	for name, value := range map[string]string{
		"VAULT_ADDR": s.address, "VAULT_TOKEN": s.token, "UNSEAL_KEY": s.key, "VAULT_LOG": s.log, "AUDIT_LOG": audit,
	} {
		ts.Setenv(name, value)
	}
	w.unseal(ts)
	w.mustVault(ts, "audit", "enable", "file", "file_path="+audit)
	if slices.Contains(args, "bare") {
		return
	}
	w.mustVault(ts, "plugin", "register", "-sha256="+w.stage.pluginSHA256, "secret", pluginName)
	w.mustVault(ts, "secrets", "enable", "-path=zoho", pluginName)
}

func restartCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	how := syscall.SIGTERM
	if len(args) > 0 && args[0] == "-kill" {
		how = syscall.SIGKILL
	}
	ts.Check(w.vault.stop(how))
	ts.Check(w.startServer())
	w.unseal(ts)
}

// startServer runs the server until it answers, sealed.
func (w *world) startServer() (err error) {
	s := w.vault
	s.process, err = w.start("vault.log", nil, w.stage.vault, "server", "-config="+s.config, "-log-level=trace")
	if err != nil {
		return err
	}
	return s.await("listening", func() bool { return s.health() != 0 })
}

// unseal takes the server from sealed to active.
func (w *world) unseal(ts *testscript.TestScript) {
	w.mustVault(ts, "operator", "unseal", w.vault.key)
	ts.Check(w.vault.await("active", func() bool { return w.vault.health() == http.StatusOK }))
}

// health is the status of Vault's health check, 0 for no answer.
func (s *server) health() int {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(s.address + "/v1/sys/health")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// mustVault runs the command line as root, for what is no part of the story.
func (w *world) mustVault(ts *testscript.TestScript, args ...string) []byte {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(w.stage.vault, args...)
	cmd.Env = append(w.env[:len(w.env):len(w.env)], "VAULT_ADDR="+w.vault.address, "VAULT_TOKEN="+w.vault.token)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		ts.Fatalf("vault %s: %v\n%s", args[0], err, &stderr)
	}
	return stdout.Bytes()
}

func vaultCommand(ts *testscript.TestScript, neg bool, args []string) {
	if _, err := runVault(ts, args); (err != nil) != neg {
		if err != nil {
			ts.Fatalf("vault %s: %v", args[0], err)
		}
		ts.Fatalf("vault %s succeeded", args[0])
	}
}

// runVault runs the command line as the script is logged in, and keeps what it
// printed for the search for secrets.
func runVault(ts *testscript.TestScript, args []string) (stdout string, err error) {
	w := worldOf(ts)
	w.canaries = append(w.canaries, secretArguments(args)...)
	err = ts.Exec(w.stage.vault, args...)
	stdout = ts.ReadFile("stdout")
	if !asksForToken(args) {
		w.printed.WriteString(withoutEnhanceToken(stdout))
	}
	w.printed.WriteString(ts.ReadFile("stderr"))
	return stdout, err
}

// untilCommand repeats commands, because a person would, until the answer of the
// last one is as wished.
func untilCommand(ts *testscript.TestScript, neg bool, args []string) {
	limit, want := patience, true
	if len(args) > 0 && strings.HasPrefix(args[0], "-within=") {
		var err error
		limit, err = time.ParseDuration(strings.TrimPrefix(args[0], "-within="))
		ts.Check(err)
		args = args[1:]
	}
	if len(args) > 0 && args[0] == "!" {
		want, args = false, args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until [-within=DURATION] [!] PATTERN COMMAND [-- COMMAND]...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0]) // as stdout and stderr do
	ts.Check(err)
	var asks []func() (string, error)
	for rest := args[1:]; rest != nil; {
		command := rest
		if end := slices.Index(rest, "--"); end >= 0 {
			command, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		asks = append(asks, question(ts, command))
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); ; <-tick.C {
		var answer string
		for _, ask := range asks {
			answer, err = ask()
		}
		if err == nil && pattern.MatchString(answer) == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within %s; the last answer: %v\n%s", limit, err, answer)
		}
	}
}

// question is a command that until can repeat.
func question(ts *testscript.TestScript, command []string) func() (string, error) {
	switch {
	case len(command) > 1 && command[0] == "vault":
		return func() (string, error) { return runVault(ts, command[1:]) }
	case len(command) == 3 && command[0] == "zoho":
		return func() (string, error) {
			answer, err := zohoOf(ts).ask(command[1], command[2], nil)
			return string(answer), err
		}
	}
	ts.Fatalf("until repeats vault ARG... and zoho METHOD PATH, not %q", command)
	return nil
}

// vaultKillCommand kills the server alone, as a kernel does that runs out of memory:
// what it started lives on.
func vaultKillCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := worldOf(ts).vault
	s.marked = pluginsOf(ts)
	switch len(args) {
	case 0:
	case 2:
		// A moment that is over before until has looked twice.
		pattern, err := regexp.Compile(args[0])
		ts.Check(err)
		after, err := time.ParseDuration(args[1])
		ts.Check(err)
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			counts, err := zohoOf(ts).ask("GET", "/counts", nil)
			ts.Check(err)
			if pattern.Match(counts) {
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("%s did not come within %s: %s", args[0], patience, counts)
			}
		}
		time.Sleep(after)
	default:
		ts.Fatalf("usage: vault-kill [PATTERN DURATION]")
	}
	ts.Check(s.cmd.Process.Kill())
	select {
	case <-s.done:
	case <-time.After(patience):
		ts.Fatalf("Vault was killed and lives")
	}
}

// pluginMarkCommand remembers which plugin processes there are, for plugin-ends.
func pluginMarkCommand(ts *testscript.TestScript, neg bool, args []string) {
	worldOf(ts).vault.marked = pluginsOf(ts)
}

// pluginEndsCommand waits until the plugin processes that were there at plugin-mark
// or vault-kill have ended.
func pluginEndsCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := worldOf(ts).vault
	if len(s.marked) == 0 {
		ts.Fatalf("plugin-mark or vault-kill comes first")
	}
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; slices.ContainsFunc(s.marked, func(pid int) bool { return runs(pid, pluginName) }); <-tick.C {
		if time.Since(start) > patience {
			ts.Fatalf("the plugin's process did not end within %s", patience)
		}
	}
	ts.Logf("the plugin's process ended within %s", time.Since(start).Truncate(100*time.Millisecond))
	s.marked = nil
}

func pluginKillCommand(ts *testscript.TestScript, neg bool, args []string) {
	for _, pid := range pluginsOf(ts) {
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	}
}

// pluginsOf are the plugin processes that Vault runs.
func pluginsOf(ts *testscript.TestScript) []int {
	plugins := worldOf(ts).vault.children(pluginName)
	if len(plugins) == 0 {
		ts.Fatalf("Vault runs no plugin")
	}
	slices.Sort(plugins)
	return plugins
}

func agentCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: vault-agent CONFIG")
	}
	w := worldOf(ts)
	agent, err := w.start(fmt.Sprintf("agent%d.log", len(w.agents)+1), []string{"VAULT_ADDR=" + w.vault.address},
		w.stage.vault, "agent", "-config="+args[0], "-log-level=trace")
	ts.Check(err)
	w.agents = append(w.agents, agent)
	ts.Setenv("AGENT_LOG", agent.log)
}
