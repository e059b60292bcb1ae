// What if the address that a person pastes is not the one it should be? Foreign,
// contradicting, reused, expired, declined: a 400 with the next step, no code sent
// anywhere, and the credential that was there still works.

package backend_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// altered returns a callback address with some of its parameters changed; "" takes
// one out.
func altered(t testing.TB, landed string, changes map[string]string) string {
	t.Helper()
	u, err := url.Parse(landed)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, value := range changes {
		if q.Set(name, value); value == "" {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestAlteredCallbackIsRefusedAndTheGenuineOneStillConnects(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]string
		says    []string
	}{
		"foreign accounts server":      {map[string]string{"accounts-server": "https://accounts.zoho.evil.example"}, []string{"not one this mount knows", "accounts_urls"}},
		"accounts server over http":    {map[string]string{"accounts-server": "http://accounts.zoho.com"}, []string{"not one this mount knows"}},
		"accounts server with a user":  {map[string]string{"accounts-server": "https://accounts.zoho.com@evil.example"}, []string{"not one this mount knows"}},
		"accounts server with a port":  {map[string]string{"accounts-server": "https://accounts.zoho.com:8443"}, []string{"not one this mount knows"}},
		"unknown location":             {map[string]string{"location": "mars", "accounts-server": ""}, []string{"not a data center this mount knows", "accounts_urls"}},
		"contradicting location":       {map[string]string{"location": "eu"}, []string{"contradicts itself", "start again"}},
		"foreign state":                {map[string]string{"state": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, []string{"not that of the consent", "authorize/crm"}},
		"foreign state of more scopes": {map[string]string{"state": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "status": "success", "scope_enhanced": "true"}, []string{"not that of the consent"}},
		"no state, as of more scopes":  {map[string]string{"state": "", "status": "success", "scope_enhanced": "true"}, []string{"carries no state"}},
		"no state":                     {map[string]string{"state": ""}, []string{"carries no state", "callback_url"}},
		"no code":                      {map[string]string{"code": ""}, []string{"no code", "whole address"}},
		"a part of the state":          {map[string]string{"state": "A"}, []string{"not that of the consent"}},
		"a data center with no secret": {map[string]string{"location": "cn", "accounts-server": "https://accounts.zoho.com"}, []string{"contradicts itself"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				landed := m.consent("crm", nil, zohotest.Consent{})
				m.unmoved(func() {
					m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": altered(t, landed, c.changes)}, 400, c.says...)
				})
				m.write("creds/crm", data{"callback_url": landed})
				m.token("crm")
			})
		})
	}
}

func TestTwiceNamedParameterOrDamagedAddressIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := strings.TrimSuffix(m.consent("crm", nil, zohotest.Consent{}), "&")
		for _, pasted := range []string{
			landed + "&code=another", landed + "&state=another", landed + "&accounts-server=https://accounts.zoho.eu",
			"https://app.example.com/callback", "%zz", "?code=%zz", strings.Repeat("a=b&", 3000), "hello", "?",
		} {
			m.unmoved(func() {
				m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": pasted}, 400, "paste")
			})
		}
		m.write("creds/crm", data{"callback_url": landed})
	})
}

func TestUsedCallbackIsRefusedBeforeItReachesZoho(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.write("creds/crm", data{"callback_url": landed})
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "used already", "authorize/crm")
		})
		m.restart() // a used state stays used
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "used already", "authorize/crm")
		})
	})
}

func TestConsentOfOneNameCannotFinishAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("books", nil, zohotest.Consent{})
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "belongs to the consent for", "creds/books")
		})
		own := m.consent("crm", nil, zohotest.Consent{})
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "belongs to the consent for", "creds/books")
		})
		m.write("creds/books", data{"callback_url": landed})
		m.write("creds/crm", data{"callback_url": own})
	})
}

func TestOnlyTheConsentStartedLastCanBeFinished(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		first := m.consent("crm", nil, zohotest.Consent{})
		second := m.consent("crm", nil, zohotest.Consent{})
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": first}, 400, "started last")
		})
		m.write("creds/crm", data{"callback_url": second})
	})
}

