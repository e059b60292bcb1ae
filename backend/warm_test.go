// What does a warm read cost others, and others it? Nothing: it touches no storage,
// and no lock is held across storage or network, so whatever hangs, warm readers
// go on in the same instant.

package backend_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestWarmReadTouchesNoStorage(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.restart()
		m.token("crm")
		before := m.storage.operations.Load()
		for range 100 {
			m.token("crm")
			m.readWith("creds/crm", data{"max_age": "20m", "min_ttl": "10m"})
		}
		if n := m.storage.operations.Load() - before; n != 0 {
			t.Errorf("200 warm reads made %d storage operations", n)
		}
	})
}

func TestReadsOfATokenThatTheBudgetHoldsTouchNoStorage(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for range 20 { // fresh by default, until only the reserve is left
			m.token("crm")
		}
		before := m.storage.operations.Load()
		for range 100 {
			m.token("crm")
		}
		if n := m.storage.operations.Load() - before; n != 0 {
			t.Errorf("100 reads made %d storage operations", n)
		}
	})
}

func TestWarmReadersGoOnWhateverHangs(t *testing.T) {
	for name, c := range map[string]struct {
		op, prefix string // the storage operation that hangs
		zoho       bool   // or: Zoho does
		work       func(m *mount, landed string)
	}{
		"writing config":            {op: "put", prefix: "config", work: func(m *mount, _ string) { m.write("config", data{"max_age": "25m", "verify": false}) }},
		"reading config":            {op: "get", prefix: "config", work: func(m *mount, _ string) { m.read("config") }},
		"writing settings":          {op: "put", prefix: "creds/crm", work: func(m *mount, _ string) { m.write("creds/crm", data{"max_age": "25m"}) }},
		"reading a cold credential": {op: "get", prefix: "creds/books", work: func(m *mount, _ string) { m.read("creds/books") }},
		"loading a cold record":     {op: "get", prefix: "token/", work: func(m *mount, _ string) { m.read("creds/books") }},
		"storing a mint's place":    {op: "put", prefix: "token/", work: func(m *mount, _ string) { m.readWith("creds/crm", data{"max_age": 0}) }},
		"starting a consent":        {op: "put", prefix: "pending/", work: func(m *mount, _ string) { m.write("authorize/crm", nil) }},
		"noting a new grant":        {op: "put", prefix: "due/", work: func(m *mount, landed string) { m.write("creds/crm", data{"callback_url": landed}) }},
		"storing a new grant":       {op: "put", prefix: "creds/crm", work: func(m *mount, landed string) { m.write("creds/crm", data{"callback_url": landed}) }},
		"condemning a grant":        {op: "delete", prefix: "grant/", work: func(m *mount, _ string) { m.delete("creds/books") }},
		"listing":                   {op: "list", prefix: "creds/", work: func(m *mount, _ string) { m.list("creds/") }},
		"deleting another":          {op: "delete", prefix: "creds/books", work: func(m *mount, _ string) { m.delete("creds/books") }},
		"sweeping":                  {op: "list", prefix: "due/", work: func(m *mount, _ string) { m.minute() }},
		"minting":                   {zoho: true, work: func(m *mount, _ string) { m.readWith("creds/crm", data{"max_age": 0}) }},
		"exchanging a code":         {zoho: true, work: func(m *mount, landed string) { m.write("creds/crm", data{"callback_url": landed}) }},
		"revoking another":          {zoho: true, work: func(m *mount, _ string) { m.delete("creds/books") }},
		"trying the client":         {zoho: true, work: func(m *mount, _ string) { m.write("config", data{"client_secret": m.zoho.DefaultClient().Secret}) }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"max_age": "30m"})
				m.connect("crm")
				m.connect("books")
				landed := m.consent("crm", nil, zohotest.Consent{})
				m.restart()
				warm := m.token("crm")
				release := func() {}
				if c.zoho {
					m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Delay: 8 * time.Second})
				} else {
					release = m.storage.blocking(c.op, c.prefix)
				}
				m.zoho.Reset()
				var others sync.WaitGroup
				others.Go(func() { c.work(m, landed) })
				synctest.Wait()
				if m.storage.blocked.Load() == 0 && m.zoho.Counts().Faulted == 0 {
					t.Fatal("nothing hangs")
				}
				start, operations := time.Now(), m.storage.operations.Load()
				for range 10 {
					resp := m.do(logical.ReadOperation, "creds/crm", nil)
					if resp.Data["access_token"] != warm {
						t.Error("a warm reader got another token")
					}
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("warm reads took %s meanwhile", took)
				}
				if name != "trying the client" { // config is new then, and read once
					if n := m.storage.operations.Load() - operations; n != 0 {
						t.Errorf("warm reads made %d storage operations meanwhile", n)
					}
				}
				release()
				m.zoho.ClearFaults()
				others.Wait()
				m.token("crm")
			})
		})
	}
}
