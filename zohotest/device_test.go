// Does the device flow answer as Zoho's does, step by step?

package zohotest_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// device is an app without a browser.
func (a app) device() app {
	return a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.Device}))
}

func (a app) starts(dc string, more ...string) reply {
	a.Helper()
	return a.post(a.zoho.AccountsURL(dc)+"/oauth/v3/device/code", append([]string{"grant_type", "device_request",
		"client_id", a.client.ID, "scope", "ZohoCRM.org.READ", "access_type", "offline"}, more...)...)
}

func (a app) polls(dc, code string, more ...string) reply {
	a.Helper()
	return a.post(a.zoho.AccountsURL(dc)+"/oauth/v3/device/token", append([]string{"grant_type", "device_token",
		"client_id", a.client.ID, "client_secret", a.client.Secret, "code", code}, more...)...)
}

func TestADeviceGetsTokensWhenItsCodeIsApproved(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		started := a.starts("us")
		if !regexp.MustCompile(`^[A-Z2-9]{8}$`).MatchString(started.text("user_code")) || started.json["expires_in"] != 300000.0 || started.json["interval"] != 30000.0 ||
			started.text("verification_uri_complete") != started.text("verification_url")+"?user_code="+started.text("user_code") {
			t.Fatalf("it started with %s", started.body)
		}
		code := started.text("device_code")
		a.wantError(a.polls("us", code), "authorization_pending")
		passes(30 * time.Second)
		a.wantError(a.polls("us", code), "authorization_pending")
		if err := a.zoho.ApproveDevice(strings.ToLower(started.text("user_code")), zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(30 * time.Second)
		r := a.polls("us", code)
		if !strings.HasPrefix(r.accessToken(), "1004.") || r.refreshToken() == "" || r.text("api_domain") != "https://www.zohoapis.com" || r.json["expires_in"] != 3600.0 {
			t.Errorf("the poll got %s", r.body)
		}
		if again := a.refresh("us", r.refreshToken()); again.accessToken() == "" {
			t.Errorf("the refresh got %s", again.body)
		}
		if org := a.get("https://www.zohoapis.com/crm/v8/org", r.accessToken()); org.status != 200 {
			t.Errorf("the API answered %d %s", org.status, org.body)
		}
		passes(30 * time.Second)
		a.wantNoViolations()
		a.wantError(a.polls("us", code), "invalid_code")
		a.wantViolations(zohotest.PolledAfterEnd)
		if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{}); err == nil {
			t.Error("a used code was approved again")
		}
	})
}

func TestADeviceWithOnlineAccessGetsNoRefreshToken(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		started := a.starts("us", "access_type", "online")
		if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		if r := a.polls("us", started.text("device_code")); r.accessToken() == "" || r.refreshToken() != "" {
			t.Errorf("the poll got %s", r.body)
		}
	})
}

func TestADeviceThatPollsTooFastIsSlowedDownAndBlamed(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		code := a.starts("us").text("device_code")
		a.polls("us", code)
		passes(30*time.Second - 1)
		a.wantError(a.polls("us", code), "slow_down")
		passes(1) // the early poll did not restart the clock
		a.wantError(a.polls("us", code), "authorization_pending")
		passes(30*time.Second - 1)
		a.wantError(a.polls("us", code), "slow_down")
		a.wantViolation(zohotest.PolledTooFast, 2)
		if got := a.zoho.Counts(); got.PolledTooFast != 2 || got.DeviceCalls != 5 || got.ByGrant["device_token"] != 4 {
			t.Errorf("counts are %+v", got)
		}
	})
}

func TestAnEarlyPollRestartsTheClockIfTheKnobSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.EarlyPollRestarts = true })
		a = a.device()
		code := a.starts("us").text("device_code")
		a.polls("us", code)
		for range 2 {
			passes(30*time.Second - 1)
			a.wantError(a.polls("us", code), "slow_down")
		}
		passes(30 * time.Second)
		a.wantError(a.polls("us", code), "authorization_pending")
		a.wantViolation(zohotest.PolledTooFast, 2)
	})
}

func TestAnIntervalOfFiveSecondsIsToldInMillisecondsAndKept(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.DeviceInterval = 5 * time.Second })
		a = a.device()
		started := a.starts("us")
		if started.json["interval"] != 5000.0 || started.json["expires_in"] != 300000.0 {
			t.Errorf("it started with %s", started.body)
		}
		code := started.text("device_code")
		a.polls("us", code)
		passes(5*time.Second - 1)
		a.wantError(a.polls("us", code), "slow_down")
		passes(1)
		a.wantError(a.polls("us", code), "authorization_pending")
	})
}

