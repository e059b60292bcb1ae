// How does a story drive Vault? With the command line, and by doing to its processes
// what happens to processes.

package acceptance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

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
