// Tests of the memory of what is dead: it is bounded, and what it still answers is right.

package zohotest_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestSecretsOfDeadTokensAreBoundedAndThoseInUseAreAlwaysThere(t *testing.T) {
	zoho := zohotest.New()
	zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = -1 })
	refreshes(zoho)
	grant := zoho.RefreshTokens()[0].Token
	first, _ := zoho.MintElsewhere(grant)
	var last string
	for range 205_000 {
		last, _ = zoho.MintElsewhere(grant)
	}
	secrets := map[string]bool{}
	for _, secret := range zoho.Secrets() {
		secrets[secret] = true
	}
	if n := len(secrets); n < 100_000 || n > 201_000 {
		t.Errorf("%d secrets are kept, want 100,000 to 200,000 and a few in use", n)
	}
	if secrets[first] || !secrets[last] || !secrets[grant] || !secrets[zoho.DefaultClient().Secret] {
		t.Errorf("first %v, last %v, refresh token %v, client secret %v", secrets[first], secrets[last], secrets[grant], secrets[zoho.DefaultClient().Secret])
	}
	zoho.RevokeRefreshToken(grant)
	if alive := zoho.AccessTokens(grant); len(alive) != 0 || zoho.Alive(last) {
		t.Errorf("after the revocation %v are alive", alive)
	}
}

func TestCodesAreRememberedAfterTheyAreUsedAndNotForever(t *testing.T) {
	zoho := zohotest.New()
	zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.CodeLifetime = -1, time.Hour })
	c := zoho.DefaultClient()
	exchange := func(code string) bool {
		resp := send(zoho, "us", "grant_type", "authorization_code", "client_id", c.ID, "client_secret", c.Secret, "redirect_uri", c.RedirectURIs[0], "code", code)
		body, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(body), "access_token")
	}
	unused, used := code(zoho), code(zoho)
	if !exchange(used) {
		t.Fatal("the exchange failed")
	}
	for range 9_990 {
		code(zoho)
	}
	if exchange(used) || len(zoho.Violations()) != 1 {
		t.Errorf("the second try of a code: %v", zoho.Violations())
	}
	for range 20_000 {
		code(zoho)
	}
	if !exchange(unused) {
		t.Error("a code that is alive was forgotten")
	}
	if exchange(used) || len(zoho.Violations()) != 1 {
		t.Errorf("a code that 30,000 others followed is still known: %v", zoho.Violations())
	}
}

