// no_org: accounts without an organization in a service, and the eleventh code.

package zohotest_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

const lonely = "lonely@example.com"

// alone adds a user without an organization.
func (a app) alone() {
	a.zoho.AddUser(zohotest.User{Email: lonely, DataCenter: "eu", NoOrganization: true})
}

func TestUserWithoutAnOrganizationIsSentBackWithNoOrg(t *testing.T) {
	for scope, want := range map[string]string{
		"ZohoCRM.org.READ":                            "no_org",
		"zohocrm.modules.ALL":                         "no_org",
		"AaaServer.profile.READ,Desk.basic.READ":      "no_org",
		"ZohoBigin.modules.ALL":                       "no_org",
		"PhoneBridge.call.log":                        "no_org",
		"ZohoCampaigns.contact.READ":                  "no_org",
		"ZohoRecruit.modules.ALL":                     "no_org",
		"ZohoBooks.settings.READ,ZohoCRM.modules.ALL": "no_org",
		"ZohoBooks.settings.READ":                     "",
		"AaaServer.profile.READ":                      "",
		"WorkDrive.files.READ,ZohoMail.accounts.READ": "",
	} {
		bubble(t, func(t *testing.T, a app) {
			a.alone()
			for _, reject := range []bool{false, true} {
				got, err := a.zoho.Authorize(a.consentURL("eu", "scope", scope), zohotest.Consent{Email: lonely, Reject: reject})
				wanted := "error=" + want + "&"
				switch {
				case want == "" && reject:
					wanted = "error=access_denied&"
				case want == "":
					wanted = "code=1000."
				}
				if err != nil || !strings.Contains(got, "state=xyz&"+wanted) {
					t.Errorf("%s, reject %v: landed at %s, %v", scope, reject, got, err)
				}
			}
			if made := a.zoho.Counts().Consents; made != 0 && want != "" {
				t.Errorf("%s: %d consents", scope, made)
			}
			a.wantNoViolations()
		})
	}
}

func TestAdministratorWithoutAnOrganizationIsSentBackWithNoOrg(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.alone()
		got, err := a.zoho.Authorize(a.orgURL("eu", "scope", "ZohoCRM.org.READ", "soid", "ZohoCRM.1"), zohotest.Consent{Email: lonely})
		if err != nil || !strings.Contains(got, "error=no_org") {
			t.Errorf("landed at %s, %v", got, err)
		}
	})
}

func TestPageOfUserWithoutAnOrganizationOffersOnlyTheWayBack(t *testing.T) {
	b := browses(t, "anna@example.com")
	b.alone()
	cookie, err := b.zoho.SignIn(lonely, "anna@example.com")
	if err != nil {
		t.Fatal(err)
	}
	b.opens(b.zoho.AccountsURL("eu") + "/signin?session=" + cookie.Value)
	b.opens(b.consentURL("eu", "scope", "ZohoCRM.org.READ")).wants("Signed in as <strong>" + lonely).wants("Back to app").wantsNot("Accept").wantsNot("Reject")
	b.presses("decision", "back")
	if !strings.Contains(b.at, "error=no_org") || !strings.Contains(b.at, "state=xyz") {
		t.Errorf("landed at %s", b.at)
	}
	b.opens(b.consentURL("eu", "scope", "ZohoBooks.settings.READ")).wants("Accept").wants("Reject").wantsNot("Back to app")
	b.opens(b.consentURL("eu", "scope", "ZohoCRM.org.READ")).chooses("anna@example.com").wants("Accept").wantsNot("Back to app").presses("decision", "accept")
	if who := b.consentedAs(); who != "anna@example.com" {
		t.Errorf("%s consented", who)
	}
	b.wantNoViolations()
}

// Nobody has to be there to be sent back.
func TestUserWithoutAnOrganizationIsSentBackByAutoConsent(t *testing.T) {
	a := listening(t)
	a.alone()
	a.zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsent, k.AutoConsentEmail = true, lonely })
	if to := a.get(a.consentURL("eu", "scope", "ZohoCRM.org.READ"), "").header.Get("Location"); !strings.Contains(to, "error=no_org") {
		t.Errorf("landed at %s", to)
	}
}

func TestEleventhCodeIsDeniedOnThePageToo(t *testing.T) {
	b := browses(t, "anna@example.com")
	for i := range 11 {
		b.opens(b.consentURL("eu")).presses("decision", "accept")
		if denied := strings.Contains(b.at, "error=access_denied"); denied != (i == 10) || strings.Contains(b.at, "code=") == denied {
			t.Errorf("consent %d landed at %s", i+1, b.at)
		}
	}
	b.wantViolation(zohotest.CodeThrottleTripped, 1)
}
