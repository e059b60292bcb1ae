// rules_test.go: an engine in process for the tests of the documents, and the names of series
// in the alert rules, the dashboard and docs/operations.md. promtool_test.go runs the rules.

package docs_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/zohotest"
)

// read is a file of the repository, by its path from there.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile("../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// mount is an engine with one connected credential.
type mount struct {
	logical.Backend
	t       *testing.T
	point   string // where it is mounted
	storage logical.Storage
	zoho    *zohotest.Simulator
}

func newMount(t *testing.T) *mount { return newMountOn(t, "zoho/", &logical.InmemStorage{}) }

func newMountOn(t *testing.T, point string, s logical.Storage) *mount {
	t.Helper()
	zoho := zohotest.New()
	conf := logical.TestBackendConfig()
	system := logical.TestSystemView()
	system.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "1.21.0"} // the root's help asks
	conf.StorageView, conf.System, conf.Logger = s, system, hclog.NewNullLogger()
	engine, err := backend.NewFactory(zoho.Transport())(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Cleanup(context.Background()) })
	m := &mount{engine, t, point, s, zoho}
	app := zoho.DefaultClient()
	m.ask(logical.UpdateOperation, "config", map[string]any{"client_id": app.ID, "client_secret": app.Secret, "redirect_uri": app.RedirectURIs[0], "scopes": "ZohoCRM.org.READ"})
	m.connect("crm", "us")
	return m
}

// connect takes a credential through a consent in a data center.
func (m *mount) connect(name, dc string) {
	m.t.Helper()
	started := m.ask(logical.UpdateOperation, "authorize/"+name, nil)
	landed, err := m.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{DataCenter: dc})
	if err != nil {
		m.t.Fatal(err)
	}
	m.ask(logical.UpdateOperation, "creds/"+name, map[string]any{"callback_url": landed})
}

// scraped is what Prometheus gets of the mount.
func (m *mount) scraped() string {
	m.t.Helper()
	return m.ask(logical.ReadOperation, "metrics", map[string]any{"format": "prometheus"}).Data[logical.HTTPRawBody].(string)
}

func (m *mount) request(op logical.Operation, path string, data map[string]any) *logical.Request {
	return &logical.Request{Operation: op, Path: path, Data: data, Storage: m.storage, MountPoint: m.point}
}

func (m *mount) ask(op logical.Operation, path string, data map[string]any) *logical.Response {
	m.t.Helper()
	resp, err := m.HandleRequest(m.t.Context(), m.request(op, path, data))
	if err != nil || resp.IsError() {
		m.t.Fatal(path, resp, err)
	}
	return resp
}

// panel is one of the dashboard.
type panel struct {
	Title   string
	Targets []struct{ Expr, LegendFormat string }
}

// panels are those of the dashboard.
func panels(t *testing.T) []panel {
	t.Helper()
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "docs/examples/grafana.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	return dashboard.Panels
}

func TestDashboardAsksForWhatIsEmitted(t *testing.T) {
	emitted := newMount(t).scraped()
	shown := map[string]bool{}
	for _, panel := range panels(t) {
		for _, target := range panel.Targets {
			if !strings.Contains(target.LegendFormat, "{{mount_point}}") {
				t.Errorf("%s: the legend %q does not name the mount", panel.Title, target.LegendFormat)
			}
			if n := strings.Count(target.Expr, "vault_zoho_"); strings.Count(target.Expr, `mount_point=~"$mount_point"`) != n {
				t.Errorf("%s: %s does not choose by mount", panel.Title, target.Expr)
			}
			for _, name := range regexp.MustCompile(`vault_zoho_[a-z_]+`).FindAllString(target.Expr, -1) {
				shown[name] = true
				if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(emitted) {
					t.Errorf("%s: %s is not emitted", panel.Title, name)
				}
			}
		}
	}
	for _, name := range regexp.MustCompile(`(?m)^vault_zoho_[a-z_]+`).FindAllString(emitted, -1) {
		if !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestAlertsAndOperationsSpeakOfSeriesThatAreEmitted(t *testing.T) {
	emitted := newMount(t).scraped()
	rules, operations := read(t, "docs/examples/prometheus-rules.yaml"), read(t, "docs/operations.md")
	series := regexp.MustCompile(`vault_zoho_[a-z_]+`)
	named := series.FindAllString(rules+operations, -1)
	if len(named) < 15 {
		t.Fatalf("only %d series are named", len(named))
	}
	for _, name := range named {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(emitted) {
			t.Errorf("%s is not emitted", name)
		}
	}
	for _, name := range series.FindAllString(emitted, -1) {
		if !strings.Contains(operations, name) {
			t.Errorf("docs/operations.md says nothing of %s", name)
		}
	}
	calls := regexp.MustCompile(`call=~"([a-z|]+)"`).FindAllStringSubmatch(rules, -1)
	if len(calls) == 0 {
		t.Fatal("no rule asks for a kind of call")
	}
	for _, alternatives := range calls {
		for call := range strings.SplitSeq(alternatives[1], "|") {
			if !strings.Contains(emitted, `call="`+call+`"`) {
				t.Errorf("no series has the call %s", call)
			}
		}
	}
	labels := regexp.MustCompile(`state="([a-z_]+)"`).FindAllStringSubmatch(rules, -1)
	if len(labels) == 0 {
		t.Fatal("no rule asks for a state")
	}
	for _, label := range labels {
		if !strings.Contains(emitted, label[0]) {
			t.Errorf("no series has %s", label[0])
		}
	}
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	for _, alert := range alerts {
		if !strings.Contains(operations, "| `"+alert[1]+"` |") {
			t.Errorf("docs/operations.md does not say what to do about %s", alert[1])
		}
	}
}
