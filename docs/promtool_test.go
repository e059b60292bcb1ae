// promtool_test.go: the alert rules and the dashboard, run by promtool: on written series of two
// mounts, and on what engines in process emit.

package docs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// promtool runs Prometheus's tool. Without it the test is skipped, but in CI it fails: a rule
// that nobody has run is no example.
func promtool(t *testing.T, stdin string, arguments ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal("promtool is not on the PATH; install it with Prometheus (Debian: apt-get install prometheus)")
	case err != nil:
		t.Skip("NOT RUN: promtool is not on the PATH, so the alert rules are not tested; install it with Prometheus (Debian: apt-get install prometheus)")
	}
	command := exec.CommandContext(t.Context(), tool, arguments...)
	command.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out.String())
	}
}

func TestAlertsOfTwoMountsFireAsWritten(t *testing.T) {
	promtool(t, "", "check", "rules", "examples/prometheus-rules.yaml")
	promtool(t, "", "test", "rules", "examples/prometheus-rules.test.yaml")
	tests := read(t, "docs/examples/prometheus-rules.test.yaml")
	for _, alert := range alerts(t) {
		if !strings.Contains(tests, "alertname: "+alert) {
			t.Errorf("no test is about %s", alert)
		}
	}
}

// alerts are the names of the rules.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "docs/examples/prometheus-rules.yaml"), -1) {
		names = append(names, m[1])
	}
	return names
}

// The series here are what engines emit, so a metric, a label or a state that is renamed in
// the engine alone leaves an alert silent, and the test fails.
func TestAlertsFireOnWhatTheEngineEmits(t *testing.T) {
	var before, after []string // scrapes of the mounts zoho/ and team/zoho/
	var gone string
	synctest.Test(t, func(t *testing.T) {
		good := newMountOn(t, "zoho/", &logical.InmemStorage{})
		disk := &failingStorage{Storage: &logical.InmemStorage{}}
		bad := newMountOn(t, "team/zoho/", disk)
		bad.connect("books", "eu")
		bad.connect("desk", "in")
		before = []string{good.scraped(), bad.scraped()}
		bad.fallsIntoTrouble(disk)
		after = []string{good.scraped(), bad.scraped()}
		gone = newMountOn(t, "gone/", &logical.InmemStorage{}).scraped()
	})
	for _, text := range slices.Concat(before, after) {
		promtool(t, text, "check", "metrics")
	}

	// Gauges change before counters, so that at minute 65 all alerts fire at once.
	u := unitTest{rules: "examples/prometheus-rules.yaml"}
	for i := range before {
		was := samples(before[i])
		for _, s := range samples(after[i]) {
			old := "_"
			if at := slices.IndexFunc(was, func(w sample) bool { return w.series == s.series }); at >= 0 {
				old = was[at].value
			}
			change := 40
			if s.counter {
				change = 60
			}
			u.add(s.series, fmt.Sprintf("%sx%d %sx%d", old, change, s.value, 100-change))
		}
	}
	for _, s := range samples(gone) {
		u.add(s.series, s.value+"x40 stale")
	}
	var firing []string
	for _, alert := range alerts(t) {
		point := "team/zoho/"
		if alert == "ZohoMetricsMissing" {
			point = "gone/"
		}
		firing = append(firing, fmt.Sprintf("{ labels: '{alertname=%q,mount_point=%q}', value: 1 }", alert, point))
	}
	const query = `count by (alertname, mount_point) (ALERTS{alertstate="firing"})`
	u.expects(query, "39m")
	u.expects(query, "65m", firing...)
	u.run(t)
}

