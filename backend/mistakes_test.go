// What is said to who asks for something that cannot be? A refusal that names the next
// step; Zoho is not asked, and nothing is stored.

package backend_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestMistakeIsRefusedWithTheNextStepBeforeAnythingIsDone(t *testing.T) {
	var write, read logical.Operation = logical.UpdateOperation, logical.ReadOperation
	long := strings.Repeat("x", 600)
	for name, c := range map[string]struct {
		prepare func(m *mount)
		op      logical.Operation
		path    string
		data    data
		says    []string
	}{
		"device with a redirect":        {nil, write, "authorize/tv", data{"flow": "device", "redirect_uri": "https://a.example"}, []string{"redirect_uri does not go with flow=device"}},
		"device without scopes":         {bare, write, "authorize/tv", data{"flow": "device"}, []string{"scopes are missing", "in config"}},
		"consent without scopes":        {bare, write, "authorize/tv", nil, []string{"scopes are missing", "ZohoCRM.modules.ALL"}},
		"consent without a redirect":    {bare, write, "authorize/tv", data{"scopes": "a"}, []string{"redirect_uri is missing", "self client"}},
		"consent with an odd redirect":  {nil, write, "authorize/tv", data{"redirect_uri": "callback"}, []string{"redirect_uri"}},
		"withdrawing of an odd name":    {nil, logical.DeleteOperation, "authorize/-", nil, []string{"not a usable name"}},
		"no scopes to add":              {nil, write, "authorize/crm", data{"add_scopes": " , "}, []string{"add_scopes is empty"}},
		"scopes to add and others":      {nil, write, "authorize/crm", data{"add_scopes": "a", "scopes": "b"}, []string{"scopes does not go with add_scopes"}},
		"scopes to add, no redirect":    {func(m *mount) { m.write("config", data{"redirect_uri": nil}) }, write, "authorize/crm", data{"add_scopes": "a"}, []string{"redirect_uri is missing"}},
		"scopes to add, odd redirect":   {nil, write, "authorize/crm", data{"add_scopes": "a", "redirect_uri": "callback"}, []string{"redirect_uri"}},
		"scopes to add, another client": {anotherClient, write, "authorize/crm", data{"add_scopes": "a"}, []string{"config now names a different client_id"}},
		"probing for another client":    {anotherClient, write, "status/crm", data{"probe": true}, []string{"config now names a different client_id"}},
		"reading for another client":    {anotherClient, read, "creds/crm", nil, []string{"config now names a different client_id", "put the old client back"}},
		"an odd grant type":             {nil, write, "creds/crm", data{"grant_type": "password"}, []string{`grant_type "password" is not needed or not known`}},
		"a refresh token in quotes":     {nil, write, "creds/crm", data{"refresh_token": `"1000.a.b"`}, []string{"holds spaces or quotes"}},
		"a code from nowhere":           {nil, write, "creds/new", data{"code": "1000.a.b", "data_center": "mars"}, []string{`unknown data center "mars"`, "accounts_urls"}},
		"metadata that is too long":     {nil, write, "creds/crm", data{"custom_metadata": map[string]any{"a": long}}, []string{"custom_metadata", "512"}},
		"metadata without a name":       {nil, write, "creds/crm", data{"custom_metadata": map[string]any{"": "x"}}, []string{"custom_metadata"}},
		"revoke in a write":             {nil, write, "creds/crm", data{"revoke": false}, []string{"revoke belongs to a delete"}},
		"an unknown format":             {nil, read, "metrics", data{"format": "xml"}, []string{`unknown format "xml"`, "prometheus"}},
		"probe in a read":               {nil, read, "status/crm", data{"probe": true}, []string{"probe belongs to a write"}},
		"probe that is off":             {nil, write, "status/crm", data{"probe": false}, []string{"write probe=true"}},
		"more life than there is":       {nil, read, "creds/crm", data{"min_ttl": "3599s"}, []string{"min_ttl"}},
		"no secret for a data center":   {secretsOfEuropeAlone, write, "authorize/tv", data{"data_center": "us"}, []string{`no client secret for data center "us"`, "client_secrets"}},
		"no secret for an import":       {secretsOfEuropeAlone, write, "creds/new", data{"refresh_token": "1000.a.b", "data_center": "us"}, []string{`no client secret for data center "us"`}},
		"no secret at home":             {nil, write, "config", data{"client_secret": "", "client_secrets": map[string]any{"eu": "secret-of-europe"}}, []string{`no client secret for the home data center "us"`}},
		"a data center that is gone": {func(m *mount) {
			m.mars(true)
			m.write("creds/crm", data{"callback_url": m.consent("crm", data{"data_center": "mars"}, zohotest.Consent{DataCenter: "mars"})})
			m.mars(false)
		}, read, "creds/crm", nil, []string{`unknown data center "mars"`, "accounts_urls"}},
		"a device whose data center is gone": {func(m *mount) {
			m.zoho.AddDataCenter(mars)
			c := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
			elsewhere := map[string]any{"mars": m.zoho.AccountsURL("mars")}
			m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "accounts_urls": elsewhere})
			m.write("authorize/tv", data{"flow": "device", "data_center": "mars"})
			m.write("config", data{"client_secret": c.Secret, "accounts_urls": nil})
			passes(31 * time.Second)
		}, read, "creds/tv", nil, []string{`unknown data center "mars"`, "accounts_urls"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				if c.prepare != nil {
					c.prepare(m)
				}
				stored, calls := len(m.storage.keys(t)), m.zoho.Counts().TokenCalls+m.zoho.Counts().DeviceCalls
				m.refused(c.op, c.path, c.data, 400, c.says...)
				if now := len(m.storage.keys(t)); now != stored {
					t.Errorf("%d values are stored, there were %d", now, stored)
				}
				if now := m.zoho.Counts().TokenCalls + m.zoho.Counts().DeviceCalls; now != calls {
					t.Errorf("Zoho was asked %d times", now-calls)
				}
			})
		})
	}
}

