// What does a process use? What /proc tells: CPU time in ticks of the kernel, and
// resident memory.

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of CPU time; USER_HZ is 100 on every architecture that
// Go runs on.
const tick = time.Second / 100

// cpuTime returns how much CPU a process has used, 0 for one that is not there.
func cpuTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything; user and system time are the 12th and
	// 13th field after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// resident returns how much memory a process holds, in bytes.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// plugins returns the processes that a server runs for a command of its plugin
// folder, or for any.
func (s *server) plugins(command string) (pids []int) {
	folder := filepath.Join(s.folder, "plugins")
	entries, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, entry := range entries {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(entry)))
		if exe, err := os.Readlink(entry); err == nil && filepath.Dir(exe) == folder && (command == "" || filepath.Base(exe) == command) && parent(pid) == s.process.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

func parent(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(rest); len(fields) > 1 {
		ppid, _ := strconv.Atoi(fields[1])
		return ppid
	}
	return 0
}

// install copies a plugin to where Vault starts plugins from: each subject gets a file
// of its own, so that its process can be told from others.
func install(from, to string) (sha256Sum string, err error) {
	content, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), os.WriteFile(to, content, 0o700)
}

// usage is how much the processors have worked since the machine was started.
type usage struct {
	all, ours time.Duration
	at        time.Time
}

// used counts what is ours by the server, its plugins and this process.
func (s *server) used() usage {
	u := usage{at: time.Now()}
	// cpu, then user, nice, system, idle, iowait, irq, softirq and steal in ticks.
	for i, field := range strings.Fields(lines("/proc/stat")[0]) {
		if ticks, err := strconv.Atoi(field); err == nil && i <= 8 && i != 4 && i != 5 {
			u.all += time.Duration(ticks) * tick
		}
	}
	for _, pid := range append(s.plugins(""), os.Getpid(), s.process.Process.Pid) {
		u.ours += cpuTime(pid)
	}
	return u
}

// others is the part of all processors that somebody else used since then.
func (now usage) others(then usage) float64 {
	theirs := (now.all - then.all) - (now.ours - then.ours)
	return max(0, theirs.Seconds()/now.at.Sub(then.at).Seconds()/float64(runtime.NumCPU()))
}
