// Where may a browser land, and where may it go on to? Nowhere that config does not
// name, whatever the address looks like.

package backend_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// returns is the one address of these tests that a browser may go on to.
const returns = "https://app.example.com/connected"

// leadsThere is what may stand for returns: the host in any case, its port said or not,
// and any query. It is on purpose no parser.
var leadsThere = regexp.MustCompile(`^(?i:https)://(?i:app\.example\.com)(:443|:)?/connected(\?[-A-Za-z0-9._~!$&'()*+,;=:@/?%]*)?#?$`)

// returning starts a consent that is to lead the browser on, and tells whether it may.
func (m *mount) returning(address string) bool {
	m.t.Helper()
	_, err := m.try(logical.UpdateOperation, "authorize/crm", data{"return_url": address})
	if r, ok := err.(*refusal); err != nil && (!ok || r.status != 400) {
		m.t.Errorf("return_url %q: %v", address, err)
	}
	return err == nil
}

func TestBrowserGoesOnOnlyToWhereConfigLeads(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"return_urls": returns + ", http://localhost:3000/connected"})
		if !m.returning("http://localhost:3000/connected") {
			t.Error("the second of two is refused")
		}
		for _, address := range []string{
			returns, returns + "?", returns + "?tenant=1&x=%2F", "HTTPS://APP.Example.COM/connected", "https://app.example.com:443/connected",
		} {
			if !m.returning(address) || !leadsThere.MatchString(address) {
				t.Errorf("%q is refused", address)
			}
		}
		for _, address := range []string{
			"https://app.example.com@evil.example/connected", "https://app.example.com:443@evil.example/connected", "https://evil.example#@app.example.com/connected",
			"https://evil.example/connected", "https://app.example.com.evil.example/connected", "https://evilapp.example.com/connected", "https://app.example.com./connected",
			"https://user@app.example.com/connected", "https://:@app.example.com/connected", "http://app.example.com/connected", "http://app.example.com:443/connected",
			"https://app.example.com:8443/connected", "https://app.example.com:0443/connected", "https://app.example.com:80/connected",
			`https://evil.example\@app.example.com/connected`, `https://app.example.com\@evil.example/connected`, `https:\\app.example.com/connected`, `https://app.example.com\connected`,
			"//app.example.com/connected", "//evil.example/connected", "/connected", "connected", "https:/app.example.com/connected", "https:///app.example.com/connected", "https:app.example.com/connected",
			"https://app.example.com//connected", "https://app.example.com/connected/", "https://app.example.com/connected/x", "https://app.example.com/connected/../x", "https://app.example.com/x/../connected",
			"https://app.example.com/./connected", "https://app.example.com/%63onnected", "https://app.example.com/connected%2f", "https://app.example.com%2fconnected", "https://app.example.com/connected%00",
			"https://app.example.com/Connected", "https://app.example.com/connected;x", "https://app.example.com", "https://app.example.com/", "https://app.example.com?/connected",
			"https://app.example.com/connected#x", "https://app.example.com/connected#/../", "https://app.exampLe.com/connected\r\nx: y", "https://app.example.com/connected\x00", "https://app.example.com/conn\tected",
			"https://app\u3002example\u3002com/connected", "https://app.example.\u212aom/connected", "https://app.e\u017fample.com/connected", "https://\u0430pp.example.com/connected", "https://app.example.com\uff0fconnected",
			"javascript:alert(1)//https://app.example.com/connected", "data:text/html,x", "ftp://app.example.com/connected", "https://[app.example.com]/connected", "https://app.example.com:x/connected",
			returns + "?result=connected", returns + "?a=1&credential=other", returns + "?return_state=", returns + "?%72esult=x",
			"https://localhost:3000/connected",
		} {
			if m.returning(address) || leadsThere.MatchString(address) && !strings.Contains(address, "=") {
				t.Errorf("%q is taken", address)
			}
		}
	})
}

func TestLettersThatBrowsersReadAsOthersLeadNowhere(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"return_urls": "https://desk.example.com/connected"})
		if !m.returning("https://DESK.example.com/connected") {
			t.Fatal("the case of a host's letters matters")
		}
		for _, host := range []string{"de\u017fk.example.com", "des\u212a.example.com", "\uff44esk.example.com", "desk\u3002example.com", "desk.example.com\u00ad", "desk.example\u2024com"} {
			if m.returning("https://" + host + "/connected") {
				t.Errorf("%q is taken", host)
			}
		}
	})
}

