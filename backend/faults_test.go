// What does each way in which Zoho fails do to each thing that asks Zoho? The table in
// docs/faults.md, which is what this test has seen; with -update it writes it anew.

package backend_test

import (
	"cmp"
	"flag"
	"fmt"
	"html"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

var update = flag.Bool("update", false, "write the tables of docs/ that tests generate, instead of comparing them")

const faultsPage = "../docs/faults.md"

// trouble is one way in which Zoho fails, for as long as a request lasts.
type trouble struct {
	name  string
	fault zohotest.Fault
}

// faultKinds are every kind of fault that the simulator has, and of those with a setting
// each value that is another case for a client. A request waits ten seconds for Zoho.
func faultKinds() []trouble {
	return []trouble{
		{"status 503", zohotest.Fault{Kind: zohotest.Status5xx}},
		{"page, 200", zohotest.Fault{Kind: zohotest.HTML}},
		{"page, 403", zohotest.Fault{Kind: zohotest.HTML, Status: 403}},
		{"hang", zohotest.Fault{Kind: zohotest.Hang}},
		{"reset", zohotest.Fault{Kind: zohotest.Reset}},
		{"slow, 5 s", zohotest.Fault{Kind: zohotest.Slow, Delay: 5 * time.Second}},
		{"slow, 30 s", zohotest.Fault{Kind: zohotest.Slow, Delay: 30 * time.Second}},
		{"general_error", zohotest.Fault{Kind: zohotest.Refuse}},
		{"invalid_client", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"}},
		{"invalid_code", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_code"}},
		{"access_denied", zohotest.Fault{Kind: zohotest.Refuse, Error: "access_denied"}},
		{"a new word", zohotest.Fault{Kind: zohotest.Refuse, Error: "something_new"}},
		{"throttle", zohotest.Fault{Kind: zohotest.Throttle}},
		{"lost answer", zohotest.Fault{Kind: zohotest.LostAnswer}},
		{"torn answer", zohotest.Fault{Kind: zohotest.Truncated}},
		{"garbage", zohotest.Fault{Kind: zohotest.Garbage}},
		{"slow answer, 5 s", zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second}},
		{"slow answer, 30 s", zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 30 * time.Second}},
	}
}

// told is what a caller gets, in the table's words.
type told struct {
	outcome string // done, warned, refused
	status  int
	text    string
}

// asked is a request with its answer.
func (m *mount) asked(op logical.Operation, path string, d data) told {
	m.t.Helper()
	resp, err := m.try(op, path, d)
	synctest.Wait() // what goes on behind the answer
	switch refused, ok := err.(*refusal); {
	case ok:
		return told{"refused", refused.status, refused.text}
	case err != nil:
		m.t.Fatalf("%s %s: %v", op, path, err)
	case resp != nil && len(resp.Warnings) > 0:
		return told{"done, with a warning", 200, strings.Join(resp.Warnings, "; ")}
	case resp != nil && resp.Data["failed"] != nil && resp.Data["failed"] != 0:
		m.t.Errorf("%s %s: %v without a warning", op, path, resp.Data)
	case resp != nil:
		return told{"done", 200, ""}
	}
	return told{"done", 204, ""}
}

var (
	tags    = regexp.MustCompile(`<[^>]*>`)
	heading = regexp.MustCompile(`<h1>(.*?)</h1>`)
	lead    = regexp.MustCompile(`<p class="lead">(.*?)</p>`)
	details = regexp.MustCompile(`<details>.*?<p class="small">(.*?)</p>`)
)

// browsed is a browser at an address of the callback, and what it shows.
func (m *mount) browsed(address string) told {
	m.t.Helper()
	got := m.land(address)
	synctest.Wait()
	part := func(r *regexp.Regexp) string {
		if found := r.FindStringSubmatch(got.page); found != nil {
			return html.UnescapeString(tags.ReplaceAllString(found[1], ""))
		}
		return ""
	}
	text := "“" + part(heading) + "” "
	if got.status == 200 {
		return told{"done", 200, text}
	}
	return told{"refused", got.status, text + cmp.Or(part(details), part(lead))}
}

// stateOf is what status says of a credential.
func (m *mount) stateOf(name string) string {
	m.t.Helper()
	resp, err := m.try(logical.ReadOperation, "status/"+name, nil)
	if err != nil {
		return "absent"
	}
	return resp.Data["state"].(string)
}

// callsSince lists the calls by endpoint that arrived since counts were taken.
func (m *mount) callsSince(before map[string]int) string {
	var calls []string
	now := m.zoho.Counts().ByEndpoint
	for _, endpoint := range slices.Sorted(maps.Keys(now)) {
		if n := now[endpoint] - before[endpoint]; n == 1 {
			calls = append(calls, endpoint)
		} else if n > 1 {
			calls = append(calls, fmt.Sprintf("%d %s", n, endpoint))
		}
	}
	return cmp.Or(strings.Join(calls, ", "), "none")
}

// cell is what one trouble does to one thing.
type cell struct{ outcome, message, calls, state, again string }

// particulars are what a message says in brackets of the answer it is about.
var particulars = regexp.MustCompile(`((?:from|by) accounts\.zoho\.com) \([^)]*\)`)

// shortened makes a message fit for a table.
func shortened(text string, most int) string {
	text = particulars.ReplaceAllString(text, "$1 (…)")
	text = strings.TrimSpace(strings.NewReplacer("|", "/", "\n", " ", "<", "&lt;").Replace(text))
	if letters := []rune(text); len(letters) > most {
		text = strings.TrimRight(string(letters[:most]), " .,;:(") + "…"
	}
	return text
}

// after is what the second try gets, told by how it differs from the first.
func (got told) after(first told) string {
	switch {
	case got == first:
		return "the same"
	case got.status == 0 || got.text == "":
		return got.outcome
	}
	return fmt.Sprintf("%s, %d: %s", got.outcome, got.status, shortened(got.text, 80))
}

// meets lets one trouble meet one thing that asks Zoho, and fails the test unless every
// promise is kept.
func (d dealing) meets(t *testing.T, tr trouble) (c cell) {
	inBubble(t, func(t *testing.T, m *mount) {
		d.prepare(m)
		s := d.stage(m)
		held := map[string]string{}
		for _, name := range s.before {
			held[name] = m.token(name)
		}
		if s.prepared != nil {
			s.prepared()
		}
		maps.DeleteFunc(held, func(_, token string) bool { return !m.zoho.Alive(token) })
		fine := func(got told) {
			t.Helper()
			if got.status == 500 || strings.Contains(got.text, "internal error") || strings.Contains(got.text, "internal fault") {
				t.Errorf("a failure of Zoho is told as one of Vault: %d %s", got.status, got.text)
			}
			if d.spends && strings.Contains(got.text, "Not connected yet") {
				t.Errorf("the code is spent, and the page says to load it again: %s", got.text)
			}
			if d.spends && !d.browser && got.outcome == "refused" && got.status != 400 {
				t.Errorf("the code is spent, and API clients send such a write again: %d %s", got.status, got.text)
			}
		}
		before := m.zoho.Counts().ByEndpoint
		fault := tr.fault
		fault.Endpoint = d.endpoint
		m.zoho.Fault(fault)
		got := s.ask()
		fine(got)
		if m.zoho.Counts().ByEndpoint[d.endpoint] == before[d.endpoint] {
			t.Errorf("nobody asked %q: the trouble met nothing", d.endpoint)
		}
		m.zoho.ClearFaults()
		c = cell{outcome: strings.TrimSuffix(fmt.Sprintf("%s, %d", got.outcome, got.status), ", 0"), message: shortened(got.text, 110), calls: m.callsSince(before), state: m.stateOf("crm")}

		before = m.zoho.Counts().ByEndpoint
		again := s.ask
		if s.again != nil {
			again = s.again
		}
		second := again()
		fine(second)
		c.again = second.after(got)
		if calls := m.callsSince(before); calls != "none" {
			c.again += " (" + calls + ")"
		}

		// Whoever had a token has one that works, whatever was said about another grant.
		m.token("books")
		for name, token := range held {
			if !m.zoho.Alive(token) && !d.ends {
				t.Errorf("a token of %s that an app holds was ended", name)
			}
		}
		// When the longest wait is over everything works that worked before.
		passes(16 * time.Minute)
		m.tick()
		for _, name := range s.before {
			if name != "crm" || !d.deletes {
				m.token(name)
			}
		}
		if s.recover != nil {
			s.recover()
		}
		if !d.deletes {
			m.token("crm")
		}
		m.hours()
		if d.endpoint == "revoke" && tr.fault.Error == "invalid_code" {
			m.endOrphans() // Zoho said that it knows no such token, and was believed
		}
		m.noGrantButThoseInUse(tr.name)
	})
	return c
}

func TestEachFaultIsMetAsTheTableSays(t *testing.T) {
	nothingAtOnce(t)
	page, err := os.ReadFile(faultsPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- begin of what the test writes -->\n", "<!-- end of what the test writes -->\n"
	intro, rest, begun := strings.Cut(string(page), begin)
	committed, outro, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has lost its markers", faultsPage)
	}
	all, kinds := dealings(), faultKinds()
	cells := make([][]cell, len(all))
	t.Run("all", func(t *testing.T) {
		for i, d := range all {
			cells[i] = make([]cell, len(kinds))
			for j, tr := range kinds {
				t.Run(d.name+"/"+tr.name, func(t *testing.T) {
					t.Parallel()
					cells[i][j] = d.meets(t, tr)
				})
			}
		}
	})
	var table strings.Builder
	for i, d := range all {
		fmt.Fprintf(&table, "\n### %s\n\nWhat fails: `%s`.\n\n| fault | outcome | message | calls | state | the same again at once |\n|---|---|---|---|---|---|\n", d.name, d.endpoint)
		var order []cell
		faults := map[cell][]string{}
		for j, c := range cells[i] {
			if faults[c] == nil {
				order = append(order, c)
			}
			faults[c] = append(faults[c], kinds[j].name)
		}
		for _, c := range order {
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s |\n", strings.Join(faults[c], "; "), c.outcome, c.message, c.calls, c.state, c.again)
		}
	}
	table.WriteString("\n")
	switch {
	case t.Failed(), committed == table.String():
	case *update:
		if err := os.WriteFile(faultsPage, []byte(intro+begin+table.String()+end+outro), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what is seen now, first at %s; if that is meant, write it with go test ./backend -run %s -update", faultsPage, firstDifference(committed, table.String()), t.Name())
	}
}

// firstDifference shows a line that differs.
func firstDifference(old, now string) string {
	was, is := strings.Split(old, "\n"), strings.Split(now, "\n")
	for i := range is {
		if i >= len(was) || was[i] != is[i] {
			return fmt.Sprintf("%q", is[i])
		}
	}
	return "its end"
}
