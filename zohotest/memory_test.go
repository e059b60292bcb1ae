// Tests of the memory of what is dead: it is bounded, and what it still answers is right.

package zohotest_test

import (
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
	for range 20_001 {
		resp, err := c.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if kept, counted := len(zoho.Violations()), zoho.Counts().Violations; kept != 10_000 || counted != 20_001 {
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
