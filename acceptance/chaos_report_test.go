// What came of a chaos run? A page of figures as docs/reliability.md has them, and the
// servers' logs where something went wrong.

package acceptance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// strike is one fault, and for how long nothing could be read since: from this engine,
// and from Vault's own storage beside it.
type strike struct {
	kind        string
	zoho, vault time.Duration
}

// report is a table of the faults by kind, and what else was counted.
func (c *chaos) report(seed int, struck []strike, took time.Duration) string {
	kinds := map[string][]strike{}
	for _, s := range struck {
		kinds[s.kind] = append(kinds[s.kind], s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults with seed %d in %s, on %d cores. Afterwards %d grants were alive at Zoho, each of them stored.\n\n",
		len(struck), seed, took.Round(time.Second), runtime.NumCPU(), c.grants)
	if c.died > 0 {
		fmt.Fprintf(&b, "%d others were on their way into a plugin's process that was killed with SIGKILL, or stood still until its time limit was over.\n\n", c.died)
	}
	b.WriteString("| fault | times | unreadable: median | longest | longer than Vault's own storage: median | longest |\n|---|---|---|---|---|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		of := kinds[kind]
		fmt.Fprintf(&b, "| %s | %d |", kind, len(of))
		for _, measure := range []func(strike) time.Duration{
			func(s strike) time.Duration { return s.zoho },
			func(s strike) time.Duration { return s.zoho - s.vault },
		} {
			var all []time.Duration
			for _, s := range of {
				all = append(all, measure(s))
			}
			slices.Sort(all)
			fmt.Fprintf(&b, " %s | %s |", all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
		}
		b.WriteByte('\n')
	}
	if c.deluded > 0 {
		fmt.Fprintf(&b, "\n%d times a server of Vault went on as active though another one led, and was started anew.\n", c.deluded)
	}
	b.WriteString("\n| counted | |\n|---|---|\n")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(&b, "| %s | %d |\n", what, c.counts[what])
	}
	return b.String()
}

// keepLogs saves the servers' logs of a run that failed.
func keepLogs(t *testing.T, from string) {
	if !t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(from, "*.log")) // the pattern is good
	dir, err := os.MkdirTemp("", "chaos-logs-")
	if err != nil {
		t.Log(err)
		return
	}
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(log)), content, 0o600)
		}
		if err != nil {
			t.Log(err)
		}
	}
	t.Logf("the servers' logs are in %s", dir)
}