func TestADeviceHearsThatItsUserSaidNoOrNothing(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		rejected, ignored := a.starts("us"), a.starts("us")
		if err := a.zoho.ApproveDevice(rejected.text("user_code"), zohotest.Consent{Reject: true}); err != nil {
			t.Fatal(err)
		}
		a.wantError(a.polls("us", rejected.text("device_code")), "access_denied")
		passes(5*time.Minute - 1)
		a.wantError(a.polls("us", ignored.text("device_code")), "authorization_pending")
		passes(30 * time.Second)
		a.wantError(a.polls("us", ignored.text("device_code")), "expired")
		if err := a.zoho.ApproveDevice(ignored.text("user_code"), zohotest.Consent{}); err == nil {
			t.Error("an expired code was approved")
		}
	})
}

func TestADeviceIsSentToTheDataCenterOfItsUser(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		started := a.starts("us")
		code := started.text("device_code")
		a.wantError(a.polls("eu", code), "invalid_code")
		if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{DataCenter: "eu"}); err != nil {
			t.Fatal(err)
		}
		r := a.polls("us", code)
		a.wantError(r, "other_dc")
		if r.text("user_location") != "eu" {
			t.Errorf("answered %s", r.body)
		}
		a.wantError(a.polls("jp", code), "invalid_code")
		if r := a.polls("eu", code); r.refreshToken() == "" || r.text("api_domain") != "https://www.zohoapis.eu" {
			t.Errorf("eu answered %s", r.body)
		}
		a.wantViolations(zohotest.WrongDataCenter, zohotest.WrongDataCenter)
	})
}

func TestMistakesInTheDeviceFlowHaveNames(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		server := a
		a = a.device()
		a.wantError(server.starts("us"), "invalid_client")
		a.wantError(a.starts("us", "client_id", "1000.NOBODY"), "invalid_client")
		a.wantError(a.starts("us", "scope", ""), "invalid_scope")
		a.wantError(a.starts("us", "grant_type", "device"), "invalid_client")
		if r := a.starts("us", "grant_type", ""); r.status != 400 || r.json != nil {
			t.Errorf("without grant_type it answered %d %s", r.status, r.body)
		}
		started := a.starts("us")
		code := started.text("device_code")
		a.wantError(a.polls("us", code, "client_secret", "x"), "invalid_client_secret")
		a.wantError(a.polls("us", "1000.x.y"), "invalid_code")
		a.wantError(server.polls("us", code), "invalid_code")
		a.wantError(a.polls("us", code, "grant_type", "device_code"), "invalid_client")
		if r := a.polls("us", code, "grant_type", ""); r.status != 400 || r.json != nil {
			t.Errorf("without grant_type it answered %d %s", r.status, r.body)
		}
		if err := a.zoho.ApproveDevice("WRONG", zohotest.Consent{}); err == nil {
			t.Error("a wrong code was approved")
		}
		for _, consent := range []zohotest.Consent{{DataCenter: "cn"}, {Email: "nobody@example.com"}} {
			if err := a.zoho.ApproveDevice(started.text("user_code"), consent); err == nil {
				t.Errorf("%+v approved", consent)
			}
		}
	})
}

func TestTheDevicesKnobs(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		a.zoho.Knobs(func(k *zohotest.Knobs) {
			k.DeviceSeconds, k.DeviceErrorStatus, k.DeviceInterval, k.DeviceCodeLifetime = true, 400, 5*time.Second, time.Minute
		})
		started := a.starts("us")
		if started.json["expires_in"] != 60.0 || started.json["interval"] != 5.0 {
			t.Errorf("it started with %s", started.body)
		}
		if r := a.polls("us", started.text("device_code")); r.status != 400 || r.error() != "authorization_pending" {
			t.Errorf("the poll got %d %s", r.status, r.body)
		}
	})
}

func TestAPersonApprovesADeviceInABrowser(t *testing.T) {
	a := listening(t).device()
	started := a.starts("us")
	page := a.get(started.text("verification_uri_complete"), "")
	action := field(t, page.body, `<form method="post" action="([^"]*)"`)
	code := field(t, page.body, `name="user_code" value="([^"]*)"`)
	done := a.post(a.zoho.AccountsURL("us")+action, "user_code", " "+code+" ", "email", a.zoho.User("us").Email, "decision", "accept")
	if !strings.Contains(done.body, "Accepted") {
		t.Errorf("the button led to %d %s", done.status, done.body)
	}
	if r := a.polls("us", started.text("device_code")); r.refreshToken() == "" {
		t.Errorf("the poll got %s", r.body)
	}
	a.wantNoViolations()
}
