// What if an answer of Zoho is lost, late, torn or nonsense? At each call that the
// engine makes: nothing stored is harmed, nothing is sent twice that may be sent
// once only, and the text says what to do.

package backend_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// badAnswers are the ways in which one call of an endpoint goes wrong.
func badAnswers(endpoint string) map[string]zohotest.Fault {
	faults := map[string]zohotest.Fault{
		"lost":         {Kind: zohotest.LostAnswer},
		"torn":         {Kind: zohotest.Truncated},
		"garbage":      {Kind: zohotest.Garbage},
		"reset":        {Kind: zohotest.Reset},
		"hangs":        {Kind: zohotest.Hang},
		"too late":     {Kind: zohotest.SlowAnswer, Delay: 11 * time.Second},
		"500":          {Kind: zohotest.Status5xx, Status: 500},
		"503":          {Kind: zohotest.Status5xx, Status: 503, RetryAfter: 20 * time.Second},
		"html":         {Kind: zohotest.HTML},
		"html 403":     {Kind: zohotest.HTML, Status: 403},
		"odd word":     {Kind: zohotest.Refuse, Error: "something_new"},
		"server error": {Kind: zohotest.Refuse, Error: "server_error"},
	}
	for name, fault := range faults {
		fault.Endpoint, fault.Times = endpoint, 1
		faults[name] = fault
	}
	return faults
}

func TestBadAnswerToAnExchangeAsksForANewCodeAndKeepsTheOldGrant(t *testing.T) {
	for name, fault := range badAnswers("token") {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				held := m.token("crm")
				landed := m.consent("crm", nil, zohotest.Consent{})
				m.zoho.Fault(fault)
				// 400 and no other status: API clients send a write again on 429 and 5xx.
				m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "accounts.zoho.com", "authorize/crm")
				m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "authorize/crm")
				if !m.zoho.Alive(held) {
					t.Error("a failed exchange killed a token")
				}
				m.token("crm")
				m.connect("crm")
				m.token("crm")
			})
		})
	}
}

func TestSelfClientsTabIsNamedToWhoeverBroughtACodeOfTheirOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 2})
		_, err := m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
		if err == nil || strings.Contains(err.Error(), "API console") {
			t.Errorf("who had a link is told %v", err)
		}
		m.refused(logical.UpdateOperation, "creds/books", data{"code": "1000.a.b"}, 400, "authorize/books", "API console")
	})
}

func TestThrottledExchangeIsA400ThatSaysHowLongToWait(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "throttled", "wait ten minutes", "new code", "authorize/crm")
		m.token("crm")
	})
}

func TestCodeThatNeverLeftMayBeWrittenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.wire.dead.Store(true)
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 503, "not spent", "write it again")
		m.wire.dead.Store(false)
		m.write("creds/crm", data{"callback_url": landed})
		m.token("crm")
	})
}

func TestBadAnswerToARefreshIsWaitedOutAndOver(t *testing.T) {
	for name, fault := range badAnswers("token") {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.cold()
				m.zoho.Fault(fault)
				_, err := m.try(logical.ReadOperation, "creds/crm", nil)
				r, ok := err.(*refusal)
				if !ok || r.status != 503 && r.status != 400 || !strings.Contains(r.text, "accounts.zoho.com") {
					t.Fatalf("got %v; want 503 or 400 and the server's name", err)
				}
				if (r.status == 400) != (name == "odd word" || name == "html 403") {
					t.Errorf("%s answers %d", name, r.status)
				}
				passes(16 * time.Minute)
				m.token("crm")
			})
		})
	}
}

func TestBadAnswerToARefreshServesTheLivingTokenWithAWarning(t *testing.T) {
	for name, fault := range badAnswers("token") {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				held := m.token("crm")
				passes(time.Minute)
				m.zoho.Fault(fault)
				resp := m.do(logical.ReadOperation, "creds/crm", nil)
				if resp.Data["access_token"] != held || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "still lives") {
					t.Errorf("got %v", resp.Warnings)
				}
				if ttl := resp.Data["ttl"].(int); ttl < 5 || ttl > 60 {
					t.Errorf("ttl is %d s while a failure is waited out; want 5 to 60", ttl)
				}
			})
		})
	}
}