func TestExpiredConsentIsRefusedAndSaysWhenItExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		passes(10*time.Minute + time.Second)
		calls := m.zoho.Counts().TokenCalls
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "expired at", "authorize/crm")
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "authorize/crm")
		if now := m.zoho.Counts().TokenCalls; now != calls {
			t.Errorf("an expired consent's code was sent to Zoho")
		}
		m.token("crm")
	})
}

func TestConsentInTimeWithAnExpiredCodeIsRefusedWithAllCauses(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.CodeLifetime = time.Minute })
		landed := m.consent("crm", nil, zohotest.Consent{})
		passes(2 * time.Minute)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400,
			"code refused by accounts.zoho.com (invalid_code)", "expired", "already used", "another client", "data center", "authorize/crm")
		m.token("crm")
		// The person was too slow, not the engine: the one violation is theirs.
		m.forgives(zohotest.CodeTriedLate)
	})
}

func TestDeclinedConsentSaysSoAndMustBeStartedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{Reject: true})
		calls := m.zoho.Counts().TokenCalls
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "access_denied", "Reject", "authorize/crm")
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "authorize/crm")
		if now := m.zoho.Counts().TokenCalls; now != calls {
			t.Error("a declined consent was sent to Zoho")
		}
		m.token("crm")
		// Without the state nobody can end somebody else's consent.
		landed = m.consent("crm", nil, zohotest.Consent{})
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": "https://app.example.com/callback?error=access_denied"}, 400, "state")
		})
		m.write("creds/crm", data{"callback_url": landed})
	})
}

func TestOneWriteTakesOneSource(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		code, token := m.canary("code"), m.canary("token")
		for _, both := range []data{
			{"callback_url": landed, "code": code},
			{"callback_url": landed, "refresh_token": token},
			{"code": code, "refresh_token": token},
			{"callback_url": landed, "code": code, "refresh_token": token},
		} {
			m.unmoved(func() { m.refused(logical.UpdateOperation, "creds/crm", both, 400, "one source") })
		}
		for _, empty := range []data{
			{"callback_url": ""}, {"code": " "}, {"refresh_token": "\n"}, {"callback_url": "", "code": "", "refresh_token": ""},
		} {
			m.unmoved(func() { m.refused(logical.UpdateOperation, "creds/crm", empty, 400, "empty", "callback_url") })
		}
		m.refused(logical.UpdateOperation, "creds/new", data{"max_age": "1m"}, 400, "not connected yet", "authorize/new")
		m.refused(logical.UpdateOperation, "creds/new", nil, 400, "not connected yet", "authorize/new")
		m.write("creds/crm", data{"callback_url": landed})
	})
}

func TestCodeIsSentToTheNamedDataCenterOrNowhere(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		code := m.canary("code")
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"code": code, "data_center": "mars"}, 400, `unknown data center "mars"`, "us, eu", "accounts_urls")
			m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": code, "data_center": "mars"}, 400, `unknown data center "mars"`)
			m.refused(logical.UpdateOperation, "creds/crm", data{"code": code, "accounts_server": "https://accounts.zoho.evil.example"}, 400, "not one this mount knows")
			m.refused(logical.UpdateOperation, "creds/crm", data{"code": code, "accounts_server": "https://accounts.zoho.eu", "data_center": "us"}, 400, "leave data_center out")
			m.refused(logical.UpdateOperation, "authorize/crm", data{"data_center": "mars"}, 400, `unknown data center "mars"`)
		})
		// A grant of another data center is refused with that as one of the causes.
		landed := m.consent("books", nil, zohotest.Consent{DataCenter: "eu"})
		m.write("creds/books", data{"callback_url": landed})
		var grant string
		for _, rt := range m.zoho.RefreshTokens() {
			if rt.DataCenter == "eu" {
				grant = rt.Token
			}
		}
		m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": grant, "data_center": "in"}, 400, "accounts.zoho.in", "invalid_code", "data center")
		m.forgives(zohotest.WrongDataCenter) // the operator named the wrong data center, not the engine
		m.token("crm")
		m.token("books")
	})
}
