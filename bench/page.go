// How does a reader see the results? As a page of tables, each with what it says.

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// table writes rows below a head.
func (p *page) table(head []string, rows [][]string) {
	p.line("| %s |", strings.Join(head, " | "))
	p.line("|%s", strings.Repeat("---|", len(head)))
	for _, row := range rows {
		p.line("| %s |", strings.Join(row, " | "))
	}
	p.line("")
}

// others tells how much of the machine was not ours.
func (c *Comparison) others() string {
	return fmt.Sprintf("Others used %.0f %% of the processors' time meanwhile.", 100*c.Others)
}

// busy tells whether others used much of the machine during the comparison.
func (r *Results) busy() bool { return r.Comparison.Others > 0.1 }

func (m Machine) String() string {
	return fmt.Sprintf("%d processors (%s), %s of memory, %s; Vault %s, %s, this engine %s", m.Processors, m.Processor, m.Memory, m.Kernel, m.Vault, m.Go, m.Engine)
}

// parts are the sections of the page for what can be measured apart.
var parts = map[string]string{
	"compare":  "the comparison with yardsticks",
	"variants": "what pays",
	"storms":   "fresh reads and storms",
	"retired":  "retired grants",
	"glass":    "break glass",
	"start":    "starts and failovers",
	"sizes":    "the figures of *Size*",
}

func (r *Results) page() string {
	p := &page{}
	m := r.Machine
	p.line("# Performance\n")
	p.line("Written by `make bench` on %s; do not edit it, run it again. Numbers: [performance.json](performance.json).\n", m.When)
	p.line("%s.\n", m)
	for _, part := range slices.Sorted(maps.Keys(r.Apart)) {
		m := r.Apart[part]
		p.line("Of another day, %s: %s, which are not to be compared with the rest. %s.\n", m.When, parts[part], m)
	}
	if r.Comparison != nil {
		if r.busy() {
			p.line("**The machine was busy with other work meanwhile** (%.0f %% of its processors' time): absolute figures are lower than they", 100*r.Comparison.Others)
			p.line("would be on an idle one, latencies longer, and ratios rough. Processor time is what such a machine tells best.\n")
		}
		r.Comparison.write(p)
	}
	if r.Variants != nil {
		r.Variants.writeVariants(p)
	}
	if r.Fresh != nil {
		r.Fresh.write(p)
	}
	if len(r.Storms) > 0 {
		writeStorms(p, r.Storms)
	}
	if len(r.BreakGlass) > 0 {
		writeBreakGlass(p, r.BreakGlass)
	}
	if r.Retired != nil {
		r.Retired.write(p)
	}
	if len(r.Sizes) > 0 {
		writeSizes(p, r.Sizes)
	}
	if len(r.Starts) > 0 {
		writeStarts(p, r.Starts)
	}
	if len(r.Cluster) > 0 {
		writeCluster(p, r.Cluster)
	}
	return p.String()
}

