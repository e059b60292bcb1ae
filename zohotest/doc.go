// Package zohotest simulates Zoho's OAuth 2.0 accounts servers, with a few APIs
// behind them, for tests of clients. It knows all data centers, every grant type
// and the limits that hurt: ten access tokens per ten minutes, ten alive per
// refresh token, twenty refresh tokens per user and client, each silently
// killing the oldest.
//
// It is stricter than Zoho in two ways. What a well-behaved client never does is recorded as
// a [Violation], and settings that do not exist, or have no effect, are refused. A test of a
// client ends with
//
//	zoho.Check(t)
//
// which fails for each violation and for each [Fault] that no call has met. README.md beside
// this file has a table of the rules, with their sources and tests.
//
// # Three wires
//
// [Simulator.Transport] is an http.RoundTripper that answers at Zoho's real
// hosts without a socket or a goroutine. Use it in a testing/synctest bubble,
// where an hour passes at once; make the simulator inside the bubble.
//
// [Simulator.Listen] opens a loopback listener for each host: accounts server, API gateway
// and Desk of each data center, and the hosts of portals. From then on redirects, api_domain and serverinfo name
// those. [Simulator.ListenWith] listens where other machines can connect, with the addresses
// that they use. [Simulator.Handler] is one host for a server of one's own, for example with
// TLS; tell the simulator its address with [Simulator.SetURL]. As at Zoho, each host answers
// 404 to the paths of the others.
//
// # People
//
// [Simulator.Authorize] plays the person at the browser,
// [Simulator.SelfClientCode] the one in the API console, and
// [Simulator.ApproveDevice] the one who types a device's code.
// A [User] may belong to no organization, or lack API access in CRM.
// [Simulator.RemoveUser] lets a person leave their organization, and
// [Simulator.MintElsewhere] plays another program that has the same refresh token.
//
// Over sockets the consent page works in any browser, without JavaScript. It asks
// who the person is, unless the browser is signed in ([Simulator.SignIn], or the
// page /signin of any accounts server); then it says as whom, and lets the person
// use another account.
//
// # Settings and trouble
//
// [Knobs] holds every value on which Zoho's pages or observers disagree, or
// which nobody knows; New fills in the documented or most often observed one.
// What varies with the client or the service can be set for one alone: see
// [Client] and the knobs that list services. [Fault] breaks the wire, before a
// token is minted or after. An answer counts as delivered unless a fault tore it
// or the request's context was over when it was written; over sockets a client
// that leaves unnoticed in that instant counts as served.
//
// # What is kept
//
// A long run does not fill the memory. Access and refresh tokens that have ended are
// dropped: Zoho answers to them as to tokens that never were. Kept besides what is in use
// are at least the newest 10,000 codes and as many device codes that were used or
// expired, at least the newest 100,000 secrets of [Simulator.Secrets], the newest 10,000
// [Simulator.Violations] and the newest 100 [Simulator.Requests]. A code that was dropped
// is refused as a used one is, with invalid_code, and no violation is recorded; an expired
// device code that was dropped is invalid_code, no longer expired. [Counts] count all.
//
// # Browser apps
//
// By default no page of another origin can read an answer. What Zoho sends to the
// JavaScript domains of a client-based app is not known here, so [Knobs.CORSOrigins] is an
// option of the simulator, and no behaviour of Zoho.
//
// # What is simulated
//
//	GET  /oauth/v2/auth                  consent; also implicit
//	GET  /oauth/v2/org/auth              consent of an organization (instance-level): an organization client, soid, scopes of one app
//	POST /oauth/v2/token                 authorization_code, refresh_token, client_credentials
//	POST /oauth/v2/token/revoke          old form: a token
//	POST /oauth/v2/revoke/token          new form: Basic client, token, token_type
//	POST /oauth/v2/token/scopeenhance    incremental authorization
//	GET  /oauth/v2/token/addextrascope   its page
//	POST /oauth/v3/device/code           device flow
//	POST /oauth/v3/device/token
//	GET  /oauth/v3/device                its page
//	GET  /signin                         where a person chooses an account; ?session= sets a session's cookie
//	GET  /oauth/serverinfo
//	GET  /oauth/user/info                scope AaaServer.profile.READ
//	GET  /.well-known/openid-configuration, and the keys that it names
//	GET  /oauth/v2/userinfo              scope openid
//
//	GET  /clientoauth/v2/{portal}/auth, POST .../token and .../token/revoke   at accounts.zohoportal.com and .in
//
//	GET  /crm/v8/users, /crm/v8/org      at the API gateway; scopes ZohoCRM.users.READ, ZohoCRM.org.READ; v2 to v7 alike
//	GET  /api/v1/organizations           at Desk's host; scope Desk.basic.READ
//
// Token answers and throttles have the fields, their order and
// the headers of captured ones; over sockets the status line has a reason phrase,
// which Zoho's has not. The access token of an exchange takes a place in its
// refresh token's window. Where Zoho's pages are silent the choice is named at the
// knob or in the code.
//
// # Control
//
// [Simulator.Control] is a JSON API for scripts and other languages, and at / a page
// for people: what is alive and what its limits still allow, violations, the last
// requests. It shows the start of each secret alone. Durations are strings such as
// "10m". Unknown fields and mistakes are answered with 400 and {"error":"..."}. Changes
// that a page of another site asks for, and requests to a host name that is not the
// simulator's, are answered with 403.
//
//	GET    /                  the page for people
//	GET    /violations        [{"time","kind","detail"}]
//	GET    /requests          [Request], the last hundred
//	GET    /counts            Counts
//	GET    /secrets           text, one per line
//	GET    /tokens            {"refresh_tokens":[...],"access_tokens":[...]}, alive
//	GET    /orphans?known=T   delivered refresh tokens that are not named; known repeats
//	POST   /authorize         {"url","data_center","email","reject","no_state","no_accounts_server"} -> {"callback_url"}
//	POST   /approve-device    {"user_code","data_center","email","reject"}
//	POST   /self-client-code  {"client_id","data_center","scopes":[],"life"} -> {"code"}
//	POST   /clients           Client -> Client
//	POST   /redirect-uris     {"client_id","redirect_uri"}, one more of this client
//	POST   /users             User -> User
//	POST   /sign-in           {"emails":[],"data_center"} -> {"cookie","url"}: a browser's session, the first in use
//	POST   /remove-user       {"email"}, who leaves the organization; its grants stay, the user's die
//	POST   /revoke            {"refresh_token"} or {"access_token"}, as its user does
//	POST   /mint-elsewhere    {"refresh_token"} -> {"access_token"}, as another program does that has it too
//	POST   /rotate-secret     {"client_id","data_center"} -> {"client_secret"}
//	POST   /advance           {"duration"} -> {"now"}
//	POST   /fault             {"kind","endpoint","data_center","grant_type","times","path","status","retry_after","delay","error"}
//	GET    /unmet-faults      those that no call has met
//	DELETE /faults
//	PATCH  /knobs             fields of Knobs, as in {"live_access_tokens":3,"mint_window":"1m"}
//	POST   /reset             counters and violations
package zohotest
