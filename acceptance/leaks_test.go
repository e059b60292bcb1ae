// Was a secret told? Looks for every secret of a story where none may be.

package acceptance

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// leaks says where a secret was found: in a log, the audit log, a page at the end of a
// consent, or the terminal.
func (w *world) leaks() []string {
	secrets := slices.Clone(w.canaries)
	for _, s := range w.simulators {
		secrets = append(secrets, s.secrets()...)
	}
	var told []string
	logs, _ := filepath.Glob(filepath.Join(w.servers, "*.log")) // the pattern is well-formed
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err != nil {
			told = append(told, err.Error())
			continue
		}
		if filepath.Base(log) == "audit.log" {
			content = callbackAddress.ReplaceAll(content, nil)
		}
		told = append(told, find(secrets, filepath.Base(log), content)...)
	}
	told = append(told, find(secrets, "a page at the end of a consent", w.shown.Bytes())...)
	return append(told, find(secrets, "the output of vault", w.printed.Bytes())...)
}

// callbackAddress is where Vault tells a code whatever an engine does: beside the fields
// of a request, which it hashes, an audit device writes the address of a GET as it came.
var callbackAddress = regexp.MustCompile(`"request_uri":"/v1/[^"?]*/callback\?[^"]*"`)

// find looks for secrets and for their longer parts: half a token is a leak.
func find(secrets []string, where string, in []byte) []string {
	var told []string
	for _, secret := range secrets {
		for _, part := range append(strings.Split(secret, "."), secret) {
			at := bytes.Index(in, []byte(part))
			if len(part) < 8 || at < 0 {
				continue
			}
			start := bytes.LastIndexByte(in[:at], '\n') + 1
			line, _, _ := bytes.Cut(in[start:], []byte("\n"))
			told = append(told, fmt.Sprintf("secret %s is in %s: %s", secret, where, line))
			break
		}
	}
	return told
}

// secretArguments are the values of a vault command that no answer may repeat.
func secretArguments(args []string) []string {
	var secrets []string
	for _, arg := range args {
		field, value, _ := strings.Cut(arg, "=")
		switch field {
		case "client_secret", "refresh_token", "code", "code_verifier":
			secrets = append(secrets, value)
		case "client_secrets":
			for _, pair := range strings.Split(value, ",") {
				_, secret, _ := strings.Cut(pair, "=")
				secrets = append(secrets, secret)
			}
		case "callback_url":
			if u, err := url.Parse(value); err == nil {
				secrets = append(secrets, u.Query().Get("code"))
			}
		}
	}
	return secrets
}

// asksForToken says whether printing an access token is what a command is for.
func asksForToken(args []string) bool {
	return len(args) > 0 && args[0] == "read" && slices.ContainsFunc(args, func(arg string) bool {
		return strings.Contains(arg, "/creds/")
	})
}

// withoutEnhanceToken leaves out the one secret that a consent's address has to
// carry: Zoho's page for more scopes is opened with it.
func withoutEnhanceToken(text string) string {
	return regexp.MustCompile(`enhance_token=[\w.]+`).ReplaceAllString(text, "enhance_token=")
}

func canaryCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	w.canaries = append(w.canaries, args...)
}

func noSecretInCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	secrets := slices.Clone(w.canaries)
	for _, s := range w.simulators {
		secrets = append(secrets, s.secrets()...)
	}
	if len(secrets) == 0 {
		ts.Fatalf("there is no secret yet to look for")
	}
	for _, file := range args {
		if told := find(secrets, file, []byte(ts.ReadFile(file))); (len(told) > 0) != neg {
			ts.Fatalf("%d secrets in %s\n%s", len(told), file, strings.Join(told, "\n"))
		}
	}
}

func TestPlantedSecretsAreFound(t *testing.T) {
	secrets := append(secretArguments([]string{
		"client_secret=0123456789abcdef", "client_secrets=eu=fedcba9876543210,in=00112233445566",
		"callback_url=http://localhost/?code=1000.aaaabbbbcccc.ddddeeeeffff&location=us", "scopes=ZohoCRM.org.READ",
	}), "1000.abcdefabcdef.123456123456")
	for _, told := range []string{
		"secret 0123456789abcdef", "x\neu=fedcba9876543210", "00112233445566", "aaaabbbbcccc", "token 1000.abcd ..., ending 123456123456",
	} {
		if len(find(secrets, "a log", []byte(told))) != 1 {
			t.Errorf("nobody noticed that %q tells a secret", told)
		}
	}
	for _, harmless := range []string{"", "ZohoCRM.org.READ", "1000.", "abcdef"} {
		if told := find(secrets, "a log", []byte(harmless)); len(told) > 0 {
			t.Errorf("%q tells no secret, but: %v", harmless, told)
		}
	}
}
