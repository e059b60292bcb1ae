// What becomes of a browser that Zoho sends back to Vault?

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

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// vaultAddr is where browsers find Vault in these tests.
const vaultAddr = "https://vault.example.com:8200"

// callbackAddress is what an operator registers.
const callbackAddress = vaultAddr + "/v1/zoho/callback"

// arrived is what a browser got from the callback.
type arrived struct {
	status   int
	page     string
	redirect string
}

// behindVault configures the mount so that browsers land on its callback.
func (m *mount) behindVault(more data) {
	m.t.Helper()
	c := m.zoho.AddClient(zohotest.Client{RedirectURIs: []string{callbackAddress}})
	d := data{"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": nil, "vault_addr": vaultAddr}
	for key, value := range more {
		d[key] = value
	}
	m.configure(d)
}

// land is the browser at an address of the callback.
func (m *mount) land(address string) arrived {
	m.t.Helper()
	got, err := m.tryLand(address)
	if err != nil {
		m.t.Fatalf("callback: %v", err)
	}
	return got
}

func (m *mount) tryLand(address string) (arrived, error) {
	m.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		m.t.Fatal(err)
	}
	query, _ := url.ParseQuery(strings.Trim(u.RawQuery, "&"))
	d := data{}
	for name, values := range query { // as Vault does
		if d[name] = values[0]; len(values) > 1 {
			d[name] = values
		}
	}
	return m.arrive(context.Background(), d)
}

func (m *mount) arrive(ctx context.Context, d data) (arrived, error) {
	resp, err := m.backend.HandleRequest(ctx, &logical.Request{Operation: logical.ReadOperation, Path: "callback", Storage: m.storage, Data: d, MountPoint: "zoho/", Unauthenticated: true})
	if err != nil {
		return arrived{}, err
	}
	if resp.Redirect != "" {
		fmt.Fprintf(m.shown, "callback: %v %v\n", resp.Redirect, resp.Headers)
		return arrived{redirect: resp.Redirect}, nil
	}
	got := arrived{status: resp.Data[logical.HTTPStatusCode].(int), page: resp.Data[logical.HTTPRawBody].(string)}
	fmt.Fprintf(m.shown, "callback: %v\n", got)
	return got, nil
}

// shows fails the test unless a page has a status and all of the words.
func (got arrived) shows(t testing.TB, status int, words ...string) {
	t.Helper()
	if got.status != status {
		t.Errorf("status %d, want %d: %v", got.status, status, got)
	}
	for _, word := range words {
		if !strings.Contains(got.page, word) {
			t.Errorf("the page does not say %q: %s", word, got.page)
		}
	}
}

func TestBrowserThatLandsOnVaultConnectsTheCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ"})
		started := m.write("authorize/crm", nil)
		if started.Data["completes"] != "callback" || started.Data["redirect_uri"] != callbackAddress {
			t.Errorf("authorize answers %v", started.Data)
		}
		landed, err := m.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{})
		if err != nil {
			t.Fatal(err)
		}
		m.land(landed).shows(t, 200, "Zoho is connected", "crm", "United States (us)", "ZohoCRM.modules.ALL", m.read("status/crm")["zoho_email"].(string))
		m.token("crm")
		m.clean()
	})
}

func TestDataCenterWithoutATitleIsShownByItsName(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.AddDataCenter(mars)
		m.behindVault(data{"accounts_urls": map[string]any{"mars": m.zoho.AccountsURL("mars")}})
		m.land(m.consent("crm", nil, zohotest.Consent{DataCenter: "eu"})).shows(t, 200, "Europe (eu)")
		m.land(m.consent("rover", data{"data_center": "mars"}, zohotest.Consent{DataCenter: "mars"})).shows(t, 200, ">mars<")
	})
}

func TestBrowserConnectsAnewWhatWasImported(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		m.write("creds/crm", data{"refresh_token": m.anotherGrant()})
		exchanges := m.zoho.Counts().Exchanges
		m.land(m.consent("crm", nil, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
		if n := m.zoho.Counts().Exchanges - exchanges; n != 1 || m.read("status/crm")["grant_type"] != "authorization_code" {
			t.Errorf("after %d exchanges the credential is the imported one", n)
		}
	})
}

