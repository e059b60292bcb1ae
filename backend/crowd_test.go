// What happens when many read at once, and Zoho is well, failing or silent? One
// call for all of them, one answer, and nobody loses a token to another's haste.

package backend_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// outcome is what one reader got.
type outcome struct{ token, failure string }

// crowd lets n readers read a credential at once and counts what they got.
func (m *mount) crowd(n int, name string) map[outcome]int {
	m.t.Helper()
	var mu sync.Mutex
	got := map[outcome]int{}
	var readers sync.WaitGroup
	for range n {
		readers.Go(func() {
			var o outcome
			resp, err := m.try(logical.ReadOperation, "creds/"+name, nil)
			if err != nil {
				o.failure = err.Error()
			} else {
				o.token = resp.Data["access_token"].(string)
			}
			mu.Lock()
			defer mu.Unlock()
			got[o]++
		})
	}
	readers.Wait()
	return got
}

// cold connects crm and lets its first token run out, so that the next read mints.
func (m *mount) cold() {
	m.t.Helper()
	m.connect("crm")
	passes(61 * time.Minute)
	m.restart()
	m.zoho.Reset()
}

func TestThousandColdReadersShareOneMint(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.cold()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 2 * time.Second, Times: 1})
		got := m.crowd(1000, "crm")
		if len(got) != 1 {
			t.Errorf("1000 readers got %d different answers: %v", len(got), got)
		}
		for o := range got {
			if !m.zoho.Alive(o.token) {
				t.Errorf("got a dead token or a failure: %q", o.failure)
			}
		}
		if n := m.zoho.Counts().TokenCalls; n != 1 {
			t.Errorf("1000 cold readers made %d calls", n)
		}
		if counted := m.read("metrics"); counted["shared_flights"] != int64(999) {
			t.Errorf("999 waited for the flight of another; counted are %v", counted)
		}
	})
}

func TestThousandReadersOfAFailingZohoShareOneCallAndOneError(t *testing.T) {
	for name, fault := range map[string]zohotest.Fault{
		"gateway page": {Kind: zohotest.Status5xx, Status: 502},
		"html":         {Kind: zohotest.HTML},
		"reset":        {Kind: zohotest.Reset},
		"hang":         {Kind: zohotest.Hang},
		"lost answer":  {Kind: zohotest.LostAnswer},
		"garbage":      {Kind: zohotest.Garbage},
		"throttle":     {Kind: zohotest.Throttle},
		"refused":      {Kind: zohotest.Refuse, Error: "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.cold()
				m.zoho.Fault(fault)
				puts := m.storage.puts.Load()
				got := m.crowd(1000, "crm")
				if len(got) != 1 {
					t.Errorf("1000 readers got %d different answers: %v", len(got), got)
				}
				for o := range got {
					if o.failure == "" || strings.HasPrefix(o.failure, "500") {
						t.Errorf("got %+v; want one error with a remedy", o)
					}
				}
				// Who arrives after the failure has the server checked. With garbage the check
				// passes, since an answer is one, and is followed by one more mint.
				mints := 1
				if fault.Kind == zohotest.Garbage {
					mints = 2
				}
				if n := m.zoho.Counts().ByGrant["refresh_token"]; n > mints {
					t.Errorf("1000 readers made %d mints", n)
				}
				// One for the mint's place; one more to remember what outlives a restart.
				allowed := int64(mints)
				if fault.Kind == zohotest.Throttle || fault.Kind == zohotest.Refuse {
					allowed = 2
				}
				if n := m.storage.puts.Load() - puts; n > allowed {
					t.Errorf("1000 readers made %d storage writes; want %d at most", n, allowed)
				}
			})
		})
	}
}

func TestSilentZohoSlowsNoWarmReader(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.connect("books")
		warm := m.token("crm")
		passes(25 * time.Minute) // the next read of crm starts a mint ahead
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang})
		start := time.Now()
		for range 100 {
			if m.token("crm") != warm {
				t.Error("a warm read did not give the token at hand")
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("100 warm reads took %s while Zoho was silent", took)
		}
		passes(time.Minute)
		m.zoho.ClearFaults()
	})
}

