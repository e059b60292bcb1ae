// Can a large mount be listed page by page, each name once?

package backend_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestListOfMoreThanIsDetailedSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		value := []byte(m.storage.contents(t)["creds/crm"])
		put := func(name string) {
			if err := m.storage.Put(t.Context(), &logical.StorageEntry{Key: "creds/" + name, Value: value}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 999 {
			put(fmt.Sprint("crm", i))
		}
		if resp := m.do(logical.ListOperation, "creds/", nil); len(resp.Data["key_info"].(map[string]any)) != 1000 || len(resp.Warnings) > 0 {
			t.Errorf("%d of 1000 are detailed, and it warns %q", len(resp.Data["key_info"].(map[string]any)), resp.Warnings)
		}
		put("one-more")
		if resp := m.do(logical.ListOperation, "creds/", nil); len(resp.Data["keys"].([]string)) != 1001 || len(resp.Warnings) != 1 {
			t.Errorf("%d names, and it warns %q", len(resp.Data["keys"].([]string)), resp.Warnings)
		}
	})
}

func TestAListOfManyIsReadInPages(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		var names []string
		for i := range 7 {
			name := fmt.Sprint("crm", i)
			m.connect(name)
			names = append(names, name)
		}
		for _, path := range []string{"creds/", "status/"} {
			for limit := 1; limit <= 8; limit++ {
				var got []string
				after := ""
				for {
					// As a query has it.
					page := m.do(logical.ListOperation, path, data{"after": after, "limit": fmt.Sprint(limit)}).Data
					keys, _ := page["keys"].([]string)
					if len(keys) == 0 {
						break
					}
					if info := page["key_info"].(map[string]any); len(keys) > limit || len(info) != len(keys) {
						t.Fatalf("%s, limit %d: %d names, %d details", path, limit, len(keys), len(info))
					}
					got, after = append(got, keys...), keys[len(keys)-1]
				}
				if !slices.Equal(got, names) {
					t.Errorf("%s, limit %d: %v", path, limit, got)
				}
			}
		}
		if keys := m.do(logical.ListOperation, "creds/", data{"after": "crm2x"}).Data["keys"].([]string); !slices.Equal(keys, names[3:]) {
			t.Errorf("after a name that is not there: %v", keys)
		}
		if keys := m.list("creds/")["keys"].([]string); len(keys) != 7 {
			t.Errorf("without parameters: %v", keys)
		}
		m.refused(logical.ListOperation, "creds/", data{"limit": -1}, 400, "limit")
		m.refused(logical.ListOperation, "creds/", data{"befor": "x"}, 400, "after, limit")
	})
}
