// Epochs of access tokens: break glass ends every earlier token with one stored entry, on
// every node, and whatever fails or crashes meanwhile.

package backend_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// fleet connects credentials, each with one living access token.
func (m *mount) fleet(n int) (names, tokens []string) {
	m.t.Helper()
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
	m.configure(data{"max_age": "30m", "verify": false})
	for i := range n {
		names = append(names, fmt.Sprintf("crm%02d", i))
		m.connect(names[i])
		tokens = append(tokens, m.token(names[i]))
	}
	return names, tokens
}

func TestBreakGlassWritesNoRecordOfATokenThatIsRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		_, tokens := m.fleet(12)
		m.restart()
		m.read("config")
		puts, operations := m.storage.puts.Load(), m.storage.operations.Load()
		answer := m.write("revoke", nil).Data
		puts, operations = m.storage.puts.Load()-puts, m.storage.operations.Load()-operations
		if puts > 2 || operations > int64(len(tokens))+10 {
			t.Errorf("break glass over %d credentials takes %d storage operations, %d of them writes", len(tokens), operations, puts)
		}
		if answer["revoked"] != len(tokens) || answer["failed"] != 0 {
			t.Errorf("it answers %v", answer)
		}
		for _, token := range tokens {
			if m.zoho.Alive(token) {
				t.Error("a token lives on")
			}
		}
		// What is stored says so: after a restart nothing is left to revoke, and no place is taken.
		m.restart()
		if again := m.write("revoke", nil).Data; again["revoked"] != 0 || len(again["results"].(map[string]any)) != 0 {
			t.Errorf("then it answers %v", again)
		}
	})
}

func TestBreakGlassFreesThePlacesOfTheTokensThatItRevoked(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(data{"live_token_limit": 6, "mint_limit": 20, "verify": false})
			m.connect("crm")
			for range 3 {
				m.token("crm")
			}
			if left := m.read("status/crm")["mints_left"].(int); left > 4 {
				t.Fatalf("before, %d mints are left", left)
			}
			m.write("revoke", nil)
			if restarts {
				m.restart()
			}
			passes(time.Minute)
			if left := m.read("status/crm")["mints_left"]; left != 6 {
				t.Errorf("restarted %v: revoked tokens still take the places of new ones: %v mints are left", restarts, left)
			}
		})
	}
}

func TestNoNodeHandsOutATokenFromBeforeBreakGlass(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.fleet(2)
		active, standby := m.backend, m.another()
		m.backend = standby
		old := m.token("crm01") // warm there
		m.backend = active
		// No calls succeed, so that records keep their tokens.
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.write("revoke", nil)
		standby.InvalidateKey(t.Context(), "epoch")
		for node, b := range map[string]logical.Backend{"active": active, "standby": standby, "started anew": m.another()} {
			m.backend = b
			if warm, ok := b.(interface {
				WarmRead(string, []byte) ([]byte, bool)
			}); ok {
				if answer, hit := warm.WarmRead("creds/crm01", nil); hit && strings.Contains(string(answer), old) {
					t.Errorf("%s: a warm read gives a token from before", node)
				}
			}
			if m.read("creds/crm01")["access_token"] == old {
				t.Errorf("%s: a token from before is handed out", node)
			}
		}
		m.backend = active
		m.zoho.ClearFaults()
		standby.Cleanup(t.Context())
	})
}

// Whatever crashes when: a token that the dead process had revoked is handed out by none
// after it, and writing again revokes what is left.
func TestCrashDuringBreakGlassHandsOutNoDeadTokenAndWritingAgainGoesOn(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			names, tokens := m.fleet(3)
			m.restart()
			var n atomic.Int64
			die := func(op, key string) error {
				if n.Add(1) < int64(nth) {
					return nil
				}
				m.wire.dead.Store(true)
				return errDisk
			}
			m.storage.before.Store(&die)
			_, _ = m.try(logical.UpdateOperation, "revoke", nil)
			reached = n.Load() >= int64(nth)
			m.storage.working()
			m.wire.dead.Store(false)
			m.restart()
			for i, name := range names {
				if got := m.read("creds/" + name)["access_token"].(string); !m.zoho.Alive(got) {
					t.Errorf("crash at operation %d: %s gives a revoked token", nth, name)
				} else if got == tokens[i] && !reached {
					t.Errorf("%s gives a token from before", name)
				}
			}
			if answer := m.write("revoke", nil).Data; answer["failed"] != 0 {
				t.Errorf("crash at operation %d: writing again answers %v", nth, answer)
			}
			for _, token := range tokens {
				if m.zoho.Alive(token) {
					t.Errorf("crash at operation %d: a token lives after writing again", nth)
				}
			}
		})
	}
}

