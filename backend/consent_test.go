// Consents, from outside: how each one ends, who can see that, and what it leaves alone.

package backend_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestPatchChangesSettingsAndNothingElse(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.held("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		for _, d := range []data{
			{"callback_url": landed}, {"code": "1000.a.b"}, {"refresh_token": m.anotherGrant()}, {"state": "x"}, {"redirect_uri": "https://a.example"},
			{"data_center": "eu"}, {"accounts_server": "https://accounts.zoho.eu"}, {"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.READ"}, {"soid": "ZohoCRM.1"},
			{"max_age": "30m", "callback_url": landed},
		} {
			m.refused(logical.PatchOperation, "creds/crm", d, 400, "does not belong to a patch", "max_age")
		}
		if m.held("crm") != held || m.zoho.Counts().Exchanges != 2 {
			t.Error("a patch connected a grant")
		}
		m.patch("creds/crm", data{"max_age": "30m"})
		m.write("creds/crm", data{"callback_url": landed})
	})
}

func TestVisitorCannotRaiseTheLevelOfAConsent(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		started := m.write("authorize/crm", data{"flow": "organization", "soid": "ZohoCRM.600000434"})
		started.Data["authorization_url"] = strings.Replace(started.Data["authorization_url"].(string), "/org/auth", "/auth", 1)
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
		status := m.read("status/crm")
		if status["requested_level"] != "organization" || status["belongs_to"] != "the organization ZohoCRM.600000434, as requested" {
			t.Errorf("what was asked for is shown as a fact: %v", status)
		}
	})
}

func TestConnectingWithoutTheConsentThatWaitsEndsIt(t *testing.T) {
	self := func(m *mount) data { m.becomes(zohotest.SelfClient); return data{"code": m.selfCode()} }
	imports := func(m *mount) data { return data{"refresh_token": m.anotherGrant()} }
	credentials := func(m *mount) data {
		m.becomes(zohotest.SelfClient)
		return data{"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID}
	}
	for name, c := range map[string]struct {
		waiting data
		write   func(m *mount) data
	}{
		"an import beside a link":                     {data{"ttl": "7d"}, imports},
		"an import beside a link for an organization": {data{"flow": "organization", "soid": "ZohoCRM.600000434", "ttl": "7d"}, imports},
		"an import beside more scopes":                {data{"add_scopes": "ZohoCRM.users.READ"}, imports},
		"an import beside a device":                   {data{"flow": "device"}, imports},
		"client credentials beside a link":            {data{"ttl": "7d"}, credentials},
		"client credentials beside a device":          {data{"flow": "device"}, credentials},
		"a self client's code beside a device":        {data{"flow": "device"}, self},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.becomes(zohotest.ServerBased)
				m.configure(data{"redirect_uri": nil, "vault_addr": vaultAddr})
				m.clicks("crm")
				kind := zohotest.ServerBased
				switch c.waiting["flow"] {
				case "device":
					kind = zohotest.Device
				case "organization":
					kind = zohotest.Organization
				}
				m.becomes(kind)
				started := m.write("authorize/crm", c.waiting)
				m.becomes(zohotest.ServerBased)
				resp := m.write("creds/crm", c.write(m))
				if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "its link no longer works") {
					t.Errorf("warnings: %v", resp.Warnings)
				}
				now := m.held("crm")
				m.becomes(kind)
				if c.waiting["flow"] == "device" {
					_ = m.zoho.ApproveDevice(started.Data["user_code"].(string), zohotest.Consent{})
					passes(31 * time.Second)
					m.read("creds/crm")
					synctest.Wait()
				} else if landed, err := m.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{}); err == nil {
					m.land(landed).shows(t, 400, "no longer good")
				}
				m.hours()
				if m.held("crm") != now || now != "" && !m.lives(now) {
					t.Error("the consent that waited replaced the grant")
				}
				if state := m.read("authorize/crm")["state"]; state != "superseded" {
					t.Errorf("the consent is %v", state)
				}
			})
		})
	}
}