// fallsIntoTrouble makes every alert fire but that of missing metrics. In the end crm needs
// consent, books (eu) is unavailable and desk (in) throttled; a grant has waited for hours to
// be revoked, and a token could not be stored.
func (m *mount) fallsIntoTrouble(disk *failingStorage) {
	m.t.Helper()
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
	m.connect("crm", "us") // replaces a grant, which is to be revoked in an hour
	disk.broken.Store(true)
	m.connect("sales", "us") // whose first token cannot be stored
	disk.broken.Store(false)
	for range 4 {
		time.Sleep(61 * time.Minute)
		_, err := m.HandleRequest(m.t.Context(), &logical.Request{Operation: logical.RollbackOperation, Storage: m.storage})
		if err != nil && !errors.Is(err, logical.ErrUnsupportedOperation) {
			m.t.Fatal(err)
		}
		synctest.Wait()
	}
	for _, grant := range m.zoho.RefreshTokens() {
		m.zoho.RevokeRefreshToken(grant.Token)
	}
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", DataCenter: "eu"})
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", DataCenter: "in"})
	for _, name := range []string{"crm", "books", "desk"} {
		if resp, err := m.HandleRequest(m.t.Context(), m.request(logical.ReadOperation, "creds/"+name, nil)); err == nil && !resp.IsError() {
			m.t.Fatalf("%s is not in trouble", name)
		}
	}
}

// failingStorage takes no tokens while it is broken.
type failingStorage struct {
	logical.Storage
	broken atomic.Bool
}

func (s *failingStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	if s.broken.Load() && strings.HasPrefix(e.Key, "token/") {
		return errors.New("disk full")
	}
	return s.Storage.Put(ctx, e)
}

// Each query of the dashboard shows each of two mounts.
func TestDashboardTellsMountsApart(t *testing.T) {
	u := unitTest{}
	for _, point := range []string{"zoho/", "team/zoho/"} {
		for _, s := range samples(newMountOn(t, point, &logical.InmemStorage{}).scraped()) {
			u.add(s.series, "1+1x100")
		}
	}
	for _, panel := range panels(t) {
		for _, target := range panel.Targets {
			query := strings.NewReplacer("$instance", ".*", "$mount_point", ".*").Replace(target.Expr)
			u.expects("count(count by (mount_point) ("+query+"))", "65m", "{ labels: '{}', value: 2 }")
		}
	}
	u.run(t)
}

// The jobs that docs/api.md shows are ones that Prometheus takes.
func TestScrapeJobsInTheDocumentsAreValid(t *testing.T) {
	found := 0
	for _, m := range regexp.MustCompile("(?s)```yaml\n(scrape_configs:.*?)```").FindAllStringSubmatch(read(t, "docs/api.md"), -1) {
		found++
		file := filepath.Join(t.TempDir(), "prometheus.yml")
		if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		promtool(t, "", "check", "config", "--syntax-only", file)
	}
	if found == 0 {
		t.Error("docs/api.md shows no job")
	}
}

// sample is a line of a scrape, with the labels that Prometheus adds.
type sample struct {
	series, value string
	counter       bool
}

func samples(text string) (all []sample) {
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		name, labels, _ := strings.Cut(series, "{")
		if strings.HasPrefix(line, "#") {
			continue
		}
		all = append(all, sample{name + `{job="vault-zoho",instance="a",` + labels + "}", value, strings.HasSuffix(name, "_total")})
	}
	return all
}

// unitTest is a file for promtool test rules.
type unitTest struct {
	rules         string // a file of rules, or empty
	series, tests strings.Builder
}

// add adds a series, with values a minute apart in promtool's notation.
func (u *unitTest) add(series, values string) {
	fmt.Fprintf(&u.series, "      - series: '%s'\n        values: '%s'\n", series, values)
}

// expects adds a query with the samples of its result.
func (u *unitTest) expects(query, at string, result ...string) {
	fmt.Fprintf(&u.tests, "      - expr: '%s'\n        eval_time: %s\n        exp_samples: [%s]\n", query, at, strings.Join(result, ", "))
}

func (u *unitTest) run(t *testing.T) {
	t.Helper()
	text := "tests:\n  - interval: 1m\n    input_series:\n" + u.series.String() + "    promql_expr_test:\n" + u.tests.String()
	if u.rules != "" {
		rules, err := filepath.Abs(u.rules)
		if err != nil {
			t.Fatal(err)
		}
		text = fmt.Sprintf("rule_files: [%q]\nevaluation_interval: 1m\n", rules) + text
	}
	file := filepath.Join(t.TempDir(), "generated.test.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "test", "rules", file)
}