// Storage fails at each operation in turn, in each way: what the answer does not call
// failed is revoked, and nothing that was minted before is handed out after it.
func TestStorageFailureDuringBreakGlassKeepsNoTokenInUse(t *testing.T) {
	for how, fail := range failures() {
		t.Run(how, func(t *testing.T) {
			for nth, reached := 1, true; reached; nth++ {
				inBubble(t, func(t *testing.T, m *mount) {
					names, tokens := m.fleet(3)
					m.restart()
					m.read("config")
					count := fail(m, nth)
					answer, err := m.try(logical.UpdateOperation, "revoke", nil)
					reached = count() >= nth
					m.storage.working()
					if err == nil && answer.Data["failed"] == 0 && len(answer.Warnings) == 0 {
						for i, token := range tokens {
							if m.zoho.Alive(token) {
								t.Errorf("operation %d: the token of %s lives, and nothing says so", nth, names[i])
							}
						}
						m.restart()
						for i, name := range names {
							if m.read("creds/" + name)["access_token"] == tokens[i] {
								t.Errorf("operation %d: %s gives a token from before", nth, name)
							}
						}
					}
					m.write("revoke", nil)
					for _, token := range tokens {
						if m.zoho.Alive(token) {
							t.Errorf("operation %d: a token lives after writing again", nth)
						}
					}
				})
			}
		})
	}
}

func TestBreakGlassWithoutAnEpochMarksEachRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		names, tokens := m.fleet(2)
		m.storage.failing("put", "epoch")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.write("revoke", nil)
		m.storage.working()
		m.restart()
		for i, name := range names {
			if m.read("creds/" + name)["access_token"] == tokens[i] {
				t.Errorf("%s gives a token from before", name)
			}
		}
		m.zoho.ClearFaults()
	})
}

func TestWritingBreakGlassAgainContinuesWhereTheTimeWasOver(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		_, tokens := m.fleet(150)
		// 64 at once, so that two rounds begin in the request's time.
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 35 * time.Second})
		m.write("config", data{"request_timeout": "40s", "verify": false})
		total := 0
		for turn := range 9 {
			m.restart()
			calls := m.zoho.Counts().RevokeCalls
			answer := m.write("revoke", nil).Data
			asked := m.zoho.Counts().RevokeCalls - calls
			total += answer["revoked"].(int)
			if answer["failed"] == 0 {
				break
			}
			if asked == 0 || turn == 8 {
				t.Fatalf("turn %d asks Zoho %d times and answers %v failed", turn, asked, answer["failed"])
			}
		}
		if total != len(tokens) {
			t.Errorf("%d tokens are counted as revoked, of %d", total, len(tokens))
		}
		for _, token := range tokens {
			if m.zoho.Alive(token) {
				t.Fatal("a token lives on")
			}
		}
	})
}

func TestEntryOfEpochsThatIsDamagedIsReplacedByBreakGlass(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		_, tokens := m.fleet(1)
		m.write("revoke", nil)
		second := m.token("crm00")
		if err := m.storage.Put(t.Context(), &logical.StorageEntry{Key: "epoch", Value: []byte("no JSON")}); err != nil {
			t.Fatal(err)
		}
		passes(time.Second) // the new number is the time
		m.restart()
		// Which tokens are revoked is not known, so none is handed out.
		m.refused(logical.ReadOperation, "creds/crm00", nil, 500, "an operator writes revoke")
		if answer := m.write("revoke", nil).Data; answer["failed"] != 0 || m.zoho.Alive(second) {
			t.Errorf("it answers %v; the token lives: %v", answer, m.zoho.Alive(second))
		}
		if got := m.token("crm00"); got == second || got == tokens[0] {
			t.Error("a token from before is handed out")
		}
	})
}

func TestTokenOfAConnectInFlightBelongsToTheEpochBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m", "verify": false})
		var done bool
		hook := func(op, key string) error {
			if op == "put" && key == "creds/crm" && !done {
				done = true // the code is exchanged: the token lives
				m.write("revoke", nil)
			}
			return nil
		}
		m.storage.before.Store(&hook)
		m.connect("crm")
		m.storage.working()
		minted := m.zoho.Counts().Refreshes
		m.token("crm")
		if m.zoho.Counts().Refreshes == minted {
			t.Error("the token that came before break glass is handed out after it")
		}
	})
}

