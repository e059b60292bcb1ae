// How does a reader see the results? As a page of tables, each with what it says.

package main

import (
	"fmt"
	"strconv"
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

// busy tells whether others used the machine before the comparison began.
func (r *Results) busy() bool {
	load, err := strconv.ParseFloat(r.Comparison.LoadBefore, 64)
	return err == nil && load > float64(r.Machine.Processors)/2
}

func (r *Results) page() string {
	p := &page{}
	m := r.Machine
	p.line("# Performance\n")
	p.line("Written by `make bench` on %s; do not edit it, run it again. Numbers: [performance.json](performance.json).\n", m.When)
	p.line("%d processors (%s), %s of memory, %s; Vault %s, %s, this engine %s.\n", m.Processors, m.Processor, m.Memory, m.Kernel, m.Vault, m.Go, m.Engine)
	if r.Comparison != nil {
		if r.busy() {
			p.line("**The machine was busy with other work meanwhile** (a load of %s before and %s after, on %d processors): absolute figures are lower than they", r.Comparison.LoadBefore, r.Comparison.LoadAfter, m.Processors)
			p.line("would be on an idle one, latencies longer, and ratios rough. Processor time is what such a machine tells best.\n")
		}
		r.Comparison.write(p)
	}
	if r.Fresh != nil {
		r.Fresh.write(p)
	}
	if len(r.Storms) > 0 {
		writeStorms(p, r.Storms)
	}
	if len(r.Sizes) > 0 {
		writeSizes(p, r.Sizes)
	}
	if len(r.Starts) > 0 {
		writeStarts(p, r.Starts)
	}
	return p.String()
}

func writeSizes(p *page, sizes []*Size) {
	p.line("## Size\n")
	p.line("Credentials in storage, each with a grant and a stored token of its own. Memory holds %d at most; *missing* reads more than that in", remembered)
	p.line("turn, so that none of them is in memory. One connection where nothing else is said. After the storms their 1000 credentials are there, too: lists list them.\n")
	head := []string{"credentials"}
	rows := [][]string{{"warm read, p50"}, {"cold read, p50"}, {"missing reads/s, 16 connections"}, {"`status`, p50"}, {"list: one page of 100"}, {"list: all names, details of 1000"}, {"from unseal to the first token"}, {"plugin's memory after that"}, {"plugin's memory after all reads"}, {"idle: CPU a minute"}, {"idle: raft entries"}, {"raft database"}}
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
			short(s.IdleCPU), fmt.Sprintf("%d in %s", s.IdleWrites, s.IdleFor), megabytes(s.Database),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	p.table(head, rows)
}

func writeStarts(p *page, starts []*Start) {
	p.line("## Start\n")
	p.line("Until the first answer, medians of %d (failover: once); the stored token still lives. All subjects' plugins start with Vault.\n", starts[0].Times)
	var rows [][]string
	for _, s := range starts {
		rows = append(rows, []string{"`" + s.Subject + "`", short(s.Unseal), short(s.PluginKill), short(s.Failover), fmt.Sprintf("%.1f MB", float64(s.Binary)/1e6), megabytes(s.Memory)})
	}
	p.table([]string{"subject", "from unseal", "from the plugin's death", "from the active node's death, cluster of three", "binary", "memory when it has answered once"}, rows)
}

func megabytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

func (f *Fresh) write(p *page) {
	p.line("## A fresh read\n")
	p.line("Reads with `max_age=0`, one after the other, each of which has Zoho mint a token: %d reads, Zoho's answer takes %s.\n", f.Reads, short(f.Zoho))
	p.table([]string{"", "p50"}, [][]string{
		{"the read", short(f.P50)},
		{"of that, Zoho", short(f.Zoho)},
		{"the rest: what this engine, Vault and raft add", short(f.P50 - f.Zoho)},
		{"for comparison: one write to kv version 1", short(f.PlainWrite)},
		{"for comparison: a warm read", short(f.WarmRead)},
	})
	p.line("Entries in Vault's raft log for each read: %.2f. p99 of the read: %s.\n", f.RaftWrites, short(f.P99))
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
	p.line("Within a round the floor drifted by a factor of %.3f (median). The machine's load was %s before and %s after.\n", c.Drift, c.LoadBefore, c.LoadAfter)
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
