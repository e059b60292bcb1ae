// Can Vault Agent and its siblings follow the answers? They read rotation_period
// and ttl: a whole number of seconds after which they come back, for a newer token.

package backend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// asJSON is an answer as clients get it.
func asJSON(t testing.TB, d data) map[string]any {
	t.Helper()
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestAgentAlwaysHoldsALivingTokenAndNeverSpins(t *testing.T) {
	for name, c := range map[string]struct {
		settings data
		lifetime time.Duration
	}{
		"defaults":          {nil, time.Hour},
		"short tokens":      {nil, 4 * time.Minute},
		"very short tokens": {data{"mint_window": "1m"}, 90 * time.Second},
		"reuse":             {data{"max_age": "20m"}, time.Hour},
		"long reserve":      {data{"min_ttl": "50m"}, time.Hour},
		"no reserve":        {data{"min_ttl": 0, "max_age": "10m"}, time.Hour},
		"reuse to the end":  {data{"max_age": "3h"}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.zoho.Knobs(func(k *zohotest.Knobs) {
					if k.AccessTokenLifetime = c.lifetime; c.settings["mint_window"] != nil {
						k.MintWindow = time.Minute
					}
				})
				m.configure(c.settings)
				m.connect("crm")
				start, reads := time.Now(), 0
				for time.Since(start) < 6*time.Hour {
					answer := m.read("creds/crm")
					token := answer["access_token"].(string)
					ttl, ok := answer["ttl"].(int)
					if !ok || ttl < 1 {
						t.Fatalf("ttl is %v", answer["ttl"])
					}
					// consul-template sleeps ttl and a second, and renders what it gets.
					passes(time.Duration(ttl)*time.Second + time.Second/2)
					if !m.zoho.Alive(token) {
						t.Fatalf("an agent's token died before ttl (%d s) was over", ttl)
					}
					passes(time.Second / 2)
					reads++
				}
				if least := min(c.lifetime, 10*time.Minute) / 4; reads > int(6*time.Hour/least) {
					t.Errorf("%d reads in six hours: the agent spins", reads)
				}
			})
		})
	}
}

func TestAgentGetsANewTokenAtEachReturn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		last := ""
		for range 10 {
			answer := m.read("creds/crm")
			if token := answer["access_token"].(string); token == last {
				t.Error("the agent came back when told, and got the same token")
			} else {
				last = token
			}
			passes(time.Duration(answer["ttl"].(int))*time.Second + time.Second)
		}
	})
}

func TestReadThatAsksForMoreIsToldItsOwnRotationPeriod(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "50m"})
		m.connect("crm")
		for _, c := range []struct {
			asks data
			want int
		}{
			{nil, 50 * 60}, {data{"max_age": "10m"}, 10 * 60}, {data{"min_ttl": "20m"}, 40 * 60}, {data{"min_ttl": "50m"}, 10 * 60}, {data{"min_ttl": "10m"}, 50 * 60}, {data{"max_age": 0}, 50 * 60},
		} {
			if got := m.readWith("creds/crm", c.asks)["rotation_period"]; got != c.want {
				t.Errorf("with %v rotation_period is %v, want %d", c.asks, got, c.want)
			}
		}
		// A setting is no demand: half of each token's life is used all the same.
		m.write("creds/crm", data{"min_ttl": "50m"})
		if got := m.read("creds/crm")["rotation_period"]; got != 30*60 {
			t.Errorf("with a setting of 50m rotation_period is %v", got)
		}
	})
}

func TestFleetDoesNotComeBackInOneSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m", "min_ttl": "10m"})
		m.connect("crm")
		var told []int
		for range 500 {
			told = append(told, m.read("creds/crm")["ttl"].(int))
		}
		slices.Sort(told)
		least, most := told[0], told[len(told)-1]
		if least < 30*60-1 || most > 31*60 {
			t.Errorf("ttl is between %d and %d s; want 30 minutes and up to a tenth of min_ttl", least, most)
		}
		if distinct := len(slices.Compact(told)); distinct < 40 {
			t.Errorf("500 readers were told only %d different times", distinct)
		}
	})
}