func TestConsentInProgressIsReplacedLikeOneThatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		ann, bob := logical.Request{EntityID: "e-1", DisplayName: "ann"}, logical.Request{EntityID: "e-2", DisplayName: "bob"}
		started, err := m.startBy(ann, nil)
		if err != nil {
			t.Fatal(err)
		}
		landed := m.opens(started, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "withdrawn or replaced while Zoho was asked")
		})
		synctest.Wait()
		if _, err := m.startBy(bob, nil); err == nil || !strings.Contains(err.Error(), "force=true") {
			t.Errorf("somebody else replaces it: %v", err)
		}
		if again, err := m.startBy(ann, nil); err != nil || len(again.Warnings) != 1 || !strings.Contains(again.Warnings[0], "no longer works") {
			t.Errorf("the same caller: %v, %v", again, err)
		}
		others.Wait()
		m.settled(0)
	})
}

func TestImportBeatsTheCodeThatIsBeingExchanged(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		imported := m.anotherGrant()
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "withdrawn or replaced while Zoho was asked")
		})
		synctest.Wait()
		resp := m.write("creds/crm", data{"refresh_token": imported})
		others.Wait()
		if m.held("crm") != imported || len(resp.Warnings) != 1 {
			t.Errorf("the link replaced what was imported; warnings: %v", resp.Warnings)
		}
		if c := m.read("authorize/crm"); c["state"] != "superseded" || !strings.Contains(c["result_detail"].(string), "connected without this consent") {
			t.Errorf("authorize/crm: %v", c)
		}
		m.delete("creds/other")
		m.settled(1)
	})
}

func TestDeviceThatHasConnectedCannotBeWithdrawn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.becomes(zohotest.Device)
		m.configure(nil)
		m.acceptsOnDevice("crm")
		release := m.storage.blocking("put", "token/")
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.ReadOperation, "creds/crm", nil) })
		synctest.Wait()
		m.refused(logical.DeleteOperation, "authorize/crm", nil, 400, "completed before it could be withdrawn")
		release()
		others.Wait()
		m.token("crm")
	})
}

func TestScopesOfAConsentThatWasWithdrawnAreNotAdded(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": "ZohoCRM.modules.READ"})
		m.clicks("crm")
		landed := m.opens(m.write("authorize/crm", data{"add_scopes": "ZohoCRM.users.READ"}), zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.land(landed).shows(t, 400, "withdrawn or replaced while Zoho was asked") })
		synctest.Wait()
		m.delete("authorize/crm")
		others.Wait()
		if got := m.read("status/crm")["requested_scopes"].([]string); len(got) != 1 {
			t.Errorf("scopes were added: %v", got)
		}
	})
}

func TestForgedNewsOfScopesIsNoConsent(t *testing.T) {
	for name, c := range map[string]struct{ had, asked string }{
		"a part of .ALL":    {"ZohoCRM.modules.READ", "ZohoCRM.modules.ALL"},
		"one of two scopes": {"ZohoCRM.modules.READ ZohoCRM.org.READ", "ZohoCRM.org.READ ZohoCRM.users.READ"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"scopes": c.had, "max_age": "30m"})
				m.clicks("crm")
				started := m.write("authorize/crm", data{"add_scopes": c.asked})
				news := callbackAddress + "?" + url.Values{"state": {started.Data["state"].(string)}, "status": {"success"}, "scope_enhanced": {"true"}}.Encode()
				m.land(news).shows(t, 400, "has none of the scopes")
				mints := m.zoho.Counts().TokenCalls
				for range 20 { // each proof is a mint, and needs no Vault token
					passes(10 * time.Second)
					m.land(news).shows(t, 400, "can be checked again from")
				}
				if n := m.zoho.Counts().TokenCalls - mints; n != 0 {
					t.Errorf("%d mints for an address that anybody can load", n)
				}
				if got := m.read("authorize/crm"); got["state"] != "waiting" || got["result"] != "failed" {
					t.Errorf("authorize/crm: %v", got)
				}
				passes(3 * time.Minute)
				m.land(m.opens(started, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
			})
		})
	}
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"add_scopes": "ZohoCRM.org.read"}, 400, "already")
	})
}

