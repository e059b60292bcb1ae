// Package page is what a person's browser shows at the end of a consent.
//
// Vault serves it to people who were led there by Zoho, zoho-login to the one who
// started it. It needs no script and loads nothing: the address bar above it
// still holds the code, and nothing on the page may carry that elsewhere. Vault
// lets a header through only where a mount was tuned for it, so what matters
// stands in the page; a header says it once more.
package page

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/url"
)

// Result is how a consent ended, or why it did not.
type Result string

const (
	Connected Result = "connected" // the credential is connected
	Declined  Result = "declined"  // the person, or Zoho, said no
	Failed    Result = "failed"    // something went wrong; Problem and Next say what and what to do
	Busy      Result = "busy"      // not yet: Zoho is away, or another tab is being served; reload
	Over      Result = "over"      // the link was good once: used, withdrawn or replaced; what came of it is not known any more
	Unknown   Result = "unknown"   // the address belongs to no consent that waits here: one constant page for all such requests
)

// Page is what the person may know. All of it is shown as plain text, whoever
// wrote it. Nothing on it is a secret, and callers keep it so.
type Page struct {
	Result       Result
	Credential   string   // name in Vault
	DataCenter   string   // such as "Europe (eu)"
	Account      string   // e-mail address or Zoho user id, if known
	Organization string   // soid, for a consent of an organization
	Granted      []string // scopes that Zoho granted
	Refused      []string // scopes that were asked for and not granted
	Problem      string   // one or two sentences
	Next         string   // what the person does next
	Detail       string   // what whoever sent the link is told; the person may fold it out
	ReturnURL    string   // where the browser may go on to: a link if it is http or https, else nothing
	Refresh      bool     // the browser goes there by itself after a few seconds
}

// Generator names, in a meta element of each page, the program that the page belongs to.
// zoho-login recognizes a mount of this engine by it.
const Generator = "vault-plugin-secrets-zoho"

// Made reports whether a document is a page of this package, of this release or another.
func Made(document []byte) bool {
	return bytes.Contains(document, []byte(`<meta name="generator" content="`+Generator+`">`))
}

//go:embed page.html
var source string

var layout = template.Must(template.New("page").Parse(source))

// refreshSeconds is long enough to read what was connected.
const refreshSeconds = 5

// view is a Page in the words of its result.
type view struct {
	Page
	words
	Generator      string
	Policy         string
	Style          template.CSS
	ReturnHost     string
	RefreshSeconds int
}

// HTML is the whole document. That of Unknown is the same for every Page: who
// guesses addresses learns nothing from it.
func (p Page) HTML() []byte {
	if p.Result == Unknown {
		p = Page{Result: Unknown}
	}
	v := view{Page: p, words: wordsOf(p.Result), Generator: Generator, Policy: Policy, Style: template.CSS(style)}
	v.ReturnURL, v.ReturnHost = link(p.ReturnURL)
	if p.Refresh && v.ReturnURL != "" {
		v.RefreshSeconds = refreshSeconds
	}
	if v.Problem == "" {
		v.Problem = v.problem
	}
	if v.Next == "" {
		v.Next = v.next
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, v); err != nil {
		panic(err) // no value makes it fail: the layout was parsed, and all it is given is text
	}
	return out.Bytes()
}

// link takes only what a browser opens as a page of some host.
func link(address string) (whole, host string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", ""
	}
	return u.String(), u.Host
}
