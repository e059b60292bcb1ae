// How do things stand, for a person who looks? A page of the control API: who and what
// there is, what is alive with what its limits still allow, and what went wrong. It shows
// no secret but the start of each.

package zohotest

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

var overview = template.Must(template.Must(pages.Clone()).New("overview").Funcs(template.FuncMap{"clock": clock}).Parse(`{{template "head" "Zoho (simulated)"}}
<style>main{max-width:75em}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2em .75em .2em 0;border-bottom:1px solid #8884}
.wide{overflow-x:auto}.bad{font-weight:bold}h2{margin-top:2em}th,td{overflow-wrap:normal}th{white-space:nowrap}</style>
<h1>Zoho (simulated)</h1>
<p>It is {{.Now}} here. <a href="/">Reload</a>. Everything is also there as JSON: <a href="violations">violations</a>, <a href="tokens">tokens</a> (whole), <a href="requests">requests</a>, <a href="counts">counts</a>.</p>

<h2>Violations</h2>
{{if .Violations}}<div class="wide"><table><tr><th>Time</th><th>What</th><th>Detail</th></tr>{{range .Violations}}
<tr><td>{{clock .Time}}</td><td class="bad">{{.Kind}}</td><td>{{.Detail}}</td></tr>{{end}}</table></div>
{{if .MoreViolations}}<p>And {{.MoreViolations}} older ones.</p>{{end}}{{else}}<p>None: no client did what a well-behaved one never does.</p>{{end}}

<h2>Refresh tokens alive</h2>
{{if .Grants}}<div class="wide"><table><tr><th>Token</th><th>Client</th><th>Account</th><th>Data centre</th><th>Scopes</th><th>Mints left</th><th>Access tokens alive</th><th>Last mint</th></tr>{{range .Grants}}
<tr><td>{{.Token}}</td><td>{{.Client}}</td><td>{{.Account}}</td><td>{{.DataCenter}}</td><td>{{range .Scopes}}{{.}}<br>{{end}}</td><td{{if .Blocked}} class="bad"{{end}}>{{.Left}}</td><td>{{.Live}}</td><td>{{clock .Used}}</td></tr>{{end}}</table></div>
{{else}}<p>None: nobody has consented yet.</p>{{end}}

<h2>Access tokens alive</h2>
{{if .Tokens}}<div class="wide"><table><tr><th>Token</th><th>From</th><th>Client</th><th>Account</th><th>Data centre</th><th>Dies in</th></tr>{{range .Tokens}}
<tr><td>{{.Token}}</td><td>{{.From}}</td><td>{{.Client}}</td><td>{{.Account}}</td><td>{{.DataCenter}}</td><td>{{.Left}}</td></tr>{{end}}</table></div>
{{if .More}}<p>And {{.More}} more.</p>{{end}}{{else}}<p>None.</p>{{end}}

<h2>Last requests</h2>
{{if .Requests}}<div class="wide"><table><tr><th>Time</th><th>Data centre</th><th>Request</th><th>Grant</th><th>Client</th><th>Answer</th></tr>{{range .Requests}}
<tr><td>{{clock .Time}}</td><td>{{.DataCenter}}</td><td>{{.Method}} {{if .Path}}{{.Path}}{{else}}(no such page){{end}}</td><td>{{.GrantType}}</td><td>{{.Client}}</td><td{{if .Error}} class="bad"{{end}}>{{if .Status}}{{.Status}}{{else}}connection broke{{end}} {{.Error}}</td></tr>{{end}}</table></div>
{{else}}<p>None yet.</p>{{end}}

<h2>Clients</h2>
<div class="wide"><table><tr><th>Name</th><th>Kind</th><th>Id</th><th>Data centre</th><th>Redirect URIs</th></tr>{{range .Clients}}
<tr><td>{{.Name}}</td><td>{{.Type}}</td><td>{{.ID}}</td><td>{{.DataCenter}}</td><td>{{range .RedirectURIs}}{{.}}<br>{{end}}</td></tr>{{end}}</table></div>

<h2>Users</h2>
<div class="wide"><table><tr><th>E-mail</th><th>Name</th><th>Data centre</th><th>ZUID</th><th>Organization</th></tr>{{range .Users}}
<tr><td>{{.Email}}</td><td>{{.Name}}</td><td>{{.DataCenter}}</td><td>{{.ZUID}}</td><td>{{.OrgID}}{{if .Member}} (member){{end}}</td></tr>{{end}}</table></div>
{{template "foot"}}`))

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// shownTokens and shownViolations bound these lists.
const (
	shownTokens     = 50
	shownViolations = 500
)

