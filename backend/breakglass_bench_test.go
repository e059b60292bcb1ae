//go:build unix

// Benchmark of break glass: every access token of a mount with very many credentials.

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/zoho"
)

// copies is how many credentials the benchmark has, with one living token each.
const copies = 100_000

// BenchmarkBreakGlass revokes a hundred thousand access tokens, each of another
// credential, at a simulator in the same process, which answers at once that it does not
// know the token. Run it with -benchtime=1x.
func BenchmarkBreakGlass(b *testing.B) {
	for range b.N {
		b.StopTimer()
		m := newMount(b)
		m.configure(nil)
		m.connect("crm")
		m.multiply(copies)
		conf := logical.TestBackendConfig()
		conf.System, conf.StorageView, conf.Logger = m.system, m.storage, hclog.NewNullLogger()
		engine, err := backend.NewFactory(m.zoho.Transport())(context.Background(), conf)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		before, operations := cpuTime(b), m.storage.operations.Load()
		b.StartTimer()
		resp, err := engine.HandleRequest(ctx, &logical.Request{Operation: logical.UpdateOperation, Path: "revoke", Storage: m.storage, MountPoint: "zoho/"})
		b.StopTimer()
		cancel()
		if err != nil || resp.IsError() || resp.Data["revoked"] != copies+1 {
			b.Fatalf("got %v, %v", resp, err)
		}
		b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/copies, "cpu-µs/credential")
		b.ReportMetric(float64(m.storage.operations.Load()-operations)/copies, "storage-ops/credential")
		b.ReportMetric(float64(copies)/b.Elapsed().Seconds(), "credentials/s")
	}
}

// cpuTime is what the process has used so far: unlike the time that passes, it does not
// depend on what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// multiply stores copies of the credential crm: each with a refresh token, a grant and a
// living access token of its own.
func (m *mount) multiply(n int) {
	m.t.Helper()
	stored := m.storage.contents(m.t)
	grant, access := m.grant(), ""
	for _, at := range m.zoho.AccessTokens(grant) {
		access = at.Token
	}
	client := m.zoho.DefaultClient().ID
	server := "https://accounts.zoho.com"
	id := zoho.Fingerprint(server, client, grant)
	put := func(key, value string) {
		if err := m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: key, Value: []byte(value)}); err != nil {
			m.t.Fatal(err)
		}
	}
	for i := range n {
		name, other := fmt.Sprintf("copy%06d", i), fmt.Sprintf("%s-%06d", grant, i)
		otherID := zoho.Fingerprint(server, client, other)
		swap := strings.NewReplacer(grant, other, id, otherID, access, fmt.Sprintf("%s-%06d", access, i), `"crm"`, `"`+name+`"`)
		put("creds/"+name, swap.Replace(stored["creds/crm"]))
		put("grant/"+otherID, swap.Replace(stored["grant/"+id]))
		put("token/"+otherID, swap.Replace(stored["token/"+id]))
	}
	if !json.Valid([]byte(stored["token/"+id])) {
		m.t.Fatal("there is no record to copy")
	}
}
