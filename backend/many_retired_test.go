// Many retired grants of other names.

package backend_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// A delete among many grants that are due, with storage that takes 1 ms.
func TestManyRetiredGrantsOfOthersDelayNeitherDeleteNorRevocation(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		_, id := m.unrevokable("old", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.zoho.ClearFaults()
		m.connect("crm")
		one := m.storage.contents(t)["due/"+id]
		for i := range 50_000 {
			other := fmt.Sprintf("%032x", i)
			_ = m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: "due/" + other, Value: []byte(strings.Replace(one, id, other, 1))})
		}
		slow := func(op, key string) error { time.Sleep(time.Millisecond); return nil }
		m.storage.before.Store(&slow)
		for _, step := range []struct {
			what string
			do   func()
		}{
			{"revoke one", func() { m.write("revoke/crm", nil) }},
			{"delete", func() { m.delete("creds/crm") }},
			{"list", func() { m.list("retired/") }},
			{"list 10", func() { m.do(logical.ListOperation, "retired/", data{"limit": 10}) }},
		} {
			what, began := step.what, time.Now()
			step.do()
			t.Logf("%s takes %s", what, time.Since(began))
			if time.Since(began) > 5*time.Second {
				t.Errorf("%s takes %s with 50 000 retired grants of another name", what, time.Since(began))
			}
		}
		m.storage.working()
	})
}