func TestReturnURLsInConfigMustBeWholeAddresses(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		for _, entry := range []string{
			"app.example.com", "//app.example.com/x", "http://app.example.com/x", "https://", "https:///x", "https://user:pw@app.example.com/x", "https://app.example.com/#x", "javascript:alert(1)",
			"https://*.example.com/%zz", "https://b\u00fccher.example/x", "https://app.example.com/x?tenant=1", "https://app.example.com/x?",
		} {
			m.refused(logical.UpdateOperation, "config", data{"return_urls": []string{returns, entry}, "verify": false}, 400, "not an address to return to")
		}
		for _, entry := range []string{"https://xn--bcher-kva.example/x", "http://localhost:3000/x", "http://127.0.0.1/", "http://[::1]:8080/x", returns} {
			m.write("config", data{"return_urls": entry, "verify": false})
		}
		m.write("config", data{"return_urls": returns + ", https://b.example/x\nhttps://c.example", "verify": false})
		if got := fmt.Sprint(m.read("config")["return_urls"]); got != "["+returns+" https://b.example/x https://c.example]" {
			t.Errorf("return_urls is %s", got)
		}
	})
}

func TestReturnsLeadNowhereElseWhateverIsPutTogether(t *testing.T) {
	nothingAtOnce(t)
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"return_urls": returns})
		taken := 0
		for _, scheme := range []string{"https://", "HttpS://", "http://", "//", "https:/", `https:\\`, "https:///", "javascript://", " https://"} {
			for _, host := range []string{"app.example.com", "APP.example.com", "app.example.com@evil.example", "evil.example@app.example.com", `evil.example\@app.example.com`, "app.example.com.", "app.example.com.evil.example", "[::1]", "app%2eexample.com", ""} {
				for _, port := range []string{"", ":", ":443", ":8443", ":80", ":+443", ":443@evil.example"} {
					for _, path := range []string{"/connected", "//connected", "/connected/", "/connected/../connected", "/%63onnected", `\connected`, "", "/connected%0d%0aX:y", "/Connected"} {
						for _, rest := range []string{"", "?", "?a=b", "#", "#x", "?a=b#x", "?//evil.example", `?\`, "?a=%0d%0aX:y"} {
							address := scheme + host + port + path + rest
							got, want := m.returning(address), leadsThere.MatchString(strings.TrimSpace(address))
							if got != want {
								t.Errorf("%q is taken: %v", address, got)
							}
							if got {
								taken++
							}
						}
					}
				}
			}
		}
		if taken == 0 {
			t.Error("none is taken")
		}
	})
}

func FuzzReturnURL(f *testing.F) {
	for _, seed := range []string{
		returns, returns + "?a=b", "https://app.example.com@evil.example/connected", `https://evil.example\@app.example.com/connected`, "//evil.example/connected", "https://app.example.com:443/connected",
		"https://app.example.com/connected/../x", "https://app.example.com/connected#x", "https://APP.EXAMPLE.COM/connected", "https://app\u3002example\u3002com/connected", returns + "?result=x", returns + "?;credential=x",
		returns + "?b=2&a=1&b=2&flag&=&&x;y=%zz&q=%2F+%20", returns + "?", returns + "?a;result=x", returns + "?%72esult=x", returns + "?a=b c", returns + "?a=\"", returns + "?é", returns + "?a=1&", returns + "#",
	} {
		f.Add(seed, "state")
	}
	f.Fuzz(func(t *testing.T, address, state string) {
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(data{"return_urls": returns})
			started, err := m.try(logical.UpdateOperation, "authorize/crm", data{"return_url": address, "return_state": state})
			if err != nil {
				if r, ok := err.(*refusal); !ok || r.status != 400 {
					t.Errorf("%q: %v", address, err)
				}
				return
			}
			if strings.TrimSpace(address) == "" {
				return
			}
			if !leadsThere.MatchString(strings.TrimSpace(address)) {
				t.Errorf("%q is taken", address)
			}
			got := m.land(m.opens(started, zohotest.Consent{}))
			u, err := url.Parse(got.redirect)
			if given, err := url.Parse(strings.TrimSpace(address)); err != nil || !strings.HasPrefix(u.RawQuery, given.RawQuery) {
				t.Errorf("the query of %q is changed: %q", address, got.redirect)
			}
			if err != nil || !strings.EqualFold(u.Hostname(), "app.example.com") || u.Path != "/connected" || u.Query().Get("return_state") != strings.TrimSpace(state) || u.Query().Get("result") != "connected" || u.Query().Get("credential") != "crm" {
				t.Errorf("%q, %q lead to %q", address, state, got.redirect)
			}
			for _, r := range got.redirect {
				if r <= ' ' || r > '~' || strings.ContainsRune(`"<>\^`+"`{|}", r) {
					t.Errorf("%q is in the address %q", r, got.redirect)
				}
			}
		})
	})
}

func TestReturnBringsTheResultAndTheCallersOwnText(t *testing.T) {
	const odd = "a b&result=connected\r\nX-Evil: 1#<script>é"
	for name, c := range map[string]struct {
		person zohotest.Consent
		strike zohotest.Fault
		result string
		word   string
	}{
		"connected": {zohotest.Consent{}, zohotest.Fault{}, "connected", ""},
		"declined":  {zohotest.Consent{Reject: true}, zohotest.Fault{}, "declined", "access_denied"},
		"throttled": {zohotest.Consent{}, zohotest.Fault{Endpoint: "token", Kind: zohotest.Throttle, Times: 1}, "failed", ""},
		"broken":    {zohotest.Consent{}, zohotest.Fault{Endpoint: "token", Kind: zohotest.Status5xx, Times: 1}, "failed", ""},
		"refused":   {zohotest.Consent{}, zohotest.Fault{Endpoint: "token", Kind: zohotest.Refuse, Error: "invalid_client", Times: 1}, "failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"return_urls": returns})
				landed := m.consent("crm", data{"return_url": returns + "?tenant=7&flag", "return_state": odd}, c.person)
				if c.strike.Kind != "" {
					m.zoho.Fault(c.strike)
				}
				got := m.land(landed)
				u, err := url.Parse(got.redirect)
				if err != nil || u.Host != "app.example.com" || u.Path != "/connected" || strings.ContainsAny(got.redirect, "\r\n <>#") {
					t.Fatalf("redirected to %q, %v", got.redirect, err)
				}
				q := u.Query()
				if q.Get("result") != c.result || q.Get("credential") != "crm" || q.Get("return_state") != odd || q.Get("tenant") != "7" || !q.Has("flag") || q.Get("error") != c.word || len(q) != 5+min(1, len(c.word)) {
					t.Errorf("redirected with %v", q)
				}
				for name := range q {
					if len(q[name]) != 1 {
						t.Errorf("%s comes %d times", name, len(q[name]))
					}
				}
				if again := m.land(landed); again != got {
					t.Errorf("the second load leads to %v, the first to %v", again, got)
				}
				// It is asked for anew each time: config may lead elsewhere now.
				m.write("config", data{"return_urls": "https://other.example/", "verify": false})
				if again := m.land(landed); again.redirect != "" || again.page == "" {
					t.Errorf("after return_urls changed it leads to %q", again.redirect)
				}
			})
		})
	}
}

