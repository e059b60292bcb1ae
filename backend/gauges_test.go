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

// series is a value of the Prometheus text for the mount zoho/, -1 if it is not there. name has
// no mount_point.
func (m *mount) series(name string) int {
	m.t.Helper()
	const label = `mount_point="zoho/"`
	if family, labels, labelled := strings.Cut(name, "{"); labelled {
		name = family + "{" + label + "," + labels
	} else {
		name += "{" + label + "}"
	}
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
	})
}

// A gauge that is empty for a while resolves a page, which then starts anew.
func TestCredentialsAreCountedRightAfterWritesToConfigAndCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("good")
		m.connect("bad")
		m.zoho.RevokeRefreshToken(m.zoho.RefreshTokens()[1].Token)
		_, _ = m.try(logical.ReadOperation, "creds/bad", nil)
		const want = "us ready 1, us needs_consent 1"
		changes := map[string]func(){
			"nothing":                               func() {},
			"a write of config":                     func() { m.write("config", data{"pkce": true}) },
			"a patch of config":                     func() { m.patch("config", data{"pkce": false}) },
			"a write of config on another node":     func() { m.backend.InvalidateKey(t.Context(), "config") },
			"a write of the credential":             func() { m.write("creds/bad", data{"max_age": "31m"}) },
			"a patch of the credential":             func() { m.patch("creds/bad", data{"max_age": "32m"}) },
			"a write of the credential on a node":   func() { m.backend.InvalidateKey(t.Context(), "creds/bad") },
			"writes of both":                        func() { m.write("config", data{"pkce": true}); m.write("creds/bad", data{"max_age": "31m"}) },
			"a consent that is started":             func() { m.write("authorize/bad", nil) },
			"a consent that another node started":   func() { m.backend.InvalidateKey(t.Context(), "pending/bad") },
			"a write of config that cannot be read": func() { m.write("config", data{"pkce": false}); m.storage.failing("get", "config") },
			"a credential written that is unread":   func() { m.write("creds/bad", data{"max_age": "32m"}); m.storage.failing("get", "creds/") },
		}
		for change, makes := range changes {
			makes()
			if got := m.gauged(); got != want {
				t.Errorf("after %s: %s; want %s", change, got, want)
			}
			m.storage.working()
		}
		m.gauged()
		before := m.storage.operations.Load()
		if got := m.gauged(); got != want {
			t.Errorf("at the end: %s; want %s", got, want)
		}
		if n := m.storage.operations.Load() - before; n > 0 {
			t.Errorf("a scrape after which nothing changed cost %d storage operations", n)
		}
		m.delete("creds/bad")
		m.gauged()
		if got := m.gauged(); got != "us ready 1" {
			t.Errorf("after a delete: %s", got)
		}
		if err := m.storage.Storage.Delete(t.Context(), "creds/good"); err != nil {
			t.Fatal(err)
		}
		m.backend.InvalidateKey(t.Context(), "creds/good")
		if got := m.gauged(); got != "" {
			t.Errorf("after a delete by another node: %s", got)
		}
	})
}

// Each scrape reads a bounded number of changed credentials; until then they count as before.
func TestScrapeReadsFewOfManyChangedCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		const n = 250
		m.configure(nil)
		m.connect("crm0")
		stored := []byte(m.storage.contents(t)["creds/crm0"])
		for i := 1; i < n; i++ {
			if err := m.storage.Storage.Put(t.Context(), &logical.StorageEntry{Key: fmt.Sprintf("creds/crm%d", i), Value: stored}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			m.read(fmt.Sprintf("creds/crm%d", i))
		}
		for i := range n {
			m.backend.InvalidateKey(t.Context(), fmt.Sprintf("creds/crm%d", i))
		}
		for scrape := range 4 {
			before := m.storage.operations.Load()
			text := m.scraped()
			if want := fmt.Sprintf(`vault_zoho_credentials{mount_point="zoho/",data_center="us",state="ready"} %d`, n); !strings.Contains(text, want) {
				t.Errorf("scrape %d: %s is missing", scrape, want)
			}
			if cost := m.storage.operations.Load() - before; cost > 300 || scrape == 3 && cost > 0 {
				t.Errorf("scrape %d cost %d storage operations", scrape, cost)
			}
		}
	})
}

