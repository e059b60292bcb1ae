// Tests of the mint limit that all credentials of a client share.

package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// throttledByClient connects credentials, and reads them until Zoho, which counts by client,
// throttles two.
func throttledByClient(m *mount, settings data) {
	m.configure(settings)
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes = -1 })
	for i := range 12 {
		m.connect(fmt.Sprint("c", i))
	}
	passes(2 * time.Hour)
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient })
	for i := range 12 {
		_, _ = m.try(logical.ReadOperation, fmt.Sprint("creds/c", i), nil)
	}
	m.zoho.Reset() // the throttle was to come
}

func TestSharedMintLimitIsShownAndSurvivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		throttledByClient(m, nil)
		for _, when := range []string{"learned", "restarted"} {
			s := m.read("status/c3")
			if s["mint_limit_key"] != "client" || s["mint_limit_key_until"] == nil || s["mints_left"] != 0 {
				t.Errorf("%s: status says %v until %v, %v mints left", when, s["mint_limit_key"], s["mint_limit_key_until"], s["mints_left"])
			}
			m.refused(logical.ReadOperation, "creds/c11", nil, 429)
			if g := m.read("metrics")["shared_mint_limit_waiting"].(map[string]int); len(g) != 1 {
				t.Errorf("%s: metrics say %v", when, g)
			}
			if text := m.readWith("metrics", data{"format": "prometheus"})[logical.HTTPRawBody].(string); !strings.Contains(text, `vault_zoho_shared_mint_limit{mount_point="zoho/",data_center="us"} 1`) {
				t.Errorf("%s: no series in %s", when, text)
			}
			if n := m.zoho.Counts().Throttled; n != 0 {
				t.Errorf("%s: %d calls were throttled", when, n)
			}
			m.restart()
			_, _ = m.try(logical.ReadOperation, "creds/c10", nil)
		}
		passes(11 * time.Minute)
		for i := range 10 {
			m.token(fmt.Sprint("c", i))
		}
		if n := m.zoho.Counts().Throttled; n != 0 {
			t.Errorf("%d calls were throttled", n)
		}
	})
}

func TestMintLimitKeyIsSettableAndChecked(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		throttledByClient(m, data{"mint_limit_key": "refresh_token"})
		if s := m.read("status/c0"); s["mint_limit_key"] != "refresh_token" || s["mint_limit_key_until"] != nil {
			t.Errorf("status says %v", s["mint_limit_key"])
		}
		m.refused(logical.UpdateOperation, "config", data{"mint_limit_key": "user"}, 400, "auto, refresh_token or client")
		m.write("config", data{"mint_limit_key": "client"})
		if s := m.read("status/c0"); s["mint_limit_key"] != "client" || s["mint_limit_key_until"] != nil {
			t.Errorf("status says %v", s["mint_limit_key"])
		}
		m.patch("config", data{"mint_limit_key": nil})
		if key := m.read("config")["mint_limit_key"]; key != "auto" {
			t.Errorf("the default is %v", key)
		}
	})
}

func TestSharedMintLimitEndsWithItsClient(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		throttledByClient(m, nil)
		if keys, err := m.storage.List(t.Context(), "client/"); err != nil || len(keys) != 1 {
			t.Fatalf("stored: %v, %v", keys, err)
		}
		for i := range 12 {
			m.delete(fmt.Sprint("creds/c", i))
		}
		m.delete("config")
		if keys, err := m.storage.List(t.Context(), "client/"); err != nil || len(keys) != 0 {
			t.Errorf("still stored: %v, %v", keys, err)
		}
	})
}

func TestUnreadableSharedMintLimitStopsNoRead(t *testing.T) {
	for what, text := range map[string]string{"damaged": "{", "of a newer release": `{"version":99}`} {
		inBubble(t, func(t *testing.T, m *mount) {
			throttledByClient(m, nil)
			keys, err := m.storage.List(t.Context(), "client/")
			if err != nil || len(keys) != 1 {
				t.Fatal(keys, err)
			}
			entry := &logical.StorageEntry{Key: "client/" + keys[0], Value: []byte(text)}
			if err := m.storage.Put(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
			m.restart()
			passes(11 * time.Minute)
			m.token("c11")
			if stored, err := m.storage.Get(t.Context(), entry.Key); err != nil || what != "damaged" && string(stored.Value) != text {
				t.Errorf("%s: it became %v, %v", what, stored, err)
			}
		})
	}
}