func TestReaderWhoGivesUpLosesNobodysToken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.cold()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
		ctx, giveUp := context.WithCancel(t.Context())
		var impatient error
		var readers sync.WaitGroup
		readers.Go(func() { _, impatient = m.request(ctx, logical.ReadOperation, "creds/crm", nil) })
		synctest.Wait() // its mint is under way
		start := time.Now()
		giveUp()
		readers.Go(func() { m.token("crm") })
		synctest.Wait()
		if coded, ok := impatient.(logical.HTTPCodedError); !ok || coded.Code() != 503 {
			t.Errorf("the reader who gave up got %v; want 503 at once", impatient)
		}
		readers.Wait()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the patient reader waited %s", took)
		}
		if n := m.zoho.Counts().TokenCalls; n != 1 {
			t.Errorf("%d calls for two readers", n)
		}
	})
}

func TestReaderWhoGivesUpAloneLeavesTheTokenToTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.cold()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
		ctx, giveUp := context.WithTimeout(t.Context(), time.Second)
		defer giveUp()
		if _, err := m.request(ctx, logical.ReadOperation, "creds/crm", nil); err == nil {
			t.Fatal("the reader did not give up")
		}
		passes(time.Minute)
		m.token("crm")
		if n := m.zoho.Counts().TokenCalls; n != 1 {
			t.Errorf("%d calls; the abandoned mint was thrown away", n)
		}
	})
}

func TestRevokedGrantIsAskedOnceInFifteenMinutesAndReconnectingEndsItAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.zoho.Reset()
		start := time.Now()
		for time.Since(start) < 14*time.Minute {
			m.refused(logical.ReadOperation, "creds/crm", nil, 400,
				"refresh token refused by accounts.zoho.com (invalid_code)", "revoked", "evicted by a 21st consent", "another data center", "authorize/crm")
			m.restart() // remembered across restarts
			passes(20 * time.Second)
		}
		if n := m.zoho.Counts().TokenCalls; n != 1 {
			t.Errorf("%d calls within fifteen minutes for a revoked refresh token", n)
		}
		if state := m.read("status/crm")["state"]; state != "needs_consent" {
			t.Errorf("status is %v", state)
		}
		m.connect("crm")
		m.token("crm")
		if state := m.read("status/crm")["state"]; state != "ready" {
			t.Errorf("after reconnecting status is %v", state)
		}
	})
}

func TestCorrectedSecretEndsTheWaitAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		passes(time.Minute)
		secret := m.zoho.RotateSecret(m.zoho.DefaultClient().ID, "")
		// A changed secret kills no token: what lives is served on, with a warning.
		resp := m.do(logical.ReadOperation, "creds/crm", nil)
		if resp.Data["access_token"] != held || len(resp.Warnings) == 0 || !strings.Contains(resp.Warnings[0], "client_secret") {
			t.Errorf("with a changed secret: %v", resp.Warnings)
		}
		passes(time.Hour)
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "client refused", "client_id", "client_secret", "data center", "client_secrets", "correct config")
		m.write("config", data{"client_secret": secret})
		m.token("crm")
	})
}

func TestThrottleByAnotherUserOfTheGrantIsSatOutWithALivingToken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		held := m.token("crm")
		passes(time.Minute)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle})
		m.zoho.Reset()
		start := time.Now()
		for time.Since(start) < 9*time.Minute {
			resp := m.do(logical.ReadOperation, "creds/crm", nil)
			if resp.Data["access_token"] != held || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "throttled by accounts.zoho.com") {
				t.Fatalf("throttled by somebody else: %v", resp)
			}
			passes(30 * time.Second)
		}
		if n := m.zoho.Counts().TokenCalls; n != 1 {
			t.Errorf("%d calls while throttled", n)
		}
		if state := m.read("status/crm")["state"]; state != "throttled" {
			t.Errorf("status is %v", state)
		}
		m.refused(logical.ReadOperation, "creds/crm", data{"min_ttl": "59m"}, 429, "throttled", "come back in")
		m.zoho.ClearFaults()
		passes(2 * time.Minute)
		if m.token("crm") == held {
			t.Error("the throttle is over, and the old token is still handed out")
		}
	})
}
