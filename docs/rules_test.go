// Do the documents say what is so? The alert rules here; the others are in the files
// beside it.

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
	storage logical.Storage
}

func newMount(t *testing.T) *mount {
	t.Helper()
	zoho := zohotest.New()
	conf := logical.TestBackendConfig()
	system := logical.TestSystemView()
	system.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "1.21.0"} // the root's help asks
	conf.StorageView, conf.System, conf.Logger = &logical.InmemStorage{}, system, hclog.NewNullLogger()
	engine, err := backend.NewFactory(zoho.Transport())(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Cleanup(context.Background()) })
	m := &mount{engine, t, conf.StorageView}
	app := zoho.DefaultClient()
	m.ask(logical.UpdateOperation, "config", map[string]any{"client_id": app.ID, "client_secret": app.Secret, "redirect_uri": app.RedirectURIs[0], "scopes": "ZohoCRM.org.READ"})
	started := m.ask(logical.UpdateOperation, "authorize/crm", nil)
	landed, err := zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{})
	if err != nil {
		t.Fatal(err)
	}
	m.ask(logical.UpdateOperation, "creds/crm", map[string]any{"callback_url": landed})
	return m
}

func (m *mount) ask(op logical.Operation, path string, data map[string]any) *logical.Response {
	m.t.Helper()
	resp, err := m.HandleRequest(m.t.Context(), &logical.Request{Operation: op, Path: path, Data: data, Storage: m.storage})
	if err != nil || resp.IsError() {
		m.t.Fatal(path, resp, err)
	}
	return resp
}

func TestDashboardAsksForWhatIsEmitted(t *testing.T) {
	emitted := newMount(t).ask(logical.ReadOperation, "metrics", map[string]any{"format": "prometheus"}).Data[logical.HTTPRawBody].(string)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "docs/examples/grafana.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
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
	emitted := newMount(t).ask(logical.ReadOperation, "metrics", map[string]any{"format": "prometheus"}).Data[logical.HTTPRawBody].(string)
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
