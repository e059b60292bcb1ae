// Retired grants: what an operator sees of them, retries, and gives up; and what is never
// revoked, since a credential uses it.

package backend_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// retired returns what is listed of each retired grant, by id.
func (m *mount) retired() map[string]map[string]any {
	m.t.Helper()
	grants := map[string]map[string]any{}
	info, _ := m.list("retired/")["key_info"].(map[string]any)
	for id, details := range info {
		grants[id] = details.(map[string]any)
	}
	return grants
}

// retiredOf returns the one retired grant of a credential.
func (m *mount) retiredOf(name string) (id string, details map[string]any) {
	m.t.Helper()
	for each, info := range m.retired() {
		if info["credential"] == name {
			if id != "" {
				m.t.Fatalf("%s has more than one retired grant", name)
			}
			id, details = each, info
		}
	}
	if id == "" {
		m.t.Fatalf("%s has no retired grant among %v", name, m.retired())
	}
	return id, details
}

// heldBy returns the id of the grant that a credential holds.
func (m *mount) heldBy(name string) string {
	m.t.Helper()
	for key, value := range m.storage.contents(m.t) {
		if id, found := strings.CutPrefix(key, "grant/"); found && strings.Contains(value, `"name":"`+name+`"`) {
			return id
		}
	}
	m.t.Fatalf("no grant is held by %s", name)
	return ""
}

// unrevokable deletes a credential whose grant Zoho does not revoke.
func (m *mount) unrevokable(name string, f zohotest.Fault) (grant, id string) {
	m.t.Helper()
	m.connect(name)
	grant = m.grant()
	f.Endpoint = "revoke"
	m.zoho.Fault(f)
	m.delete("creds/" + name)
	id, _ = m.retiredOf(name)
	return grant, id
}

func TestRetiredGrantThatCannotBeRevokedIsGivenUpAndNotTheLiveOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		left, id := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.connect("crm")
		read := m.read("retired/" + id)
		if read["credential"] != "crm" || read["data_center"] != "us" || read["accounts_server"] != "https://accounts.zoho.com" || read["state"] != "retrying" {
			t.Errorf("it reads %v", read)
		}
		given := warnings(m.delete("retired/" + id))
		for _, word := range []string{"crm", "may still work at accounts.zoho.com", "Connected Apps"} {
			if !strings.Contains(given, word) {
				t.Errorf("giving up warns %q; it does not say %q", given, word)
			}
		}
		m.refused(logical.ReadOperation, "retired/"+id, nil, 404, "no retired grant")
		m.refused(logical.UpdateOperation, "retired/"+id, nil, 404, "no retired grant")
		m.refused(logical.DeleteOperation, "retired/"+id, nil, 404, "no retired grant")
		m.zoho.ClearFaults()
		m.hours()
		if !m.lives(left) {
			t.Error("a grant that was given up is revoked")
		}
		m.token("crm")
		m.zoho.RevokeRefreshToken(left)
	})
}

func TestGrantThatACredentialHoldsIsNotGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		id := m.heldBy("crm")
		for _, op := range []logical.Operation{logical.DeleteOperation, logical.UpdateOperation} {
			m.refused(op, "retired/"+id, nil, 400, "a credential uses the grant")
		}
		m.refused(logical.ReadOperation, "retired/"+id, nil, 404)
		// An import that is under way is about to hold it.
		token := m.grant()
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/other", data{"refresh_token": token}) })
		synctest.Wait()
		m.refused(logical.DeleteOperation, "retired/"+id, nil, 400, "another request is connecting")
		others.Wait()
		m.token("other")
		m.settled(2)
	})
}

func TestGrantsRetiredBeforeALiveOneIsForgottenAreStillListedAndRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		former := m.grant()
		m.connect("crm")
		id, details := m.retiredOf("crm")
		if details["state"] != "waiting" || details["attempts"] != 0 {
			t.Errorf("of one whose tokens live it says %v", details)
		}
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		if still, _ := m.retiredOf("crm"); still != id {
			t.Error("another is listed")
		}
		m.hours()
		if m.lives(former) {
			t.Error("the grant retired before is not revoked")
		}
		if n := len(m.zoho.RefreshTokens()); n != 1 {
			t.Errorf("%d grants live; want the one that was only forgotten", n)
		}
		m.zoho.RevokeRefreshToken(m.grant())
	})
}