func TestProofOfScopesThatFailsLeavesATrace(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": "ZohoCRM.modules.READ"})
		m.clicks("crm")
		landed := m.opens(m.write("authorize/crm", data{"add_scopes": "ZohoCRM.users.READ"}), zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token"})
		log := strings.Join(m.logged(func() { m.land(landed) }), "")
		m.zoho.ClearFaults()
		if c := m.read("authorize/crm"); c["state"] != "waiting" || c["result"] != "failed" || !strings.Contains(log, "a consent did not connect the credential") {
			t.Errorf("authorize/crm: %v; logged %s", c, log)
		}
		passes(6 * time.Minute)
		m.land(landed).shows(t, 200, "Zoho is connected")
	})
}

func TestCallerOfAuthorizeDoesNotSeeTheAccountThatConsented(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		started := m.write("authorize/crm", data{"expected_user": "somebody@example.com"})
		email := m.zoho.User("us").Email
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 400, email)
		if shown := fmt.Sprint(m.read("authorize/crm"), m.list("authorize/")); strings.Contains(shown, email) || !strings.Contains(shown, "another account consented") {
			t.Errorf("authorize shows %s", shown)
		}
		if status := fmt.Sprint(m.read("status/crm")); !strings.Contains(status, email) {
			t.Errorf("status does not name the account: %s", status)
		}
	})
}

func TestVisitorDoesNotFillTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.opens(m.write("authorize/crm", data{"ttl": "1h"}), zohotest.Consent{})
		lines := m.logged(func() {
			for i := range 60 {
				passes(time.Second)
				m.land(altered(t, landed, map[string]string{"accounts-server": "", "location": fmt.Sprint("mars", i%2)}))
			}
		})
		if n := strings.Count(strings.Join(lines, ""), "did not connect"); n < 1 || n > 2 {
			t.Errorf("%d lines in a minute", n)
		}
	})
}

func TestReadsAreWarmAgainWhenADeviceConsentHasExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		deviceClient(m)
		m.byDevice("tv")
		m.write("authorize/tv", data{"flow": "device"})
		m.read("creds/tv")
		passes(6 * time.Minute)
		for range 2 {
			m.read("creds/tv")
			synctest.Wait()
		}
		before := m.storage.operations.Load()
		m.read("creds/tv")
		if n := m.storage.operations.Load() - before; n != 0 {
			t.Errorf("a read makes %d storage operations", n)
		}
		if _, warm := m.backend.(interface {
			WarmRead(path string, room []byte) ([]byte, bool)
		}).WarmRead("creds/tv", nil); !warm {
			t.Error("a read does not take the short way")
		}
	})
}

func TestCreateReplacesNoCredentialThatWasConnectedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		imported := m.anotherGrant()
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { // nothing is connected yet, so that Vault asks for create
			m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": imported}, 400, "create capability replaces none")
		})
		synctest.Wait()
		m.write("creds/crm", data{"callback_url": landed})
		linked := m.held("crm")
		others.Wait()
		if m.held("crm") != linked || !m.lives(imported) {
			t.Error("the create capability replaced a credential")
		}
	})
}

func TestConsentIsNotStoredForAConfigThatIsBeingDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		open := make(chan struct{})
		once := sync.OnceFunc(func() { <-open })
		late := func(op, key string) error {
			if op == "get" && key == "pending/crm" {
				once()
			}
			return nil
		}
		m.storage.after.Store(&late)
		var err error
		var others sync.WaitGroup
		others.Go(func() { _, err = m.try(logical.UpdateOperation, "authorize/crm", nil) })
		synctest.Wait()
		m.storage.after.Store(nil)
		m.delete("config")
		close(open)
		others.Wait()
		if left := m.storage.keys(t); err == nil || len(left) != 0 {
			t.Errorf("%v; stored are %v", err, left)
		}
	})
}