func TestWhoeverConnectsIsToldWhichScopesZohoDidNotGrant(t *testing.T) {
	for granted, missing := range map[string]bool{"ZohoCRM.modules.ALL": true, "ZohoCRM.modules.ALL ZohoCRM.org.READ": false, "": false} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(nil)
			landed, pasted := m.consent("crm", nil, zohotest.Consent{}), m.consent("books", nil, zohotest.Consent{})
			m.tap(func(_ *http.Request, body string) (int, string) {
				if strings.Contains(body, "grant_type=authorization_code") {
					return 200, fmt.Sprintf(`{"access_token":"1000.a.b","refresh_token":"1000.c.d","scope":%q,"token_type":"Bearer","expires_in":3600}`, granted)
				}
				return 0, ""
			})
			got := m.land(landed)
			got.shows(t, 200, "Zoho is connected")
			if strings.Contains(got.page, "Not granted") != missing {
				t.Errorf("granted is %q, and the page says %s", granted, got.page)
			}
			resp := m.write("creds/books", data{"callback_url": pasted})
			if told := strings.Contains(strings.Join(resp.Warnings, " "), "did not grant ZohoCRM.org.READ"); told != missing || !missing && len(resp.Warnings) > 0 {
				t.Errorf("granted is %q, and the write warns %q", granted, resp.Warnings)
			}
		})
	}
}

func TestLoadingTheCallbackAgainShowsTheOutcomeAndSendsNothing(t *testing.T) {
	for name, end := range map[string]struct {
		consent zohotest.Consent
		status  int
		words   string
	}{
		"accepted": {zohotest.Consent{}, 200, "Zoho is connected"},
		"rejected": {zohotest.Consent{Reject: true}, 400, "Nothing was connected"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(nil)
				landed := m.consent("crm", nil, end.consent)
				first := m.land(landed)
				first.shows(t, end.status, end.words)
				calls := m.zoho.Counts().TokenCalls
				if again := m.land(landed); again != first {
					t.Errorf("the second load shows %v, the first %v", again, first)
				}
				m.restart()
				if again := m.land(landed); again != first {
					t.Errorf("after a restart it shows %v, at first %v", again, first)
				}
				// Back, and the other button: the state is good once.
				u, _ := url.Parse(landed)
				q := u.Query()
				q.Set("code", "1000.other")
				q.Del("error")
				if again := m.land(callbackAddress + "?" + q.Encode()); again != first {
					t.Errorf("another code shows %v, the first %v", again, first)
				}
				if now := m.zoho.Counts().TokenCalls; now != calls {
					t.Errorf("Zoho was asked %d times more", now-calls)
				}
				m.clean()
			})
		})
	}
}

func TestPageOfAFinishedConsentNeverSaysThatNothingCameOfIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.land(landed).shows(t, 200, "Zoho is connected")
		m.write("authorize/crm", nil) // of which only one is kept for each name
		got := m.land(landed)
		if got.shows(t, 400, "no longer good"); strings.Contains(got.page, "not connected") {
			t.Errorf("it was connected, and the page says %s", got.page)
		}
	})
}

func TestTwoTabsSendTheCodeOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		var tabs sync.WaitGroup
		for range 5 {
			tabs.Go(func() { m.land(landed).shows(t, 200, "Zoho is connected") })
		}
		tabs.Wait()
		if n := m.zoho.Counts().Exchanges; n != 1 {
			t.Errorf("%d exchanges", n)
		}
		m.clean()
	})
}

func TestBrowserThatLandsWhileItsAddressIsPastedIsAskedToWait(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		m.land(landed).shows(t, 503, "Not connected yet")
		others.Wait()
		m.land(landed).shows(t, 200, "Zoho is connected")
	})
}

func TestConsentIsFinishedWhenItsBrowserIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		u, _ := url.Parse(landed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		q := u.Query()
		if got, err := m.arrive(ctx, data{"code": q.Get("code"), "state": q.Get("state"), "location": q.Get("location")}); err != nil || got.status != 503 {
			t.Errorf("the closed browser was answered %v, %v", got, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		m.token("crm")
		m.land(landed).shows(t, 200, "Zoho is connected")
		m.clean()
	})
}

