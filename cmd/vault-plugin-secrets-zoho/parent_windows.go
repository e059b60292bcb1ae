// Parent process on Windows: the id of a parent never changes, also after it has
// ended, so this process holds a handle of it and waits for that.

package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
)

// parentEnded returns nil when the process with id parent, which started this one,
// has ended, and an error if Windows does not let this process wait for it.
func parentEnded(parent int) error {
	self, err := windowsProcess{windows.CurrentProcess()}.Started()
	if err != nil {
		return fmt.Errorf("reading when this process was created: %w", err)
	}
	return awaitParent(parent, openProcess, self)
}

// openProcess opens a process for the two questions of awaitParent.
func openProcess(id int) (parentProcess, error) {
	handle, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(id))
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) { // what OpenProcess documents for an id that no process has
		return nil, errNoParent
	}
	if err != nil {
		return nil, fmt.Errorf("OpenProcess(%d): %w", id, err)
	}
	return windowsProcess{handle}, nil
}

// A windowsProcess is a handle of a process.
type windowsProcess struct{ handle windows.Handle }

func (p windowsProcess) Started() (time.Time, error) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(p.handle, &created, &exited, &kernel, &user); err != nil {
		return time.Time{}, fmt.Errorf("GetProcessTimes: %w", err)
	}
	return time.Unix(0, created.Nanoseconds()), nil
}

func (p windowsProcess) Wait() error {
	event, err := windows.WaitForSingleObject(p.handle, windows.INFINITE)
	if err != nil {
		return fmt.Errorf("WaitForSingleObject: %w", err)
	}
	if event != windows.WAIT_OBJECT_0 {
		return fmt.Errorf("WaitForSingleObject returned %#x", event)
	}
	return nil
}

func (p windowsProcess) Close() error { return windows.CloseHandle(p.handle) }