func TestEverySeriesNamesTheMountThatIsScraped(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for point, label := range map[string]string{
			"zoho/":           `mount_point="zoho/"`,
			"team/emea/zoho/": `mount_point="team/emea/zoho/"`,
			"a \"b\" \\c\nü/": `mount_point="a \"b\" \\c\nü/"`,
		} {
			resp, err := m.backend.HandleRequest(t.Context(), &logical.Request{
				Operation: logical.ReadOperation, Path: "metrics", Data: data{"format": "prometheus"}, Storage: m.storage, MountPoint: point,
			})
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(resp.Data[logical.HTTPRawBody].(string)) {
				if _, labels, _ := strings.Cut(line, "{"); !strings.HasPrefix(line, "#") && !strings.HasPrefix(labels, label) {
					t.Errorf("of mount %q: %s", point, line)
				}
			}
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

// Each call to Zoho is counted by its kind, whichever flow makes it.
func TestEachCallIsCountedByItsKind(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"verify": false})
		m.connect("crm")
		results := map[string]zohotest.Fault{
			"throttles": {Kind: zohotest.Throttle}, "refusals": {Kind: zohotest.Refuse, Error: "invalid_client"}, "failures": {Kind: zohotest.Status5xx},
		}
		failed := func() map[string]map[string]int64 {
			return m.read("metrics")["failed_calls"].(map[string]map[string]int64)
		}
		for _, c := range []struct {
			call, endpoint string
			make           func()
		}{
			{"mint", "token", func() { _, _ = m.try(logical.ReadOperation, "creds/crm", nil) }},
			{"exchange", "token", func() { _, _ = m.try(logical.UpdateOperation, "creds/new", data{"callback_url": m.landed}) }},
			{"import", "token", func() {
				_, _ = m.try(logical.UpdateOperation, "creds/imported", data{"refresh_token": "1000." + strings.Repeat("ab", 16) + "." + strings.Repeat("cd", 16)})
			}},
			{"device", "device", func() { _, _ = m.try(logical.UpdateOperation, "authorize/device", data{"flow": "device"}) }},
			{"revoke", "revoke", func() { _, _ = m.try(logical.UpdateOperation, "revoke/crm", nil) }},
			{"scopes", "enhance", func() {
				_, _ = m.try(logical.UpdateOperation, "authorize/crm", data{"add_scopes": "ZohoBooks.fullaccess.all"})
			}},
			{"probe", "api", func() { _, _ = m.try(logical.UpdateOperation, "status/crm", data{"probe": true}) }},
			{"verify", "token", func() { _, _ = m.try(logical.UpdateOperation, "config", data{"verify": true}) }},
		} {
			for result, fault := range results {
				passes(2 * time.Hour) // nothing is waited out
				if c.call == "revoke" || c.call == "probe" || c.call == "scopes" {
					m.token("crm") // there is one to revoke or to ask with
				}
				m.landed = m.consent("new", nil, zohotest.Consent{})
				before, totals := failed(), m.read("metrics")
				if fault.Endpoint = c.endpoint; c.call == "revoke" && result == "refusals" {
					fault.Error = "invalid_scope" // of the client it is no verdict: another form of the call is tried
				}
				if c.call == "probe" && result == "refusals" { // an API's words are its own
					m.zoho.RevokeAccessToken(m.token("crm"))
				} else {
					m.zoho.Fault(fault)
				}
				c.make()
				m.zoho.ClearFaults()
				for call, counts := range failed() {
					for kind, n := range counts {
						if more := n - before[call][kind]; (more > 0) != (call == c.call && kind == result) {
							t.Errorf("a %s that ends as %s: %s of %s counts %d more", c.call, result, kind, call, more)
						}
						if inText := m.series(fmt.Sprintf(`vault_zoho_%s_total{call=%q}`, kind, call)); int64(inText) != n {
							t.Errorf("%s of %s: %d in JSON, %d in text", kind, call, n, inText)
						}
					}
				}
				if after := m.read("metrics")[result].(int64); after <= totals[result].(int64) {
					t.Errorf("a %s that ends as %s: the sum %s is not higher", c.call, result, result)
				}
			}
		}
	})
}

// The made-up refresh token of verify is refused where the client is known, a person who has
// not typed the code yet is no failure, and a token that is already gone is revoked.
func TestExpectedAnswersAreNoFailedCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		code := m.device("crm")
		m.write("config", data{"verify": true})
		passes(time.Minute)
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "waiting")
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(time.Minute)
		m.token("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.delete("creds/crm")
		for call, counts := range m.read("metrics")["failed_calls"].(map[string]map[string]int64) {
			for kind, n := range counts {
				if n != 0 {
					t.Errorf("%s of %s counts %d", kind, call, n)
				}
			}
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