func TestConsentThatCannotBeReadStandsInNoOthersWay(t *testing.T) {
	for name, value := range map[string]string{"damaged": `{"version":`, "of a newer release": `{"version":99}`, "of another type": `{"version":2,"expires":"soon"}`} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				damage := func() {
					if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "pending/crm", Value: []byte(value)}); err != nil {
						t.Fatal(err)
					}
					m.restart()
				}
				damage()
				m.token("crm")
				m.readWith("creds/crm", data{"max_age": "1m"})
				if status := m.read("status/crm"); status["state"] != "ready" || status["consent_state"] != "unreadable" {
					t.Errorf("status: %v", status)
				}
				if c := m.read("authorize/crm"); c["state"] != "unreadable" || !strings.Contains(c["result_detail"].(string), "delete of authorize/crm") {
					t.Errorf("authorize/crm: %v", c)
				}
				if info := m.list("authorize/")["key_info"].(map[string]any)["crm"].(map[string]any); info["state"] != "unreadable" {
					t.Errorf("listed as %v", info)
				}
				m.write("creds/crm", data{"max_age": "1m"})
				m.write("creds/crm", data{"refresh_token": m.anotherGrant()})
				m.refused(logical.UpdateOperation, "authorize/crm", nil, 400, "cannot be read", "force=true")
				m.refused(logical.UpdateOperation, "authorize/crm", data{"withdraw": true, "if_state": "x"}, 400, "cannot be read", "withdraw")
				m.delete("authorize/crm")
				m.refused(logical.ReadOperation, "authorize/crm", nil, 404)
				damage()
				m.write("authorize/crm", data{"force": true})
				damage()
				m.delete("creds/crm")
				m.delete("creds/other")
				m.nothingLeft("all is deleted")
			})
		})
	}
}

func TestRefusedCodeLeavesTheConsentThatItDoesNotFinish(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.becomes(zohotest.ServerBased)
		m.configure(data{"redirect_uri": nil, "vault_addr": vaultAddr})
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.land(landed).shows(t, 200, "Zoho is connected")
		m.becomes(zohotest.Device)
		m.refused(logical.UpdateOperation, "creds/crm", data{"code": "1000.made.up"}, 400, "invalid_code")
		m.land(landed).shows(t, 200, "Zoho is connected")

		code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		m.refused(logical.UpdateOperation, "creds/tv", data{"code": "1000.made.up.too"}, 400, "invalid_code")
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.token("tv")
	})
}

func TestConsentThatIsWithdrawnInProgressConnectsNothing(t *testing.T) {
	for _, connected := range []bool{true, false} {
		for _, flow := range []string{"code", "device"} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.becomes(zohotest.ServerBased)
				m.configure(nil)
				m.configure(data{"redirect_uri": callbackAddress})
				held := ""
				if connected {
					m.connect("crm")
					held = m.held("crm")
				}
				var others sync.WaitGroup
				endpoint := map[string]string{"code": "token", "device": "device"}[flow]
				late := zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: endpoint, Times: 1}
				if flow == "code" {
					landed := m.consent("crm", nil, zohotest.Consent{})
					m.zoho.Fault(late)
					others.Go(func() {
						m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "withdrawn or replaced while Zoho was asked")
					})
				} else {
					m.becomes(zohotest.Device)
					m.acceptsOnDevice("crm")
					m.zoho.Fault(late)
					others.Go(func() { _, _ = m.try(logical.ReadOperation, "creds/crm", nil) })
				}
				synctest.Wait()
				m.delete("authorize/crm")
				others.Wait()
				passes(10 * time.Second)
				synctest.Wait()
				if m.held("crm") != held {
					t.Errorf("%s: a withdrawn consent connected the credential", flow)
				}
				m.settled(map[bool]int{true: 1}[connected])
				m.clean()
			})
		}
	}
}

