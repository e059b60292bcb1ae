// For whom is a link, how long is it good, and who may replace it?

package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

const profileScopes = "ZohoCRM.modules.ALL AaaServer.profile.READ"

// opens is the person who opens the link of a consent that was started.
func (m *mount) opens(started *logical.Response, c zohotest.Consent) string {
	m.t.Helper()
	landed, err := m.zoho.Authorize(started.Data["authorization_url"].(string), c)
	if err != nil {
		m.t.Fatal(err)
	}
	return landed
}

// startBy starts a consent of crm for somebody.
func (m *mount) startBy(who logical.Request, d data) (*logical.Response, error) {
	who.Operation, who.Path, who.Storage, who.Data, who.MountPoint = logical.UpdateOperation, "authorize/crm", m.storage, d, "zoho/"
	resp, err := m.backend.HandleRequest(context.Background(), &who)
	if err == nil && resp.IsError() {
		return nil, &refusal{http.StatusBadRequest, resp.Error().Error()}
	}
	return resp, err
}

func TestLinkIsGoodForItsTTLAndNoLonger(t *testing.T) {
	for ttl, life := range map[any]time.Duration{nil: 10 * time.Minute, "1m": time.Minute, 60: time.Minute, "1h": time.Hour, "168h": 7 * 24 * time.Hour, "7d": 7 * 24 * time.Hour} {
		for _, late := range []bool{false, true} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(nil)
				started := m.write("authorize/crm", data{"ttl": ttl})
				if expires, err := time.Parse(time.RFC3339, started.Data["expire_time"].(string)); err != nil || !expires.Equal(time.Now().Add(life).Truncate(time.Second)) {
					t.Errorf("ttl %v: expires at %s", ttl, started.Data["expire_time"])
				}
				passes(life - 2*time.Second)
				m.tick()
				landed := m.opens(started, zohotest.Consent{})
				if !late {
					m.land(landed).shows(t, 200, "Zoho is connected")
					return
				}
				passes(3 * time.Second)
				m.land(landed).shows(t, 400, "This link has expired.", "expired at", "authorize/crm")
				if n := m.zoho.Counts().Exchanges; n != 0 {
					t.Errorf("ttl %v: the code of an expired link was sent", ttl)
				}
			})
		}
	}
}

func TestTTLOutsideItsBoundsIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		for _, ttl := range []any{"59s", 0, "169h", "8d", 604801} {
			m.refused(logical.UpdateOperation, "authorize/crm", data{"ttl": ttl}, 400, "between 1m and 7d")
		}
		m.refused(logical.UpdateOperation, "authorize/crm", data{"ttl": "soon"}, 400, "not a duration")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"ttl": "-1h"}, 400, "not a duration")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"flow": "device", "ttl": "1h"}, 400, "flow=device", "leave it out")
		m.clicks("crm")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"add_scopes": "ZohoCRM.users.READ", "ttl": "11m"}, 400, "ten minutes")
		if _, left := m.storage.contents(t)["pending/new"]; left {
			t.Error("a refused consent was stored")
		}
	})
}

// clicks connects a credential through the callback.
func (m *mount) clicks(name string) {
	m.t.Helper()
	m.land(m.consent(name, nil, zohotest.Consent{})).shows(m.t, 200, "Zoho is connected")
}