var mars = zohotest.DataCenter{Name: "mars", Accounts: "accounts.zoho.example", API: "www.zohoapis.example"}

// mars makes the default client one that knows a data center which others don't, or forgets it.
func (m *mount) mars(known bool) {
	m.t.Helper()
	m.zoho.AddDataCenter(mars)
	var urls any
	if known {
		urls = map[string]any{"mars": m.zoho.AccountsURL("mars")}
	}
	m.write("config", data{"accounts_urls": urls, "client_secret": m.zoho.DefaultClient().Secret})
}

// bare makes a config that has no defaults for consents.
func bare(m *mount) { m.write("config", data{"redirect_uri": nil, "scopes": nil}) }

func anotherClient(m *mount) {
	other := m.zoho.AddClient(zohotest.Client{RedirectURIs: []string{"https://app.example.com/callback"}})
	m.write("config", data{"client_id": other.ID, "client_secret": other.Secret})
}

// secretsOfEuropeAlone makes a config whose client is known in Europe and nowhere else.
func secretsOfEuropeAlone(m *mount) {
	m.delete("creds/crm")
	m.delete("config")
	c := m.zoho.AddClient(zohotest.Client{DataCenter: "eu", Enabled: []string{"eu"}})
	m.write("config", data{"client_id": c.ID, "client_secrets": map[string]any{"eu": c.Secret}, "data_center": "eu", "scopes": "a", "redirect_uri": c.RedirectURIs[0]})
}

func TestWayToAnotherGrantIsNamedByHowTheLastOneWasHad(t *testing.T) {
	for how, c := range map[string]struct {
		connect     func(m *mount)
		again, next string
	}{
		"a consent": {func(m *mount) { m.configure(nil); m.connect("crm") }, "authorize/crm, or", "authorize/crm scopes=ZohoCRM.modules.ALL,ZohoCRM.org.READ"},
		"an organization's": {func(m *mount) {
			m.configure(nil)
			m.ordinaryClientsForOrganizations()
			m.write("creds/crm", data{"callback_url": m.consent("crm", data{"flow": "organization", "soid": "ZohoCRM.600000434"}, zohotest.Consent{})})
		}, "authorize/crm flow=organization, or", "authorize/crm scopes=ZohoCRM.modules.ALL,ZohoCRM.org.READ flow=organization soid=ZohoCRM.600000434"},
		"a device's consent": {func(m *mount) { deviceClient(m); m.byDevice("crm") }, "authorize/crm flow=device, or", "authorize/crm flow=device scopes=ZohoCRM.modules.ALL"},
		"a code alone":       {func(m *mount) { selfClient(m); m.write("creds/crm", data{"code": m.selfCode()}) }, "a code from its tab in Zoho's API console, or", "creds/crm code=-"},
		"an import": {func(m *mount) { m.configure(nil); m.write("creds/crm", data{"refresh_token": m.elsewhere()}) },
			"or import another refresh_token, or", "creds/crm refresh_token=- data_center=us"},
		"client credentials": {func(m *mount) {
			selfClient(m)
			m.write("creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM.600000434"})
		}, "grant_type=client_credentials on creds/crm, or", "creds/crm grant_type=client_credentials scopes=ZohoCRM.org.READ soid=ZohoCRM.600000434 data_center=us"},
	} {
		t.Run(how, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				c.connect(m)
				anotherClient(m)
				m.refused(logical.ReadOperation, "creds/crm", nil, 400, "connect it again with", c.again+" put the old client back")
				if next := m.read("status/crm")["next_command"]; next != "vault write zoho/"+c.next {
					t.Errorf("the next command is %v", next)
				}
			})
		})
	}
}