func TestConsentThatIsCompletedCannotBeWithdrawn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		open := make(chan struct{})
		connected := func(op, key string) error {
			if op == "put" && strings.HasPrefix(key, "grant/") { // creds/crm is written by then
				<-open
			}
			return nil
		}
		m.storage.before.Store(&connected)
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		var withdrawn error
		others.Go(func() { _, withdrawn = m.try(logical.DeleteOperation, "authorize/crm", nil) })
		synctest.Wait()
		close(open)
		others.Wait()
		if withdrawn != nil && !strings.Contains(withdrawn.Error(), "completed before it could be withdrawn") {
			t.Errorf("withdrawing: %v", withdrawn)
		}
		m.token("crm")
		m.settled(1)
	})
}

func TestConsentsEndWithTheirConfig(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		if _, err := m.startBy(logical.Request{EntityID: "e-1"}, data{"ttl": "7d"}); err != nil {
			t.Fatal(err)
		}
		m.delete("config")
		if left := fmt.Sprint(m.storage.keys(t)); left != "[]" {
			t.Errorf("left are %s", left)
		}
		m.configure(nil)
		if _, err := m.startBy(logical.Request{EntityID: "e-2"}, data{"ttl": "7d"}); err != nil {
			t.Errorf("a consent of a deleted config is in the way: %v", err)
		}
		// Nor does one of another client stand in anybody's way.
		anotherClient(m)
		if _, err := m.startBy(logical.Request{EntityID: "e-3"}, nil); err != nil {
			t.Errorf("a consent of another client is in the way: %v", err)
		}
	})
}

func TestEveryEndOfAConsentLeavesATrace(t *testing.T) {
	type end struct {
		person   zohotest.Consent
		start    data
		fault    zohotest.Fault
		before   func(m *mount) // before the browser lands
		state    string
		result   string
		word     string
		says     string
		noLog    bool
		unlanded bool
	}
	for name, c := range map[string]end{
		"connected":     {state: "connected", result: "connected", noLog: true},
		"declined":      {person: zohotest.Consent{Reject: true}, state: "declined", result: "declined", word: "access_denied", says: "Reject was chosen"},
		"failed":        {fault: zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_code", Endpoint: "token"}, state: "failed", result: "failed", says: "invalid_code"},
		"lost answer":   {fault: zohotest.Fault{Kind: zohotest.LostAnswer, Endpoint: "token"}, state: "failed", result: "failed", says: "not tried again"},
		"wrong account": {person: zohotest.Consent{Email: "mallory@example.com"}, start: data{"expected_user": "600000001"}, state: "waiting", result: "wrong_account", says: "another account consented"},
		"wrong server":  {start: data{"expected_data_center": "eu"}, state: "waiting", result: "wrong_account", says: "data center us"},
		"expired":       {before: func(*mount) { passes(11 * time.Minute) }, state: "expired", result: "failed", says: "expired at"},
		"never opened":  {unlanded: true, before: func(*mount) { passes(11 * time.Minute) }, state: "expired", noLog: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"scopes": profileScopes})
				m.zoho.AddUser(zohotest.User{Email: "mallory@example.com"})
				started := m.write("authorize/crm", c.start)
				landed := m.opens(started, c.person)
				if c.before != nil {
					c.before(m)
				}
				if c.fault.Kind != "" {
					m.zoho.Fault(c.fault)
				}
				log := strings.Join(m.logged(func() {
					if !c.unlanded {
						m.land(landed)
					}
				}), "\n")
				m.zoho.ClearFaults()
				m.restart()
				if logged := strings.Contains(log, "a consent did not connect the credential: credential=crm"); logged == c.noLog {
					t.Errorf("logged: %s", log)
				}
				if !c.noLog && !strings.Contains(log, c.says) || c.word != "" && !strings.Contains(log, "zoho_error="+c.word) {
					t.Errorf("the log does not say why: %s", log)
				}
				listed := m.list("authorize/")["key_info"].(map[string]any)["crm"].(map[string]any)
				for from, got := range map[string]data{"read": m.read("authorize/crm"), "list": listed} {
					detail, _ := got["result_detail"].(string)
					word, _ := got["zoho_error"].(string)
					if got["state"] != c.state || got["result"] != c.result || word != c.word || !strings.Contains(detail, c.says) || got["flow"] != "code" {
						t.Errorf("%s: %v", from, got)
					}
				}
				status := m.read("status/crm")
				detail, _ := status["consent_detail"].(string)
				if status["consent_state"] != c.state || !strings.Contains(detail, c.says) {
					t.Errorf("status: %v", status)
				}
				want := map[string]string{"connected": "ready", "waiting": "awaiting_consent"}[c.state]
				if want == "" {
					want = "not_connected"
				}
				if status["state"] != want {
					t.Errorf("the state is %v, want %s", status["state"], want)
				}
				m.delete("authorize/crm")
				passes(8 * 24 * time.Hour)
				m.tick()
				m.refused(logical.ReadOperation, "authorize/crm", nil, 404, "start one")
			})
		})
	}
}

