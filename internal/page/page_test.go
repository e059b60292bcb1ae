// Can anything that a stranger, Zoho or a caller puts on the page be more than
// text, and does the page say what happened?

package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var results = []Result{Connected, Declined, Failed, Busy, Over, Unknown}

// full is a page with everything that one may have.
func full(r Result) Page {
	return Page{
		Result:       r,
		Credential:   "customers/acme-crm",
		DataCenter:   "Europe (eu)",
		Account:      "patricia.boyle@zylker.example",
		Organization: "ZohoCRM.20068000001",
		Granted:      []string{"ZohoCRM.modules.ALL", "ZohoCRM.settings.fields.READ", "AaaServer.profile.READ"},
		Refused:      []string{"ZohoCRM.bulk.CREATE"},
		Problem:      "A problem.",
		Next:         "A step.",
		ReturnURL:    "https://app.example.com/zoho?result=connected&credential=acme",
		Refresh:      true,
	}
}

func TestEachResultHasItsHeadingAsTitle(t *testing.T) {
	seen := map[string]Result{}
	for _, r := range results {
		shown := string(Page{Result: r}.HTML())
		heading := between(t, shown, "<h1>", "</h1>")
		if title := between(t, shown, "<title>", "</title>"); title != heading {
			t.Errorf("%s: title %q, heading %q", r, title, heading)
		}
		if strings.Count(shown, "<h1>") != 1 || strings.Count(shown, "<main") != 1 {
			t.Errorf("%s: not one h1 in one main:\n%s", r, shown)
		}
		if other, ok := seen[heading]; ok {
			t.Errorf("%s and %s have one heading: %q", r, other, heading)
		}
		seen[heading] = r
	}
}

func TestOnlyConnectedReadsAsSuccess(t *testing.T) {
	success := vocabulary[Connected].Heading
	for _, r := range append(results, "", "conected", "<b>") {
		if got := strings.Contains(string(full(r).HTML()), success); got != (r == Connected) {
			t.Errorf("result %q says %q: %v", r, success, got)
		}
	}
}

func TestAllFactsAreShown(t *testing.T) {
	for _, r := range results {
		if r == Unknown {
			continue
		}
		p := full(r)
		shown := string(p.HTML())
		for _, fact := range slices.Concat(p.Granted, p.Refused, []string{
			p.Credential, p.DataCenter, p.Account, p.Organization, p.Problem, p.Next,
			`href="https://app.example.com/zoho?result=connected&amp;credential=acme"`, "Continue to <bdi>app.example.com<",
		}) {
			if !strings.Contains(shown, fact) {
				t.Errorf("%s: %q is missing", r, fact)
			}
		}
	}
}

func TestAnEmptyFactLeavesNoTrace(t *testing.T) {
	for _, r := range results {
		shown := string(Page{Result: r}.HTML())
		for _, element := range []string{"<dl>", "<dt>", "<ul", "<a ", `http-equiv="refresh"`} {
			if strings.Contains(shown, element) {
				t.Errorf("%s: %s on a page without facts", r, element)
			}
		}
	}
}

func TestAnUnknownAddressTellsNothing(t *testing.T) {
	if !bytes.Equal(full(Unknown).HTML(), Page{Result: Unknown}.HTML()) {
		t.Error("the page of an unknown address depends on more than its result")
	}
}

func TestTheWindowCanBeClosedWhenNothingFollows(t *testing.T) {
	const close = "You can close this window."
	if !strings.Contains(string(Page{Result: Connected}.HTML()), close) {
		t.Error("connected, nowhere to go: not told that the window can be closed")
	}
	if strings.Contains(string(full(Connected).HTML()), close) {
		t.Error("told to close the window that goes on elsewhere")
	}
}

func TestOnlyAWebAddressBecomesALink(t *testing.T) {
	for _, address := range []string{
		"javascript:alert(1)", "JaVaScRiPt://app.example.com/%0aalert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
		"data:text/html,x", "vbscript:x", "file:///etc/passwd", "ftp://app.example.com/", "blob:https://app.example.com/1",
		"//app.example.com/", "/zoho", "app.example.com", "https:app.example.com", "https://", "http:///zoho",
		"https://bank.example@app.example.com/", "https://app.example.com\n/", "%", "",
	} {
		p := full(Connected)
		p.ReturnURL = address
		shown := string(p.HTML())
		if strings.Contains(shown, "<a ") || strings.Contains(shown, `http-equiv="refresh"`) || strings.Contains(shown, "href=") {
			t.Errorf("%q leads somewhere:\n%s", address, shown)
		}
	}
	for _, address := range []string{"http://localhost:3000/zoho", "https://app.example.com/a;b'c?d=e&f=g#h", "HTTPS://app.example.com"} {
		p := Page{Result: Connected, ReturnURL: address, Refresh: true}
		shown := string(p.HTML())
		read := func(before string) string {
			return strings.ReplaceAll(html.UnescapeString(between(t, shown, before, `"`)), "%27", "'")
		}
		href := read(`<a href="`)
		if !strings.EqualFold(href, address) {
			t.Errorf("%q became a link to %q", address, href)
		}
		if refresh := read(`http-equiv="refresh" content="`); refresh != "5; url="+href {
			t.Errorf("%q became the refresh %q beside the link %q", address, refresh, href)
		}
		p.Refresh = false
		if strings.Contains(string(p.HTML()), `http-equiv="refresh"`) {
			t.Errorf("%q: the browser goes on unasked", address)
		}
	}
}

