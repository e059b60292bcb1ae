// Do the gauges say how things stand, at no cost to storage?

package backend_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// scraped is the Prometheus text.
func (m *mount) scraped() string {
	m.t.Helper()
	return m.readWith("metrics", data{"format": "prometheus"})[logical.HTTPRawBody].(string)
}

// series is a value of the Prometheus text, -1 if it is not there.
func (m *mount) series(name string) int {
	m.t.Helper()
	for line := range strings.Lines(m.scraped()) {
		var value int
		if rest, found := strings.CutPrefix(line, name+" "); found {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				m.t.Fatalf("%s: %v", line, err)
			}
			return value
		}
	}
	return -1
}

// gauged are the gauges of credentials that are not zero.
func (m *mount) gauged() string {
	m.t.Helper()
	var there []string
	for _, dc := range m.zoho.DataCenters() {
		for _, state := range []string{"ready", "needs_consent", "throttled", "unavailable", "disabled"} {
			if n := m.series(fmt.Sprintf("vault_zoho_credentials{data_center=%q,state=%q}", dc, state)); n > 0 {
				there = append(there, fmt.Sprintf("%s %s %d", dc, state, n))
			}
		}
	}
	return strings.Join(there, ", ")
}

func TestCredentialsAreCountedByStateAndDataCenter(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		grants := map[string]string{}
		for _, c := range []struct{ name, dc string }{{"a", "us"}, {"b", "us"}, {"c", "us"}, {"d", "eu"}, {"e", "in"}} {
			m.write("creds/"+c.name, data{"callback_url": m.consent(c.name, nil, zohotest.Consent{DataCenter: c.dc})})
			all := m.zoho.RefreshTokens()
			grants[c.name] = all[len(all)-1].Token
		}
		if got, want := m.gauged(), "us ready 3, eu ready 1, in ready 1"; got != want {
			t.Errorf("connected: %s; want %s", got, want)
		}

		m.write("creds/c", data{"disabled": true})
		m.zoho.RevokeRefreshToken(grants["b"])
		passes(time.Minute)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, DataCenter: "eu"})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, DataCenter: "in"})
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			_, _ = m.try(logical.ReadOperation, "creds/"+name, data{"max_age": 1})
		}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			m.read("status/" + name)
		}
		before := m.storage.operations.Load()
		want := "us ready 1, us needs_consent 1, us disabled 1, eu throttled 1, in unavailable 1"
		if got := m.gauged(); got != want {
			t.Errorf("in trouble: %s; want %s", got, want)
		}
		if n := m.storage.operations.Load() - before; n > 0 {
			t.Errorf("scraping cost %d storage operations", n)
		}
		if states := m.read("metrics")["credentials"].(map[string]any)["eu"].(map[string]int); states["throttled"] != 1 || len(states) != 5 {
			t.Errorf("in JSON eu is %v", states)
		}

		m.zoho.ClearFaults()
		m.write("creds/c", data{"disabled": false})
		m.connect("b")
		passes(time.Hour)
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			m.token(name)
		}
		if got, want := m.gauged(), "us ready 3, eu ready 1, in ready 1"; got != want {
			t.Errorf("mended: %s; want %s", got, want)
		}
		if n := m.series(`vault_zoho_credentials{data_center="eu",state="throttled"}`); n != 0 {
			t.Errorf("a state that is over is %d; an alert needs a 0", n)
		}
		m.delete("creds/a")
		if got, want := m.gauged(), "us ready 2, eu ready 1, in ready 1"; got != want {
			t.Errorf("after a delete: %s; want %s", got, want)
		}
		// Another node wrote config: what the credentials are under it is not known yet.
		m.backend.InvalidateKey(t.Context(), "config")
		if got := m.read("metrics")["credentials"].(map[string]any); len(got) != 0 {
			t.Errorf("without a config it says %v", got)
		}
	})
}

func TestCredentialsOfAnotherClientNeedConsent(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		other := m.zoho.AddClient(zohotest.Client{DataCenter: "us", RedirectURIs: []string{"http://localhost:8910/callback"}})
		m.write("config", data{"client_id": other.ID, "client_secret": other.Secret})
		_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
		if got, want := m.gauged(), "us needs_consent 1"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
	})
}

