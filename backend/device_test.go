// A device consent: followed by reading, harmless until it has won.

package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestDeviceConsentIsFollowedByReading(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL"})
		started := m.write("authorize/tv", data{"flow": "device"}).Data
		code := started["user_code"].(string)
		shown := len(m.shown.String())
		for range 4 { // at once: Zoho must not be asked four times
			m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting", "authorize/tv")
		}
		if status := m.read("status/tv"); status["state"] != "awaiting_consent" || !strings.Contains(fmt.Sprint(status["remedy"]), "type the code") {
			t.Errorf("status says %v", status)
		}
		passes(31 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
		// Whoever has the code can bind the credential to an account of their own.
		if strings.Contains(m.shown.String()[shown:], code) {
			t.Error("a reader is shown the user code")
		}
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.token("tv")
		m.delete("creds/tv")
		m.delete("config") // nothing is being obtained any more
	})
}

func TestDeviceConsentLeavesAGoodCredentialAloneUntilItHasWon(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL"})
		connect := func(accept bool) {
			code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
			if err := m.zoho.ApproveDevice(code, zohotest.Consent{Reject: !accept}); err != nil {
				t.Fatal(err)
			}
			passes(31 * time.Second)
		}
		connect(true)
		m.token("tv")
		good := m.grant()
		connect(false)
		m.token("tv") // starts the question
		m.tick()
		m.token("tv")
		connect(true)
		m.token("tv")
		m.tick()
		m.token("tv")
		passes(2 * time.Hour)
		m.tick()
		tokens := m.zoho.RefreshTokens()
		if len(tokens) != 1 || tokens[0].Token == good {
			t.Errorf("the second consent did not replace the first: %d grants", len(tokens))
		}
	})
}

func TestDeviceConsentFollowsThePersonToTheirDataCenter(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL"})
		code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{DataCenter: "in"}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting") // other_dc
		passes(31 * time.Second)
		m.token("tv")
		if dc := m.read("status/tv")["data_center"]; dc != "in" {
			t.Errorf("connected in %v", dc)
		}
	})
}

func TestDeviceConsentThatNobodyAcceptsExpiresWithARemedy(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL"})
		m.write("authorize/tv", data{"flow": "device"})
		passes(6 * time.Minute)
		calls := m.zoho.Counts().DeviceCalls
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "expired", "authorize/tv flow=device")
		if m.zoho.Counts().DeviceCalls != calls {
			t.Error("Zoho was asked about a code that has expired")
		}
		if status := m.read("status/tv"); status["state"] != "not_connected" || status["consent_state"] != "expired" {
			t.Errorf("status/tv: %v", status)
		}
		passes(8 * 24 * time.Hour)
		m.tick()
		m.refused(logical.ReadOperation, "creds/tv", nil, 404)
	})
}

func TestStandbyForwardsTheFirstReadThatMayAskAboutADevice(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.device("tv")
		m.write("authorize/tv", data{"flow": "device"})
		m.standby(consts.ReplicationPerformanceStandby, false)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting") // too early to ask
		passes(31 * time.Second)
		if _, err := m.request(t.Context(), logical.ReadOperation, "creds/tv", nil); err != logical.ErrReadOnly {
			t.Errorf("got %v; the read has to go to a node that can ask Zoho", err)
		}
		m.standby(0, false)
	})
}

func TestDeclinedDeviceConsentSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL"})
		code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{Reject: true}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "declined", "authorize/tv")
	})
}

func TestSlowAnswerToAPollIsNotFollowedTooSoon(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL"})
		m.write("authorize/tv", data{"flow": "device"})
		passes(31 * time.Second)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "device", Times: 1, Delay: 5 * time.Second})
		for range 40 { // a read each second; Zoho counts thirty from when it was asked
			m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
			passes(time.Second)
		}
	})
}

func TestNobodyAsksAboutADeviceWhileTheAnswerIsOnItsWay(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.device("tv")
		m.patch("config", data{"request_timeout": "1m"})
		passes(31 * time.Second)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "device", Times: 1, Delay: 55 * time.Second})
		go func() { _, _ = m.try(logical.ReadOperation, "creds/tv", nil) }()
		for range 80 { // Zoho, which gets the question late, takes a second one for too early
			passes(time.Second)
			m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
		}
	})
}

func TestCodeThatWinsOverADeviceConsentStaysConnected(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret, "scopes": "ZohoCRM.modules.ALL"})
		code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		passes(31 * time.Second)
		// The poll is under way when another consent is started for the same name.
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "device", Times: 1, Delay: 5 * time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = m.try(logical.ReadOperation, "creds/tv", nil)
		}()
		passes(time.Second)
		second := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		<-done
		if second == code || m.read("status/tv")["state"] != "awaiting_consent" {
			t.Fatal("the second consent is not waiting")
		}
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
	})
}

func TestDeviceConsentOutlivesARefusalThatIsNoVerdictOnIt(t *testing.T) {
	for name, fault := range map[string]zohotest.Fault{
		"the client is refused": {Kind: zohotest.Refuse, Error: "invalid_client"},
		"a word nobody knows":   {Kind: zohotest.Refuse, Error: "something_new"},
		"a page":                {Kind: zohotest.HTML, Status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				code := m.device("crm")
				passes(31 * time.Second)
				fault.Endpoint, fault.Times = "device", 1
				m.zoho.Fault(fault)
				m.refused(logical.ReadOperation, "creds/crm", nil, 400, " accounts.zoho.com (")
				if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
					t.Fatal(err)
				}
				passes(31 * time.Second)
				m.token("crm")
			})
		})
	}
}