func TestThePolicyAllowsThisStyleAndNothingElse(t *testing.T) {
	for _, r := range results {
		shown := string(full(r).HTML())
		sum := sha256.Sum256([]byte(between(t, shown, "<style>", "</style>")))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
		if Policy != want {
			t.Errorf("%s: policy %q, want %q", r, Policy, want)
		}
		inPage := html.UnescapeString(between(t, shown, `<meta http-equiv="Content-Security-Policy" content="`, `"`))
		if inPage != want {
			t.Errorf("%s: policy in the page %q, want %q", r, inPage, want)
		}
		if strings.Index(shown, "Content-Security-Policy") > strings.Index(shown, "<style>") {
			t.Errorf("%s: the policy comes after what it rules", r)
		}
	}
}

func TestHeadersSayWhatThePageSaysAndForbidFrames(t *testing.T) {
	want := map[string][]string{
		"Content-Security-Policy": {Policy + "; frame-ancestors 'none'"},
		"Referrer-Policy":         {"no-referrer"},
		"X-Frame-Options":         {"DENY"},
		"X-Content-Type-Options":  {"nosniff"},
		"Cache-Control":           {"no-store"},
	}
	if got := Headers(); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("headers %v, want %v", got, want)
	}
	Headers()["Cache-Control"][0] = "public"
	if Headers()["Cache-Control"][0] != "no-store" {
		t.Error("a caller can change the headers of the next one")
	}
}

func TestNothingIsLoadedAndNothingRuns(t *testing.T) {
	fetches := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|form|base|video|audio|source|input)\b|\s(src|srcset|style|on[a-z]+|xlink:href|action)=|@import|url\(|@font-face`)
	for _, r := range results {
		if found := fetches.Find(full(r).HTML()); found != nil {
			t.Errorf("%s: %q", r, found)
		}
	}
}

// FuzzPage: whatever is put in, the document has the elements and attributes that
// harmless text would have given it.
func FuzzPage(f *testing.F) {
	for _, hostile := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`, `</title><script>`,
		`</style><script>`, `<!--`, `]]>`, `{{.Policy}}`, "\x00<b>", "\xff\xfe<b>", "&lt;b&gt;", "a\r\nSet-Cookie: b=c", "`", "+ADw-script+AD4-",
	} {
		for i := range results {
			f.Add(hostile, uint8(i), true)
		}
	}
	f.Fuzz(func(t *testing.T, text string, which uint8, refresh bool) {
		r := results[int(which)%len(results)]
		fill := func(text, address string) string {
			return string(Page{
				Result: r, Credential: text, DataCenter: text, Account: text, Organization: text,
				Granted: []string{text, text}, Refused: []string{text}, Problem: text, Next: text,
				ReturnURL: address, Refresh: refresh,
			}.HTML())
		}
		if text == "" {
			text = "x"
		}
		if got, want := tags(fill(text, "")), tags(fill("x", "")); !slices.Equal(got, want) {
			t.Errorf("%q gives the tags\n%q\ninstead of\n%q", text, got, want)
		}
		address := "https://app.example.com/?" + text
		if _, host := link(address); host == "" {
			return
		}
		if got, want := names(fill("x", address)), names(fill("x", "https://app.example.com/")); !slices.Equal(got, want) {
			t.Errorf("the address %q gives the tags\n%q\ninstead of\n%q", address, got, want)
		}
	})
}

var tag = regexp.MustCompile(`<[^>]*>?`)

// tags are all that a browser may take for markup.
func tags(document string) []string { return tag.FindAllString(document, -1) }

var value = regexp.MustCompile(`"[^"]*"`)

// names leaves out what stands between the quotes of an attribute.
func names(document string) []string {
	all := tags(document)
	for i := range all {
		all[i] = value.ReplaceAllString(all[i], `""`)
	}
	return all
}

func between(t *testing.T, s, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, before)
	found, _, closed := strings.Cut(rest, after)
	if !ok || !closed {
		t.Fatalf("no %s...%s in\n%s", before, after, s)
	}
	return found
}

// zoho-login tells a mount of this engine from another by its pages.
func TestEachPageIsRecognized(t *testing.T) {
	for _, result := range []Result{Connected, Declined, Failed, Busy, Over, Unknown} {
		if !Made(Page{Result: result, Credential: "crm"}.HTML()) {
			t.Errorf("a page of the result %s is not recognized", result)
		}
	}
	for _, other := range []string{"", "<html>", `{"errors":["vault-plugin-secrets-zoho"]}`, "<p>" + Generator} {
		if Made([]byte(other)) {
			t.Errorf("%q is taken for a page", other)
		}
	}
}