func TestCredentialOfWhoseGrantMemoryTellsNothingIsNotCountedAsReady(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
		if got, want := m.gauged(), "us needs_consent 1"; got != want {
			t.Fatalf("%s; want %s", got, want)
		}
		m.restart()
		m.read("status/crm") // brings the credential to memory, and not what is known of its grant
		if got := m.gauged(); got != "" {
			t.Errorf("though only storage knows that it is refused: %s", got)
		}
	})
}

func TestRetiredGrantsAreCountedUntilZohoAgrees(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		waits := func() string {
			if inJSON, inText := m.read("metrics")["retired_oldest_seconds"], m.series("vault_zoho_retired_oldest_seconds"); fmt.Sprint(inJSON) != fmt.Sprint(inText) {
				t.Errorf("the first has waited %v seconds in JSON, %d in Prometheus's text", inJSON, inText)
			}
			return fmt.Sprint(m.series("vault_zoho_retired_grants"), " ", m.series("vault_zoho_retired_oldest_seconds")/60, "m")
		}
		m.configure(nil)
		m.connect("crm")
		m.tick()
		if got := waits(); got != "0 0m" {
			t.Errorf("nothing is retired: %s", got)
		}
		m.connect("crm")
		passes(10 * time.Minute)
		m.connect("crm")
		passes(time.Minute)
		m.tick()
		if got := waits(); got != "2 11m" {
			t.Errorf("two were replaced: %s", got)
		}
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.hours()
		if got := waits(); got != "2 194m" {
			t.Errorf("Zoho does not revoke: %s", got)
		}
		m.zoho.ClearFaults()
		passes(2 * time.Hour)
		m.tick()
		if got := waits(); got != "0 0m" {
			t.Errorf("Zoho agreed: %s", got)
		}
	})
}

// As Prometheus's text format has it: each series is said to be a gauge or a counter
// before it comes.
func TestEachSeriesSaysWhatItIs(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		said := map[string]bool{}
		series := 0
		for line := range strings.Lines(m.scraped()) {
			words := strings.Fields(line)
			if words[0] == "#" {
				said[words[1]+" "+words[2]] = len(words) > 3
				continue
			}
			series++
			if name, _, _ := strings.Cut(words[0], "{"); !said["HELP "+name] || !said["TYPE "+name] {
				t.Errorf("nothing says what %s is", name)
			}
		}
		if series < 10 {
			t.Errorf("%d series", series)
		}
	})
}

func TestEachCallIsCountedAsWhatItWas(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		counted := []string{"mints", "throttles", "refusals", "failures", "storage_failures"}
		for want, fault := range map[string]*zohotest.Fault{
			"mints": nil, "throttles": {Kind: zohotest.Throttle}, "refusals": {Kind: zohotest.Refuse, Error: "invalid_client"}, "failures": {Kind: zohotest.Status5xx},
		} {
			passes(2 * time.Hour) // no token lives, and nothing is waited out
			before := m.read("metrics")
			if fault != nil {
				fault.Endpoint, fault.Times = "token", 1
				m.zoho.Fault(*fault)
			}
			_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
			after := m.read("metrics")
			for _, counter := range counted {
				if more := after[counter].(int64) - before[counter].(int64); (more == 1) != (counter == want) || more > 1 {
					t.Errorf("of a call that counts as %s, %s counts %d", want, counter, more)
				}
			}
		}
		m.storage.failing("put", "token/")
		m.connect("books") // whose first token can't be stored
		m.storage.working()
		if n := m.read("metrics")["storage_failures"]; n != int64(1) {
			t.Errorf("of a write that failed, storage_failures counts %v", n)
		}
	})
}

// BenchmarkScrape has as many credentials in memory as fit.
func BenchmarkScrape(b *testing.B) {
	m := warmMount(b, 10_000)
	for i := range 10_000 {
		m.read(fmt.Sprintf("creds/crm%d", i))
	}
	for b.Loop() {
		_, err := m.backend.HandleRequest(context.Background(), &logical.Request{
			Operation: logical.ReadOperation, Path: "metrics", Data: data{"format": "prometheus"}, Storage: m.storage,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
