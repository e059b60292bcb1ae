// What can happen to a cluster? Each fault strikes and returns; what it stopped is
// started again by whoever called it.

package acceptance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// fault is a way in which servers fail.
type fault struct {
	name   string
	strike func(c *chaos) (what string, err error)
}

// kinds are the faults, the worst of them more than once.
func (c *chaos) kinds() []fault {
	kinds := []fault{
		{"leader killed while a code is exchanged", (*chaos).killInExchange},
		{"leader killed while a code is exchanged", (*chaos).killInExchange},
		{"leader killed while a code is exchanged", (*chaos).killInExchange},
		{"leader killed", (*chaos).killLeader},
		{"leader steps down", (*chaos).stepDown},
		{"leader sealed", (*chaos).seal},
		{"leader stopped and continued", (*chaos).pauseLeader},
		{"followers stopped while a code is exchanged", (*chaos).pauseFollowers},
		{"plugin killed", (*chaos).killPlugin},
		{"plugin reloaded to another version", (*chaos).reload},
		{"audit device blocks", (*chaos).blockAudit},
	}
	if c.disks != "" {
		kinds = append(kinds, fault{"disk full", (*chaos).fillDisk})
	}
	return kinds
}

var errNotServing = errors.New("it does not serve")

// within draws a moment.
func (c *chaos) within(limit time.Duration) time.Duration {
	return time.Duration(c.rng.Int64N(int64(limit)))
}

func (c *chaos) killLeader() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	return leader.name, c.kill(leader)
}

// inExchange starts a connect whose code is exchanged slowly, and returns when Zoho has it.
func (c *chaos) inExchange(leader *node) error {
	name := fmt.Sprintf("op-killed-%d", c.rng.IntN(3))
	landed, err := c.consent(leader, name)
	if err != nil {
		return err
	}
	kind := []string{"slow", "slow-answer"}[c.rng.IntN(2)]
	body := fmt.Sprintf(`{"kind":%q,"endpoint":"token","times":1,"delay":%q}`, kind, (50*time.Millisecond + c.within(400*time.Millisecond)).String())
	before, err := c.exchanges()
	if err == nil {
		_, err = c.zoho.ask("POST", "/fault", []byte(body))
	}
	if err != nil {
		return err
	}
	paste := c.rng.IntN(2) == 0
	c.workers.Go(func() {
		err := c.finish(leader, name, landed, paste)
		c.count("connects under a fault" + map[bool]string{true: " answered", false: " failed"}[err == nil])
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.known[name] = "unknown"; err == nil {
			c.known[name] = "connected"
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if now, err := c.exchanges(); err != nil || now > before || time.Now().After(deadline) {
			return err
		}
	}
}

// exchanges is how many codes have arrived at Zoho.
func (c *chaos) exchanges() (int, error) {
	var counts struct {
		ByGrant map[string]int `json:"by_grant"`
	}
	answer, err := c.zoho.ask("GET", "/counts", nil)
	if err == nil {
		err = json.Unmarshal(answer, &counts)
	}
	return counts.ByGrant["authorization_code"], err
}

func (c *chaos) killInExchange() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	if err := c.inExchange(leader); err != nil {
		return "", err
	}
	wait := c.within(200 * time.Millisecond)
	time.Sleep(wait)
	return leader.name + " after " + wait.Round(time.Millisecond).String(), c.kill(leader)
}

func (c *chaos) stepDown() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	return leader.name, c.must(leader, "PUT", "sys/step-down", nil, nil)
}

func (c *chaos) seal() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	err = c.must(leader, "PUT", "sys/seal", nil, nil)
	c.pass(2 * time.Second)
	return leader.name, err
}

// pause is a time in which a server and its plugin stood still.
type pause struct{ from, to time.Time }

// pauseLeader stops the leader for long enough that another one takes over, and lets it
// go on as one that does not know.
func (c *chaos) pauseLeader() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	if c.rng.IntN(2) == 0 {
		if err := c.inExchange(leader); err != nil {
			return "", err
		}
	}
	wait := time.Second + c.within(8*time.Second)
	stopped := time.Now()
	leader.signal(syscall.SIGSTOP) // and its plugin
	c.pass(wait)
	leader.signal(syscall.SIGCONT)
	c.pauses = append(c.pauses, pause{stopped, time.Now()})
	return leader.name + " for " + wait.Round(time.Millisecond).String(), nil
}