func TestLoadingEpochsKeepsMarksThatCouldNotBeStored(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m", "verify": false})
		m.connect("crm")
		m.write("revoke", nil)
		old := m.token("crm")
		m.restart()
		fail := func(op, key string) error {
			if op == "get" && key == "epoch" || op == "put" {
				return errDisk
			}
			return nil
		}
		m.storage.before.Store(&fail)
		_, _ = m.try(logical.UpdateOperation, "revoke/crm", nil) // fails, for it stored nothing
		m.storage.working()
		if m.zoho.Alive(old) {
			t.Fatal("Zoho was not asked")
		}
		if got := m.token("crm"); got == old {
			t.Error("a revoked token is handed out")
		}
	})
}

func TestBreakGlassRevokesTokensOfAnUnreadableGrantThatWasGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m", "verify": false})
		m.connect("crm")
		token := m.token("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.delete("creds/crm")
		id, _ := m.retiredOf("crm")
		defer m.appRemoved()
		damage(m, "due/"+id)
		m.restart()
		m.delete("retired/" + id)
		m.zoho.ClearFaults()
		a := m.write("revoke", nil)
		if a.Data["failed"] == 0 && m.zoho.Alive(token) {
			t.Errorf("break glass answers %v, %v, and an access token lives on", a.Data, a.Warnings)
		}
	})
}

// living returns how many secrets live at Zoho.
func (m *mount) living() (n int) {
	for _, s := range m.zoho.Secrets() {
		if m.zoho.Alive(s) {
			n++
		}
	}
	return n
}

func TestBreakGlassRevokesATokenThatOnlyMemoryKnows(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m", "verify": false})
		m.storage.failing("put", "token/")
		m.connect("crm")
		m.storage.working()
		a := m.write("revoke", nil)
		if a.Data["failed"] == 0 && m.living() > 0 {
			t.Errorf("break glass answers %v, %v and %d access tokens live", a.Data, a.Warnings, m.living())
		}
	})
}

// The new id of a grant is random, so that one of four is among those that were revoked.
func TestRotationWhileAnEpochBeginsHidesNoLivingToken(t *testing.T) {
	for range 4 {
		inBubble(t, func(t *testing.T, m *mount) {
			names, _ := m.fleet(150)
			ids, last := map[string]string{}, ""
			for _, name := range names {
				id := m.heldBy(name)
				ids[id], last = name, max(last, id)
			}
			passes(31 * time.Minute)
			for id, name := range ids {
				if id != last {
					m.token(name)
				}
			}
			// Zoho answers late, so that the request's time is over before the last grant.
			m.write("config", data{"request_timeout": "40s", "verify": false})
			m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
			var next string
			hook := func(op, key string) error {
				id, isToken := strings.CutPrefix(key, "token/")
				if op == "put" && isToken && ids[id] == "" && next == "" {
					next = id
					m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 35 * time.Second})
					m.write("revoke", nil)
					m.zoho.ClearFaults()
				}
				return nil
			}
			m.storage.before.Store(&hook)
			m.read("creds/" + ids[last])
			m.storage.working()
			if next == "" {
				t.Fatal("not rotated")
			}
			m.restart()
			a := m.write("revoke", nil)
			if a.Data["failed"] == 0 && m.living() > 0 {
				t.Errorf("break glass answers %v, %v, and %d access tokens live", a.Data, a.Warnings, m.living())
			}
		})
	}
}

// Storage that hangs for one request does not hold up another, and two requests at once
// leave nothing.
func TestBreakGlassAtOnceWithAnotherRequestWhicheverOperationHangs(t *testing.T) {
	for what, path := range map[string]string{"another": "revoke", "one credential": "revoke/crm00"} {
		t.Run(what, func(t *testing.T) {
			for nth, reached := 1, true; reached; nth++ {
				inBubble(t, func(t *testing.T, m *mount) {
					_, tokens := m.fleet(3)
					m.restart()
					reached = m.hangs(nth, m.attempt(logical.UpdateOperation, "revoke", nil), m.attempt(logical.UpdateOperation, path, nil))
					for _, token := range tokens {
						if m.zoho.Alive(token) {
							t.Errorf("operation %d: a token lives on", nth)
						}
					}
					m.token("crm00")
				})
			}
		})
	}
}
