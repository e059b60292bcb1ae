// How does a person use zoho-login? They start it, do something at Zoho, and look
// at what it says in the end.

package acceptance

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const loginName = "zoho-login"

// login is one that was started.
type login struct {
	*process
	stdin          io.WriteCloser
	stdout, stderr string // files
}

// opener takes the place of the desktop's: what it is to open goes into a file.
const opener = `#!/bin/sh
printf '%s' "$1" >"$OPENED.part" && mv "$OPENED.part" "$OPENED"
`

// Where it prints what a person opens or types.
var (
	printedLink = regexp.MustCompile(`(?m)^  (https?://\S+)$`)
	printedCode = regexp.MustCompile(`(?m)^type the code\n\n  (\S+)$`)
)

func loginCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	desktop := filepath.Join(w.servers, "desktop")
	ts.Check(os.MkdirAll(desktop, 0o700))
	ts.Check(os.WriteFile(filepath.Join(desktop, "xdg-open"), []byte(opener), 0o700))
	base := filepath.Join(w.servers, "login"+strconv.Itoa(len(w.logins)+1))
	stdout, err := os.Create(base + ".stdout.log")
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(base + ".stderr.log")
	ts.Check(err)
	defer stderr.Close()

	cmd := exec.Command(filepath.Join(filepath.Dir(w.stage.simulator), loginName), args...)
	cmd.Env = []string{"DISPLAY=:0", "OPENED=" + base + ".link", "PATH=" + desktop + string(filepath.ListSeparator) + os.Getenv("PATH")}
	for _, name := range []string{"VAULT_ADDR", "VAULT_CACERT", "VAULT_TOKEN", "VAULT_NAMESPACE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	stdin, err := cmd.StdinPipe()
	ts.Check(err)
	p, err := w.launch(cmd, stderr.Name())
	ts.Check(err)
	l := &login{p, stdin, stdout.Name(), stderr.Name()}
	w.logins = append(w.logins, l)
	ts.Setenv("LOGIN_LOG", l.stderr)

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		said, err := os.ReadFile(l.stderr)
		ts.Check(err)
		link, err := os.ReadFile(base + ".link")
		if printed := printedLink.FindSubmatch(said); err != nil && printed != nil {
			link = printed[1]
		}
		ts.Setenv("LINK", string(link))
		if code := printedCode.FindSubmatch(said); code != nil {
			ts.Setenv("USER_CODE", string(code[1]))
		}
		if bytes.Contains(said, []byte("Waiting for your consent")) && (err == nil || !bytes.Contains(said, []byte("Your browser opens"))) {
			ts.Stdout().Write(said)
			return
		}
		select {
		case <-tick.C:
		case <-l.done:
			return
		case <-deadline:
			ts.Fatalf("zoho-login does not wait for a person:\n%s", said)
		}
	}
}

func lastLogin(ts *testscript.TestScript) *login {
	all := worldOf(ts).logins
	if len(all) == 0 {
		ts.Fatalf("login comes first")
	}
	return all[len(all)-1]
}

func loginTypeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: login-type TEXT")
	}
	_, err := io.WriteString(lastLogin(ts).stdin, args[0]+"\n")
	ts.Check(err)
}

func loginEndsCommand(ts *testscript.TestScript, neg bool, args []string) {
	l := lastLogin(ts)
	if len(args) > 0 && args[0] == "-interrupt" {
		ts.Check(l.cmd.Process.Signal(syscall.SIGINT))
		args = args[1:]
	}
	if len(args) != 1 {
		ts.Fatalf("usage: login-ends [-interrupt] CODE")
	}
	select {
	case <-l.done:
	case <-time.After(patience):
		ts.Fatalf("zoho-login did not end within %s:\n%s", patience, l.tail())
	}
	stdout, err := os.ReadFile(l.stdout)
	ts.Check(err)
	stderr, err := os.ReadFile(l.stderr)
	ts.Check(err)
	ts.Stdout().Write(stdout)
	ts.Stderr().Write(stderr)
	if code := strconv.Itoa(l.cmd.ProcessState.ExitCode()); code != args[0] {
		ts.Fatalf("zoho-login ended with %s, not %s:\n%s%s", code, args[0], stdout, stderr)
	}
}
