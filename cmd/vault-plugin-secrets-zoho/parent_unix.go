//go:build !windows

// Parent process on Unix: a process whose parent ends is given another one.

package main

import (
	"os"
	"time"
)

// between is how long it takes at most to notice that Vault has ended.
const between = time.Second

// parentEnded returns nil when the process with id parent, which started this one,
// has ended. On Unix it never returns an error.
func parentEnded(parent int) error {
	for os.Getppid() == parent {
		time.Sleep(between)
	}
	return nil
}
