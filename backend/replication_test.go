// Which node answers what? Whatever needs no write is served where it is asked;
// the rest gets the bare logical.ErrReadOnly, on which Vault forwards, and a node
// that can't write never asks Zoho for anything.

package backend_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// nodes are the kinds of node; forwards tells that writes do not belong there.
func nodes() map[string]struct {
	state    consts.ReplicationState
	local    bool
	forwards bool
} {
	return map[string]struct {
		state    consts.ReplicationState
		local    bool
		forwards bool
	}{
		"alone":                 {state: consts.ReplicationUnknown},
		"primary":               {state: consts.ReplicationPerformancePrimary | consts.ReplicationDRPrimary},
		"performance standby":   {state: consts.ReplicationPerformanceStandby, forwards: true},
		"performance secondary": {state: consts.ReplicationPerformanceSecondary, forwards: true},
		"secondary, local":      {state: consts.ReplicationPerformanceSecondary, local: true},
		"secondary's standby":   {state: consts.ReplicationPerformanceSecondary | consts.ReplicationPerformanceStandby, local: true, forwards: true},
		"DR secondary":          {state: consts.ReplicationDRSecondary, forwards: true},
	}
}

func TestEachOperationIsServedOrForwardedByTheKindOfNode(t *testing.T) {
	type asked struct {
		op     logical.Operation
		path   string
		data   func(m *mount) data
		writes bool
	}
	nothing := func(*mount) data { return nil }
	for name, a := range map[string]asked{
		"write config":        {logical.UpdateOperation, "config", func(m *mount) data { return data{"max_age": "20m", "verify": false} }, true},
		"patch config":        {logical.PatchOperation, "config", func(m *mount) data { return data{"max_age": "20m", "verify": false} }, true},
		"delete config":       {logical.DeleteOperation, "config", nothing, true},
		"read config":         {logical.ReadOperation, "config", nothing, false},
		"start a consent":     {logical.UpdateOperation, "authorize/crm", nothing, true},
		"finish a consent":    {logical.UpdateOperation, "creds/crm", func(m *mount) data { return data{"callback_url": m.landed} }, true},
		"connect with a code": {logical.CreateOperation, "creds/new", func(m *mount) data { return data{"code": m.canary("code")} }, true},
		"import":              {logical.UpdateOperation, "creds/new", func(m *mount) data { return data{"refresh_token": m.grant()} }, true},
		"client credentials": {logical.UpdateOperation, "creds/new", func(m *mount) data {
			return data{"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.READ", "soid": "ZohoCRM.1"}
		}, true},
		"change settings":    {logical.UpdateOperation, "creds/crm", func(m *mount) data { return data{"max_age": "20m"} }, true},
		"patch settings":     {logical.PatchOperation, "creds/crm", func(m *mount) data { return data{"max_age": "20m"} }, true},
		"delete":             {logical.DeleteOperation, "creds/crm", nothing, true},
		"read warm":          {logical.ReadOperation, "creds/crm", nothing, false},
		"read a young token": {logical.ReadOperation, "creds/crm", func(*mount) data { return data{"max_age": 1} }, true},
		"read a new token":   {logical.ReadOperation, "creds/crm", func(*mount) data { return data{"max_age": 0} }, true},
		"read cold":          {logical.ReadOperation, "creds/idle", nothing, true},
		"list":               {logical.ListOperation, "creds/", nothing, false},
		"status":             {logical.ReadOperation, "status/crm", nothing, false},
		"list status":        {logical.ListOperation, "status/", nothing, false},
		"a data center":      {logical.ReadOperation, "datacenters/eu", nothing, false},
		"data centers":       {logical.ListOperation, "datacenters/", nothing, false},
		"revoke":             {logical.UpdateOperation, "revoke/crm", nothing, true},
		"revoke all":         {logical.UpdateOperation, "revoke", nothing, true},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, node := range nodes() {
				t.Run(kind, func(t *testing.T) {
					inBubble(t, func(t *testing.T, m *mount) {
						m.configure(data{"max_age": "30m"})
						m.connect("idle")
						passes(61 * time.Minute)
						m.connect("crm")
						passes(time.Minute)
						m.landed = m.consent("crm", nil, zohotest.Consent{})
						d := a.data(m)
						m.standby(node.state, node.local)
						m.restart()
						m.zoho.Reset()
						resp, err := m.request(t.Context(), a.op, a.path, d)
						switch forwarded := err == logical.ErrReadOnly; {
						case forwarded != (node.forwards && a.writes):
							t.Errorf("got %v, %v", resp, err)
						case forwarded && resp != nil:
							t.Errorf("an answer beside the order to forward: %v", resp)
						}
						if c := m.zoho.Counts(); node.forwards && c.TokenCalls+c.RevokeCalls > 0 {
							t.Errorf("a node that can't write asked Zoho %d times", c.TokenCalls+c.RevokeCalls)
						}
						m.standby(consts.ReplicationUnknown, false)
					})
				})
			}
		})
	}
}

