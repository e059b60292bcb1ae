//go:build !unix

package main

import "os/exec"

// detach has nothing to do where a terminal's Ctrl-C stays with the program.
func detach(*exec.Cmd) {}