func TestReturnNeedsABrowserThatComesBackHere(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"return_urls": returns})
		m.refused(logical.UpdateOperation, "authorize/crm", data{"return_url": returns}, 400, "lands at this mount", "vault_addr")
		m.write("config", data{"vault_addr": vaultAddr, "verify": false})
		m.refused(logical.UpdateOperation, "authorize/crm", data{"return_url": returns, "redirect_uri": "https://app.example.com/callback"}, 400, "lands at this mount")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"return_url": returns, "flow": "device"}, 400, "no browser comes back")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"return_state": "x"}, 400, "goes with return_url")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"return_url": returns, "return_state": strings.Repeat("x", 1025)}, 400, "longer than 1024 bytes")
		m.write("config", data{"return_urls": "", "verify": false})
		m.refused(logical.UpdateOperation, "authorize/crm", data{"return_url": returns}, 400, "not one that this mount allows", "return_urls in config")
	})
}

func TestWhoeverComesTooLateIsOfferedTheWayOn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"return_urls": returns})
		landed := m.consent("crm", data{"return_url": returns, "return_state": "s"}, zohotest.Consent{})
		const wayOn = `href="` + returns + `?credential=crm&amp;result=failed&amp;return_state=s"`
		m.wire.dead.Store(true)
		if waits := m.land(landed); waits.status != 503 || strings.Contains(waits.page, "href=") {
			t.Errorf("a consent that waits on shows %v", waits)
		}
		m.wire.dead.Store(false)
		passes(10 * time.Minute)
		m.land(landed).shows(t, 400, "This link has expired.", wayOn)
		m.write("config", data{"return_urls": "https://other.example/", "verify": false})
		if late := m.land(landed); strings.Contains(late.page, "href=") {
			t.Errorf("it leads to where config does not: %v", late)
		}
	})
}

