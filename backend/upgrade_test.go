// Does a newer release read what an older one stored? The values of format 1 are
// kept in testdata as that release wrote them.

package backend_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// storedBy loads what a release stored: one file a value, "__" for "/" in its key.
func storedBy(t *testing.T, m *mount, format string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", format, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing stored by %s: %v", format, err)
	}
	values := map[string][]byte{}
	for _, file := range files {
		value, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		key := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".json"), "__", "/")
		values[key] = value
		if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: key, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

func TestFormat1IsReadAsItWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		storedBy(t, m, "format1")
		m.initialize()
		if c := m.read("config"); c["client_id"] != "1000.FORMAT1" || c["min_ttl"] != 300 || c["pkce"] != true {
			t.Errorf("config is %v", c)
		}
		// Format 1's token still lives in the bubble, whose clock begins in 2000.
		answer := m.readWith("creds/crm", data{"max_age": "50m"})
		if !strings.HasPrefix(answer["access_token"].(string), "1000.") || answer["expire_time"] != "2000-01-01T01:00:00Z" {
			t.Errorf("the stored token is not served: %v", answer)
		}
		status := m.read("status/crm")
		if status["mints_left"] != 8 || status["data_center"] != "eu" || status["retired_grants"] != 1 {
			t.Errorf("status is %v", status)
		}
		for _, key := range m.storage.keys(t) {
			if strings.HasPrefix(key, "retired/") || strings.HasPrefix(key, "holder/") {
				t.Errorf("%s was not moved forward", key)
			}
		}
		if state := m.read("status/tv")["state"]; state != "awaiting_consent" {
			t.Errorf("the pending consent is %v", state)
		}
	})
}

func TestFormat1IsMovedForwardThoughNobodyReadsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		storedBy(t, m, "format1")
		release := m.unread("not moved forward yet")
		defer release()
		m.storage.failing("put", "due/")
		m.initialize()
		m.storage.working()
		passes(time.Minute)
		if stored := m.storage.contents(t); stored["ledger"] == "" {
			t.Error("moving storage forward waits behind a log line")
		}
	})
}

func TestHolderThatFormat1NotedCountsBeforeItIsMovedForward(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		id := zoho.Fingerprint(m.zoho.AccountsURL("us"), m.zoho.DefaultClient().ID, token)
		// As format 1 had it.
		if err := m.storage.Delete(context.Background(), "grant/"+id); err != nil {
			t.Fatal(err)
		}
		if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "holder/" + id + "/crm", Value: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		m.restart()
		m.write("creds/other", data{"refresh_token": token})
		m.delete("creds/other")
		if resp := m.delete("creds/other"); resp != nil { // nothing of it is left to do
			t.Errorf("deleted again, it says %q", resp.Warnings)
		}
		m.tick()
		m.token("crm")
	})
}

func TestImportBeforeStorageIsMovedForwardTakesNoGrantFromItsHolder(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.withoutLedger()
		m.restart()
		m.write("creds/other", data{"refresh_token": m.grant()})
		m.initialize()
		m.delete("creds/other")
		m.hours()
		m.token("crm")
	})
}

func TestNewerFormatIsRefusedAndLeftAlone(t *testing.T) {
	for _, key := range []string{"config", "creds/crm", "token/crm"} {
		t.Run(key, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMount(t)
				values := storedBy(t, m, "format1")
				for stored, value := range values {
					if !strings.HasPrefix(stored, strings.TrimSuffix(key, "crm")) {
						continue
					}
					var fields map[string]any
					if err := json.Unmarshal(value, &fields); err != nil {
						t.Fatal(err)
					}
					fields["version"], fields["invented_later"] = 3, "keep me"
					newer, err := json.Marshal(fields)
					if err != nil {
						t.Fatal(err)
					}
					if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: stored, Value: newer}); err != nil {
						t.Fatal(err)
					}
				}
				m.refused(logical.ReadOperation, "creds/crm", nil, 500, "newer release")
				passes(2 * time.Hour)
				m.tick()
				for stored, value := range m.storage.contents(t) {
					if strings.HasPrefix(stored, strings.TrimSuffix(key, "crm")) && !strings.Contains(value, "keep me") {
						t.Errorf("%s was overwritten", stored)
					}
				}
				if n := m.zoho.Counts().TokenCalls; n != 0 {
					t.Errorf("Zoho was asked %d times", n)
				}
			})
		})
	}
}