func TestCodeForADataCenterThatIsGoneIsNotSent(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.mars(true)
		u, err := url.Parse(m.consent("crm", data{"data_center": "mars"}, zohotest.Consent{DataCenter: "mars"}))
		if err != nil {
			t.Fatal(err)
		}
		m.mars(false)
		written := data{"code": u.Query().Get("code"), "state": u.Query().Get("state")}
		m.refused(logical.UpdateOperation, "creds/crm", written, 400, `unknown data center "mars"`, "accounts_urls")
		m.mars(true)
		m.write("creds/crm", written)
		m.token("crm")
	})
}

func TestScopesAreNotAddedForAnotherClient(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
		anotherClient(m)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "config names another client_id")
	})
}

func TestDemandBeyondTheLifeThatZohoGivesIsRefusedThoughConfigAllowsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = 10 * time.Minute })
		m.configure(nil)
		m.connect("crm")
		m.refused(logical.ReadOperation, "creds/crm", data{"min_ttl": "30m"}, 400, "longer than a new access token lives", "ask for less")
		m.token("crm")
	})
}

func TestBlockedAccountEndsADeviceConsentWithTheReason(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.device("tv")
		passes(31 * time.Second)
		m.answersOnce("unconfirmed_user")
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "unconfirmed_user", "blocked or not confirmed", "authorize/tv flow=device")
		m.refused(logical.ReadOperation, "creds/tv", nil, 404, "authorize/tv")
	})
}

func TestDeviceInADataCenterThatTheMountDoesNotKnowIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.AddDataCenter(mars)
		code := m.device("tv")
		if err := m.zoho.ApproveDevice(code, zohotest.Consent{DataCenter: "mars"}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, `data center "mars"`, "accounts_urls", "authorize/tv flow=device")
	})
}

func TestZohoThatIsAskedTooOftenByADeviceIsAskedLessOften(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.device("tv")
		passes(31 * time.Second)
		m.answersOnce("slow_down")
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
		asked := m.zoho.Counts().DeviceCalls
		passes(59 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
		if m.zoho.Counts().DeviceCalls != asked {
			t.Error("Zoho asked for patience, and was asked again within a minute")
		}
		passes(2 * time.Second)
		m.refused(logical.ReadOperation, "creds/tv", nil, 400, "waiting")
		if m.zoho.Counts().DeviceCalls != asked+1 {
			t.Error("Zoho is not asked any more")
		}
	})
}

func TestUserWithoutAnAddressIsNotTakenForTheExpectedOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
		landed := m.opens(started, zohotest.Consent{})
		m.tap(hides("/oauth/user/info", `{"ZUID":1}`))
		m.land(landed).shows(t, 400, "Zoho was not connected", "no user in its answer", "nothing was connected")
		m.settled(0)
	})
}

// A mount of its own makes its transport from the config, as in production.
func TestCertificateThatIsNoneIsRefused(t *testing.T) {
	s, system := &logical.InmemStorage{}, logical.TestSystemView()
	for name, factory := range map[string]logical.Factory{"alone": backend.Factory, "in a process": (&backend.Process{}).Factory} {
		b, err := factory(context.Background(), &logical.BackendConfig{System: system, StorageView: s, Logger: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.HandleRequest(context.Background(), &logical.Request{Operation: logical.CreateOperation, Path: "config", Storage: s, Data: data{
			"client_id": "1000.a", "client_secret": "secret-secret", "ca_pem": "-----BEGIN NOTHING-----", "verify": false,
		}})
		if err != nil || !resp.IsError() || !strings.Contains(resp.Error().Error(), "ca_pem holds no certificate") {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
		b.Cleanup(context.Background())
	}
}
