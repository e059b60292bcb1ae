// What if another program uses the same refresh token? What Zoho says counts, not what
// was counted here, and apps notice nothing while a token lives.

package backend_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// grant is the first refresh token that lives at Zoho: the credential's, where there is one.
func (m *mount) grant() string {
	m.t.Helper()
	return m.zoho.RefreshTokens()[0].Token
}

// lives reports whether a grant does at Zoho, by its refresh token.
func (m *mount) lives(grant string) bool {
	return slices.ContainsFunc(m.zoho.RefreshTokens(), func(rt zohotest.RefreshToken) bool { return rt.Token == grant })
}

// othersMint lets another program mint, as often as Zoho lets it.
func (m *mount) othersMint(most int) (minted int) {
	m.t.Helper()
	for range most {
		if _, ok := m.zoho.MintElsewhere(m.grant()); !ok {
			break
		}
		minted++
	}
	return minted
}

func TestAppsNoticeNothingWhileAnotherProgramUsesUpTheThrottle(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveAccessTokens = -1 }) // what it mints kills none of ours
		m.configure(data{"max_age": "10m"})
		m.connect("crm")
		for range 3 {
			m.othersMint(9)
			calls, began := m.zoho.Counts().TokenCalls, time.Now()
			for time.Since(began) < 30*time.Minute {
				m.othersMint(10) // whatever is free it takes first
				resp := m.do(logical.ReadOperation, "creds/crm", nil)
				if !m.zoho.Alive(resp.Data["access_token"].(string)) {
					t.Fatalf("after %s a dead token is handed out", time.Since(began))
				}
				if ttl := resp.Data["ttl"].(int); ttl < 1 {
					t.Errorf("ttl is %d", ttl)
				}
				passes(30 * time.Second)
			}
			if n := m.zoho.Counts().TokenCalls - calls; n > 3 {
				t.Errorf("Zoho was asked %d times in half an hour, each time in vain; want once in ten minutes", n)
			}
			passes(11 * time.Minute)
			m.token("crm")
			if status := m.read("status/crm"); status["state"] != "ready" || status["last_mint_time"] != time.Now().UTC().Format(time.RFC3339) {
				t.Errorf("the other program is gone, and no new token is had: %v", status)
			}
			passes(11 * time.Minute)
		}
	})
}

func TestStatusShowsThatZohoAllowsNothingWhateverWasCountedHere(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		passes(61 * time.Minute)
		m.othersMint(10)
		m.refused(logical.ReadOperation, "creds/crm", nil, 429, "throttled by accounts.zoho.com", "come back in 10m0s")
		for _, node := range []string{"as before", "after a restart"} {
			status := m.read("status/crm")
			if status["state"] != "throttled" || status["mints_left"] != 0 || status["next_mint_time"] != status["hold_until"] || status["hold_until"] == nil {
				t.Errorf("%s: status is %v, mints_left %v, next_mint_time %v, hold_until %v", node, status["state"], status["mints_left"], status["next_mint_time"], status["hold_until"])
			}
			m.restart()
		}
		passes(10 * time.Minute)
		if status := m.read("status/crm"); status["mints_left"] == 0 || status["next_mint_time"] != nil {
			t.Errorf("the throttle is over, and status says %v, %v", status["mints_left"], status["next_mint_time"])
		}
		m.token("crm")
	})
}

func TestTokenThatAnotherProgramEvictedIsReplacedAsSoonAsZohoLets(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		got := m.read("creds/crm")
		m.othersMint(9) // which fills the window of the exchange
		passes(10 * time.Minute)
		if m.othersMint(10) != 10 || m.zoho.Alive(got["access_token"].(string)) {
			t.Fatal("nothing was evicted")
		}
		// The app meets a 401 and says so. Nothing can be had now; the dead token is not
		// handed out, and Zoho is asked once.
		calls := m.zoho.Counts().TokenCalls
		for range 9 {
			m.refused(logical.ReadOperation, "creds/crm", data{"rejected": got["token_id"]}, 429, "throttled by accounts.zoho.com")
			m.refused(logical.ReadOperation, "creds/crm", nil, 429, "throttled by accounts.zoho.com")
			passes(time.Minute)
		}
		if n := m.zoho.Counts().TokenCalls - calls; n != 1 {
			t.Errorf("%d calls", n)
		}
		passes(time.Minute)
		m.token("crm")
	})
}

func TestLongerBlockThanDocumentedIsSatOutThoughEachAttemptExtendsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		// As operators report: an hour, and retries extend it.
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.Lockout, k.RejectedExtend = time.Hour, true })
		m.configure(nil)
		m.connect("crm")
		passes(61 * time.Minute)
		m.othersMint(10)
		began := time.Now()
		for {
			if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err == nil {
				break
			}
			if time.Since(began) > 3*time.Hour {
				t.Fatalf("after %s and %d refusals nothing is had", time.Since(began), m.zoho.Counts().Throttled)
			}
			passes(30 * time.Second)
		}
		m.zoho.Reset() // attempts inside a block of which nobody could know
	})
}

func TestHalfADayBesideAnotherProgramTripsNothingTwice(t *testing.T) {
	for seed := range uint64(2) {
		inBubble(t, func(t *testing.T, m *mount) {
			random := rand.New(rand.NewPCG(seed, 4))
			m.configure(data{"max_age": "20m"})
			m.connect("crm")
			app := m.read("creds/crm")
			var out, longest time.Duration // without a token that works
			for range 12 * 60 {
				if random.IntN(3) == 0 {
					m.othersMint(1 + random.IntN(3))
				}
				if out == 0 && !m.zoho.Alive(app["access_token"].(string)) {
					app = nil
				}
				d := data{}
				if app != nil {
					d = nil
				} else if held, err := m.try(logical.ReadOperation, "creds/crm", nil); err == nil && !m.zoho.Alive(held.Data["access_token"].(string)) {
					d["rejected"] = held.Data["token_id"]
				}
				resp, err := m.try(logical.ReadOperation, "creds/crm", d)
				switch {
				case err == nil && m.zoho.Alive(resp.Data["access_token"].(string)):
					app, out = resp.Data, 0
				default:
					if err != nil && err.(*refusal).status != 429 {
						t.Fatalf("seed %d: %v", seed, err)
					}
					if out += time.Minute; out > longest {
						longest = out
					}
				}
				passes(time.Minute)
			}
			if m.zoho.Counts().Throttled == 0 || longest == 0 {
				t.Errorf("seed %d: the other program is not felt", seed)
			}
			if longest > 30*time.Minute {
				t.Errorf("seed %d: %s without a token that works", seed, longest)
			}
		}) // clean() sees whether Zoho was asked inside a block that it had told of
	}
}
