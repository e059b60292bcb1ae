// What should the compiler make fast? What the plugin does under load, taken from a
// build with the tag profile.

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// profile writes what the engine did while it was read from to a file.
func (o *options) profile(s *server, z *simulated, to string) error {
	path := filepath.Join(s.folder, "cpu.pprof")
	if err := s.mountWith("profiled", o.engine, map[string]any{"env": []string{"ZOHO_CPU_PROFILE=" + path}}); err != nil {
		return err
	}
	if err := z.prepare(s, "profiled"); err != nil {
		return err
	}
	for _, connections := range []int{16, 1, 64} {
		if _, err := put(s, connections, time.Duration(o.length)*5*time.Millisecond, same("profiled/creds/app")); err != nil {
			return err
		}
	}
	for _, pid := range s.plugins("profiled") {
		if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
			return err
		}
	}
	var taken []byte
	err := s.await("profiled", func() (done bool) {
		var err error
		taken, err = os.ReadFile(path + ".done")
		return err == nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(to, taken, 0o644)
}
