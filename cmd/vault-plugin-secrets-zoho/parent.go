// Parent process: how the plugin notices that the Vault that started it has ended.

package main

import (
	"errors"
	"fmt"
	"time"
)

// A parentProcess is the process that the operating system names as the parent.
type parentProcess interface {
	// Started is when that process was created.
	Started() (time.Time, error)
	// Wait returns nil when that process has ended, and an error if the operating
	// system refuses to wait for it.
	Wait() error
	// Close releases the process. It does not end it.
	Close() error
}

// errNoParent is the error of opening a process that does not exist any more.
var errNoParent = errors.New("no process has this id")

// errUnknownParent is the error of a parent without an id: Windows gave none, or zero,
// which is no process that starts others.
var errUnknownParent = errors.New("the operating system does not name the parent process")

// awaitParent returns nil when the process with this id, which is the parent, has
// ended, and an error if that cannot be found out. Some operating systems keep the id of a parent that has ended and give
// it to a later process, so a process that is younger than this one (self: when this
// one was created) is not the parent.
func awaitParent(id int, open func(id int) (parentProcess, error), self time.Time) error {
	if id <= 0 { // os.Getppid returns -1 if Windows refuses the list of processes
		return fmt.Errorf("parent id %d: %w", id, errUnknownParent)
	}
	parent, err := open(id)
	if errors.Is(err, errNoParent) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the parent process: %w", err)
	}
	defer parent.Close()
	started, err := parent.Started()
	if err != nil {
		return fmt.Errorf("reading when the parent process was created: %w", err)
	}
	if started.After(self) {
		return nil
	}
	if err := parent.Wait(); err != nil {
		return fmt.Errorf("waiting for the parent process to end: %w", err)
	}
	return nil
}

// An ending is what a plugin does when Vault has ended without ending it: Vault was
// killed, or crashed.
type ending struct {
	wait   func() error // returns nil when Vault has ended; an error if that cannot be noticed
	finish func()       // stores or revokes every grant that Zoho gave
	warn   func(error)  // tells why nobody watches Vault
	exit   func(int)
}

// endWithVault ends the process when Vault has ended. If that cannot be noticed, the
// process goes on and the log says so: a plugin that ended while Vault runs would
// fail every mount.
func endWithVault(e ending) {
	if err := e.wait(); err != nil {
		e.warn(err)
		return
	}
	e.finish()
	e.exit(0)
}
