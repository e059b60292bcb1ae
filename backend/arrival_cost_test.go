// What does a link cost on a mount with ten thousand customers? As many storage
// operations as on an empty one, and no list.

package backend_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// populate makes n credentials, each another user's, and n consents that wait. A hundred
// are real, more are what storage would hold of them.
func (m *mount) populate(n int) {
	m.t.Helper()
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
	for i := range min(n, 100) {
		user := m.zoho.AddUser(zohotest.User{})
		m.land(m.consent(fmt.Sprintf("real%d", i), nil, zohotest.Consent{Email: user.Email})).shows(m.t, 200, "Zoho is connected")
		m.write(fmt.Sprintf("authorize/waits%d", i), data{"ttl": "168h"})
	}
	m.initialize() // notes that nothing of format 1 is there
	stored := m.storage.contents(m.t)
	maps.DeleteFunc(stored, func(key, _ string) bool { // what is not of the first two
		_, name, _ := strings.Cut(key, "/")
		return !strings.HasSuffix(key, "/real0") && !strings.HasSuffix(key, "/waits0") && (name == "" || !strings.Contains(stored["creds/real0"]+stored["pending/real0"], name))
	})
	for i := range max(n-100, 0) {
		for key, value := range stored {
			entry := &logical.StorageEntry{Key: fmt.Sprintf("%s-%d", key, i), Value: []byte(value)}
			if err := m.storage.Storage.Put(context.Background(), entry); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	if n > 100 {
		if got := len(m.storage.keys(m.t)); got < 4*n {
			m.t.Errorf("%d keys are stored of %d credentials and consents", got, n)
		}
	}
	m.restart()
	m.initialize()
}

// costs counts the storage operations of each thing that a link is asked, once all is
// warm and once just after a start.
func (m *mount) costs() map[string]int64 {
	m.t.Helper()
	user := m.zoho.AddUser(zohotest.User{})
	stranger := m.zoho.AddUser(zohotest.User{})
	for _, name := range []string{"mine", "theirs"} {
		m.land(m.consent(name, nil, zohotest.Consent{Email: user.Email})).shows(m.t, 200, "Zoho is connected")
	}
	costs := map[string]int64{}
	var lists atomic.Int64
	count := func(op, key string) error {
		if op == "list" && !strings.HasPrefix(key, "owner/") && !strings.HasPrefix(key, "index/") { // of one user, of one token
			lists.Add(1)
		}
		return nil
	}
	m.storage.before.Store(&count)
	for _, when := range []string{"warm", "cold"} {
		measure := func(what string, work func()) {
			if when == "cold" {
				m.restart()
				m.initialize()
			}
			before, listed := m.storage.operations.Load(), lists.Load()
			work()
			costs[what+", "+when] = m.storage.operations.Load() - before
			if n := lists.Load() - listed; n > 0 {
				m.t.Errorf("%s, %s: %d lists", what, when, n)
			}
		}
		name := "new-" + when
		var started *logical.Response
		measure("starting a consent", func() { started = m.write("authorize/"+name, nil) })
		landed := m.opens(started, zohotest.Consent{Email: user.Email})
		measure("looking at the callback", func() { m.land(altered(m.t, strings.TrimSuffix(landed, "&"), map[string]string{"code": ""})) })
		measure("a state that was made up", func() { m.land(altered(m.t, strings.TrimSuffix(landed, "&"), map[string]string{"state": "AAAA"})) })
		measure("connecting", func() { m.land(landed).shows(m.t, 200, "Zoho is connected") })
		measure("showing it again", func() { m.land(landed).shows(m.t, 200, "Zoho is connected") })
		landed = m.consent("mine", nil, zohotest.Consent{Email: user.Email})
		measure("connecting anew", func() { m.land(landed).shows(m.t, 200, "Zoho is connected") })
		landed = m.consent("mine", nil, zohotest.Consent{Email: user.Email, Reject: true})
		measure("declining", func() { m.land(landed).shows(m.t, 400, "Nothing was connected") })
		started = m.write("authorize/mine", data{"expected_user": user.Email})
		landed = m.opens(started, zohotest.Consent{Email: stranger.Email})
		measure("another account", func() { m.land(landed).shows(m.t, 400, "This link is for") })
		measure("replacing a consent", func() { m.write("authorize/mine", data{"force": true}) })
		measure("withdrawing a consent", func() { m.delete("authorize/mine") })
		measure("a link that was withdrawn", func() { m.land(landed).shows(m.t, 400, "no longer good") })
	}
	m.storage.working()
	return costs
}

func TestLinkCostsTheSameHoweverManyCustomersThereAre(t *testing.T) {
	nothingAtOnce(t)
	sizes := []int{1, 100, 10_000}
	table := map[string][]int64{}
	for _, n := range sizes {
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(data{"scopes": profileScopes})
			m.populate(n)
			for what, cost := range m.costs() {
				table[what] = append(table[what], cost)
			}
		})
	}
	var shown strings.Builder
	same := true
	for _, what := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(&shown, "\n%-35s %v", what, table[what])
		same = same && len(slices.Compact(slices.Clone(table[what]))) == 1
	}
	if !same {
		t.Errorf("storage operations with %v credentials and as many consents:%s", sizes, shown.String())
	}
	t.Logf("storage operations with %v credentials and as many consents:%s", sizes, shown.String())
}