func TestLinkOfSomebodyElseIsReplacedByForceAlone(t *testing.T) {
	entities := [2]logical.Request{{EntityID: "e-1", DisplayName: "oidc-ann", ClientTokenAccessor: "same"}, {EntityID: "e-2", DisplayName: "oidc-ann", ClientTokenAccessor: "same"}}
	tokens := [2]logical.Request{{ClientTokenAccessor: "a-1", DisplayName: "token"}, {ClientTokenAccessor: "a-2", DisplayName: "token"}}
	mixed := [2]logical.Request{{EntityID: "e-1", DisplayName: "oidc-ann"}, {ClientTokenAccessor: "e-1", DisplayName: "root"}}
	for how, pair := range map[string][2]logical.Request{"entities": entities, "tokens": tokens, "an entity and a token": mixed} {
		for _, order := range [][2]logical.Request{pair, {pair[1], pair[0]}} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(nil)
				first, err := m.startBy(order[0], data{"ttl": "24h"})
				if err != nil {
					t.Fatal(err)
				}
				passes(time.Hour)
				_, err = m.startBy(order[1], nil)
				r, refused := err.(*refusal)
				if !refused || r.status != 400 || !strings.Contains(r.text, "force=true") || !strings.Contains(r.text, order[0].DisplayName) || strings.Contains(r.text, "e-1") || strings.Contains(r.text, "a-1") {
					t.Errorf("%s: somebody else's start answers %v", how, err)
				}
				if _, err := m.startBy(order[1], data{"force": false}); err == nil {
					t.Errorf("%s: force=false replaces", how)
				}
				own, err := m.startBy(order[0], data{"ttl": "24h"})
				if err != nil || len(own.Warnings) != 1 || !strings.Contains(own.Warnings[0], "replaced") {
					t.Errorf("%s: their own start answers %v, %v", how, own, err)
				}
				m.land(m.opens(first, zohotest.Consent{})).shows(t, 400, "no longer good", "replaced by a newer one", "authorize/crm")
				second, err := m.startBy(order[1], data{"force": true})
				if err != nil || len(second.Warnings) != 1 || !strings.Contains(second.Warnings[0], "replaced") {
					t.Fatalf("%s: force answers %v, %v", how, second, err)
				}
				m.land(m.opens(own, zohotest.Consent{})).shows(t, 400, "replaced by a newer one")
				m.land(m.opens(second, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
				// What is finished, or over, is in nobody's way.
				third, err := m.startBy(order[0], data{"ttl": "1m"})
				if err != nil || len(third.Warnings) != 0 {
					t.Errorf("%s: after the end: %v, %v", how, third, err)
				}
				passes(time.Minute)
				if last, err := m.startBy(order[1], nil); err != nil || len(last.Warnings) != 0 {
					t.Errorf("%s: after it expired: %v, %v", how, last, err)
				}
				m.clean()
			})
		}
	}
}

func TestBatchTokensAreEachTheirOwnStarter(t *testing.T) {
	// All batch tokens of one login have the same name, and nothing else that Vault tells.
	batch := logical.Request{DisplayName: "approle"}
	for _, other := range []logical.Request{batch, {ClientTokenAccessor: "approle", DisplayName: "approle"}, {EntityID: "approle", DisplayName: "approle"}, {}} {
		for _, order := range [][2]logical.Request{{batch, other}, {other, batch}} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(nil)
				first, err := m.startBy(order[0], nil)
				if err != nil {
					t.Fatal(err)
				}
				_, err = m.startBy(order[1], nil)
				if err == nil || !strings.Contains(err.Error(), "force=true") {
					t.Errorf("%+v replaces the link of %+v: %v", order[1], order[0], err)
				}
				if err != nil && order[0].DisplayName != "" && !strings.Contains(err.Error(), "by approle") {
					t.Errorf("nobody is told who started it: %v", err)
				}
				m.land(m.opens(first, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
				if _, err := m.startBy(order[0], nil); err != nil {
					t.Fatal(err)
				}
				if _, err := m.startBy(order[1], data{"force": true}); err != nil {
					t.Errorf("force=true: %v", err)
				}
			})
		}
	}
}

func TestRefusedStartAsksZohoForNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		m.clicks("crm")
		if _, err := m.startBy(logical.Request{EntityID: "e-1"}, nil); err != nil {
			t.Fatal(err)
		}
		before := m.zoho.Counts()
		for _, d := range []data{{"flow": "device"}, {"add_scopes": "ZohoCRM.users.READ"}} {
			if _, err := m.startBy(logical.Request{EntityID: "e-2"}, d); err == nil {
				t.Errorf("%v replaces somebody else's consent", d)
			}
		}
		if now := m.zoho.Counts(); now.ByEndpoint["enhance"] != before.ByEndpoint["enhance"] || now.ByEndpoint["device"] != before.ByEndpoint["device"] {
			t.Error("Zoho was asked for a consent that could not be started")
		}
	})
}

func TestWithdrawnLinkIsGoodForNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		started := m.write("authorize/crm", nil)
		m.write("authorize/crm", data{"withdraw": true, "if_state": "not-this-one"})
		m.do(logical.DeleteOperation, "authorize/other", nil)
		if m.read("status/crm")["state"] != "awaiting_consent" {
			t.Fatal("a consent was withdrawn by another state")
		}
		m.refused(logical.DeleteOperation, "authorize/crm", data{"ttl": "1h"}, 400, "does not belong to a delete")
		for _, state := range []any{"", started.Data["state"]} {
			m.refused(logical.DeleteOperation, "authorize/crm", data{"if_state": state}, 400, "audit log", "withdraw=true")
		}
		m.refused(logical.UpdateOperation, "authorize/crm", data{"if_state": "x"}, 400, "goes with withdraw=true")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"withdraw": false, "if_state": "x"}, 400, "goes with withdraw=true")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"withdraw": true}, 400, "needs if_state")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"withdraw": true, "if_state": ""}, 400, "if_state is empty")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"withdraw": true, "if_state": "x", "force": true}, 400, `"force"`, "withdrawal")
		if m.read("status/crm")["state"] != "awaiting_consent" {
			t.Fatal("a consent was withdrawn by a write that was refused")
		}
		if resp := m.write("authorize/crm", data{"withdraw": true, "if_state": started.Data["state"]}); resp != nil {
			t.Errorf("withdrawing answers %v", resp)
		}
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 400, "withdrawn")
		started = m.write("authorize/crm", nil)
		m.delete("authorize/crm")
		m.delete("authorize/crm") // twice is no error
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 400, "withdrawn")
		if n := m.zoho.Counts().Exchanges; n != 0 {
			t.Errorf("%d codes of withdrawn consents were sent", n)
		}
		// What a finished one came to is kept: it is no consent that waits.
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.land(landed).shows(t, 200, "Zoho is connected")
		m.delete("authorize/crm")
		m.land(landed).shows(t, 200, "Zoho is connected")
		m.token("crm")
	})
}

// A device consent has no state at Zoho; the answer to its start names it all the same.
func TestDeviceConsentIsWithdrawnByItsOwnStateAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.becomes(zohotest.Device)
		m.configure(nil)
		first := m.write("authorize/crm", data{"flow": "device"})
		second := m.write("authorize/crm", data{"flow": "device"})
		if first.Data["state"] == "" || first.Data["state"] == second.Data["state"] {
			t.Fatalf("the states are %v and %v", first.Data["state"], second.Data["state"])
		}
		m.write("authorize/crm", data{"withdraw": true, "if_state": first.Data["state"]})
		if m.read("status/crm")["state"] != "awaiting_consent" {
			t.Fatal("another consent was withdrawn")
		}
		m.write("authorize/crm", data{"withdraw": true, "if_state": second.Data["state"]})
		m.refused(logical.ReadOperation, "authorize/crm", nil, 404)
	})
}