func TestNodeThatCannotWriteTidiesNothingUp(t *testing.T) {
	for kind, node := range nodes() {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				m.connect("crm") // leaves a grant to be revoked
				passes(2 * time.Hour)
				m.standby(node.state, node.local)
				m.restart()
				m.tick()
				if n := len(m.zoho.RefreshTokens()); (n == 2) != node.forwards {
					t.Errorf("%d grants are left after a sweep", n)
				}
				m.standby(consts.ReplicationUnknown, false)
			})
		})
	}
}

func TestStandbyServesALivingTokenDuringAFailureAndForwardsWithoutOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "invalid_code")
		m.standby(consts.ReplicationPerformanceStandby, false)
		m.restart()
		// A remembered refusal needs no write: the standby tells it by itself.
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "invalid_code", "authorize/crm")
		passes(16 * time.Minute)
		if _, err := m.request(t.Context(), logical.ReadOperation, "creds/crm", nil); err != logical.ErrReadOnly {
			t.Errorf("got %v; want the read forwarded", err)
		}
		m.standby(consts.ReplicationUnknown, false)
	})
}

func TestNodeServesWhatAnotherWroteOnceItIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		first := m.token("crm")
		active, standby := m.backend, m.another()
		turn := func(node logical.Backend) { m.backend = node }
		invalidate := func(keys ...string) {
			for _, key := range keys {
				standby.InvalidateKey(t.Context(), key)
			}
		}
		turn(standby)
		if m.token("crm") != first {
			t.Error("the standby serves another token")
		}
		// A new token.
		turn(active)
		second := m.readWith("creds/crm", data{"max_age": 0})["access_token"].(string)
		turn(standby)
		if m.token("crm") != first {
			t.Error("the standby reads storage on a warm read")
		}
		invalidate(m.storage.keys(t)...)
		if m.token("crm") != second {
			t.Error("the standby serves an old token after it was told")
		}
		// New settings, a new grant, a new client, and none.
		turn(active)
		m.write("creds/crm", data{"max_age": "40m"})
		m.write("config", data{"min_ttl": "7m", "verify": false})
		m.connect("crm")
		third := m.token("crm")
		keys := m.storage.keys(t)
		turn(standby)
		invalidate(keys...)
		if m.token("crm") != third {
			t.Error("the standby serves the old grant's token")
		}
		if period := m.read("creds/crm")["rotation_period"]; period != 40*60 {
			t.Errorf("the standby has old settings: rotation_period is %v", period)
		}
		if minTTL := m.write("creds/crm", data{}).Data["min_ttl"]; minTTL != 7*60 {
			t.Errorf("the standby has an old config: min_ttl is %v", minTTL)
		}
		turn(active)
		m.delete("creds/crm")
		turn(standby)
		invalidate("creds/crm")
		m.refused(logical.ReadOperation, "creds/crm", nil, 404, "no credential")
		turn(active)
		standby.Cleanup(t.Context())
	})
}

func TestErrorTextOfReadOnlyStorageIsNotNeeded(t *testing.T) {
	// Storage errors lose their identity on the way to a plugin.
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.standby(consts.ReplicationPerformanceStandby, false)
		puts := m.storage.puts.Load()
		_, err := m.request(t.Context(), logical.ReadOperation, "creds/crm", nil)
		if !errors.Is(err, logical.ErrReadOnly) || m.storage.puts.Load() != puts {
			t.Errorf("got %v after %d attempts to write", err, m.storage.puts.Load()-puts)
		}
		m.standby(consts.ReplicationUnknown, false)
	})
}

// The active node counts what a standby forwards to it.
func TestReadIsCountedByTheNodeThatAnswersIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.standby(consts.ReplicationPerformanceStandby, false)
		m.token("crm")
		if n := m.read("metrics")["reads"]; n != int64(1) {
			t.Errorf("of a read that the standby answered, reads counts %v", n)
		}
		minting := &logical.Request{Operation: logical.ReadOperation, Path: "creds/crm", Storage: m.storage, Data: data{"max_age": 0}}
		if _, err := m.backend.HandleRequest(t.Context(), minting); err != logical.ErrReadOnly {
			t.Fatalf("a read that needs a mint: %v", err)
		}
		passes(2 * time.Hour)
		if _, err := m.request(t.Context(), logical.ReadOperation, "creds/crm", nil); err != logical.ErrReadOnly {
			t.Fatalf("a cold read: %v", err)
		}
		if n := m.read("metrics")["reads"]; n != int64(1) {
			t.Errorf("of reads that were forwarded, reads counts %v", n)
		}
		m.standby(consts.ReplicationUnknown, false)
		_, _ = m.try(logical.ReadOperation, "creds/nobody", nil)
		if n := m.read("metrics")["reads"]; n != int64(2) {
			t.Errorf("of a read that failed, reads counts %v", n)
		}
	})
}
