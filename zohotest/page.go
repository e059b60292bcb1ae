// What does a person see? The consent page, which works in a browser without
// JavaScript, and error pages.

package zohotest

import (
	"bytes"
	"html/template"
)

const pageStyle = `<style>body{font:16px sans-serif;max-width:36em;margin:4em auto;padding:0 1em}
button{font:inherit;padding:.5em 2em;margin-right:1em}</style>`

var errorTemplate = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>` + pageStyle + `</head>
<body><h1>{{.Title}}</h1><p>{{.Text}}</p></body></html>
`))

// buttons asks who the person is, because the browser has no Zoho session, and
// what they decide.
const buttons = `<p><label>You are <select name="email">{{range .Users}}
<option value="{{.Email}}"{{if eq .DataCenter $.DataCenter}} selected{{end}}>{{.Name}} ({{.Email}}, data centre {{.DataCenter}})</option>{{end}}
</select></label></p>
<p><button name="decision" value="accept">Accept</button><button name="decision" value="reject">Reject</button></p>
`

var consentTemplate = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Zoho Accounts (simulated)</title>` + pageStyle + `</head>
<body><h1>{{.Client}}</h1>
<p>wants to access this data of {{if .Organization}}your organization{{with .Soid}} ({{.}}){{end}}, also after you leave it{{else}}your Zoho account{{end}}:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="{{.Action}}">
<input type="hidden" name="path" value="{{.Path}}">
<input type="hidden" name="request" value="{{.Request}}">
` + buttons + `</form></body></html>
`))

var deviceTemplate = template.Must(template.New("device").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Zoho Accounts (simulated)</title>` + pageStyle + `</head>
<body><h1>Connect a device</h1>
<form method="post" action="{{.Action}}">
<p><label>The code it shows <input name="user_code" value="{{.UserCode}}" required></label></p>
` + buttons + `</form></body></html>
`))

// page is an error page.
func page(status int, title, text string) answer {
	a := htmlAnswer(status, render(errorTemplate, map[string]string{"Title": title, "Text": text}))
	a.text = title + ": " + text
	a.failed = true
	return a
}

// notice is a page that ends well.
func notice(title, text string) answer {
	return htmlAnswer(200, render(errorTemplate, map[string]string{"Title": title, "Text": text}))
}

// consentPage offers the users that could consent here.
func (s *Simulator) consentPage(req consentRequest) answer {
	var users []*User
	for _, u := range s.users {
		home := s.site(u.DataCenter)
		if home == nil {
			continue
		}
		if title, _ := s.mayConsent(req, u, home); title == "" {
			users = append(users, u)
		}
	}
	return htmlAnswer(200, render(consentTemplate, map[string]any{
		"Client": req.client.Name, "Scopes": req.scopes, "Path": req.path, "Request": req.raw, "Action": approvePath,
		"Organization": req.path == orgAuthPath, "Soid": req.soid,
		"Users": users, "DataCenter": req.site.Name,
	}))
}

func render(t *template.Template, data any) []byte {
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		panic("zohotest: " + err.Error()) // the templates are constants
	}
	return out.Bytes()
}