func TestBadAnswerToARevocationIsTriedAgainUntilZohoAgrees(t *testing.T) {
	for name, fault := range badAnswers("revoke") {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				m.connect("books")
				fault.Times = 0
				m.zoho.Fault(fault)
				resp := m.delete("creds/crm")
				if resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "not yet revoked") || !strings.Contains(resp.Warnings[0], "Connected Apps") {
					t.Errorf("a delete that could not revoke does not say so: %v", resp)
				}
				m.refused(logical.ReadOperation, "creds/crm", nil, 404, "authorize/crm")
				for range 3 {
					passes(time.Minute)
					m.tick()
				}
				m.zoho.ClearFaults()
				passes(time.Minute)
				m.tick()
				if n := len(m.zoho.RefreshTokens()); n != 1 {
					t.Errorf("%d grants are left; want that of books alone", n)
				}
				m.token("books")
			})
		})
	}
}

func TestDeleteWaitsForAZohoThatHangsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "revoke", Times: 2})
		began := time.Now()
		resp := m.delete("creds/crm")
		if took := time.Since(began); took > 10*time.Second || resp == nil || len(resp.Warnings) != 1 {
			t.Errorf("a delete took %s and answered %v", took, resp)
		}
	})
}

func TestGrantThatZohoRotatesIsFollowed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(nil)
		m.connect("crm")
		for range 5 {
			passes(61 * time.Minute)
			m.token("crm")
			m.restart()
			m.tick()
		}
		if n := strings.Count(m.logs.String(), "Zoho replaced the refresh token: credential=crm"); n != 5 {
			t.Errorf("logged %d times", n)
		}
		m.delete("creds/crm")
		m.settled(0)
	})
}

func TestGrantThatZohoRotatesWhileItIsImportedIsFollowed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		token := m.elsewhere()
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.write("creds/crm", data{"refresh_token": token})
		m.restart()
		m.token("crm")
		passes(61 * time.Minute)
		m.token("crm")
		m.delete("creds/crm")
		m.settled(0)
	})
}

func TestReaderWhoKnewTheReplacedRefreshTokenStartsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.backend.(invalidated).InvalidateKey(t.Context(), "config")
		release := m.storage.blocking("get", "config")
		late := make(chan data)
		go func() { late <- m.readWith("creds/crm", data{"min_ttl": "55m"}) }() // it has read the credential, and waits for config
		synctest.Wait()
		m.storage.before.Store(nil)
		m.token("crm")
		passes(20 * time.Minute)
		release()
		if got := <-late; !m.zoho.Alive(got["access_token"].(string)) || got["ttl"].(int) < 1 {
			t.Errorf("the late reader got %v", got)
		}
	})
}

func TestAnswerWithoutARefreshTokenIsRefusedWithTheReason(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		started := m.write("authorize/crm", nil).Data["authorization_url"].(string)
		landed, err := m.zoho.Authorize(strings.ReplaceAll(started, "access_type=offline", "access_type=online"), zohotest.Consent{})
		if err != nil {
			t.Fatal(err)
		}
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "no refresh token", "access_type=offline", "prompt=consent", "authorize/crm")
		m.token("crm")
	})
}

// owes leaves a grant that neither storage nor Zoho took back yet.
func (m *mount) owes() {
	m.t.Helper()
	landed := m.consent("crm", nil, zohotest.Consent{})
	m.storage.failing("put", "due/")
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
	m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "not yet revoked")
}

func TestMountThatEndsBeforeAllIsRevokedSaysWhatIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.owes()
		begun := time.Now()
		lines := m.logged(func() { m.backend.Cleanup(t.Context()) })
		if took := time.Since(begun); took < time.Second || took > time.Minute {
			t.Errorf("it waited %s", took)
		}
		if all := strings.Join(lines, ""); !strings.Contains(all, "neither stored nor revoked") || !strings.Contains(all, "Connected Apps") {
			t.Errorf("logged is %q", all)
		}
		m.storage.working()
		m.zoho.ClearFaults()
		m.endOrphans()
	})
}
