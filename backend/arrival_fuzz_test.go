// What if the query of the callback is anything at all? No panic, no status but those of
// pages, one exchange at most, no markup of the sender's, and without a genuine state
// nothing is touched.

package backend_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// ourTags are those that a page has.
var (
	anyTag  = regexp.MustCompile(`<[^>]*>?`)
	ourTags = regexp.MustCompile(`^<(!doctype html|/?(html|head|body|main|style|title|svg|circle|path|h1|h2|p|dl|div|dt|dd|ul|li|bdi|details|summary)( (lang|class|viewBox|width|height|aria-hidden|focusable|fill|stroke|stroke-width|stroke-linecap|stroke-linejoin|cx|cy|r|d|role)="[^"<>]*")*/?|meta (charset|http-equiv|name)="[^"<>]*"( content="[^"<>]*")?|a href="https://app\.example\.com/[^"<>]*" rel="noreferrer"|/a)>$`)
)

// ours fails the test if a page has a tag that it was not made with.
func (got arrived) ours(t testing.TB, when string) {
	t.Helper()
	for _, tag := range anyTag.FindAllString(got.page, -1) {
		if !ourTags.MatchString(tag) {
			t.Errorf("%s: the page has %q", when, tag)
		}
	}
}

// inQuery stands for what Zoho sent with the browser.
var inQuery = []string{"STATE", "CODE", "SERVER", "LOCATION"}

func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		"", "state=STATE", "code=CODE&state=STATE", "code=CODE&state=STATE&location=LOCATION&accounts-server=SERVER", "state=STATE&error=access_denied", "state=STATE&status=success&scope_enhanced=true",
		"code=CODE&code=CODE&state=STATE", "code=CODE&state=STATE&state=STATE", "state=STATE&code=1000.made.up", "code=CODE", "code=CODE&state=STATEx", "code=CODE&state=x", "state=STATE&code=%00&location=%3Cscript%3E",
		"state=STATE&error=%3Cb%3E%0d%0aX:y", "state=STATE&code=CODE&accounts-server=https://evil.example", "state=STATE&code=CODE&location=eu", "state=STATE&code=%zz", "state=%zz", "a=b;c=d&state=STATE", "state=STATE&code=CODE&x[]=1&list=true&help=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > 8<<10 {
			return
		}
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(data{"verify": false})
			landed := m.consent("crm", nil, zohotest.Consent{})
			u, _ := url.Parse(strings.TrimSuffix(landed, "&"))
			state := u.Query().Get("state")
			query := strings.NewReplacer(inQuery[0], state, inQuery[1], u.Query().Get("code"), inQuery[2], u.Query().Get("accounts-server"), inQuery[3], u.Query().Get("location")).Replace(raw)
			values, _ := url.ParseQuery(query)
			d := data{}
			for name, v := range values {
				if d[name] = v[0]; len(v) > 1 {
					d[name] = v
				}
			}
			if strings.Contains(fmt.Sprint(d["code"]), state) {
				return // as a code it would be a secret, and authorize has answered it
			}
			stored, operations, calls := fmt.Sprint(m.storage.contents(t)), m.storage.operations.Load(), m.zoho.Counts().TokenCalls
			for range 2 {
				got, err := m.arrive(context.Background(), d)
				if err != nil || got.redirect != "" {
					t.Fatalf("%q: %v, %v", query, got, err)
				}
				switch got.status {
				case 200, 400, 429, 503:
				default:
					t.Errorf("%q: status %d", query, got.status)
				}
				got.ours(t, query)
				for _, v := range values {
					if len(v[0]) > 3 && strings.ContainsAny(v[0], `<>"'`) && strings.Contains(got.page, v[0]) {
						t.Errorf("%q: the page quotes %q", query, v[0])
					}
				}
				if _, sent := d["state"]; !sent || fmt.Sprint(d["state"]) != state {
					got.shows(t, 400, "does not work")
					if m.storage.operations.Load() != operations || m.zoho.Counts().TokenCalls != calls {
						t.Errorf("%q: costs something", query)
					}
				}
			}
			if n := m.zoho.Counts().TokenCalls - calls; n > 1 {
				t.Errorf("%q: %d calls", query, n)
			}
			if d["state"] != state && fmt.Sprint(m.storage.contents(t)) != stored {
				t.Errorf("%q: storage changed", query)
			}
			for _, v := range m.zoho.Violations() {
				if v.Kind != zohotest.WrongDataCenter { // the sender named another
					t.Errorf("%q: %v", query, v)
				}
			}
			m.zoho.Reset()
		})
	})
}

// FuzzState: a state says whose it is, and with any other byte in it nothing.
func FuzzState(f *testing.F) {
	f.Add("crm", uint16(0), byte('A'), uint8(0))
	f.Add("a.b-c_d", uint16(17), byte('_'), uint8(1))
	f.Add(strings.Repeat("x", 128), uint16(207), byte('='), uint8(2))
	f.Add("books", uint16(3), byte('\n'), uint8(1))
	f.Fuzz(func(t *testing.T, name string, at uint16, with byte, how uint8) {
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(data{"verify": false})
			started, err := m.try("update", "authorize/"+name, nil)
			if err != nil {
				return // no name of a credential
			}
			state := started.Data["state"].(string)
			opened := func(state string) arrived {
				got, err := m.arrive(context.Background(), data{"state": state})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			opened(state).shows(t, 400, "nothing was done", ">"+name+"<")
			i := int(at) % len(state)
			other := [...]string{state[:i] + string([]byte{with}) + state[i+1:], state[:i] + string([]byte{with}) + state[i:], state[:i] + state[i+1:], state[:i]}[how%4]
			if other != state {
				opened(other).shows(t, 400, "does not work")
			}
			if again := m.write("authorize/"+name, nil).Data["state"]; again == state {
				t.Error("two states of a name are the same")
			}
		})
	})
}
