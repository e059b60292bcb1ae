// What does it cost to find what is due of a name? What others wait for is not read for it.

package backend_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// Storage names what is due by grant; that a name is looked for must not mean that
// everything is read, or a thousand deletes while Zoho is away read a million times.
func TestDeleteDoesNotReadWhatIsDueOfOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		var reads atomic.Int64
		count := func(op, key string) error {
			if op == "get" && strings.HasPrefix(key, "due/") {
				reads.Add(1)
			}
			return nil
		}
		costs := func(name string) int64 {
			m.connect(name)
			reads.Store(0)
			m.storage.before.Store(&count)
			m.delete("creds/" + name)
			return reads.Load()
		}
		alone := costs("first")
		for i := range 20 {
			m.connect(fmt.Sprintf("app%d", i))
			m.delete(fmt.Sprintf("creds/app%d", i))
		}
		if among := costs("second"); among > alone {
			t.Errorf("a delete reads what is due %d times alone, %d times beside 21 of others", alone, among)
		}
		m.restart() // each is read once more, by whoever needs it first
		costs("third")
		if among := costs("fourth"); among > alone {
			t.Errorf("some time after a restart a delete reads what is due %d times", among)
		}
		m.zoho.ClearFaults()
		m.hours()
		m.settled(0)
	})
}

func TestDeleteSaysThatAGrantOfAnEarlierLifeIsStillAlive(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		connect := func(dc string) {
			m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{DataCenter: dc})})
		}
		connect("eu")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", DataCenter: "eu"})
		m.delete("creds/crm")
		connect("us")
		if resp := m.delete("creds/crm"); resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "not yet revoked at Zoho") {
			t.Errorf("the delete says %+v", resp)
		}
		m.zoho.ClearFaults()
		m.hours()
		m.settled(0)
	})
}

func TestDeleteFindsItsGrantAfterAnotherHasReadIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.delete("creds/crm")
		m.restart()
		m.delete("creds/none")
		if resp := m.delete("creds/crm"); resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "not yet revoked at Zoho") {
			t.Errorf("the delete says %+v", resp)
		}
		m.zoho.ClearFaults()
		m.hours()
		m.settled(0)
	})
}

func TestDeleteMayComeWhileTheSweepEndsWhatIsDue(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.retire(1)
			m.restart() // so that it looks at what is another's
			reached = m.hangs(nth, func() { m.delete("creds/none") }, m.minute)
			m.settled(1)
		})
	}
}

// What another node writes is read again, also if this one is just reading what was there
// before.
func TestDeleteFindsWhatAnotherNodeMadeDue(t *testing.T) {
	for nth, reached := 0, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			m.mayMiss = true // what is found too late is not tried to be revoked
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
			m.connect("crm") // the first grant is due later
			due := func() []string {
				return slices.DeleteFunc(m.storage.keys(t), func(key string) bool { return !strings.HasPrefix(key, "due/") })
			}
			key := due()[0]
			entry, err := m.storage.Storage.Get(context.Background(), key)
			if err != nil {
				t.Fatal(err)
			}
			written := func() {
				value := bytes.ReplaceAll(entry.Value, []byte(`"crm"`), []byte(`"none"`))
				value = bytes.Replace(value, []byte(`"revoke":true`), []byte(`"revoke":true,"at_once":true`), 1)
				if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: key, Value: value}); err != nil {
					t.Error(err)
				}
				m.backend.InvalidateKey(context.Background(), key)
			}
			if nth > 0 {
				m.restart() // so that it has to read
			}
			n := 0
			read := func(op, got string) error {
				if op == "get" && got == key {
					if n++; n == nth {
						written()
					}
				}
				return nil
			}
			m.storage.after.Store(&read)
			m.delete("creds/none")
			reached = n >= nth
			m.storage.working()
			if nth == 0 || !reached {
				written()
			}
			m.zoho.ClearFaults()
			m.delete("creds/none")
			if left := due(); len(left) > 0 {
				t.Errorf("written after read %d: %s is due still", nth, left)
			}
		})
	}
}