// An invitation for one account is not turned into one for any account by who starts another.
func TestConditionsOfAConsentThatIsReplacedAreKeptRefusedOrNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		operator, person := logical.Request{EntityID: "e-1", DisplayName: "operator"}, logical.Request{EntityID: "e-2", DisplayName: "person"}
		invites := func() {
			t.Helper()
			if _, err := m.startBy(operator, data{"expected_user": "o'neil@example.com", "expected_data_center": "eu", "ttl": "24h", "force": true}); err != nil {
				t.Fatal(err)
			}
		}
		const user, center = `'expected_user=o'"'"'neil@example.com'`, "expected_data_center=eu"
		for name, c := range map[string]struct {
			who                 logical.Request
			with                data
			refused, warns      []string
			doesNotSay          string
			waitsFor, waitsFor2 string
		}{
			"another caller":                       {person, nil, []string{"force=true", user, center}, nil, "", "o'neil@example.com", "eu"},
			"the same caller":                      {operator, nil, []string{"drop", "force=true", user, center}, nil, "", "o'neil@example.com", "eu"},
			"the same caller keeps one":            {operator, data{"expected_user": "o'neil@example.com"}, []string{"drop", "force=true", center}, nil, user, "o'neil@example.com", "eu"},
			"the same caller names others":         {operator, data{"expected_user": "4711", "expected_data_center": "us"}, nil, []string{user, center}, "", "4711", "us"},
			"the same caller keeps both":           {operator, data{"expected_user": "O'Neil@example.com", "expected_data_center": "EU"}, nil, []string{"was replaced"}, "settings of the former", "O'Neil@example.com", "eu"},
			"another caller, by force":             {person, data{"force": true}, nil, []string{"was replaced", user, center}, "", "", ""},
			"another caller, by force, keeps both": {person, data{"force": true, "expected_user": "o'neil@example.com", "expected_data_center": "eu"}, nil, []string{"was replaced"}, "settings of the former", "o'neil@example.com", "eu"},
		} {
			invites()
			resp, err := m.startBy(c.who, c.with)
			said := fmt.Sprint(err)
			if err == nil {
				said = strings.Join(resp.Warnings, "\n")
			}
			if (err != nil) != (c.refused != nil) {
				t.Errorf("%s: %v", name, said)
			}
			for _, text := range append(c.refused, c.warns...) {
				if !strings.Contains(said, text) {
					t.Errorf("%s: it does not say %q, but %s", name, text, said)
				}
			}
			if c.doesNotSay != "" && strings.Contains(said, c.doesNotSay) {
				t.Errorf("%s: it says %s", name, said)
			}
			if waits := m.read("authorize/crm"); waits["expected_user"] != c.waitsFor || waits["expected_data_center"] != c.waitsFor2 {
				t.Errorf("%s: what waits is for %v in %v", name, waits["expected_user"], waits["expected_data_center"])
			}
		}
	})
}

func TestSettingsOfAConsentThatIsReplacedAreNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes, "return_urls": returns})
		m.write("authorize/crm", data{"flow": "organization", "soid": "ZohoCRM.600000434", "scopes": "ZohoCRM.org.READ", "return_url": returns})
		warnings := strings.Join(m.write("authorize/crm", data{"force": true}).Warnings, "\n")
		for _, text := range []string{"flow=organization", "soid=ZohoCRM.600000434", "scopes=ZohoCRM.org.READ", "return_url=" + returns} {
			if !strings.Contains(warnings, text) {
				t.Errorf("it does not name %s: %s", text, warnings)
			}
		}
		// The same again is no change.
		if warnings := strings.Join(m.write("authorize/crm", data{"force": true}).Warnings, "\n"); strings.Contains(warnings, "settings of the former") {
			t.Errorf("the same consent again: %s", warnings)
		}
	})
}

func TestExpectedUserMustBeAnAccountThatZohoCanTell(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		m.refused(logical.UpdateOperation, "authorize/crm", data{"expected_user": "ann@example.com"}, 400, "AaaServer.profile.READ", "add it to scopes")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"expected_user": "ann", "scopes": profileScopes}, 400, "neither an e-mail address", "ZUID")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"expected_data_center": "mars"}, 400, `unknown data center "mars"`)
		m.clicks("crm")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"expected_user": "ann@example.com", "add_scopes": profileScopes}, 400, "add_scopes", "leave them out")
		m.write("authorize/crm", data{"expected_user": " ann@example.com ", "scopes": "ZohoCRM.modules.ALL aaaserver.profile.read"})
	})
}

