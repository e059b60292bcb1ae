// Tests of the parent process: when does the plugin believe that its Vault has ended?

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestMain lets this binary play two more processes: a Vault that starts a plugin and
// waits to be killed, and that plugin.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAY") {
	case "vault":
		playVault()
	case "plugin":
		playPlugin()
	default:
		os.Exit(m.Run())
	}
}

// playVault starts a plugin whose output is its own, and hangs.
func playVault() {
	plugin := exec.Command(os.Args[0])
	plugin.Env = append(os.Environ(), "PLAY=plugin")
	plugin.Stdout, plugin.Stderr = os.Stdout, os.Stderr
	if err := plugin.Run(); err != nil {
		fmt.Println("the plugin:", err)
	}
}

// playPlugin prints a line when it waits, and another when its parent has ended.
func playPlugin() {
	parent := os.Getppid()
	fmt.Println("waits")
	if err := parentEnded(parent); err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println("ended")
}

// The processes are real, so that this test shows the system calls of whatever
// platform it is run on.
func TestPluginNoticesThatItsKilledParentHasEnded(t *testing.T) {
	vault := exec.Command(os.Args[0])
	vault.Env = append(os.Environ(), "PLAY=vault")
	vault.Stderr = os.Stderr
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	vault.Stdout = write
	if err := vault.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if line := make([]byte, len("waits\n")); func() bool { _, err := io.ReadFull(read, line); return err != nil || string(line) != "waits\n" }() {
		t.Errorf("the plugin began with %q", line)
	}
	if err := vault.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	vault.Wait() // killed, which is its error
	rest, err := io.ReadAll(read)
	if err != nil || string(rest) != "ended\n" {
		t.Errorf("after its parent was killed the plugin said %q, %v", rest, err)
	}
}

// fakeProcess is a process of the operating system that a test makes up.
type fakeProcess struct {
	started    time.Time
	startedErr error
	waitErr    error
	waited     bool
	closed     int
}

func (p *fakeProcess) Started() (time.Time, error) { return p.started, p.startedErr }
func (p *fakeProcess) Wait() error                 { p.waited = true; return p.waitErr }
func (p *fakeProcess) Close() error                { p.closed++; return nil }

func TestParentHasEndedWhenItsProcessEndsOrItsIDIsFreeOrTakenByAYoungerProcess(t *testing.T) {
	self := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	refused := errors.New("access is denied")
	for name, test := range map[string]struct {
		process *fakeProcess
		openErr error
		waits   bool
		want    error
	}{
		"it ends":                           {process: &fakeProcess{started: self.Add(-time.Hour)}, waits: true},
		"it was created in the same tick":   {process: &fakeProcess{started: self}, waits: true},
		"no process has its id":             {openErr: fmt.Errorf("OpenProcess(7): %w", errNoParent)},
		"a younger process has its id":      {process: &fakeProcess{started: self.Add(time.Nanosecond)}},
		"it may not be opened":              {openErr: refused, want: refused},
		"its time of creation is not known": {process: &fakeProcess{startedErr: refused}, want: refused},
		"it cannot be waited for":           {process: &fakeProcess{started: self.Add(-time.Hour), waitErr: refused}, waits: true, want: refused},
	} {
		t.Run(name, func(t *testing.T) {
			err := awaitParent(7, func(id int) (parentProcess, error) {
				if id != 7 {
					t.Errorf("process %d is opened, want 7", id)
				}
				if test.openErr != nil {
					return nil, test.openErr
				}
				return test.process, nil
			}, self)
			if !errors.Is(err, test.want) {
				t.Errorf("awaitParent returned %v, want %v", err, test.want)
			}
			if test.process != nil && (test.process.waited != test.waits || test.process.closed != 1) {
				t.Errorf("waited is %v, want %v; closed %d times", test.process.waited, test.waits, test.process.closed)
			}
		})
	}
}

// os.Getppid returns -1 on Windows if it cannot list the processes. OpenProcess answers
// such an id as it answers that of a process that has ended.
func TestParentWithoutAnIDIsAnErrorAndNotAnEndedParent(t *testing.T) {
	for _, id := range []int{-1, 0} {
		err := awaitParent(id, func(int) (parentProcess, error) { return nil, errNoParent }, time.Now())
		if !errors.Is(err, errUnknownParent) {
			t.Errorf("awaitParent(%d) returned %v, want %v", id, err, errUnknownParent)
		}
	}
}

func TestProcessEndsAfterItsVaultHasEndedAndOnlyThen(t *testing.T) {
	for name, test := range map[string]struct {
		wait error
		want []string
	}{
		"Vault has ended":        {nil, []string{"finish", "exit 0"}},
		"nobody can notice that": {errors.New("access is denied"), []string{"warn access is denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			var did []string
			endWithVault(ending{
				wait:   func() error { return test.wait },
				finish: func() { did = append(did, "finish") },
				warn:   func(err error) { did = append(did, "warn "+err.Error()) },
				exit:   func(code int) { did = append(did, fmt.Sprint("exit ", code)) },
			})
			if fmt.Sprint(did) != fmt.Sprint(test.want) {
				t.Errorf("it did %q, want %q", did, test.want)
			}
		})
	}
}
