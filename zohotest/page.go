// What does a person see? The consent page, the one where an account is chosen,
// and error pages: without JavaScript, for keyboards, screen readers and phones.

package zohotest

import (
	"bytes"
	"html/template"
	"net/url"
	"slices"
)

// pages share a head. Buttons are as tall as a thumb needs, and nothing is wider
// than the screen.
var pages = template.Must(template.New("pages").Parse(`
{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.}}</title><style>
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{font:1rem/1.5 sans-serif;margin:0;overflow-wrap:anywhere}
main{max-width:36em;margin:2em auto;padding:0 1em}
button,select,input{font:inherit;max-width:100%;min-height:2.75em;padding:.5em 1em}
select,input{display:block;width:100%;margin-top:.25em}
:focus-visible{outline:3px solid;outline-offset:2px}
.decision{display:flex;flex-wrap:wrap;gap:1em}
.decision button{flex:1 1 8em}
.accounts{list-style:none;padding:0}
.accounts button{width:100%;margin-bottom:.75em;text-align:left}
</style></head>
<body><main>{{end}}

{{define "foot"}}</main></body></html>
{{end}}

{{define "error"}}{{template "head" .Title}}<h1>{{.Title}}</h1><p>{{.Text}}</p>{{template "foot"}}{{end}}

{{define "decision"}}{{if .Account}}<p>Signed in as <strong>{{.Account.Email}}</strong> ({{.Account.Name}}, data centre {{.Account.DataCenter}})</p>
<input type="hidden" name="email" value="{{.Account.Email}}">
{{else}}<p><label>You are <select name="email">{{range .Users}}
<option value="{{.Email}}"{{if eq .Email $.Default}} selected{{end}}>{{.Email}} ({{.Name}}, data centre {{.DataCenter}})</option>{{end}}
</select></label></p>
{{end}}{{if .Refusal}}<p><strong>This account cannot decide here:</strong> {{.Refusal}}</p>
{{else if .BackOnly}}<p>You belong to no organization in the service whose data is asked for.</p>
<p class="decision"><button name="decision" value="back">Back to app</button></p>
{{else}}<p class="decision"><button name="decision" value="accept">Accept</button><button name="decision" value="reject">Reject</button></p>
{{end}}<p><a href="{{.Choose}}">{{if .Account}}Use another account{{else}}Sign in{{end}}</a></p>
{{end}}

{{define "consent"}}{{template "head" "Consent - Zoho Accounts (simulated)"}}<h1>{{.Client}}</h1>
<p>wants to access this data of {{if .Organization}}your organization{{with .Soid}} ({{.}}){{end}}, also after you leave it{{else}}your Zoho account{{end}}:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="{{.Action}}">
<input type="hidden" name="path" value="{{.Path}}">
<input type="hidden" name="request" value="{{.Request}}">
{{template "decision" .Person}}</form>{{template "foot"}}{{end}}

{{define "device"}}{{template "head" "Connect a device - Zoho Accounts (simulated)"}}<h1>Connect a device</h1>
<form method="post" action="{{.Action}}">
<p><label>The code it shows <input name="user_code" value="{{.UserCode}}" autocomplete="off" autocapitalize="characters" required></label></p>
{{template "decision" .Person}}</form>{{template "foot"}}{{end}}

{{define "choose"}}{{template "head" "Choose an account - Zoho Accounts (simulated)"}}<h1>Choose an account</h1>
<form method="post" action="{{.Action}}">
<input type="hidden" name="continue" value="{{.Continue}}">
<ul class="accounts">{{range .Users}}
<li><button name="email" value="{{.Email}}">{{.Email}} ({{.Name}}, data centre {{.DataCenter}}){{if index $.SignedIn .Email}}, signed in{{end}}</button></li>{{end}}
</ul></form>{{template "foot"}}{{end}}
`))

func render(name string, data any) []byte {
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, name, data); err != nil {
		panic("zohotest: " + err.Error()) // the templates are constants
	}
	return out.Bytes()
}

// page is an error page.
func page(status int, title, text string) answer {
	a := htmlAnswer(status, render("error", map[string]string{"Title": title, "Text": text}))
	a.text = title + ": " + text
	a.failed = true
	return a
}

// notice is a page that ends well.
func notice(title, text string) answer {
	return htmlAnswer(200, render("error", map[string]string{"Title": title, "Text": text}))
}

// A person is who decides, as far as a page can know. A browser that nobody is
// signed in at is asked, in a list.
type person struct {
	Account *User   // in use; nil: nobody is signed in
	Refusal string  // why that one cannot decide
	Users   []*User // who could
	Default string  // e-mail of the one who does if nobody says otherwise
	Choose  string  // where another account is chosen

	BackOnly bool // there is nothing to decide: see lacksOrganization
}

// person is who sees this page, where refusal says what stands against a user.
func (s *Simulator) person(c *call, refusal func(*User) string) person {
	p := person{Choose: signInPath + "?continue=" + url.QueryEscape(c.r.URL.RequestURI()), Users: s.without(refusal)}
	if user := s.defaultUser(c.site.Name); user != nil {
		p.Default = user.Email
	}
	if p.Account = s.userByEmail(s.inUse(c)); p.Account != nil {
		p.Refusal = refusal(p.Account)
	}
	return p
}

// without are the users against whom nothing stands.
func (s *Simulator) without(refusal func(*User) string) []*User {
	var users []*User
	for _, u := range s.users {
		if refusal(u) == "" {
			users = append(users, u)
		}
	}
	return users
}

// consentPage asks for the decision.
func (s *Simulator) consentPage(c *call, req consentRequest) answer {
	who := s.person(c, s.consentRefusal(req))
	lacks := func(u *User) bool { return s.lacksOrganization(req, u) }
	if who.Account != nil {
		who.BackOnly = lacks(who.Account)
	} else {
		who.BackOnly = len(who.Users) > 0 && !slices.ContainsFunc(who.Users, func(u *User) bool { return !lacks(u) })
	}
	return htmlAnswer(200, render("consent", map[string]any{
		"Client": req.client.Name, "Scopes": req.scopes, "Path": req.path, "Request": req.raw, "Action": approvePath,
		"Organization": req.path == orgAuthPath, "Soid": req.soid, "Person": who,
	}))
}

// choosePage offers the accounts that could decide at the page to come back to.
func (s *Simulator) choosePage(c *call, then string) answer {
	refusal, a, ok := s.comesBackTo(c.site, then)
	if !ok {
		return a
	}
	signedIn := map[string]bool{}
	if of, _ := s.session(c); of != nil {
		for _, email := range of.accounts {
			signedIn[email] = true
		}
	}
	return htmlAnswer(200, render("choose", map[string]any{
		"Action": signedInPath, "Continue": then, "Users": s.without(refusal), "SignedIn": signedIn,
	}))
}
