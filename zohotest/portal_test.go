// Tests of portals: their clients have addresses of their own, and no others.

package zohotest_test

import (
	"net/url"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestAPortalsClientHasThePortalsAddressesAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		ordinary := a
		a = a.as(a.zoho.AddClient(zohotest.Client{Portal: "10012345"}))
		portal := a.zoho.PortalURL("us", "10012345")
		if portal != "https://accounts.zohoportal.com/clientoauth/v2/10012345" {
			t.Errorf("the portal is at %s", portal)
		}
		ask := strings.Replace(a.consentURL("us"), a.zoho.AccountsURL("us")+"/oauth/v2", portal, 1)
		landed, err := a.zoho.Authorize(ask, zohotest.Consent{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(landed)
		if err != nil || u.Query().Get("accounts-server") != "https://accounts.zohoportal.com" {
			t.Fatalf("landed at %s, %v", landed, err)
		}
		token := func(at string, pairs ...string) reply {
			return a.post(at, append([]string{"client_id", a.client.ID, "client_secret", a.client.Secret}, pairs...)...)
		}
		grant := token(portal+"/token", "grant_type", "authorization_code", "code", codeOf(t, landed), "redirect_uri", a.client.RedirectURIs[0])
		if grant.refreshToken() == "" {
			t.Fatalf("the exchange got %s", grant.body)
		}
		refresh := []string{"grant_type", "refresh_token", "refresh_token", grant.refreshToken()}
		if r := token(portal+"/token", refresh...); r.accessToken() == "" {
			t.Errorf("the refresh got %s", r.body)
		}
		a.wantNoViolations()
		for name, at := range map[string]string{
			"the ordinary endpoint": a.zoho.AccountsURL("us") + "/oauth/v2/token", "another portal's": a.zoho.PortalURL("us", "20000000") + "/token",
		} {
			t.Log(name)
			a.wantError(token(at, refresh...), "invalid_client")
		}
		a.wantError(ordinary.post(portal+"/token", "client_id", ordinary.client.ID, "client_secret", ordinary.client.Secret,
			"grant_type", "refresh_token", "refresh_token", ordinary.connects("us").refreshToken()), "invalid_client")
		a.wantPage("Invalid Client", a.consentURL("us"), zohotest.Consent{})
		a.wantPage("Invalid Client", strings.Replace(ordinary.consentURL("us"), a.zoho.AccountsURL("us")+"/oauth/v2", portal, 1), zohotest.Consent{})
		a.wantPage("Invalid Client", ask, zohotest.Consent{DataCenter: "eu"})
		if r := a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token/revoke", "token", grant.refreshToken()); r.status != 400 {
			t.Errorf("the ordinary endpoint revoked it: %d %s", r.status, r.body)
		}
		if r := a.post(portal+"/token/revoke", "token", grant.refreshToken()); r.text("status") != "success" {
			t.Errorf("the portal answered %d %s", r.status, r.body)
		}
		if a.zoho.Alive(grant.accessToken()) {
			t.Error("the access token lives on")
		}
	})
}

func TestAPersonConsentsAtAPortalInABrowser(t *testing.T) {
	a := listening(t)
	a = a.as(a.zoho.AddClient(zohotest.Client{Portal: "10012345", DataCenter: "in"}))
	portal := a.zoho.PortalURL("in", "10012345")
	page := a.get(strings.Replace(a.consentURL("in"), a.zoho.AccountsURL("in")+"/oauth/v2", portal, 1), "")
	host, _, _ := strings.Cut(portal, "/clientoauth/")
	done := a.post(host+field(t, page.body, `<form method="post" action="([^"]*)"`),
		"path", field(t, page.body, `name="path" value="([^"]*)"`), "request", field(t, page.body, `name="request" value="([^"]*)"`),
		"email", a.zoho.User("in").Email, "decision", "accept")
	to, err := url.Parse(done.header.Get("Location"))
	if err != nil || to.Query().Get("accounts-server") != host {
		t.Fatalf("the button led to %d %v", done.status, done.header)
	}
	if r := a.post(to.Query().Get("accounts-server")+"/clientoauth/v2/10012345/token", "client_id", a.client.ID, "client_secret", a.client.Secret,
		"grant_type", "authorization_code", "code", to.Query().Get("code"), "redirect_uri", a.client.RedirectURIs[0]); r.refreshToken() == "" {
		t.Errorf("the exchange got %d %s", r.status, r.body)
	}
	if r := a.get(host+"/signin?continue="+url.QueryEscape("/clientoauth/v2/10012345/auth?x=1"), ""); !strings.Contains(r.body, "Invalid Client") {
		t.Errorf("a wrong address to come back to was answered %s", r.body)
	}
	a.wantNoViolations()
}

func TestAPathOfAPortalHasItsIdAndItsEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		host, _, _ := strings.Cut(a.zoho.PortalURL("us", "1"), "/clientoauth")
		_, query, _ := strings.Cut(a.consentURL("us"), "?")
		for _, path := range []string{"/clientoauth/v2//auth", "/clientoauth/v2/auth", "/clientoauth/v2/1/token", "/clientoauth/v2/1/auth/", "/auth"} {
			if landed, err := a.zoho.Authorize(host+path+"?"+query, zohotest.Consent{}); err == nil || !strings.Contains(err.Error(), "no authorization endpoint at "+path) {
				t.Errorf("%s: landed at %q, %v", path, landed, err)
			}
		}
		if _, err := a.zoho.Authorize(a.zoho.APIURL("us")+"/oauth/v2/auth", zohotest.Consent{}); err == nil || !strings.Contains(err.Error(), "no accounts server at https://www.zohoapis.com") {
			t.Errorf("at the gateway: %v", err)
		}
		if _, err := a.zoho.Authorize("https://%zz", zohotest.Consent{}); err == nil || !strings.Contains(err.Error(), "authorization URL") {
			t.Errorf("at no address: %v", err)
		}
	})
}
