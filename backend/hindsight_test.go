// What did reading the code once more bring to light? Cases that no other test had
// thought of.

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// wiretap answers some requests itself.
type wiretap struct {
	http.RoundTripper
	answer func(r *http.Request, body string) (status int, json string)
}

func (w wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
		r.Body = io.NopCloser(strings.NewReader(body))
	}
	if status, json := w.answer(r, body); status != 0 {
		return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(json))}, nil
	}
	return w.RoundTripper.RoundTrip(r)
}

func (m *mount) tap(answer func(r *http.Request, body string) (status int, json string)) {
	m.wire.zoho = wiretap{m.wire.zoho, answer}
}

func TestPatchMovesNoSecretThatItDoesNotName(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"client_secrets": map[string]any{"eu": "secret-of-europe"}, "verify": false})
		moved := data{"accounts_urls": map[string]any{"eu": "https://elsewhere.example"}, "data_center": "eu", "client_secret": "made-up"}
		m.refused(logical.PatchOperation, "config", moved, 400, "client_secrets")
		moved["client_secrets"] = map[string]any{"us": "made-up"}
		m.refused(logical.PatchOperation, "config", moved, 400, `"eu"`)
		moved["client_secrets"] = map[string]any{"eu": nil, "us": "made-up"}
		moved["verify"] = false
		m.patch("config", moved)
	})
}

func TestGrantIsRevokedThoughStorageHungUntilTheTimeWasUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		hang := func(op, key string) error {
			if op == "put" && strings.HasPrefix(key, "creds/") {
				passes(40 * time.Second)
				return context.DeadlineExceeded
			}
			return nil
		}
		m.storage.before.Store(&hang)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "revoked")
		m.storage.working()
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants live on", len(left))
		}
	})
}

func TestFailedImportsLeaveNothingBehind(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for i := range 3 {
			m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": fmt.Sprintf("1000.bad%d", i)}, 400)
		}
		for range 3 {
			passes(time.Hour)
			m.tick()
		}
		records := 0
		for _, key := range m.storage.keys(t) {
			if strings.HasPrefix(key, "token/") {
				records++
			}
		}
		if records != 1 {
			t.Errorf("%d records of one grant", records)
		}
		m.token("crm")
	})
}

func TestDeadCredentialIsStillDeadNextWeek(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.refused(logical.ReadOperation, "creds/crm", nil, 400)
		passes(7 * 24 * time.Hour)
		if status := m.read("status/crm"); status["state"] != "needs_consent" || status["last_error"] == nil {
			t.Errorf("a week later status says %v", status)
		}
	})
}

func TestThrottleThatIsOverIsNoStateAnyMore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		passes(time.Hour)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1})
		m.refused(logical.ReadOperation, "creds/crm", nil, 429)
		passes(5 * time.Hour)
		if status := m.read("status/crm"); status["state"] != "ready" || status["last_error"] == nil {
			t.Errorf("five hours later status says %v", status)
		}
	})
}

func TestOneGrantThatCannotBeRevokedHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for i := range 6 {
			m.connect(fmt.Sprintf("c%d", i))
			passes(11 * time.Minute)
		}
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		for i := range 6 {
			m.delete(fmt.Sprintf("creds/c%d", i))
		}
		m.zoho.ClearFaults()
		stuck := m.grant()
		m.tap(func(r *http.Request, body string) (int, string) {
			if strings.Contains(r.URL.Path, "revoke") && strings.Contains(body, stuck) {
				return 403, `{"error":"weird_thing"}`
			}
			return 0, ""
		})
		for range 5 {
			m.tick()
			passes(time.Minute)
		}
		if left := m.zoho.RefreshTokens(); len(left) != 1 {
			t.Errorf("%d grants live on; one of them can't be revoked", len(left))
		}
	})
}

func TestDeletedCredentialDoesNotComeBackFromADeviceConsent(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL", "max_age": "50m"})
		accept := func() {
			code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
			if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
				t.Fatal(err)
			}
			passes(31 * time.Second)
		}
		accept()
		m.token("tv")
		accept()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "device", Delay: 3 * time.Second, Times: 1})
		m.token("tv") // asks beside it
		passes(time.Second)
		m.delete("creds/tv")
		passes(10 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 404)
		m.tick()
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants live on", len(left))
		}
	})
}

func TestDeleteEndsAConsentThatHasNoCredentialYet(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("authorize/crm", nil)
		m.delete("creds/crm")
		m.refused(logical.ReadOperation, "status/crm", nil, 404)
	})
}

