// Does load leave anything behind? Minutes of apps and operators on a real cluster whose
// Zoho keeps failing: memory, descriptors and goroutines of the one plugin process that
// serves all of it end where they were when it was warm.
//
// ZOHO_SOAK_MINUTES is for how long, ZOHO_CHAOS_SEED what Zoho's failures are drawn with.

package acceptance

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// usage is what a process has at a moment.
type usage struct {
	resident    int // KiB
	descriptors int
	threads     int
}

func (u usage) String() string {
	return fmt.Sprintf("%d KiB resident, %d descriptors, %d threads", u.resident, u.descriptors, u.threads)
}

func usageOf(pid int) (u usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmRSS":
			_, err = fmt.Sscan(value, &u.resident)
		case "Threads":
			_, err = fmt.Sscan(value, &u.threads)
		}
		if err != nil {
			return u, err
		}
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	u.descriptors = len(open)
	return u, err
}

func TestLoadLeavesNothingBehind(t *testing.T) {
	minutes, seed := numberFrom(t, "ZOHO_SOAK_MINUTES", 0), numberFrom(t, "ZOHO_CHAOS_SEED", 1)
	if minutes == 0 {
		t.Skip("make soak runs it")
	}
	c := newChaos(t, seed)
	ending, end := context.WithCancel(context.Background())
	c.ending = ending
	// One app more for each server, whose tokens are never warm for long.
	for i, n := range c.nodes {
		name := fmt.Sprintf("hasty-%d", i)
		err := c.lead(func(leader *node) error {
			if err := c.connect(leader, name, false); err != nil {
				return err
			}
			return c.changed(leader, "PUT", "zoho/creds/"+name, map[string]any{"max_age": 70})
		})
		if err != nil {
			t.Fatal(err)
		}
		c.workers.Go(func() { c.app(n, name) })
	}
	c.work()
	leader, err := c.awaitActive()
	if err != nil {
		t.Fatal(err)
	}
	pid := leader.children(pluginName)[0]
	var seen []usage
	look := func() usage {
		u, err := usageOf(pid)
		if err != nil {
			t.Fatalf("the plugin's process has ended: %v", err)
		}
		return u
	}
	for deadline := time.Now().Add(time.Duration(minutes) * time.Minute); time.Now().Before(deadline); {
		kind := []string{"status", "slow", "slow-answer", "reset", "garbage", "truncated", "throttle", "html"}[c.rng.IntN(8)]
		endpoint := []string{"token", "token", "revoke"}[c.rng.IntN(3)]
		fault := fmt.Sprintf(`{"kind":%q,"endpoint":%q,"times":%d,"status":503,"delay":%q}`, kind, endpoint, 1+c.rng.IntN(3), c.within(3*time.Second).String())
		if _, err := c.zoho.ask("POST", "/fault", []byte(fault)); err != nil {
			t.Fatal(err)
		}
		c.count("failures of Zoho: " + kind)
		c.pass(time.Second + c.within(2*time.Second))
		seen = append(seen, look())
	}
	end()
	c.workers.Wait()
	if _, err := c.zoho.ask("DELETE", "/faults", nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.problems {
		t.Error(p)
	}
	if wrong := c.zoho.unexpectedViolations(nil); len(wrong) > 0 {
		t.Errorf("Zoho complains: %s", strings.Join(wrong, "\n"))
	}
	// Warm after a quarter; what is measured is the most of a quarter, as the garbage
	// collector makes it go up and down.
	quarter := len(seen) / 4
	warm, last := most(seen[quarter:2*quarter]), most(seen[3*quarter:])
	t.Logf("%d looks at the plugin's process in %d minutes; the most in the second quarter: %s; in the last: %s", len(seen), minutes, warm, last)
	if last.resident > warm.resident*3/2 || last.descriptors > warm.descriptors+20 || last.threads > warm.threads+20 {
		t.Error("the plugin's process grows")
	}
	rest := look()
	goroutines, err := goroutinesOf(leader, pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("at rest: %s, %d goroutines", rest, goroutines)
	if goroutines > 64+150 { // those that wait for requests (internal/bridge), and gRPC's and those of the mount
		t.Errorf("%d goroutines are left", goroutines)
	}
	for name, n := range c.counts {
		t.Logf("%6d %s", n, name)
	}
}

// goroutinesOf ends a plugin's process with a list of its goroutines, which Vault logs.
func goroutinesOf(n *node, pid int) (int, error) {
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		return 0, err
	}
	if err := n.await("the end of its plugin", func() bool { return !runs(pid, pluginName) }); err != nil {
		return 0, err
	}
	count := 0
	err := n.await("a list of goroutines", func() bool {
		log, err := os.ReadFile(n.log)
		now := len(goroutineLine.FindAll(log, -1))
		settled := err == nil && now > 0 && now == count
		count = now
		return settled
	})
	return count, err
}

// goroutineLine begins a goroutine in what Go prints: "goroutine 7 [select]:".
var goroutineLine = regexp.MustCompile(`goroutine \d+ (gp=\S+ m=\S+ (mp=\S+ )?)?\[`)

func most(of []usage) (u usage) {
	for _, o := range of {
		u.resident, u.descriptors, u.threads = max(u.resident, o.resident), max(u.descriptors, o.descriptors), max(u.threads, o.threads)
	}
	return u
}
