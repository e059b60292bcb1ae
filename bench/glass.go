// Break glass in two builds: one request that revokes the access tokens of all
// credentials, by the build of before and by this one, in turn on the same server.

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vault-plugin-secrets-zoho/bench/constant"
)

// BreakGlass is what break glass costs in two builds.
type BreakGlass struct {
	Credentials int
	Before, Now []GlassRun // in the order of the rounds, one of each in a round
}

// GlassRun is one request that revokes the access tokens of all credentials.
type GlassRun struct {
	Took    time.Duration
	Revoked int // access tokens, as the accounts server counted them
	// Processor time of the request.
	Vault, Plugin, Bench time.Duration
	// RaftWrites are the entries of Vault's raft log.
	RaftWrites int64
}

const beforeName = "before"

// breakGlass measures both builds in turn. Before each request the access tokens live again.
func (o *options) breakGlass(s *server, z *simulated) (*BreakGlass, error) {
	g := &BreakGlass{Credentials: o.glass}
	if err := s.mount(beforeName, o.before); err != nil {
		return nil, err
	}
	if err := z.configure(s, beforeName); err != nil {
		return nil, err
	}
	z.revokesAtOnce.Store(true)
	defer z.revokesAtOnce.Store(false)
	for round := range o.rounds {
		order := []string{beforeName, engineName}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, mount := range order {
			progress("break glass: %d credentials, round %d: %s", o.glass, round+1, mount)
			run, err := o.glassRun(s, z, mount, round)
			if err != nil {
				return nil, err
			}
			progress("%s revoked %d access tokens in %s; processor time: Vault %s, plugin %s, this process %s; %d raft entries",
				mount, run.Revoked, short(run.Took), short(run.Vault), short(run.Plugin), short(run.Bench), run.RaftWrites)
			if mount == beforeName {
				g.Before = append(g.Before, run)
			} else {
				g.Now = append(g.Now, run)
			}
		}
	}
	return g, nil
}

// glassRun fills a mount and breaks its glass once.
func (o *options) glassRun(s *server, z *simulated, mount string, round int) (run GlassRun, err error) {
	// A new template each time: its access token lives, and so do those of its copies.
	template := fmt.Sprintf("template%d", round)
	if err := z.connect(s, mount, template); err != nil {
		return run, err
	}
	if err := o.fillFrom(s, mount, template, o.glass); err != nil {
		return run, err
	}
	// The plugin was started anew by the filling: its memory is empty.
	if err := s.firstRead(mount + "/creds/" + constant.Copy(1)); err != nil {
		return run, err
	}
	pid, self := s.pid(mount), os.Getpid()
	vault, plugin, bench, index := cpuTime(s.process.Process.Pid), cpuTime(pid), cpuTime(self), s.raftIndex()
	revoked := z.revoked.Load()
	begun := time.Now()
	err = s.ask("POST", mount+"/revoke", nil, nil)
	run.Took = time.Since(begun)
	run.Vault, run.Plugin, run.Bench = cpuTime(s.process.Process.Pid)-vault, cpuTime(pid)-plugin, cpuTime(self)-bench
	run.Revoked, run.RaftWrites = int(z.revoked.Load()-revoked), s.raftIndex()-index
	return run, err
}

// each returns the median of a figure of the runs for one access token.
func each(runs []GlassRun, figure func(GlassRun) float64) float64 {
	var figures []float64
	for _, r := range runs {
		figures = append(figures, figure(r)/float64(max(1, r.Revoked)))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// beforeBinary makes the path of the build of before absolute.
func (o *options) beforeBinary() (err error) {
	if o.before == "" {
		return fmt.Errorf("-only glass needs -before, the binary of another build of this engine")
	}
	if o.before, err = filepath.Abs(o.before); err != nil {
		return err
	}
	_, err = os.Stat(o.before)
	return err
}