func TestAgentIsHeldForFiveToSixtySecondsWhileSomethingIsWaitedOut(t *testing.T) {
	for name, fault := range map[string]zohotest.Fault{
		"down":      {Kind: zohotest.Status5xx},
		"throttled": {Kind: zohotest.Throttle},
		"refused":   {Kind: zohotest.Refuse, Error: "invalid_client_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				m.token("crm")
				passes(time.Minute)
				m.zoho.Fault(fault)
				held := 0
				for range 40 {
					resp := m.do(logical.ReadOperation, "creds/crm", nil)
					ttl := resp.Data["ttl"].(int)
					if len(resp.Warnings) == 0 {
						break // what is left of the budget is kept for when this token runs out
					}
					if held++; ttl < 5 || ttl > 60 {
						t.Fatalf("ttl is %d s while a failure is waited out", ttl)
					}
					passes(time.Duration(ttl) * time.Second)
				}
				if held < 5 {
					t.Errorf("only %d reads were held", held)
				}
				m.zoho.ClearFaults()
			})
		})
	}
}

// For clients that read it where the mount is tuned to pass it.
func TestHeaderSaysHowLongToWaitWhereWaitingHelps(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.cold()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Times: 1})
		resp, err := m.request(t.Context(), logical.ReadOperation, "creds/crm", nil)
		if err == nil || resp == nil || fmt.Sprint(resp.Headers) != "map[Retry-After:[600]]" {
			t.Errorf("throttled: %v, %v", resp, err)
		}
		if resp, err := m.request(t.Context(), logical.ReadOperation, "creds/none", nil); err == nil || resp != nil {
			t.Errorf("absent: %v, %v", resp, err)
		}
	})
}

func TestHeldAgentIsNeverToldToComeBackAfterItsTokenDied(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx})
		for {
			resp, err := m.try(logical.ReadOperation, "creds/crm", nil)
			if err != nil {
				break // the token has run out
			}
			expires, err := time.Parse(time.RFC3339, resp.Data["expire_time"].(string))
			if err != nil {
				t.Fatal(err)
			}
			left := time.Until(expires)
			if ttl := time.Duration(resp.Data["ttl"].(int)) * time.Second; ttl > max(left, time.Second) {
				t.Fatalf("ttl is %s, and the token lives %s", ttl, left)
			}
			passes(max(left/2, time.Second))
		}
	})
}

func TestAllButTTLIsConstantForTheLifeOfOneToken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "50m"})
		m.connect("crm")
		first := asJSON(t, m.read("creds/crm"))
		for _, name := range []string{"ttl", "rotation_period"} {
			if n, ok := first[name].(float64); !ok || n != float64(int64(n)) || n < 1 {
				t.Errorf("%s is %v in JSON; agents take whole numbers only", name, first[name])
			}
		}
		// Names to which consul-template and Terraform give a meaning of their own.
		for _, name := range []string{"certificate", "expiration", "secret_id", "secret_id_ttl", "metadata", "data", "rotation_schedule"} {
			if _, used := first[name]; used {
				t.Errorf("field %q means something else to agents", name)
			}
		}
		check := func(when string) {
			t.Helper()
			now := asJSON(t, m.read("creds/crm"))
			delete(now, "ttl")
			for name, value := range now {
				a, _ := json.Marshal(value)
				b, _ := json.Marshal(first[name])
				if string(a) != string(b) {
					t.Errorf("%s: %s was %s and is %s", when, name, b, a)
				}
			}
			if len(now) != len(first)-1 {
				t.Errorf("%s: %d fields, were %d", when, len(now)+1, len(first))
			}
		}
		passes(10 * time.Minute)
		check("ten minutes later")
		m.restart()
		check("after a restart")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx})
		_, _ = m.try(logical.ReadOperation, "creds/crm", data{"max_age": 1})
		check("while Zoho is down")
		m.zoho.ClearFaults()
	})
}
