// Printed commands: a shell reads each as the words that were meant, and each works when
// it is typed at the moment when it is shown.

package backend_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// shell returns the words that a shell makes of a command.
func shell(t testing.TB, command string) []string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	var out, problem bytes.Buffer
	run := exec.Command(sh, "-c", "set -- "+command+"\nprintf '%s\\000' \"$@\"")
	run.Stdout, run.Stderr = &out, &problem
	if err := run.Run(); err != nil || problem.Len() > 0 {
		t.Fatalf("sh: %v %s for %q", err, &problem, command)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\x00"), "\x00")
}

// statusAt reads a status as the mount would at another place in Vault.
func (m *mount) statusAt(mountPoint, name string) data {
	m.t.Helper()
	resp, err := m.backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.ReadOperation, Path: "status/" + name, Storage: m.storage, MountPoint: mountPoint})
	if err != nil || resp.IsError() {
		m.t.Fatalf("status/%s: %v %v", name, resp, err)
	}
	return resp.Data
}

func TestNoFieldThatIsPrintedInACommandTakesShellCharacters(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, evil := range []string{"a;reboot", "$(reboot)", "`reboot`", "a b'c", "a&b", "a|b", "a>b", "@/etc/passwd", "-", "-x", ".x", "a\nb", "a\u202eb", "ä", "a\x00b", "*", "~root", "#x", strings.Repeat("s", 129)} {
			for _, c := range []struct {
				path string
				data data
			}{
				{"authorize/crm", data{"flow": "organization", "soid": "ZohoCRM." + evil}},
				{"authorize/crm", data{"flow": "organization", "soid": evil + ".1"}},
				{"creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + evil}},
				{"config", data{"client_id": evil, "client_secret": "s"}},
			} {
				m.unmoved(func() { m.refused(logical.UpdateOperation, c.path, c.data, 400) })
			}
			evil = strings.NewReplacer(" ", "'", "\n", "\x01", ";", "&").Replace(evil) // these separate scopes
			for _, c := range []struct {
				path string
				data data
			}{
				{"config", data{"scopes": "ZohoCRM.org.READ," + evil}},
				{"authorize/crm", data{"scopes": evil}},
				{"authorize/crm", data{"scopes": []any{evil}}},
				{"authorize/crm", data{"add_scopes": evil}},
				{"creds/crm", data{"grant_type": "client_credentials", "scopes": evil}},
				{"config", data{"accounts_urls": map[string]any{evil: "https://accounts.zoho.eu"}, "client_secret": "s"}},
			} {
				m.unmoved(func() { m.refused(logical.UpdateOperation, c.path, c.data, 400) })
			}
		}
		m.refused(logical.UpdateOperation, "authorize/crm", data{"scopes": strings.Repeat("s ", 10) + strings.Join(distinct(201), " ")}, 400, "scopes are too many")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"flow": "organization", "soid": "600000434"}, 400, "<service>.<id>")
	})
}

func TestCommandsArePrintedByOneFunction(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && regexp.MustCompile(`"[^"]*\bvault (write|read|patch|delete|list)\b`).Match(text) {
			t.Errorf("%s has a command of its own; use vaultCommand, which quotes", file)
		}
	}
}

func distinct(n int) (scopes []string) {
	for i := range n {
		scopes = append(scopes, fmt.Sprintf("s%d", i))
	}
	return scopes
}

// FuzzPrintedCommand plants scopes, an organization and a mount path, and has a shell
// read what status prints.
func FuzzPrintedCommand(f *testing.F) {
	for _, mountPoint := range []string{"zoho/", "team a/zoho/", "it's/", "-x/", "$(reboot)/", "a;b/", "~/", "#/", "ü\u202e/", "`x`/", "\"/", "!/", "a=b/", "a\nb/", "*?[x]/", "\\/"} {
		f.Add(mountPoint, "ZohoCRM.modules.ALL", "ZohoCRM.600000434")
	}
	for _, planted := range []string{"ZohoCRM.org.READ;reboot", "$(reboot)", "'", "a b", "a,b", "@f", "-", "a\x00", "aaaserver.profile.read", "PhoneBridge.call.log", "Site24x7.Admin.Read", "openid"} {
		f.Add("zoho/", planted, "ZohoCRM.1")
		f.Add("zoho/", "ZohoCRM.org.READ", planted)
	}
	f.Fuzz(func(t *testing.T, mountPoint, scope, soid string) {
		if strings.Contains(mountPoint, "\x00") {
			return // no shell takes it, and no path in Vault has it
		}
		var commands []string
		var wanted [][]string
		inBubble(t, func(t *testing.T, m *mount) {
			prints := func(words ...string) {
				commands, wanted = append(commands, m.statusAt(mountPoint, "crm")["next_command"].(string)), append(wanted, words)
			}
			m.configure(data{"verify": false})
			started, err := m.try(logical.UpdateOperation, "authorize/crm", data{"flow": "organization", "scopes": scope, "soid": soid})
			if err != nil {
				return // refused
			}
			prints(printed("write", mountPoint+"creds/crm", "callback_url=-")...)
			landed, err := m.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{})
			if err != nil {
				return // Zoho does not know it
			}
			m.write("creds/crm", data{"callback_url": landed})
			anotherClient(m)
			status := m.read("status/crm")
			want := printed("write", mountPoint+"authorize/crm", "scopes="+strings.Join(status["requested_scopes"].([]string), ","), "flow=organization")
			if soid := status["soid"].(string); soid != "" {
				want = append(want, "soid="+soid)
			}
			prints(want...)
		})
		for i, command := range commands {
			if words := shell(t, command); !slices.Equal(words, wanted[i]) {
				t.Errorf("a shell reads %q; want %q", words, wanted[i])
			}
		}
	})
}