// scene is what the page shows.
type scene struct {
	Now        string
	Violations []Violation
	Grants     []grantRow
	Tokens     []tokenRow
	More       int // access tokens that are not shown

	MoreViolations int // older ones, which are not shown
	Requests       []Request
	Clients        []Client
	Users          []User
}

type grantRow struct {
	Token, Client, Account, DataCenter string
	Scopes                             []string
	Left, Live                         string
	Blocked                            bool
	Used                               time.Time
}

type tokenRow struct{ Token, From, Client, Account, DataCenter, Left string }

// showOverview is the page.
func (s *Simulator) showOverview(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = overview.Execute(w, s.scene()) // whoever asked may have left
}

func (s *Simulator) scene() scene {
	requests := s.Requests()
	slices.Reverse(requests) // the last is what one looks for
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	violations := newest(s.violations, shownViolations)
	shown := scene{Now: now.UTC().Format("2006-01-02 15:04:05 UTC"), Violations: slices.Clone(violations), Requests: requests}
	shown.MoreViolations = s.counts.Violations - len(violations)
	slices.Reverse(shown.Violations)
	var tokens []*accessToken
	for _, rt := range s.liveRefreshTokens() {
		shown.Grants = append(shown.Grants, s.grantRow(rt, now))
	}
	for _, at := range s.accessTokens {
		if s.unexpired(at) {
			tokens = append(tokens, at)
		}
	}
	slices.SortFunc(tokens, func(a, b *accessToken) int { return b.issued.Compare(a.issued) })
	shown.More = max(0, len(tokens)-shownTokens)
	for _, at := range tokens[:len(tokens)-shown.More] {
		from := "client credentials, or online"
		if at.parent != nil {
			from = short(at.parent.token)
		}
		shown.Tokens = append(shown.Tokens, tokenRow{short(at.token), from, s.clientName(at.client), at.user, at.dc, at.expires.Sub(now).Truncate(time.Second).String()})
	}
	for _, c := range s.clients {
		shown.Clients = append(shown.Clients, Client{ID: c.ID, Type: c.Type, Name: c.Name, DataCenter: c.DataCenter, RedirectURIs: slices.Clone(c.RedirectURIs)})
	}
	slices.SortFunc(shown.Clients, func(a, b Client) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	for _, u := range s.users {
		shown.Users = append(shown.Users, *u)
	}
	return shown
}

// grantRow is a refresh token with what its limits still allow.
func (s *Simulator) grantRow(rt *refreshToken, now time.Time) grantRow {
	live := 0
	for _, at := range rt.live {
		if s.unexpired(at) {
			live++
		}
	}
	row := grantRow{
		Token: short(rt.token), Client: s.clientName(rt.client), Account: rt.user, DataCenter: rt.dc, Scopes: slices.Clone(rt.scopes),
		Live: of(live, s.knobs.LiveAccessTokens), Used: rt.used,
	}
	if rt.org != nil {
		row.Account += ", for the organization"
	}
	window := rt.mints
	if s.knobs.MintKey == PerClient {
		window = s.clientWindow(rt.client, rt.dc)
	}
	limit := s.knobs.mintLimit(s.knobs.Mints)
	window.forget(now, limit)
	switch {
	case now.Before(window.blocked):
		row.Left, row.Blocked = "throttled for "+window.blocked.Sub(now).Truncate(time.Second).String(), true
	default:
		row.Left = of(max(0, limit.n-len(window.hits)), limit.n)
	}
	return row
}

// of is a number beside its limit, where there is one.
func of(n, limit int) string {
	if limit < 0 {
		return "no limit"
	}
	return strconv.Itoa(n) + " of " + strconv.Itoa(limit)
}

// clientName is that of a client which has tokens: they end with it.
func (s *Simulator) clientName(id string) string { return s.clients[id].Name }
