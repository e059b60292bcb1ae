// What does a fleet need? Computed from what was measured, so that no figure of the
// page is older than the others.

package main

import (
	"fmt"
	"time"
)

// The fleet that is reckoned with.
const (
	apps       = 10_000
	fleet      = 100_000 // credentials
	fleetAge   = 30 * time.Minute
	zohoAnswer = 200 * time.Millisecond
	atOnce     = 128 // mints under way at one accounts server, see zoho/server.go
)

// capacity is the page, "" if what it needs was not measured.
func (r *Results) capacity() string {
	engine, found := r.figures(engineName, 16)
	if !found || len(r.Sizes) == 0 || r.Fresh == nil {
		return ""
	}
	kv, _ := r.figures("kv2", 16)
	largest := r.Sizes[len(r.Sizes)-1]
	cpu := engine.VaultCPU + engine.PluginCPU
	processors := func(reads float64) float64 { return reads * cpu.Seconds() }
	following := apps / fleetAge.Seconds()
	mints := fleet / fleetAge.Seconds()
	p := &page{}
	p.line("# Capacity\n")
	p.line("Written by `make bench`, from the figures of [performance.md](performance.md): %d processors (%s), which the load generator", r.Machine.Processors, r.Machine.Processor)
	p.line("shared with Vault %s. Measure on your own machines before you buy some.\n", r.Machine.Vault)
	if m, apart := r.Apart["sizes"]; apart {
		p.line("What is said of %d credentials is of another day: %d processors (%s), Vault %s.\n", largest.Credentials, m.Processors, m.Processor, m.Vault)
	}
	if r.busy() {
		p.line("**That machine was busy with other work meanwhile**, so all of this costs less where Vault is alone.\n")
	}
	p.line("## What a read costs\n")
	p.line("A warm read took %s of processor time in Vault and %s in the plugin; a token in `kv` version 2 took %s, all of it in Vault.", short(engine.VaultCPU), short(engine.PluginCPU), short(kv.VaultCPU))
	p.line("So one processor serves some %.0f warm reads a second. A read that mints adds %s to Zoho's own time and writes %.1f entries to", 1/cpu.Seconds(), short(r.Fresh.P50-r.Fresh.Zoho), r.Fresh.RaftWrites)
	p.line("the raft log, whatever else is going on; warm reads write none.\n")
	p.line("## %d apps on %d credentials\n", apps, fleet)
	p.table([]string{"what they do", "reads/s", "processors", "mints/s", "raft entries/s"}, [][]string{
		{fmt.Sprintf("agents that follow `ttl`, `max_age=%s`", minutes(fleetAge)), fmt.Sprintf("%.0f", following), fmt.Sprintf("%.2f", processors(following)), fmt.Sprintf("up to %.0f", following), fmt.Sprintf("up to %.0f", following*r.Fresh.RaftWrites)},
		{"apps that read before each of their calls, once a second", fmt.Sprint(apps), fmt.Sprintf("%.1f", processors(apps)), fmt.Sprintf("up to %.0f", mints), fmt.Sprintf("up to %.0f", mints*r.Fresh.RaftWrites)},
	})
	p.line("- **Mints** are bounded by credentials in use, not by reads: one for each credential and `max_age` at most. At one accounts server %d are", atOnce)
	p.line("  under way at most, %.0f a second if Zoho answers after %s. Idle credentials cost their storage and nothing else.", atOnce/zohoAnswer.Seconds(), short(zohoAnswer))
	if largest.Missing > 0 {
		p.line("- **Memory** holds %d credentials for each mount, and the plugin stayed below %s with %d in storage. More that are in use at", remembered, megabytes(largest.Memory), largest.Credentials)
		p.line("  once are read from storage again: %.0f reads a second where none was in memory.", largest.Missing)
	} else {
		p.line("- **Memory** holds %d credentials for each mount. More that are in use at once are read from storage again.", remembered)
	}
	p.line("- **Storage**: with %d credentials Vault's raft database had %s.", largest.Credentials, megabytes(largest.Database))
	p.line("- **Start**: with %d credentials the first token came %s after unseal; nothing walks over them.", largest.Credentials, short(largest.Restart))
	p.line("- **Lists** cost most: all names of %d took %s, a page of 100 took %s, since Vault's storage hands over all names for each.\n", largest.Credentials, short(largest.List), short(largest.Page))
	p.line("## Where Vault's own limits are met first\n")
	p.line("- **Audit**: each read is a request and its answer in every audit device. A device that blocks stops all of Vault; size disks for reads, not mints.")
	p.line("- **Rate-limit quotas** on `<mount>/creds` keep one app from using up a server: set one for each mount. Readers refused by a quota make no call to Zoho.")
	p.line("- **Raft** takes one entry at a time from the active node: mints are the only writes in steady operation.")
	p.line("- **One connection** leads from Vault to the plugin's process, whatever the number of mounts.\n")
	p.line("## Past one cluster\n")
	p.line("- **Nodes that serve reads** (performance standbys and secondaries of Vault Enterprise, standbys of OpenBao that serve reads) answer warm")
	p.line("  reads from their own memory and forward the rest; nothing is minted twice.")
	p.line("- **Several mounts**, in namespaces or not, have memory, queues and counters of their own, and share the plugin's process. One for each OAuth client anyway.")
	p.line("- **Several clusters** must not share a grant: each would count only its own mints. Connect the account once for each.")
	return p.String()
}

func (r *Results) figures(subject string, connections int) (Figures, bool) {
	if r.Comparison != nil {
		for _, f := range r.Comparison.Figures {
			if f.Subject == subject && f.Connections == connections {
				return f, true
			}
		}
	}
	return Figures{}, false
}

func minutes(d time.Duration) string { return fmt.Sprintf("%.0fm", d.Minutes()) }