// printed are the words of a command, as they are meant.
func printed(verb, path string, fields ...string) []string {
	words := []string{"vault", verb}
	if strings.HasPrefix(path, "-") {
		words = append(words, "--")
	}
	return append(append(words, path), fields...)
}

// aCommand is a command in a text that the engine answers.
var aCommand = regexp.MustCompile(`vault (?:write|read|delete|patch) (?:-- )?[^;,.\s]+(?: [a-z_]+=[^;\s]*)*`)

// types runs a printed command. What it reads from the terminal is typed in.
func (m *mount) types(command, terminal string) error {
	m.t.Helper()
	words := shell(m.t, command)
	op := map[string]logical.Operation{"write": logical.UpdateOperation, "read": logical.ReadOperation}[words[1]]
	path, found := strings.CutPrefix(words[2], "zoho/")
	if op == "" || !found {
		m.t.Fatalf("no command of this mount: %q", command)
	}
	fields := data{}
	for _, word := range words[3:] {
		name, value, _ := strings.Cut(word, "=")
		if value == "-" {
			value = terminal
		}
		fields[name] = value
	}
	_, err := m.try(op, path, fields)
	return err
}

// works runs every command in an answer, at once.
func (m *mount) works(when string, answer any, terminal string) {
	m.t.Helper()
	for _, command := range aCommand.FindAllString(fmt.Sprint(answer), -1) {
		if err := m.types(command, terminal); err != nil {
			m.t.Errorf("%s: %s: %v", when, command, err)
		}
	}
}

func TestEveryPrintedCommandWorksWhenItIsTyped(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		started := m.write("authorize/crm", nil)
		now, later, found := strings.Cut(started.Data["advice"].(string), "after it is connected")
		if !found || len(aCommand.FindAllString(now, -1)) != 1 || len(aCommand.FindAllString(later, -1)) != 1 {
			t.Fatalf("the advice is %q", started.Data["advice"])
		}
		m.works("advice, before the consent", now, "")
		if age := m.read("config")["max_age"]; age != 1800 {
			t.Errorf("max_age is %v", age)
		}
		m.works("status, while a consent waits", m.read("status/crm"), m.opens(started, zohotest.Consent{}))
		m.works("advice, after the consent", later, "")
		first := m.token("crm")
		if passes(20 * time.Minute); m.token("crm") != first {
			t.Error("two readers who followed the advice do not share a token")
		}
		m.write("creds/crm", data{"disabled": true})
		m.works("status, disabled", m.read("status/crm"), "")
		m.token("crm")
	})
	for how, c := range map[string]struct {
		client  func(m *mount)
		connect func(m *mount)
		again   func(m *mount) string // what is typed in
		consent bool
	}{
		"a consent":         {func(m *mount) { m.configure(nil) }, func(m *mount) { m.connect("crm") }, nil, true},
		"a device":          {deviceClient, func(m *mount) { m.byDevice("crm") }, nil, false},
		"an import":         {func(m *mount) { m.configure(nil) }, func(m *mount) { m.write("creds/crm", data{"refresh_token": m.elsewhere()}) }, func(m *mount) string { return m.elsewhere() }, false},
		"a code":            {selfClient, func(m *mount) { m.write("creds/crm", data{"code": m.selfCode()}) }, (*mount).selfCode, false},
		"an organization's": {func(m *mount) { m.configure(nil) }, organization, nil, true},
	} {
		t.Run(how, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				c.client(m)
				c.connect(m)
				for _, grant := range m.storage.refreshTokens(t) {
					m.zoho.RevokeRefreshToken(grant)
				}
				passes(2 * time.Hour)
				m.refused(logical.ReadOperation, "creds/crm", nil, 400, "refresh token refused")
				status := m.read("status/crm")
				if command, _ := status["next_command"].(string); !aCommand.MatchString(command) {
					t.Fatalf("no command in %v", status)
				}
				typed := ""
				if c.again != nil {
					typed = c.again(m)
				}
				m.works("status", status, typed)
				if c.consent {
					m.works("status, waiting", m.read("status/crm"), m.opens(m.write("authorize/crm", data{"scopes": "ZohoCRM.org.READ"}), zohotest.Consent{}))
					m.token("crm")
				}
				m.hours()
				m.endAll()
			})
		})
	}
	t.Run("client credentials in another data center", func(t *testing.T) {
		inBubble(t, func(t *testing.T, m *mount) {
			c := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "eu"})
			m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "verify": false})
			m.write("creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM.600000434", "data_center": "eu"})
			anotherClient(m)
			status := m.read("status/crm")
			m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "verify": false})
			m.works("status", status, "")
			if dc := m.read("status/crm")["data_center"]; dc != "eu" {
				t.Errorf("connected again in %v", dc)
			}
		})
	})
}

func organization(m *mount) {
	m.ordinaryClientsForOrganizations()
	m.write("creds/crm", data{"callback_url": m.consent("crm", data{"flow": "organization", "soid": "ZohoCRM.600000434"}, zohotest.Consent{})})
}