func TestOtherAccountIsOfferedTheWayOnAndNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes, "return_urls": returns})
		bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
		landed := m.consent("crm", data{"expected_user": m.zoho.User("us").Email, "return_url": returns, "return_state": "s"}, zohotest.Consent{Email: bob.Email})
		got := m.land(landed)
		got.shows(t, 400, "This link is for", `href="`+returns+`?credential=crm&amp;result=failed&amp;return_state=s"`, "private window")
		if strings.Contains(got.page, "http-equiv=\"refresh\"") {
			t.Error("whoever has to switch the account is taken away")
		}
	})
}

func TestVaultAddressAndRedirectURIReplaceEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		was := m.read("config")["redirect_uri"]
		resp := m.write("config", data{"vault_addr": vaultAddr + "/", "verify": false})
		if resp.Data["redirect_uri"] != callbackAddress {
			t.Errorf("a write of vault_addr answers %v", resp.Data)
		}
		if c := m.read("config"); c["redirect_uri"] != callbackAddress || c["vault_addr"] != vaultAddr {
			t.Errorf("config is %v and %v", c["redirect_uri"], c["vault_addr"])
		}
		m.patch("config", data{"vault_addr": nil, "verify": false})
		if c := m.read("config"); c["redirect_uri"] != "" || c["vault_addr"] != "" {
			t.Errorf("what was replaced is there again: %v and %v", c["redirect_uri"], c["vault_addr"])
		}
		m.write("config", data{"vault_addr": vaultAddr, "verify": false})
		m.write("config", data{"redirect_uri": was, "verify": false})
		if c := m.read("config"); c["redirect_uri"] != was || c["vault_addr"] != "" {
			t.Errorf("config is %v and %v", c["redirect_uri"], c["vault_addr"])
		}
		m.patch("config", data{"vault_addr": vaultAddr, "redirect_uri": nil, "verify": false})
		m.write("config", data{"max_age": "1m", "verify": false})
		if c := m.read("config"); c["redirect_uri"] != callbackAddress {
			t.Errorf("config is %v", c["redirect_uri"])
		}
		m.refused(logical.UpdateOperation, "config", data{"vault_addr": vaultAddr, "redirect_uri": was}, 400, "redirect_uri follows from vault_addr")
		for address, says := range map[string]string{
			"vault.example.com:8200": "not usable", "http://vault.example.com": "not usable", "https://u:p@vault.example.com": "not usable", "https://vault.example.com?x=1": "not usable",
			"https://vault.example.com?": "not usable", "https://vault.example.com#": "not usable", "https://vault.example.com/#x": "not usable", "javascript:alert(1)": "not usable", "https://": "not usable",
			"http://127.0.0.1:8200": "localhost alone", "http://[::1]:8200": "localhost alone", "https://vault.example.com/v1": "write vault_addr=https://vault.example.com", "https://vault.example.com/v1/": "write vault_addr=https://vault.example.com",
			"https://proxy.example.com/vault/v1/zoho/callback": "write vault_addr=https://proxy.example.com/vault", "https://vault.example.com:8200/v1/zoho/": "write vault_addr=https://vault.example.com:8200",
		} {
			m.refused(logical.UpdateOperation, "config", data{"vault_addr": address, "verify": false}, 400, says)
		}
		m.write("config", data{"vault_addr": "http://localhost:8200", "verify": false})
	})
}