func TestExpectedUserConnectsAndAnotherDoesNot(t *testing.T) {
	names := map[string]func(u zohotest.User) string{
		"e-mail address":       func(u zohotest.User) string { return u.Email },
		"e-mail, other letter": func(u zohotest.User) string { return strings.ToUpper(u.Email) },
		"ZUID":                 func(u zohotest.User) string { return u.ZUID },
	}
	for how, name := range names {
		for _, connected := range []bool{false, true} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"scopes": profileScopes})
				ann, bob := m.zoho.User("us"), m.zoho.AddUser(zohotest.User{Email: "bob@example.com", ZUID: ann0(m) + "1"})
				held := ""
				if connected {
					m.clicks("crm")
					held = m.token("crm")
				}
				started := m.write("authorize/crm", data{"expected_user": name(ann), "ttl": "1h"})
				wrong := m.opens(started, zohotest.Consent{Email: bob.Email})
				got := m.land(wrong)
				got.shows(t, 400, "Zoho was not connected", "This link is for", "another account", "private window", bob.Email)
				if again := m.land(wrong); again != got {
					t.Errorf("%s: the second load shows %v, the first %v", how, again, got)
				}
				m.restart()
				if again := m.land(wrong); again != got {
					t.Errorf("%s: after a restart it shows %v", how, again)
				}
				if n := len(m.zoho.RefreshTokens()); connected && n != 1 || !connected && n != 0 {
					t.Errorf("%s: %d grants live", how, n)
				}
				if connected && !m.zoho.Alive(held) {
					t.Errorf("%s: another account's consent ended a token", how)
				}
				// The same link is good for the right account.
				m.land(m.opens(started, zohotest.Consent{Email: ann.Email})).shows(t, 200, "Zoho is connected", ann.Email)
				if m.read("status/crm")["zoho_email"] != ann.Email {
					t.Errorf("%s: connected is %v", how, m.read("status/crm"))
				}
				m.token("crm")
				m.land(wrong).shows(t, 200, "Zoho is connected")
				m.settled(1)
				m.clean()
			})
		}
	}
}

// ann0 is the user id of the first account, of which others' are extensions.
func ann0(m *mount) string { return m.zoho.User("us").ZUID }

func TestOldTabOfAnotherAccountDoesNotEndTheLink(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email, "ttl": "24h"})
		first := m.opens(started, zohotest.Consent{Email: bob.Email})
		m.land(first).shows(t, 400, "This link is for")
		second := m.opens(started, zohotest.Consent{Email: bob.Email})
		m.land(second).shows(t, 400, "This link is for")
		for range 20 {
			passes(time.Hour)
			m.tick()
		}
		m.land(first).shows(t, 400, "used already")
		m.land(second).shows(t, 400, "This link is for")
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
		for range 4 + 2 {
			passes(time.Hour)
			m.tick()
		}
		m.delete("creds/crm")
		m.nothingLeft("the link is over")
		m.clean()
	})
}

func TestRightAccountConnectsThoughAnotherAccountsCodeIsBeingExchanged(t *testing.T) {
	for _, first := range []string{"wrong", "right"} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(data{"scopes": profileScopes})
			bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
			started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
			wrong, right := m.opens(started, zohotest.Consent{Email: bob.Email}), m.opens(started, zohotest.Consent{})
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
			var tabs sync.WaitGroup
			if first == "wrong" {
				tabs.Go(func() { m.land(wrong).shows(t, 400, "This link is for", bob.Email) })
				synctest.Wait()
			}
			for range 2 {
				tabs.Go(func() { m.land(right).shows(t, 200, "Zoho is connected") })
			}
			synctest.Wait()
			if first == "right" {
				tabs.Go(func() { m.land(wrong).shows(t, 200, "Zoho is connected") })
			}
			tabs.Wait()
			m.token("crm")
			m.settled(1)
			m.clean()
		})
	}
}

func TestRightAccountIsToldThatItsLinkExpiredDuringAnotherAccountsExchange(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email, "ttl": "1m"})
		wrong, right := m.opens(started, zohotest.Consent{Email: bob.Email}), m.opens(started, zohotest.Consent{})
		passes(58 * time.Second)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		for range 2 {
			m.land(wrong).shows(t, 400, "This link is for", bob.Email)
			if got := m.land(right); strings.Contains(got.page, "another account") {
				t.Errorf("the right account is told %s", got.page)
			} else {
				got.shows(t, 400, "This link has expired", "expired at")
			}
		}
	})
}

func TestPastedAddressOfAnotherAccountIsRefusedAndTheConsentWaitsOn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": profileScopes})
		bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
		wrong := m.opens(started, zohotest.Consent{Email: bob.Email})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": wrong}, 400, "another account consented", bob.Email, "nothing was connected", "open the link again")
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": wrong}, 400, "used already")
		m.write("creds/crm", data{"callback_url": m.opens(started, zohotest.Consent{})})
		m.token("crm")
	})
}

