// How does a server start, and how does it end with everything it started?
// Each gets a process group of its own: Vault that is killed leaves its plugins
// behind, and only the group still finds them.

package acceptance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a process may take to start or stop, on a busy machine.
const patience = 2 * time.Minute

type process struct {
	stage *stage
	cmd   *exec.Cmd
	log   string
	done  chan struct{} // closed when it has ended
}

// start runs a program in the story's folder, with its output appended to a
// file of the story's servers.
func (w *world) start(output string, env []string, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(w.servers, output), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = out, out
	return w.launch(cmd, out.Name())
}

// launch runs a command with the story's environment and what it has of its own.
func (w *world) launch(cmd *exec.Cmd, log string) (*process, error) {
	s := w.stage
	p := &process{stage: s, cmd: cmd, log: log, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = append(w.env[:len(w.env):len(w.env)], cmd.Env...), w.dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	s.running[p] = true
	go func() {
		p.cmd.Wait() // how it ended does not matter to who ended it
		close(p.done)
	}()
	return p, nil
}

// signal reaches the whole group.
func (p *process) signal(what syscall.Signal) {
	syscall.Kill(-p.cmd.Process.Pid, what) // an empty group needs no signal
}

// stop asks politely, unless it is to die, and leaves no process of the group.
func (p *process) stop(how syscall.Signal) error {
	if how == syscall.SIGKILL {
		p.signal(how)
	} else {
		p.cmd.Process.Signal(how)
	}
	var err error
	select {
	case <-p.done:
	case <-time.After(patience):
		err = fmt.Errorf("%s did not stop within %s", filepath.Base(p.cmd.Path), patience)
	}
	p.signal(syscall.SIGKILL)
	p.stage.mu.Lock()
	defer p.stage.mu.Unlock()
	delete(p.stage.running, p)
	return err
}

// await polls until ready says yes or the process has ended.
func (p *process) await(what string, ready func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ready() {
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended before it was %s; its log ends:\n%s", filepath.Base(p.cmd.Path), what, p.tail())
		case <-deadline:
			return fmt.Errorf("%s was not %s within %s; its log ends:\n%s", filepath.Base(p.cmd.Path), what, patience, p.tail())
		}
	}
	return nil
}

func (p *process) tail() []byte {
	log, _ := os.ReadFile(p.log) // no log, no tail
	return log[max(0, len(log)-3000):]
}

// children are the processes that p started and that run a program of this
// name.
func (p *process) children(program string) []int {
	var found []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if name, parent := processStat(pid); parent == p.cmd.Process.Pid && name != "" && strings.HasPrefix(program, name) {
			found = append(found, pid)
		}
	}
	return found
}

// runs says whether a process is there and runs a program of this name.
func runs(pid int, program string) bool {
	name, _ := processStat(pid)
	return name != "" && strings.HasPrefix(program, name)
}

// processStat returns the name of a process, cut to 15 bytes, and its parent; no
// name if it has ended.
func processStat(pid int) (name string, parent int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// "pid (name) state ppid ..." (proc(5)).
	_, rest, _ := bytes.Cut(stat, []byte(" ("))
	end := bytes.LastIndex(rest, []byte(") "))
	fields := strings.Fields(string(rest[end+2:]))
	if fields[0] == "Z" {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1]) // the kernel writes a number
	return string(rest[:end]), parent
}