func TestAuthorizeSaysHowAConsentIsCompleted(t *testing.T) {
	for mountPoint, cases := range map[string]map[string]struct{ completes, warns string }{
		"zoho/": {
			vaultAddr + "/v1/zoho/callback":                 {"callback", ""},
			"https://proxy.example.com/a/v1/zoho/callback":  {"callback", ""},
			"https://app.example.com/callback":              {"paste", ""},
			"http://localhost:8910/callback":                {"paste", ""},
			vaultAddr + "/v1/other/callback":                {"paste", "names the mount other/ and this one is zoho/"},
			vaultAddr + "/v1/zoho2/callback":                {"paste", "names the mount zoho2/"},
			vaultAddr + "/v1/Zoho/callback":                 {"paste", "names the mount Zoho/"},
			vaultAddr + "/v1/team/zoho/callback":            {"paste", "names the mount team/zoho/"},
			vaultAddr + "/v1/zoho/callback/":                {"paste", ""},
			vaultAddr + "/v1/zoho/callbacks":                {"paste", ""},
			"https://app.example.com/x?v=/v1/zoho/callback": {"paste", ""},
		},
		"ns1/teams/zoho/": {
			vaultAddr + "/v1/ns1/teams/zoho/callback": {"callback", ""},
			vaultAddr + "/v1/teams/zoho/callback":     {"paste", "names the mount teams/zoho/ and this one is ns1/teams/zoho/"},
			vaultAddr + "/v1/zoho/callback":           {"paste", "must end in"},
		},
	} {
		for address, want := range cases {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"redirect_uri": address, "verify": false})
				resp, err := m.backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.UpdateOperation, Path: "authorize/crm", Storage: m.storage, MountPoint: mountPoint})
				if err != nil || resp.IsError() {
					t.Fatalf("%s at %s: %v, %v", address, mountPoint, resp, err)
				}
				warned := strings.Join(resp.Warnings, " ")
				if resp.Data["completes"] != want.completes || (warned == "") != (want.warns == "") {
					t.Errorf("%s at %s: completes %v, warns %q", address, mountPoint, resp.Data["completes"], warned)
				}
				if want.warns == "must end in" {
					want.warns = "ends in /v1/" + mountPoint + "callback"
				}
				if !strings.Contains(warned, want.warns) {
					t.Errorf("%s at %s warns %q; it does not say %q", address, mountPoint, warned, want.warns)
				}
			})
		}
	}
}

func TestMountDeepInANamespaceReceivesItsRedirect(t *testing.T) {
	const mountPoint = "ns1/teams/zoho/"
	inBubble(t, func(t *testing.T, m *mount) {
		c := m.zoho.AddClient(zohotest.Client{RedirectURIs: []string{vaultAddr + "/v1/" + mountPoint + "callback"}})
		ask := func(op logical.Operation, path string, d data) *logical.Response {
			resp, err := m.backend.HandleRequest(t.Context(), &logical.Request{Operation: op, Path: path, Storage: m.storage, MountPoint: mountPoint, Data: d})
			if err != nil || resp.IsError() {
				t.Fatalf("%s: %v, %v", path, resp, err)
			}
			return resp
		}
		stored := ask(logical.CreateOperation, "config", data{"client_id": c.ID, "client_secret": c.Secret, "vault_addr": vaultAddr, "scopes": "ZohoCRM.modules.ALL"})
		if stored.Data["redirect_uri"] != c.RedirectURIs[0] {
			t.Errorf("config answers %v", stored.Data)
		}
		started := ask(logical.UpdateOperation, "authorize/crm", nil)
		if started.Data["completes"] != "callback" || started.Data["redirect_uri"] != c.RedirectURIs[0] {
			t.Errorf("authorize answers %v", started.Data)
		}
		u, _ := url.Parse(m.opens(started, zohotest.Consent{}))
		q := u.Query()
		got := ask(logical.ReadOperation, "callback", data{"code": q.Get("code"), "state": q.Get("state"), "location": q.Get("location"), "accounts-server": q.Get("accounts-server")})
		if got.Data[logical.HTTPStatusCode] != 200 {
			t.Errorf("the callback answers %v", got.Data)
		}
		m.token("crm")
	})
}