func TestAnotherDataCenterThanExpectedGetsNoCode(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		started := m.write("authorize/crm", data{"expected_data_center": "EU"})
		wrong := m.opens(started, zohotest.Consent{})
		m.land(wrong).shows(t, 400, "This link is for data center eu", "data center us", "private window")
		stored := m.storage.contents(t)
		m.land(wrong).shows(t, 400, "This link is for data center eu", "data center us", "private window")
		if n := m.zoho.Counts().Exchanges; n != 0 {
			t.Errorf("%d exchanges", n)
		}
		if now := m.storage.contents(t); len(now) != len(stored) || now["pending/crm"] != stored["pending/crm"] {
			t.Error("loading the page again changed storage")
		}
		if c := m.read("authorize/crm"); c["state"] != "waiting" || c["result"] != "wrong_account" || !strings.Contains(c["result_detail"].(string), "data center us") {
			t.Errorf("authorize/crm: %v", c)
		}
		m.land(m.opens(started, zohotest.Consent{DataCenter: "eu"})).shows(t, 200, "Zoho is connected", "(eu)")
		m.clean()
	})
}

func TestNothingIsConnectedWhenZohoDoesNotSayWhoConsented(t *testing.T) {
	for name, fault := range badAnswers("api") {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"scopes": profileScopes})
				m.clicks("crm")
				held := m.token("crm")
				started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
				landed := m.opens(started, zohotest.Consent{})
				m.zoho.Fault(fault)
				m.land(landed).shows(t, 400, "Zoho was not connected", "did not say whose account", "nothing was connected", "authorize/crm")
				if !m.zoho.Alive(held) || len(m.zoho.RefreshTokens()) != 1 {
					t.Error("the old grant is not the one that lives")
				}
				m.settled(1)
				m.token("crm")
				m.clean()
			})
		})
	}
}

func TestAnotherAccountsGrantThatZohoDoesNotRevokeYetIsSaidAndRevokedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.land(m.opens(started, zohotest.Consent{Email: bob.Email})).shows(t, 400, "This link is for", "another account", bob.Email, "not yet revoked", "private window")
		m.zoho.ClearFaults()
		m.land(m.opens(started, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
		m.settled(1)
		m.clean()
	})
}

func TestAnotherAccountsGrantCanBeLeftToItsOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.land(m.opens(started, zohotest.Consent{Email: bob.Email})).shows(t, 400, "not yet revoked")
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.zoho.ClearFaults()
		m.settled(1)
		m.endAll()
	})
}

func TestOrganizationsLinkNamesTheOrganization(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		d := data{"flow": "organization", "soid": "ZohoCRM.600000434", "scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ", "data_center": "eu"}
		started := m.write("authorize/crm", d)
		u, err := url.Parse(started.Data["authorization_url"].(string))
		if err != nil || u.Host != "accounts.zoho.eu" || u.Path != "/oauth/v2/org/auth" {
			t.Fatalf("%s, %v", u, err)
		}
		for name, want := range map[string]string{
			"soid": "ZohoCRM.600000434", "state": started.Data["state"].(string), "redirect_uri": callbackAddress, "response_type": "code",
			"access_type": "offline", "prompt": "consent", "scope": "ZohoCRM.modules.ALL,AaaServer.profile.READ",
		} {
			if got := u.Query().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if started.Data["flow"] != "organization" || started.Data["completes"] != "callback" {
			t.Errorf("authorize answers %v", started.Data)
		}
		m.refused(logical.UpdateOperation, "authorize/crm", data{"soid": "ZohoCRM.1"}, 400, "flow=organization")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"flow": "organization", "scopes": "ZohoCRM.modules.ALL ZohoBooks.fullaccess.all"}, 400, "one Zoho service at a time", "ZohoCRM and ZohoBooks")
		m.refused(logical.UpdateOperation, "authorize/crm", data{"flow": "organisation"}, 400, "unknown flow")
	})
}