func (c *chaos) pauseFollowers() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	if err := c.inExchange(leader); err != nil {
		return "", err
	}
	wait := 200*time.Millisecond + c.within(5*time.Second)
	for _, n := range c.nodes {
		if n != leader {
			n.signal(syscall.SIGSTOP)
		}
	}
	c.pass(wait)
	for _, n := range c.nodes {
		n.signal(syscall.SIGCONT)
	}
	return "for " + wait.Round(time.Millisecond).String(), nil
}

// killPlugin kills one that serves. A plugin that dies in the tenths of a second in which
// Vault (1.21.0) starts it leaves Vault with a client of a dead process, which it goes on
// using: no plugin answers there until the lead changes.
func (c *chaos) killPlugin() (string, error) {
	if status, answer, err := c.settled("zoho/creds/" + stable[0]); err != nil || status != http.StatusOK {
		return "", fmt.Errorf("before the plugin is killed: %d %s %w", status, answer, cmp.Or(err, errNotServing))
	}
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	pids := leader.children(pluginName) // whichever version: the kernel cuts names short
	c.pluginKills = append(c.pluginKills, time.Now())
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	return "of " + leader.name, nil
}

func (c *chaos) reload() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	if c.rng.IntN(2) == 0 {
		if err := c.inExchange(leader); err != nil {
			return "", err
		}
	}
	version := pluginVersion
	if c.version != nextVersion {
		version = nextVersion
	}
	c.version = version
	if err := c.must(leader, "POST", "sys/mounts/zoho/tune", map[string]any{"plugin_version": version}, nil); err != nil {
		return "", err
	}
	return "to " + version, c.must(leader, "PUT", "sys/plugins/reload/backend", map[string]any{"mounts": []string{"zoho/"}}, nil)
}

// blockableAudit is a pipe for an audit device, whose every request then waits for it.
func (c *chaos) blockableAudit() (path string, err error) {
	path = filepath.Join(c.servers, "audit.pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return "", err
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // opened for writing as well, it never ends
	if err != nil {
		return "", err
	}
	c.t.Cleanup(func() { pipe.Close() })
	go io.Copy(discard{c}, pipe) // ends when the pipe is closed
	return path, nil
}

// discard takes what the audit device writes, unless it is to block.
type discard struct{ c *chaos }

func (d discard) Write(b []byte) (int, error) {
	d.c.auditing.Lock()
	defer d.c.auditing.Unlock()
	return len(b), nil
}

func (c *chaos) blockAudit() (string, error) {
	wait := time.Second + c.within(6*time.Second)
	c.auditing.Lock()
	c.pass(wait)
	c.auditing.Unlock()
	return "for " + wait.Round(time.Millisecond).String(), nil
}

// storage is where servers keep their data: small disks of their own where this process
// may make such, so that one can be full.
func (c *chaos) storage(w *world) func(i int) string {
	dir := filepath.Join(w.servers, "disks")
	for i := range 3 {
		disk := filepath.Join(dir, fmt.Sprint(i))
		if os.MkdirAll(disk, 0o700) != nil {
			break
		}
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", disk).CombinedOutput(); err != nil {
			c.t.Logf("no disk will be full: %v %s", err, bytes.TrimSpace(out))
			break
		}
		c.t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
		if i == 2 {
			c.disks = dir
		}
	}
	return func(i int) string { return filepath.Join(dir, fmt.Sprint(i), "raft-data") }
}

func (c *chaos) fillDisk() (string, error) {
	leader, err := c.awaitActive()
	if err != nil {
		return "", err
	}
	var disk string
	for i, n := range c.nodes {
		if n == leader {
			disk = filepath.Join(c.disks, fmt.Sprint(i))
		}
	}
	ballast := filepath.Join(disk, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		return "", err
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	file.Close()
	_ = c.inExchange(leader) // nothing can be stored: the consent is refused, or its grant taken back
	wait := time.Second + c.within(4*time.Second)
	c.pass(wait)
	return leader.name + " for " + wait.Round(time.Millisecond).String(), os.Remove(ballast)
}