func writeSizes(p *page, sizes []*Size) {
	p.line("## Size\n")
	p.line("Credentials in storage, each with a grant and a stored token of its own. Memory holds %d at most; *missing* reads more than that in", remembered)
	var numbers []string
	for _, s := range sizes {
		numbers = append(numbers, fmt.Sprint(s.Credentials))
	}
	p.line("turn, so that none of them is in memory. One connection where nothing else is said. Again: `make bench BENCH='-only sizes -sizes %s'`.\n", strings.Join(numbers, ","))
	head := []string{"credentials"}
	rows := [][]string{{"warm read, p50"}, {"cold read, p50"}, {"missing reads/s, 16 connections"}, {"`status`, p50"}, {"list: one page of 100"}, {"list: all names, details of 1000"}, {"from unseal to the first token"}, {"plugin's memory after that"}, {"plugin's memory after all reads"}, {"idle: CPU a minute"}, {"idle: raft entries"}, {"raft database"}, {"break glass: one request"}, {"break glass: credentials revoked by it"}}
	for _, s := range sizes {
		head = append(head, fmt.Sprint(s.Credentials))
		cold, missing := "", ""
		if s.Cold > 0 {
			cold = short(s.Cold)
		}
		if s.Missing > 0 {
			missing = fmt.Sprintf("%.0f", s.Missing)
		}
		for i, cell := range []string{
			short(s.Warm), cold, missing, short(s.Status), short(s.Page), short(s.List), short(s.Restart), megabytes(s.MemoryFresh), megabytes(s.Memory),
			short(s.IdleCPU), fmt.Sprintf("%d in %s", s.IdleWrites, s.IdleFor), megabytes(s.Database), short(s.BreakGlass), fmt.Sprint(s.Revoked),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	p.table(head, rows)
}

func writeStarts(p *page, starts []*Start) {
	p.line("## Start\n")
	p.line("Until the first answer, medians of %d (failover: once). All subjects' plugins start with Vault.\n", starts[0].Times)
	var rows [][]string
	for _, s := range starts {
		rows = append(rows, []string{"`" + s.Subject + "`", short(s.Unseal), short(s.PluginKill), short(s.Failover), fmt.Sprintf("%.1f MB", float64(s.Binary)/1e6), megabytes(s.Memory)})
		if s.UnsealMint > 0 {
			rows[len(rows)-1][0] += ", the stored token lives"
			rows = append(rows, []string{"`" + s.Subject + "`, none does: the first read mints", short(s.UnsealMint), short(s.PluginKillMint), "", "", ""})
		}
	}
	p.table([]string{"subject", "from unseal", "from the plugin's death", "from the active node's death, cluster of three", "binary", "memory when it has answered once"}, rows)
}

func writeCluster(p *page, reads []ClusterReads) {
	p.line("## A cluster of three\n")
	p.line("Warm reads over 16 connections, all three servers and the load on this machine. A standby of Vault forwards what plugins answer.\n")
	var rows [][]string
	for _, c := range reads {
		node := "the active node"
		if c.Standby {
			node = "a standby"
		}
		rows = append(rows, []string{"`" + c.Subject + "`", node, fmt.Sprintf("%.0f", c.Rate), short(c.P50), short(c.P99)})
	}
	p.table([]string{"subject", "asked of", "reads/s", "p50", "p99"}, rows)
}

func (r *Retired) write(p *page) {
	p.line("## Retired grants\n")
	p.line("A grant that a reconnect replaced is revoked when its last token has run out; one of a deleted credential at once, or when Zoho can be")
	p.line("reached. Each minute the plugin looks at those that wait: %d grants that wait for their tokens took %s of its processor time a minute, beside", r.Waiting, short(r.WaitingCPU))
	p.line("%s without any. %d that Zoho did not revoke at once were revoked within %s when it could be reached again, one after the other.\n", short(r.IdleCPU), r.Revoked, short(r.Took))
}

func megabytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

func (f *Fresh) write(p *page) {
	p.line("## A fresh read\n")
	p.line("Reads with `max_age=0`, one after the other, each of which has Zoho mint a token: %d reads, p99 %s. What explains them was measured", f.Reads, short(f.P99))
	p.line("in turn with them, each after a pause as long as Zoho's answer.\n")
	p.table([]string{"where the time goes", "p50"}, [][]string{
		{"the read", short(f.P50)},
		{"Zoho's answer", short(f.Zoho)},
		{"the way to the plugin and back: a warm read", short(f.WarmRead)},
		{fmt.Sprintf("storage: %.2f entries in Vault's raft log, %s each when a plugin stores one", f.RaftWrites, short(f.Put())), short(time.Duration(f.RaftWrites * float64(f.Put())))},
		{"what is left: this engine, and the way to Zoho and back", short(f.Rest())},
		{"for comparison: one write to kv version 1", short(f.PlainWrite)},
	})
}

func writeStorms(p *page, storms []Storm) {
	p.line("## Storms\n")
	p.line("Each reader has a connection of its own and reads once, all at the same moment.\n")
	var rows [][]string
	for _, s := range storms {
		before, during := "", ""
		if s.WarmBefore > 0 {
			before, during = short(s.WarmBefore), short(s.WarmDuring)
		}
		rows = append(rows, []string{
			s.About, fmt.Sprint(s.Readers), short(s.Took), short(s.P50), short(s.P99), fmt.Sprint(s.Failed), fmt.Sprint(s.Calls),
			fmt.Sprint(s.AtOnce), fmt.Sprint(s.Connections), fmt.Sprint(s.RaftWrites), before, during,
		})
	}
	p.table([]string{"readers of", "readers", "until all are answered", "p50", "p99", "refused", "calls to Zoho", "at once at most", "connections to Zoho opened", "raft entries", "p99 of warm reads before", "during"}, rows)
}

func (c *Comparison) write(p *page) {
	p.line("## A warm read, beside yardsticks\n")
	p.line("One raft server over HTTP with keep-alive; load generator, Vault and plugins share the processors. Each subject is read for")
	p.line("%s at a time, in %d rounds, one after the other in another order each round, with the floor first and last. A ratio is to the floor", c.Length, c.Rounds)
	p.line("of the same round (its two measurements' mean); all figures are medians over the rounds, and the range is that of the rounds' ratios.")
	p.line("Within a round the floor drifted by a factor of %.3f (median). %s\n", c.Drift, c.others())
	shown := 0
	for _, f := range c.Figures {
		if f.Connections == c.Figures[0].Connections {
			p.line("- `%s`: %s", f.Subject, f.About)
			shown++
		}
	}
	p.line("")
	for i := 0; i < len(c.Figures); i += shown {
		p.line("**%d connections**\n", c.Figures[i].Connections)
		p.line("![reads a second, compared with the floor](%s)\n", chartName(c.Figures[i].Connections))
		var rows [][]string
		for _, f := range c.Figures[i : i+shown] {
			plugin, memory := "none", "none"
			if f.Memory > 0 {
				plugin, memory = short(f.PluginCPU), fmt.Sprintf("%d MiB", f.Memory>>20)
			}
			rows = append(rows, []string{
				"`" + f.Subject + "`", fmt.Sprintf("%.0f", f.Rate), fmt.Sprintf("**%.2f** (%.2f to %.2f)", f.Ratio, f.Low, f.High),
				short(f.P50), short(f.P95), short(f.P99), fmt.Sprintf("%.2f", f.P99Ratio), short(f.VaultCPU), plugin, fmt.Sprintf("%.2f", f.CPURatio), memory,
			})
		}
		p.table([]string{"subject", "reads/s", "to the floor", "p50", "p95", "p99", "p99 to the floor's", "CPU a read, Vault", "CPU a read, plugin", "CPU to the floor's", "plugin's memory"}, rows)
	}
}

// writeVariants writes a comparison with the engine itself.
func (c *Comparison) writeVariants(p *page) {
	p.line("## What pays\n")
	p.line("The engine in other builds and with other settings, measured as above in %d rounds of %s each, but against the engine itself:", c.Rounds, c.Length)
	p.line("above 1.00 a variant makes more reads a second, or takes more processor time. %s\n", c.others())
	head := []string{"variant", "what it is"}
	var order []string
	rows := map[string][]string{}
	for _, f := range c.Figures {
		if f.Subject == c.Figures[0].Subject {
			head = append(head, fmt.Sprintf("reads/s, %d connections", f.Connections), "p99", "CPU a read")
			continue
		}
		if rows[f.Subject] == nil {
			rows[f.Subject] = []string{"`" + f.Subject + "`", f.About}
			order = append(order, f.Subject)
		}
		rows[f.Subject] = append(rows[f.Subject], fmt.Sprintf("**%.2f** (%.2f to %.2f)", f.Ratio, f.Low, f.High), fmt.Sprintf("%.2f", f.P99Ratio), fmt.Sprintf("%.2f", f.CPURatio))
	}
	var table [][]string
	for _, name := range order {
		table = append(table, rows[name])
	}
	p.table(head, table)
}

// short writes a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
}

func writeBreakGlass(p *page, sizes []*BreakGlass) {
	p.line("## Break glass\n")
	p.line("`vault write -force zoho/revoke` over credentials that have a grant and one living access token each, on raft storage. The build of before and this one")
	p.line("ran in turn on one server, over the same data, with a plugin that was just started. The accounts server answers at once and looks at no token. Figures")
	p.line("are for each access token that was revoked, medians over the rounds: a request that begins nothing more when its time is over has done less. Other work")
	p.line("on the machine makes both builds slower, so that only the ratios count. Again: `bin/bench -only glass -before <binary>`.\n")
	for _, g := range sizes {
		g.write(p)
	}
}

func (g *BreakGlass) write(p *page) {
	p.line("**%d credentials, rounds: %d**\n", g.Credentials, len(g.Now))
	micro := func(figure func(GlassRun) time.Duration) [2]float64 {
		f := func(r GlassRun) float64 { return float64(figure(r).Microseconds()) }
		return [2]float64{each(g.Before, f), each(g.Now, f)}
	}
	writes := func(r GlassRun) float64 { return float64(r.RaftWrites) }
	var rows [][]string
	for _, row := range []struct {
		what    string
		figures [2]float64
		format  string
	}{
		{"time", micro(func(r GlassRun) time.Duration { return r.Took }), "%.0f µs"},
		{"processor time of Vault", micro(func(r GlassRun) time.Duration { return r.Vault }), "%.0f µs"},
		{"processor time of the plugin", micro(func(r GlassRun) time.Duration { return r.Plugin }), "%.0f µs"},
		{"entries in Vault's raft log", [2]float64{each(g.Before, writes), each(g.Now, writes)}, "%.5f"},
		{"processor time of the accounts server and the client", micro(func(r GlassRun) time.Duration { return r.Bench }), "%.0f µs"},
	} {
		before, now := row.figures[0], row.figures[1]
		rows = append(rows, []string{row.what, fmt.Sprintf(row.format, before), fmt.Sprintf(row.format, now), fmt.Sprintf("%.2f", now/before)})
	}
	p.table([]string{"for each access token", "before", "now", "ratio"}, rows)
	for i := range g.Now {
		p.line("Round %d: %d access tokens in %s before, %d in %s now.", i+1, g.Before[i].Revoked, short(g.Before[i].Took), g.Now[i].Revoked, short(g.Now[i].Took))
	}
	p.line("")
}
