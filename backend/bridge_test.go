// What reaches Vault of all this? The same answers and statuses, over the real
// plugin bridge: numbers become float64, errors are judged by their outer type.

package backend_test

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	gplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/zohotest"
)

// overBridge puts Vault's plugin bridge between the mount and its backend. It runs
// on real goroutines, so outside of a bubble.
func overBridge(t *testing.T) *mount {
	t.Helper()
	m := newMount(t)
	client, _ := gplugin.TestPluginGRPCConn(t, false, map[string]gplugin.Plugin{
		"backend": &plugin.GRPCBackendPlugin{
			Factory: backend.NewFactory(m.wire),
			Logger:  hclog.New(&hclog.LoggerOptions{Output: m.logs, Level: hclog.Trace}),
		},
	})
	t.Cleanup(func() { _ = client.Close() })
	raw, err := client.Dispense("backend")
	if err != nil {
		t.Fatal(err)
	}
	far := raw.(logical.Backend)
	conf := logical.TestBackendConfig()
	conf.System, conf.StorageView, conf.Logger = m.system, m.storage, hclog.NewNullLogger()
	if err := far.Setup(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	m.backend.Cleanup(t.Context())
	m.backend = far
	return m
}

func TestMainRoadWorksOverThePluginBridge(t *testing.T) {
	m := overBridge(t)
	m.configure(data{"max_age": 1800.0, "mint_limit": 10.0, "pkce": true})
	connected := m.connect("crm")
	if connected.Data["data_center"] != "us" {
		t.Errorf("connected: %v", connected.Data)
	}
	answer := m.read("creds/crm")
	for _, name := range []string{"ttl", "rotation_period"} {
		if n, ok := answer[name].(float64); !ok || n < 1 || n != float64(int(n)) {
			t.Errorf("%s arrives as %v", name, answer[name])
		}
	}
	if !m.zoho.Alive(answer["access_token"].(string)) {
		t.Error("got a dead token")
	}
	for _, name := range []string{"issue_time", "expire_time", "last_vault_rotation"} {
		if _, err := time.Parse(time.RFC3339, answer[name].(string)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.readWith("creds/crm", data{"max_age": "600", "min_ttl": "20m"}) // as a query has it
	m.patch("creds/crm", data{"max_age": nil, "min_ttl": 900.0})
	m.write("creds/books", data{"refresh_token": m.grant()})
	if keys := m.list("creds/")["keys"].([]any); len(keys) != 2 {
		t.Errorf("list: %v", keys)
	}
	if state := m.read("status/crm")["state"]; state != "ready" {
		t.Errorf("status: %v", state)
	}
	if got := m.read("datacenters/ca"); got["accounts_server"] != "https://accounts.zohocloud.ca" {
		t.Errorf("datacenters/ca: %v", got)
	}
	m.read("config")
	m.delete("creds/books")
	m.delete("creds/crm")
	if n := len(m.zoho.RefreshTokens()); n != 0 {
		t.Errorf("%d grants are left", n)
	}
	m.delete("config")
	m.clean()
}

func TestEachKindOfErrorKeepsItsStatusOverThePluginBridge(t *testing.T) {
	m := overBridge(t)
	m.refused(logical.ReadOperation, "config", nil, 404, "client_id")
	m.configure(data{"max_age": "0s"})
	m.refused(logical.ReadOperation, "creds/none", nil, 404, "authorize/none")
	m.refused(logical.ReadOperation, "status/none", nil, 404, "authorize/none")
	m.refused(logical.ReadOperation, "datacenters/mars", nil, 404, "us, eu")
	m.refused(logical.UpdateOperation, "creds/crm", data{"nonsense": "x"}, 400, "unknown field")
	m.refused(logical.UpdateOperation, "config", data{"mint_limit": "many"}, 400, "whole number")
	m.connect("crm")
	m.write("revoke/crm", nil) // no token is left to fall back on
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Times: 1})
	m.refused(logical.ReadOperation, "creds/crm", nil, 429, "come back in")
	m.storage.failing("get", "creds/")
	m.refused(logical.ReadOperation, "creds/cold", nil, 500, "Vault's log")
	m.storage.working()
	m.connect("dead")
	for _, rt := range m.zoho.RefreshTokens() {
		m.zoho.RevokeRefreshToken(rt.Token)
	}
	m.refused(logical.ReadOperation, "creds/dead", nil, 400, "invalid_code", "authorize/dead")
	m.connect("books")
	m.write("revoke/books", nil)
	m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Times: 1})
	m.refused(logical.ReadOperation, "creds/books", nil, 503, "accounts.zoho.com", "HTTP 503")
	m.clean()
}

func TestNodeThatCannotWriteSaysSoInVaultsWordsOverThePluginBridge(t *testing.T) {
	m := overBridge(t)
	m.configure(nil)
	m.connect("crm")
	m.standby(consts.ReplicationPerformanceStandby, false)
	calls := m.zoho.Counts().TokenCalls
	for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation, logical.DeleteOperation} {
		_, err := m.request(t.Context(), op, "creds/crm", data{})
		if err == nil || err.Error() != logical.ErrReadOnly.Error() {
			t.Errorf("%s: got %v; Vault forwards on %q alone", op, err, logical.ErrReadOnly)
		}
	}
	if now := m.zoho.Counts().TokenCalls; now != calls {
		t.Error("a node that can't write asked Zoho")
	}
}

func TestCallerWhoLeavesGetsAnAnswerAtOnceAndTheTokenIsKept(t *testing.T) {
	m := overBridge(t)
	m.configure(data{"max_age": "30m", "request_timeout": "60s"})
	m.connect("crm")
	m.write("revoke/crm", nil) // no token is left to fall back on
	calls := m.zoho.Counts().TokenCalls
	served, release := m.wire.holding()
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		_, err := m.request(ctx, logical.ReadOperation, "creds/crm", nil)
		answered <- err
	}()
	<-served
	leave()
	if err := <-answered; err == nil { // while Zoho's answer is held up
		t.Error("the caller who left got a token")
	}
	release()
	m.token("crm") // that of the mint that was under way
	if n := m.zoho.Counts().TokenCalls - calls; n != 1 {
		t.Errorf("%d calls; the mint of the caller who left was thrown away", n)
	}
	m.clean()
}

func TestLeaseCanBeRevokedAsVaultDoesIt(t *testing.T) {
	m := overBridge(t)
	m.configure(data{"max_age": "30m"})
	m.connect("crm")
	m.write("creds/crm", data{"leased": true})
	resp := m.do(logical.ReadOperation, "creds/crm", nil)
	if resp.Secret == nil || resp.Secret.Renewable {
		t.Fatalf("no lease, or one that can be renewed: %v", resp.Secret)
	}
	// Vault passes what it stored with the lease: the whole answer.
	revoke := logical.RevokeRequest("creds/crm", resp.Secret, resp.Data)
	if answer, err := m.backend.HandleRequest(t.Context(), revoke); err != nil || answer.IsError() {
		t.Errorf("revoking the lease: %v, %v; it would become irrevocable", answer, err)
	}
	if !m.zoho.Alive(resp.Data["access_token"].(string)) {
		t.Error("revoking one reader's lease killed a token that others hold")
	}
	m.clean()
}