func TestSettingsAreRefusedBeforeACodeIsSpent(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		names := func(prefix string) map[string]any {
			m := map[string]any{}
			for i := range 40 {
				m[fmt.Sprint(prefix, i)] = strings.Repeat("x", 200)
			}
			return m
		}
		m.write("creds/crm", data{"custom_metadata": names("a")})
		landed := m.consent("crm", nil, zohotest.Consent{})
		exchanges := m.zoho.Counts().Exchanges
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed, "custom_metadata": names(strings.Repeat("b", 128))}, 400, "128")
		if m.zoho.Counts().Exchanges != exchanges {
			t.Error("the code was spent")
		}
		m.write("creds/crm", data{"callback_url": landed})
	})
}

func TestNewerFormatIsNamedEvenIfItsFieldsHaveOtherTypes(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		newer := &logical.StorageEntry{Key: "creds/crm", Value: []byte(`{"version":3,"max_age":"10m","refresh_token":{"x":1}}`)}
		if err := m.storage.Storage.Put(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		m.refused(logical.ReadOperation, "creds/crm", nil, 500, "upgrade the plugin")
	})
}

func TestRevocationThatFailsWithStatus200IsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.tap(func(r *http.Request, _ string) (int, string) {
			if strings.Contains(r.URL.Path, "revoke") {
				return 200, `{"status":"failure","error_description":"too many requests"}`
			}
			return 0, ""
		})
		if resp := m.delete("creds/crm"); resp == nil || len(resp.Warnings) == 0 {
			t.Error("the delete does not say that nothing was revoked")
		}
	})
}

func TestScopesAreLearntByWritingTheAddressAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 1})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 503)
		m.write("creds/crm", data{"callback_url": landed})
		if granted := fmt.Sprint(m.read("status/crm")["granted_scopes"]); !strings.Contains(granted, "ZohoCRM.users.READ") {
			t.Errorf("granted scopes are %s", granted)
		}
	})
}

func TestThrottleInTheWordOfARejectIsAThrottle(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		m.tap(func(_ *http.Request, body string) (int, string) {
			if strings.Contains(body, "grant_type=refresh_token") {
				return 400, `{"error":"access_denied","error_description":"too many","status":"failure"}`
			}
			return 0, ""
		})
		if got := m.token("crm"); got != held {
			t.Error("the living token is not served on")
		}
		if state := m.read("status/crm")["state"]; state != "throttled" {
			t.Errorf("state is %v", state)
		}
	})
}

func TestRefusedSiblingCostsNobodyATokenAndHidesNone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		soid := "ZohoCRM." + m.zoho.User("us").OrgID
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret, "max_age": "50m"})
		m.write("creds/a", data{"grant_type": "client_credentials", "soid": soid, "scopes": "ZohoCRM.modules.READ"})
		held := m.token("a")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "access_denied", Endpoint: "token", Times: 1})
		m.refused(logical.UpdateOperation, "creds/b", data{"grant_type": "client_credentials", "soid": soid, "scopes": "ZohoCRM.users.READ"}, 400)
		if m.token("a") != held {
			t.Error("a sibling's refusal cost a living token")
		}
		m.write("revoke/a", nil)
		if m.zoho.Alive(held) {
			t.Error("the token was not revoked")
		}
	})
}

func TestNameInTheBodyIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.refused(logical.UpdateOperation, "creds/crm", data{"name": "other", "max_age": "1m"}, 400, "unknown field")
	})
}

func TestStandbyForwardsTheReadThatFollowsADeviceConsent(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL", "max_age": "50m"})
		code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.token("tv")
		m.write("authorize/tv", data{"flow": "device"})
		m.standby(consts.ReplicationPerformanceStandby, false)
		m.token("tv") // not due yet: served here
		passes(31 * time.Second)
		if _, err := m.request(t.Context(), logical.ReadOperation, "creds/tv", nil); !errors.Is(err, logical.ErrReadOnly) {
			t.Errorf("got %v; the read has to go to a node that can ask Zoho", err)
		}
		passes(10 * time.Minute)
		m.token("tv") // the consent is over
		m.standby(0, false)
	})
}

func TestCodeIsTriedOnceWhateverNamesItIsWrittenTo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		code := func() string {
			code, err := m.zoho.SelfClientCode(self.ID, "us", 0, "ZohoCRM.org.READ")
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		first, second := code(), code()
		m.write("creds/a", data{"code": first})
		m.write("creds/a", data{"code": second})
		for _, name := range []string{"a", "b"} {
			m.refused(logical.UpdateOperation, "creds/"+name, data{"code": first}, 400, "used already")
		}
		m.token("a")
	})
}

// hides answers a path itself, and lets the rest through.
func hides(path, json string) func(r *http.Request, body string) (int, string) {
	return func(r *http.Request, _ string) (int, string) {
		if r.URL.Path == path {
			return http.StatusOK, json
		}
		return 0, ""
	}
}