func TestRefusedRevocationIsRetriedLessAndLessOftenAndAtOnceByHand(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		_, id := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		before := m.zoho.Counts().RevokeCalls
		logged := strings.Count(m.logs.String(), "not yet revoked")
		for range 24 * 60 {
			passes(time.Minute)
			m.tick()
		}
		// Two calls for each attempt: the current form and the older one.
		if n := m.zoho.Counts().RevokeCalls - before; n < 16 || n > 26 {
			t.Errorf("%d calls in a day; want about twice the doublings of a minute in it", n)
		}
		if n := strings.Count(m.logs.String(), "not yet revoked") - logged; n < 8 || n > 13 {
			t.Errorf("%d lines in a day", n)
		}
		m.restart()
		_, details := m.retiredOf("crm")
		next, err := time.Parse(time.RFC3339, fmt.Sprint(details["next_attempt"]))
		if attempts := details["attempts"].(int); attempts < 8 || err != nil || !next.After(time.Now()) || time.Until(next) > 24*time.Hour || !strings.Contains(fmt.Sprint(details["last_error"]), "invalid_client") {
			t.Errorf("listed is %v", details)
		}
		m.refused(logical.UpdateOperation, "retired/"+id, nil, 400, "invalid_client", "give it up")
		if read := m.read("retired/" + id); read["attempts"] != 1 || read["next_attempt"] != nil {
			t.Errorf("a retry by hand does not begin anew: %v", read)
		}
		m.zoho.ClearFaults()
		m.write("retired/"+id, nil)
		m.settled(0)
	})
}

func TestOutageIsToldByARetryByHand(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		_, id := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Status5xx})
		m.refused(logical.UpdateOperation, "retired/"+id, nil, 503, "not revoked yet", "retried")
		m.zoho.ClearFaults()
		m.tick()
		m.settled(0)
	})
}

// spelt is a data center whose accounts server is that of us, spelt in another way.
func spelt() data {
	return data{"accounts_urls": map[string]any{"us2": "https://accounts.zoho.com:443"}}
}

func TestGrantIsNotRevokedWhileAnotherHasItsRefreshToken(t *testing.T) {
	for what, end := range map[string]func(m *mount){
		"replacing":        func(m *mount) {},
		"deleting":         func(m *mount) { m.delete("creds/old") },
		"revoking":         func(m *mount) { m.write("revoke/old", nil) },
		"deleting and all": func(m *mount) { m.delete("creds/old"); m.write("revoke", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(spelt())
				m.connect("old")
				token := m.grant()
				name := "old"
				if what != "replacing" {
					name = "new"
				}
				m.write("creds/"+name, data{"refresh_token": token, "data_center": "us2"})
				end(m)
				m.hours()
				if !m.lives(token) {
					t.Fatal("the refresh token that a credential uses is revoked")
				}
				m.token(name)
				m.delete("creds/" + name)
				if what == "revoking" {
					m.delete("creds/old")
				}
				m.settled(0)
				for _, key := range m.storage.keys(t) {
					if key != "config" && key != "epoch" {
						t.Errorf("%s is left", key)
					}
				}
			})
		})
	}
}

func TestGrantIsNotRevokedWhileAnotherIsImportedWithItsRefreshToken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(spelt())
		m.connect("old")
		token := m.grant()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/new", data{"refresh_token": token, "data_center": "us2"}) })
		synctest.Wait()
		m.delete("creds/old")
		others.Wait()
		m.hours()
		m.token("new")
		if n := len(m.retired()); n != 0 {
			t.Errorf("%d grants are retired still", n)
		}
		m.delete("creds/new")
		m.settled(0)
	})
}

func TestImportOfARefreshTokenThatIsBeingRevokedIsRefusedHoweverItsServerIsSpelt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(spelt())
		token, _ := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Status5xx})
		m.refused(logical.UpdateOperation, "creds/new", data{"refresh_token": token, "data_center": "us2"}, 400, "being revoked")
		m.zoho.ClearFaults()
		m.hours()
		m.settled(0)
	})
}

// However a process dies on the way, the shared refresh token lives while a credential
// uses it, and is revoked when none does.
func TestSharedRefreshTokenIsSafeWhereverAProcessDies(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(spelt())
			m.connect("old")
			token := m.grant()
			count := m.dying(nth)
			_, _ = m.try(logical.UpdateOperation, "creds/new", data{"refresh_token": token, "data_center": "us2"})
			_, _ = m.try(logical.DeleteOperation, "creds/old", nil)
			reached = count() >= nth
			m.reborn()
			m.hours()
			_, uses := m.storage.contents(t)["creds/new"]
			_, used := m.storage.contents(t)["creds/old"]
			if m.lives(token) != (uses || used) {
				t.Errorf("step %d: the token lives is %v; credentials that use it: new %v, old %v", nth, m.lives(token), uses, used)
			}
			for _, name := range []string{"old", "new"} {
				m.delete("creds/" + name)
			}
			m.settled(0)
		})
	}
}

