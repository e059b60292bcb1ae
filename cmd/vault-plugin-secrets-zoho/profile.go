//go:build profile

// Where does the plugin spend its time? A build of its own writes it down, for the
// compiler: default.pgo beside this file. See bench/profile.go.

package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// Vault starts a plugin and ends it, so it is a signal that ends the profile.
func init() {
	file, err := os.Create(os.Getenv("ZOHO_CPU_PROFILE"))
	if err != nil {
		return // Vault asks a plugin for its version without that
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		panic(err)
	}
	enough := make(chan os.Signal, 1)
	signal.Notify(enough, syscall.SIGUSR1)
	go func() {
		<-enough
		pprof.StopCPUProfile()
		file.Close()
		os.Rename(file.Name(), file.Name()+".done")
	}()
}