func TestResultPageIsShownForAnHourAndTheResultListedForAWeek(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.land(landed).shows(t, 200, "Zoho is connected")
		passes(59 * time.Minute)
		m.tick()
		m.land(landed).shows(t, 200, "Zoho is connected")
		passes(2 * time.Minute)
		m.tick()
		m.land(landed).shows(t, 400, "no longer good")
		passes(6 * 24 * time.Hour)
		m.tick()
		if c := m.read("authorize/crm"); c["state"] != "connected" {
			t.Errorf("authorize/crm: %v", c)
		}
	})
}

func TestHelpOfTheMountNamesEachWayToConnect(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.system.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "1.21.0"}
		resp, err := m.backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Storage: m.storage, Data: map[string]any{"requestResponsePrefix": "zoho"}})
		if err != nil {
			t.Fatal(err)
		}
		help := fmt.Sprint(resp.Data["help"])
		for _, way := range []string{"vault_addr", "callback", "creds/<name>", "flow=device", "self client", "client\ncredentials", "import of a refresh token"} {
			if !strings.Contains(help, way) {
				t.Errorf("the help does not name %q: %s", way, help)
			}
		}
	})
}

func TestListOfConsentsShowsNoSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"pkce": true})
		started := m.write("authorize/crm", data{"return_url": nil})
		shown := fmt.Sprint(m.read("authorize/crm"), m.list("authorize/"))
		state := started.Data["state"].(string)
		m.becomes(zohotest.Device)
		for _, secret := range []string{state, "verifier", "oauth/v2/auth"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is shown", secret)
			}
		}
		for i := range 5 {
			m.write(fmt.Sprintf("authorize/c%d", i), nil)
		}
		page := m.do(logical.ListOperation, "authorize/", data{"after": "c1", "limit": 2}).Data
		if got := fmt.Sprint(page["keys"]); got != "[c2 c3]" {
			t.Errorf("a page: %s", got)
		}
		m.refused(logical.ListOperation, "authorize/", data{"limit": -1}, 400, "limit")
		m.refused(logical.ReadOperation, "authorize/crm", data{"if_state": "x"}, 400, "if_state")
	})
}

func TestAccountWithoutAnOrganizationIsExplainedAndTheLinkStaysOpen(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"return_urls": returns})
		started := m.write("authorize/crm", data{"ttl": "1h"})
		none := callbackAddress + "?" + url.Values{"state": {started.Data["state"].(string)}, "error": {"no_org"}}.Encode()
		m.land(none).shows(t, 400, "no organization", "Back to app", "same link")
		if c := m.read("authorize/crm"); c["state"] != "waiting" || c["zoho_error"] != "no_org" {
			t.Errorf("authorize/crm: %v", c)
		}
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 200, "Zoho is connected")

		started = m.write("authorize/crm", data{"return_url": returns, "return_state": "7"})
		got := m.land(callbackAddress + "?" + url.Values{"state": {started.Data["state"].(string)}, "error": {"access_denied_admin"}}.Encode())
		u, err := url.Parse(got.redirect)
		if err != nil || u.Query().Get("result") != "declined" || u.Query().Get("error") != "access_denied_admin" {
			t.Errorf("redirected to %q, %v", got.redirect, err)
		}
		// A word that somebody wrote into the address is not repeated.
		started = m.write("authorize/crm", nil)
		evil := m.land(callbackAddress + "?" + url.Values{"state": {started.Data["state"].(string)}, "error": {"<script>alert(1)</script>"}}.Encode())
		if strings.Contains(evil.page, "alert(1)") || !strings.Contains(evil.page, "unknown") {
			t.Errorf("the page: %s", evil.page)
		}
	})
}

