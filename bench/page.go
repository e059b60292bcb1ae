// How does a reader see the results? As a page of tables, each with what it says.

package main

import (
	"fmt"
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

func (r *Results) page() string {
	p := &page{}
	m := r.Machine
	p.line("# Performance\n")
	p.line("Written by `make bench` on %s; do not edit it, run it again. Numbers: [performance.json](performance.json).\n", m.When)
	p.line("%d processors (%s), %s of memory, %s; Vault %s, %s, this engine %s.\n", m.Processors, m.Processor, m.Memory, m.Kernel, m.Vault, m.Go, m.Engine)
	if r.Comparison != nil {
		r.Comparison.write(p)
	}
	return p.String()
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
		var rows [][]string
		for _, f := range c.Figures[i : i+shown] {
			plugin, memory := "none", "none"
			if f.Memory > 0 {
				plugin, memory = short(f.PluginCPU), fmt.Sprintf("%d MiB", f.Memory>>20)
			}
			rows = append(rows, []string{
				"`" + f.Subject + "`", fmt.Sprintf("%.0f", f.Rate), fmt.Sprintf("**%.2f** (%.2f to %.2f)", f.Ratio, f.Low, f.High),
				short(f.P50), short(f.P95), short(f.P99), fmt.Sprintf("%.2f", f.P99Ratio), short(f.VaultCPU), plugin, memory,
			})
		}
		p.table([]string{"subject", "reads/s", "to the floor", "p50", "p95", "p99", "p99 to the floor's", "CPU a read, Vault", "CPU a read, plugin", "plugin's memory"}, rows)
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