// However its server is spelt, and whatever the import was for: nobody imports after a crash.
func TestDeleteEndsTheGrantThoughAProcessDiedInAnImportOfItsRefreshToken(t *testing.T) {
	for _, dc := range []string{"us", "us2"} {
		for _, name := range []string{"crm", "new"} {
			for nth, reached := 1, true; reached; nth++ {
				inBubble(t, func(t *testing.T, m *mount) {
					m.configure(spelt())
					m.connect("crm")
					count := m.dying(nth)
					_, _ = m.try(logical.UpdateOperation, "creds/"+name, data{"refresh_token": m.grant(), "data_center": dc})
					reached = count() >= nth
					m.reborn()
					for _, each := range []string{"crm", "new"} {
						resp, last := m.delete("creds/"+each), m.storage.contents(t)["creds/new"] == ""
						if silent := resp == nil || len(resp.Warnings) == 0; silent != last {
							t.Errorf("%s, import of %s cut short at step %d: a delete of %s answers %v; it is the last credential: %v", dc, name, nth, each, resp, last)
						}
						if n := len(m.zoho.RefreshTokens()); last != (n == 0) {
							t.Errorf("%s, import of %s cut short at step %d: %d grants live after a delete of %s", dc, name, nth, n, each)
						}
					}
				})
			}
		}
	}
}

// The delete failed, and its credential is gone all the same.
func TestSecondDeleteEndsTheGrantThoughAProcessDiedInAnImportOfItsRefreshToken(t *testing.T) {
	for _, dc := range []string{"us", "us2"} {
		for nth, reached := 1, true; reached; nth++ {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(spelt())
				m.connect("crm")
				count := m.dying(nth)
				_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": m.grant(), "data_center": dc})
				reached = count() >= nth
				m.reborn()
				failed := func(op, key string) error {
					if op == "delete" && key == "creds/crm" {
						return errDisk
					}
					return nil
				}
				m.storage.after.Store(&failed)
				m.refused(logical.DeleteOperation, "creds/crm", nil, 500)
				m.storage.working()
				if resp := m.delete("creds/crm"); resp != nil && len(resp.Warnings) > 0 {
					t.Errorf("%s, cut short at step %d: the delete answers %v", dc, nth, resp.Warnings)
				}
				if n := len(m.zoho.RefreshTokens()); n != 0 {
					t.Errorf("%s, cut short at step %d: %d grants live", dc, nth, n)
				}
			})
		}
	}
}

func TestDeleteSaysSoWhileAnImportMayComeToUseAGrantThatItsCredentialHad(t *testing.T) {
	for _, dc := range []string{"us", "us2"} {
		for _, current := range []bool{true, false} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(spelt())
				m.connect("crm")
				token := m.grant()
				if !current {
					m.connect("crm")
				}
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "token", Times: 1})
				var others sync.WaitGroup
				others.Go(func() { m.write("creds/new", data{"refresh_token": token, "data_center": dc}) })
				synctest.Wait()
				if resp := m.delete("creds/crm"); resp == nil || len(resp.Warnings) == 0 {
					t.Errorf("%s, the present grant: %v: a delete says nothing, and the grant that is being imported lives", dc, current)
				}
				others.Wait()
				m.token("new")
				m.delete("creds/new")
				m.settled(0)
			})
		}
	}
}

// backdate makes every note of a write that is under way look an hour old, as it does when
// the clock is set an hour ahead.
func (m *mount) backdate() {
	m.t.Helper()
	for key, value := range m.storage.contents(m.t) {
		var stored map[string]any
		if !strings.HasPrefix(key, "due/") || json.Unmarshal([]byte(value), &stored) != nil {
			continue
		}
		for _, holder := range stored["holders"].([]any) {
			if doubt, found := holder.(map[string]any)["doubt"].(map[string]any); found {
				doubt["since"] = time.Now().Add(-time.Hour)
			}
		}
		entry, err := logical.StorageEntryJSON(key, stored)
		if err == nil {
			err = m.storage.Storage.Put(m.t.Context(), entry)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

func TestClockThatIsSetAheadEndsNoConnectThatIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": profileScopes})
		landed := m.consent("crm", data{"expected_user": m.zoho.User("us").ZUID}, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Endpoint: "api", Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		m.backdate()
		m.tick()
		m.tick()
		others.Wait()
		m.token("crm")
		m.settled(1)
	})
}

func TestWriteThatPanickedIsEndedThoughItsProcessLives(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		panics := func(op, key string) error {
			if op == "put" && key == "creds/crm" {
				panic("in the middle of a connect")
			}
			return nil
		}
		m.storage.before.Store(&panics)
		_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
		m.storage.working()
		m.settled(0)
	})
}