func TestEleventhConsentInTenMinutesIsNotCalledDeclinedAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		// What Zoho answers the eleventh consent: the person chose Accept all the same.
		state := m.write("authorize/crm", nil).Data["state"].(string)
		landed := callbackAddress + "?" + url.Values{"state": {state}, "error": {"access_denied"}}.Encode()
		m.land(landed).shows(t, 400, "Nothing was connected", "Reject was chosen", "ten authorization codes in ten minutes", "wait ten minutes")
	})
}

func TestDeviceReadSaysWhenZohoIsAskedNext(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		deviceClient(m)
		code := m.write("authorize/tv", data{"flow": "device"}).Data["user_code"].(string)
		passes(31 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting until")
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(5 * time.Second)
		next := time.Now().Add(25 * time.Second).UTC().Format(time.RFC3339)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "After that, read again", "not before "+next)
		passes(26 * time.Second)
		m.token("tv")
	})
}

func TestReadOfAnUnknownNameIsNoAttemptToObtainAGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		open := make(chan struct{})
		hang := func(op, key string) error {
			if op == "get" && key == "pending/nobody" {
				<-open
			}
			return nil
		}
		m.storage.before.Store(&hang)
		var others sync.WaitGroup
		others.Go(func() { m.refused(logical.ReadOperation, "creds/nobody", nil, 404) })
		synctest.Wait()
		m.delete("config")
		close(open)
		others.Wait()
	})
}

func TestClientThatIsReplacedWhileZohoIsAskedConnectsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.held("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		imported := m.anotherGrant()
		passes(61 * time.Minute)
		for _, d := range []data{{"callback_url": landed}, {"refresh_token": imported}} {
			m.configure(nil)
			if d["callback_url"] != nil {
				d["callback_url"] = m.consent("crm", nil, zohotest.Consent{})
			}
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
			var others sync.WaitGroup
			others.Go(func() {
				m.refused(logical.UpdateOperation, "creds/crm", d, 400, "client_id in config was changed while Zoho was asked", "nothing was connected")
			})
			synctest.Wait()
			c := m.zoho.AddClient(zohotest.Client{RedirectURIs: []string{"https://app.example.com/callback"}})
			m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "verify": false})
			others.Wait()
		}
		m.configure(nil)
		m.hours()
		if m.held("crm") != held || !m.lives(held) || !m.lives(imported) {
			t.Error("a grant was replaced, or revoked")
		}
		m.token("crm")
		m.settled(2)
	})
}

func TestListsAndReadsSayWhenStorageFails(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("authorize/crm", nil)
		m.connect("books")
		m.connect("books")
		id, _ := m.retiredOf("books")
		for _, c := range []struct {
			op, key string
			ask     logical.Operation
			path    string
		}{
			{"list", "pending/", logical.ListOperation, "authorize/"},
			{"get", "pending/", logical.ReadOperation, "authorize/crm"},
			{"list", "due/", logical.ListOperation, "retired/"},
			{"get", "due/", logical.ReadOperation, "retired/" + id},
		} {
			m.storage.failing(c.op, c.key)
			m.refused(c.ask, c.path, nil, 500, "Vault's log")
			m.storage.working()
		}
		m.storage.failing("get", "pending/")
		if info := m.list("authorize/")["key_info"].(map[string]any)["crm"].(map[string]any); info["error"] == nil {
			t.Errorf("listed as %v", info)
		}
		m.storage.working()
		m.refused(logical.ListOperation, "retired/", data{"limit": -1}, 400, "limit")
		m.refused(logical.ReadOperation, "authorize/..", nil, 400, "not a usable name")
	})
}