func TestFormat1WaitsForACredentialThatMayHoldAGrantToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		values := storedBy(t, m, "format1")
		put := func(key string, value []byte) {
			if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: key, Value: value}); err != nil {
				t.Fatal(err)
			}
		}
		for key, value := range values {
			if strings.HasPrefix(key, "holder/") {
				put(strings.TrimSuffix(key, "crm")+"b", value)
			}
		}
		put("creds/b", []byte("{")) // it may be a sibling of crm, by an import
		m.initialize()
		if m.storage.contents(t)["ledger"] != "" {
			t.Error("it is said to be moved forward")
		}
		put("creds/b", values["creds/crm"])
		m.restart()
		m.initialize()
		stored := m.storage.contents(t)
		for key, value := range stored {
			if strings.HasPrefix(key, "grant/") && (!strings.Contains(value, `"name":"b"`) || !strings.Contains(value, `"name":"crm"`)) {
				t.Errorf("%s does not name both: %s", key, value)
			}
		}
		if stored["ledger"] == "" {
			t.Error("it is not moved forward")
		}
		m.backend.Cleanup(context.Background())
	})
}

func TestUnmountDoesNotWaitForAllOfFormat1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		values := storedBy(t, m, "format1")
		if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: "creds/a", Value: values["creds/crm"]}); err != nil {
			t.Fatal(err)
		}
		release := m.storage.blocking("get", "creds/")
		if err := m.backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: m.storage}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.backend.Cleanup(context.Background()) // waits a while
		release()
		synctest.Wait()
		if m.storage.contents(t)["ledger"] != "" {
			t.Error("an unmounted mount moves on")
		}
	})
}

func TestFormat1IsMovedForwardWhateverStepFailsAtFirst(t *testing.T) {
	want := map[string]string{}
	for nth, reached := 0, true; reached; nth++ {
		synctest.Test(t, func(t *testing.T) {
			m := newMount(t)
			storedBy(t, m, "format1")
			count := func() int { return 0 }
			if nth > 0 {
				count = failures()["the operation fails"](m, nth)
			}
			if err := m.backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: m.storage}); err != nil {
				t.Fatal(err)
			}
			passes(3 * time.Second) // it tries again after one
			reached = nth == 0 || count() >= nth
			m.storage.working()
			now := m.storage.contents(t)
			if nth == 0 {
				want = now
			}
			for key := range want {
				if now[key] == "" {
					t.Errorf("with step %d failing at first, %s is missing", nth, key)
				}
			}
			for key := range now {
				if want[key] == "" {
					t.Errorf("with step %d failing at first, %s is left", nth, key)
				}
			}
			if n, once := strings.Count(now["creds/crm"], `"until"`), strings.Count(want["creds/crm"], `"until"`); n != once || once == 0 {
				t.Errorf("with step %d failing at first, %d former grants are remembered, not %d", nth, n, once)
			}
			m.backend.Cleanup(context.Background())
		})
	}
}

func TestFormat1IsTriedAgainOnceAnHourAtLeastAndNotMuchMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		storedBy(t, m, "format1")
		var tried atomic.Int64
		fail := func(op, key string) error {
			if op == "list" && key == "creds/" && tried.Add(1) < 1000 {
				return errDisk
			}
			return nil
		}
		m.storage.before.Store(&fail)
		warned := strings.Count(strings.Join(m.logged(func() {
			m.initialize()
			passes(24 * time.Hour)
		}), ""), "[WARN]  what an earlier release stored is not moved forward yet")
		if n := int(tried.Load()); n < 24 || n > 48 || warned != n {
			t.Errorf("tried %d times in a day, and warned %d times", n, warned)
		}
		m.backend.Cleanup(context.Background())
	})
}

func TestNoStartOfAMountThatBeganEmptyWalksOverItsCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.initialize()
		m.configure(nil)
		m.connect("crm")
		m.connect("books")
		m.restart()
		var walked, looked atomic.Int64
		count := func(op, key string) error {
			if strings.HasPrefix(key, "creds/") {
				walked.Add(1)
			}
			if strings.HasPrefix(key, "holder/") {
				looked.Add(1)
			}
			return nil
		}
		m.storage.before.Store(&count)
		m.initialize()
		if n := walked.Load(); n > 0 {
			t.Errorf("a start reads or lists credentials %d times", n)
		}
		m.connect("third")
		m.write("creds/again", data{"refresh_token": m.elsewhere()})
		if n := looked.Load(); n > 0 {
			t.Errorf("what format 1 stored of holders is looked for %d times", n)
		}
	})
}

func TestFormat1IsMovedForwardThoughACredentialIsDeletedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("books")
		m.connect("crm")
		m.restart()
		deleted := func(op, key string) error {
			if op == "list" && key == "creds/" {
				m.storage.after.Store(nil)
				m.delete("creds/books")
			}
			return nil
		}
		m.storage.after.Store(&deleted)
		m.initialize()
		if m.storage.contents(t)["ledger"] == "" {
			t.Error("nothing is moved forward until the next start")
		}
	})
}

// What can be read of an earlier release is looked for until all of it was moved.
func TestAConfigOfAMountThatWasNotMovedForwardDoesNotSayThatItWas(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		if m.storage.contents(t)["ledger"] != "" {
			t.Error("config says that all was moved forward; nobody looked")
		}
	})
}