func TestMadeUpStatesCostNothingAndAreAllAnsweredAlike(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		other := newMountOn(t, m.zoho)
		other.behindVault(nil)
		foreign := other.write("authorize/crm", nil).Data["state"].(string)
		own := m.write("authorize/crm", nil).Data["state"].(string)
		m.restart()
		m.initialize()
		unknown := m.land(callbackAddress)
		unknown.shows(t, 400, "does not work")
		operations := m.storage.operations.Load()
		logged := len(m.logs.String())
		calls := m.zoho.Counts().TokenCalls
		query := "&code=1000.a.b&location=us&accounts-server=https://accounts.zoho.com"
		for _, state := range []string{"", "x", foreign, own[:len(own)-1], own + "A", strings.ToUpper(own), own + "\n", own + "=", strings.Repeat("A", 5000)} {
			if got := m.land(callbackAddress + "?state=" + url.QueryEscape(state) + query); got != unknown {
				t.Errorf("state %.60q: %v", state, got)
			}
		}
		for i := range 100_000 {
			resp, err := m.backend.HandleRequest(context.Background(), &logical.Request{
				Operation: logical.ReadOperation, Path: "callback", Storage: m.storage, Data: data{"code": "1000.a.b", "state": fmt.Sprintf("%038d%s", i, own[38:])},
			})
			if err != nil || resp.Data[logical.HTTPRawBody] != unknown.page {
				t.Fatalf("state %d: %v, %v", i, resp, err)
			}
		}
		if n := m.storage.operations.Load() - operations; n > 0 {
			t.Errorf("%d storage operations", n)
		}
		if m.zoho.Counts().TokenCalls != calls {
			t.Error("Zoho was asked")
		}
		if now := m.logs.String(); len(now) != logged {
			t.Errorf("logged %s", now[logged:])
		}
	})
}

// Somebody may know the address of a mount before it has a client.
func TestStatesCostAMountWithoutAConfigOneLookAtStorage(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		for range 100 {
			m.land(callbackAddress+"?state=made-up&code=x").shows(t, 400, "does not work")
		}
		if n := m.storage.operations.Load(); n != 1 {
			t.Errorf("%d storage operations", n)
		}
		m.behindVault(nil)
		m.land(m.consent("crm", nil, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
	})
}

func TestWhoeverOnlyLooksAtTheCallbackSpendsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		u, _ := url.Parse(landed)
		state := url.QueryEscape(u.Query().Get("state"))
		stored := m.storage.contents(t)
		for _, query := range []string{"", "&location=us", "&status=success", "&scope_enhanced=true", "&code=", "&error=", "&code=a&code=b", "&code=" + strings.Repeat("a", 1025)} {
			m.land(callbackAddress+"?state="+state+query).shows(t, 400, "nothing was done")
		}
		if now := m.storage.contents(t); fmt.Sprint(now) != fmt.Sprint(stored) {
			t.Error("storage changed")
		}
		m.land(landed+"&utm_source=mail&x[]=1&status="+strings.Repeat("a", 1024)).shows(t, 200, "Zoho is connected")
		m.clean()
	})
}

func TestCallbackIsForwardedByNodesThatCannotWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.standby(consts.ReplicationPerformanceStandby, false)
		if _, err := m.tryLand(landed); err != logical.ErrReadOnly {
			t.Errorf("got %v", err)
		}
		if n := m.zoho.Counts().Exchanges; n != 0 {
			t.Errorf("%d exchanges", n)
		}
		m.land(callbackAddress+"?state=made-up&code=x").shows(t, 400, "does not work")
	})
}

func TestBrowserHearsWhatZohoDid(t *testing.T) {
	for name, c := range map[string]struct {
		strike func(m *mount)
		status int
		words  []string
		good   bool // the same address is good once more
	}{
		"throttled": {func(m *mount) { m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.Throttle, Times: 1}) }, 429, []string{"Zoho has had too many requests", "Wait ten minutes"}, false},
		"broken":    {func(m *mount) { m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.Status5xx, Times: 1}) }, 503, []string{"Vault got no usable answer from Zoho", "Wait a few minutes"}, false},
		"refused": {func(m *mount) {
			m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.Refuse, Error: "invalid_code", Times: 1})
		}, 400, []string{"Zoho did not give Vault the access that you accepted"}, false},
		"away": {func(m *mount) { m.wire.dead.Store(true) }, 503, []string{"Not connected yet"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(nil)
				landed := m.consent("crm", nil, zohotest.Consent{})
				c.strike(m)
				got := m.land(landed)
				got.shows(t, c.status, c.words...)
				m.wire.dead.Store(false)
				again := m.land(landed)
				if c.good {
					again.shows(t, 200, "Zoho is connected")
				} else if again != got {
					t.Errorf("the second load shows %v, the first %v", again, got)
				}
			})
		})
	}
}