func TestNewestViolationsAreKeptAndAllAreCounted(t *testing.T) {
	zoho := zohotest.New()
	at, c := zoho.AccountsURL("us")+"/oauth/v2/token", &http.Client{Transport: zoho.Transport()}
	for range 10_001 {
		resp, err := c.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if kept, counted := len(zoho.Violations()), zoho.Counts().Violations; kept != 10_000 || counted != 10_001 {
		t.Errorf("%d are kept and %d counted", kept, counted)
	}
	zoho.Reset()
	if kept, counted := len(zoho.Violations()), zoho.Counts().Violations; kept != 0 || counted != 0 {
		t.Errorf("after a reset %d are kept and %d counted", kept, counted)
	}
}

// BenchmarkDeadTokens shows the memory that is kept per dead token.
func BenchmarkDeadTokens(b *testing.B) {
	for name, mint := range map[string]func(*zohotest.Simulator) func(){
		"refreshed":          refreshes,
		"client credentials": clientCredentials,
		"consents":           consents,
	} {
		b.Run(name, func(b *testing.B) {
			zoho := zohotest.New()
			zoho.Knobs(func(k *zohotest.Knobs) { k.Mints, k.ClientMints, k.Codes = -1, -1, -1 })
			once := mint(zoho)
			before := heap()
			for n := range b.N {
				once()
				if n%1000 == 999 {
					zoho.Advance(1e9 * 3600)
				}
			}
			b.ReportMetric(float64(heap()-before)/float64(b.N), "B/dead-token")
			runtime.KeepAlive(zoho)
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func send(zoho *zohotest.Simulator, dc string, pairs ...string) *http.Response {
	req, err := http.NewRequest("POST", zoho.AccountsURL(dc)+"/oauth/v2/token", strings.NewReader(form(pairs...).Encode()))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := zoho.Transport().RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		panic("no token")
	}
	return resp
}

func code(zoho *zohotest.Simulator) string {
	c := zoho.DefaultClient()
	to, err := zoho.Authorize(zoho.AccountsURL("us")+"/oauth/v2/auth?"+form("client_id", c.ID, "response_type", "code", "redirect_uri", c.RedirectURIs[0],
		"scope", "ZohoCRM.org.READ", "access_type", "offline", "prompt", "consent").Encode(), zohotest.Consent{})
	if err != nil {
		panic(err)
	}
	u, _ := url.Parse(to)
	return u.Query().Get("code")
}

func consents(zoho *zohotest.Simulator) func() {
	c := zoho.DefaultClient()
	return func() {
		send(zoho, "us", "grant_type", "authorization_code", "client_id", c.ID, "client_secret", c.Secret, "redirect_uri", c.RedirectURIs[0], "code", code(zoho))
	}
}

func refreshes(zoho *zohotest.Simulator) func() {
	c := zoho.DefaultClient()
	resp := send(zoho, "us", "grant_type", "authorization_code", "client_id", c.ID, "client_secret", c.Secret, "redirect_uri", c.RedirectURIs[0], "code", code(zoho))
	io.Copy(io.Discard, resp.Body)
	token := zoho.RefreshTokens()[0].Token
	return func() {
		send(zoho, "us", "grant_type", "refresh_token", "client_id", c.ID, "client_secret", c.Secret, "refresh_token", token)
	}
}

func clientCredentials(zoho *zohotest.Simulator) func() {
	c := zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
	return func() {
		send(zoho, "us", "grant_type", "client_credentials", "client_id", c.ID, "client_secret", c.Secret, "scope", "ZohoCRM.org.READ", "soid", "ZohoCRM.1")
	}
}

// What has expired is forgotten once it is as much as what is alive, and not before that.
func TestWhatExpiredIsForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		knobs func(*zohotest.Knobs)
		make  func(a app, grant reply) (alive func() bool)
		life  time.Duration
	}{
		"access tokens without a refresh token": {func(k *zohotest.Knobs) { k.ClientMints = -1 }, func(a app, _ reply) func() bool {
			token := a.byItself().accessToken()
			return func() bool { return a.zoho.Alive(token) }
		}, time.Hour},
		"access tokens of a refresh token": {func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens = -1, -1 }, func(a app, grant reply) func() bool {
			token, _ := a.zoho.MintElsewhere(grant.refreshToken())
			return func() bool { return a.zoho.Alive(token) }
		}, time.Hour},
		"enhance tokens": {nil, func(a app, grant reply) func() bool {
			token := a.enhances("eu", grant.refreshToken()).accessToken()
			return func() bool {
				_, err := a.zoho.Authorize(a.extraScopeURL("eu", token, "ZohoCRM.org.READ"), zohotest.Consent{Reject: true})
				return err == nil
			}
		}, 10 * time.Minute},
		"windows of refused refresh tokens": {func(k *zohotest.Knobs) { k.FailuresCount, k.Mints = true, 1 }, func(a app, _ reply) func() bool {
			token := rand.Text()
			a.refresh("eu", token)
			a.refresh("eu", token) // and now it is blocked
			return func() bool { return a.refresh("eu", token).status == 400 }
		}, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				grant := a.connects("eu")
				if test.knobs != nil {
					a.zoho.Knobs(test.knobs)
				}
				start := a.zoho.Held() - 1 // the access token of the grant dies meanwhile
				for range 2 {
					for range 1030 {
						test.make(a, grant)
					}
					passes(test.life)
				}
				alive := test.make(a, grant)
				if held := a.zoho.Held() - start; held > 1030+30 {
					t.Errorf("%d are held, of which one is alive", held)
				}
				for range 1100 { // one sweep at least
					test.make(a, grant)
				}
				if held := a.zoho.Held() - start; held < 1101 || held > 1101+1060 {
					t.Errorf("%d are held, of which 1101 are alive", held)
				}
				if !alive() {
					t.Error("what is alive was forgotten")
				}
			})
		})
	}
}

func TestMintsWithoutALimitAreBoundedAndCountOnceThereIsOne(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = -1 })
		grant := a.connects("eu").refreshToken()
		passes(time.Minute)
		for range 45_000 {
			a.zoho.MintElsewhere(grant)
		}
		if n := a.zoho.Hits(grant); n < 10_001 || n > 20_001 {
			t.Errorf("%d mints are remembered", n)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = 10_000 })
		passes(9*time.Minute - 1)
		a.wantThrottled(a.refresh("eu", grant))
		passes(1) // the window began with the exchange
		a.mints(1, grant)
	})
}

func TestADeviceCodeInUseIsNotForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a = a.device()
		waits, used := a.starts("us"), a.starts("us")
		for _, started := range []reply{waits, used} {
			if err := a.zoho.ApproveDevice(started.text("user_code"), zohotest.Consent{}); err != nil {
				t.Fatal(err)
			}
		}
		if r := a.polls("us", used.text("device_code")); r.accessToken() == "" {
			t.Fatalf("the poll got %s", r.body)
		}
		a.zoho.FloodDeviceCodes()
		a.zoho.Reset()
		if r := a.polls("us", waits.text("device_code")); r.accessToken() == "" {
			t.Errorf("a device code that is alive was forgotten: %s", r.body)
		}
		a.wantError(a.polls("us", used.text("device_code")), "invalid_code")
		a.wantNoViolations() // the used one is not known any more
	})
}

// byItself is a mint of client credentials, of the same self client each time.
func (a app) byItself() reply {
	a.Helper()
	self := a.zoho.AddClient(zohotest.Client{ID: "1000.SELF", Secret: "secret-of-the-self-client", Type: zohotest.SelfClient})
	return a.post(a.zoho.AccountsURL("us")+"/oauth/v2/token", "grant_type", "client_credentials", "client_id", self.ID, "client_secret", self.Secret,
		"scope", "ZohoCliq.Users.READ")
}
