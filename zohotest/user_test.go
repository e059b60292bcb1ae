// Tests of users who are deleted, or whose data center is: nothing of them is left, and the
// next account of the same address is another one.

package zohotest_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestADeletedUserIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		gone := a.zoho.AddUser(zohotest.User{DataCenter: "eu", Email: "anna@example.com", OrgID: a.zoho.User("eu").OrgID})
		consent := func(prompt string) string {
			landed, err := a.zoho.Authorize(a.consentURL("us", "prompt", prompt), zohotest.Consent{Email: gone.Email})
			if err != nil {
				t.Fatal(err)
			}
			return codeOf(t, landed)
		}
		grant := a.exchange("eu", consent(""))
		code := consent("")
		self := a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "eu", Owner: gone.Email}))
		a.zoho.RemoveUser(gone.Email)
		a.wantError(a.exchange("eu", code), "invalid_code")
		a.wantError(a.refresh("eu", grant.refreshToken()), "invalid_code")
		a.wantError(self.post(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "grant_type", "client_credentials", "scope", "ZohoCliq.Users.READ",
			"client_id", self.client.ID, "client_secret", self.client.Secret), "invalid_client")
		if _, err := a.zoho.SelfClientCode(self.client.ID, "", 0, "ZohoCRM.org.READ"); err == nil {
			t.Error("the console made a code for a deleted user")
		}
		for _, address := range a.probes("eu") {
			if r := a.get(address, grant.accessToken()); r.status != 401 {
				t.Errorf("%s answered a deleted user's token %d %s", address, r.status, r.body)
			}
		}
		if _, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{Email: gone.Email}); err == nil {
			t.Error("a deleted user consented")
		}
		if _, err := a.zoho.SignIn(gone.Email); err == nil {
			t.Error("a deleted user signed in")
		}
		colleague := a.connects("eu")
		if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/users", colleague.accessToken()); strings.Contains(r.body, gone.Email) {
			t.Errorf("CRM lists a deleted user: %s", r.body)
		}
		// Without prompt an account gets a refresh token for its first consent alone.
		again := a.zoho.AddUser(zohotest.User{DataCenter: "eu", Email: gone.Email})
		if again.ZUID == gone.ZUID {
			t.Error("the new account has the old one's id")
		}
		if r := a.exchange("eu", consent("")); r.refreshToken() == "" {
			t.Errorf("the new account's first consent got %s", r.body)
		}
		if r := a.exchange("eu", consent("")); r.refreshToken() != "" {
			t.Errorf("its second consent without prompt got %s", r.body)
		}
	})
}

func TestADevicesRefreshTokenNeedsPromptLikeABrowsers(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		for _, test := range []struct {
			name    string
			more    []string
			refresh bool
		}{
			{"the first consent", nil, true},
			{"the second", nil, false},
			{"the second with prompt", []string{"prompt", "consent"}, true},
			{"other scopes", []string{"scope", "ZohoCRM.users.READ"}, true},
			{"online", []string{"access_type", "online", "prompt", "consent"}, false},
		} {
			started := a.starts("us", test.more...)
			if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{}); err != nil {
				t.Fatal(err)
			}
			if r := a.polls("us", started.text("device_code")); r.accessToken() == "" || (r.refreshToken() != "") != test.refresh {
				t.Errorf("%s: the poll got %s", test.name, r.body)
			}
			passes(10 * time.Minute)
		}
	})
}

func TestAnAccountOfNoDataCenterIsNone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		user, code := a.zoho.User("jp"), a.device().starts("us").text("user_code")
		a.zoho.RemoveDataCenter("jp")
		a.wantPage("Invalid User", a.consentURL("us"), zohotest.Consent{Email: user.Email})
		if err := a.zoho.ApproveDevice(code, zohotest.Consent{Email: user.Email}); err == nil || !strings.HasPrefix(err.Error(), "Invalid User: ") {
			t.Errorf("a device was approved: %v", err)
		}
		if err := a.zoho.ApproveDevice(code, zohotest.Consent{DataCenter: "jp"}); err == nil || !strings.HasPrefix(err.Error(), "Invalid User: ") {
			t.Errorf("a device was approved: %v", err)
		}
		for dc, others := range map[string]bool{"us": true, "cn": false} {
			for _, address := range []string{"/oauth/v3/device", "/signin"} {
				page := a.get(a.zoho.AccountsURL(dc)+address, "").body
				for of, want := range map[string]bool{"us": others, "eu": others, "cn": !others} {
					if got := strings.Contains(page, a.zoho.User(of).Email); got != want {
						t.Errorf("%s at %s offers the user of %s: %t", address, dc, of, got)
					}
				}
				if strings.Contains(page, user.Email) {
					t.Errorf("%s at %s offers a user of a data center that is gone", address, dc)
				}
			}
		}
	})
}
