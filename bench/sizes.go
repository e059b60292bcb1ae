// What does a mount cost that holds many credentials? Copies of one are put into its
// storage by another plugin in its place (fill).

package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vault-plugin-secrets-zoho/bench/constant"
)

// Size is what a mount with so many credentials costs.
type Size struct {
	Credentials int
	Warm        time.Duration // p50 of a warm read
	Cold        time.Duration // p50 of a read of a credential that memory does not know
	Missing     float64       // reads a second, 16 connections, of more credentials than memory holds, in turn; 0 where there are fewer
	Status      time.Duration // p50
	Page        time.Duration // of a list: 100 names from its middle
	List        time.Duration // all names
	BreakGlass  time.Duration // one request that revokes the tokens of all credentials; Vault allows 90 s
	Revoked     int           // credentials whose tokens were revoked by it
	Restart     time.Duration // from unseal to the first token
	Memory      int64         // of the plugin, after all that
	MemoryFresh int64         // after the restart, with one credential read
	IdleCPU     time.Duration // of the plugin in a minute with nobody reading
	IdleWrites  int64         // raft entries of that time
	IdleFor     time.Duration // measured over
	Database    int64         // bytes of the raft database's file
}

// remembered is how many credentials the engine's memory holds.
const remembered = 10_000

// fill copies a credential until there are n, each with a token that lives.
func (o *options) fill(s *server, z *simulated, n int) error {
	// The one to copy has one token; that of app has a record of all that was measured.
	if _, err := s.read(engineName + "/creds/template"); err != nil {
		if err := z.connect(s, engineName, "template"); err != nil {
			return err
		}
	}
	return o.fillFrom(s, engineName, "template", n)
}

// fillFrom copies a credential of a mount until there are n.
func (o *options) fillFrom(s *server, mount, template string, n int) error {
	return s.instead(mount, o.filler, func() error {
		const each = 20_000 // in one request, which has 90 s
		for from := 1; from < n; from += each {
			if err := s.ask("POST", mount+"/fill", map[string]any{"template": template, "from": from, "to": min(from+each, n)}, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *options) size(s *server, z *simulated, n int) (*Size, error) {
	progress("%d credentials: filling storage", n)
	if err := o.fill(s, z, n); err != nil {
		return nil, err
	}
	progress("%d credentials: measuring", n)
	size := &Size{Credentials: n}
	path := func(i int) string {
		if i%n == 0 {
			return engineName + "/creds/app"
		}
		return engineName + "/creds/" + constant.Copy(i%n)
	}
	// A restart empties memory.
	s.stop(syscall.SIGTERM)
	if err := s.start(); err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := s.unseal(); err != nil {
		return nil, err
	}
	if err := s.firstRead(engineName + "/creds/app"); err != nil {
		return nil, err
	}
	size.Restart, size.MemoryFresh = time.Since(begun), s.memory(engineName)
	p50 := func(turns int, next func(connection, turn int) string) (time.Duration, error) {
		l, err := once(s, 1, turns, next)
		if err == nil && l.Failures > 0 {
			err = fmt.Errorf("%d of %d reads failed, such as of %s", l.Failures, turns, next(0, 0))
		}
		if err != nil {
			return 0, err
		}
		return l.percentile(0.5), nil
	}
	var err error
	if n > 1 {
		// Far apart, each once.
		cold := min(n-1, 500)
		if size.Cold, err = p50(cold, func(_, turn int) string { return path(1 + turn*((n-1)/cold)) }); err != nil {
			return nil, err
		}
	}
	if size.Warm, err = p50(2000, same(path(0))); err != nil {
		return nil, err
	}
	if size.Status, err = p50(200, same(engineName+"/status/app")); err != nil {
		return nil, err
	}
	if n > remembered {
		each := n / 16
		l, err := once(s, 16, min(each, 2000), func(connection, turn int) string { return path(1 + connection*each + turn) })
		if err != nil {
			return nil, err
		}
		if l.Failures > 0 {
			return nil, fmt.Errorf("%d of %d reads past memory failed", l.Failures, l.Requests)
		}
		size.Missing = l.Rate()
	}
	list := func(query url.Values) (time.Duration, error) {
		begun := time.Now()
		err := s.ask("GET", engineName+"/creds?list=true&"+query.Encode(), nil, nil)
		return time.Since(begun), err
	}
	if size.Page, err = list(url.Values{"limit": {"100"}, "after": {constant.Copy(n / 2)}}); err != nil && !isStatus(err, 404) {
		return nil, err
	}
	if size.List, err = list(nil); err != nil {
		return nil, err
	}
	size.Memory = s.memory(engineName)
	if file, err := os.Stat(filepath.Join(s.folder, s.name, "vault.db")); err == nil {
		size.Database = file.Size()
	}
	size.IdleFor = 20 * time.Second
	if o.short {
		size.IdleFor = time.Second
	}
	pid := s.pid(engineName)
	cpu, index := cpuTime(pid), s.raftIndex()
	time.Sleep(size.IdleFor)
	size.IdleCPU = time.Duration(float64(cpuTime(pid)-cpu) / size.IdleFor.Minutes())
	size.IdleWrites = s.raftIndex() - index
	size.BreakGlass, size.Revoked, err = breakGlass(s)
	return size, err
}

// breakGlass revokes the access tokens of all credentials, as far as one request does.
func breakGlass(s *server) (took time.Duration, revoked int, err error) {
	var told struct {
		Data struct {
			Results map[string]struct{ Error string }
		}
	}
	begun := time.Now()
	err = s.ask("POST", engineName+"/revoke", nil, &told)
	took = time.Since(begun)
	for _, result := range told.Data.Results { // what was not reached is not among them
		if result.Error == "" {
			revoked++
		}
	}
	return took, revoked, err
}

func (s *server) pid(command string) int {
	if pids := s.plugins(command); len(pids) > 0 {
		return pids[0]
	}
	return 0
}

func (s *server) memory(command string) int64 { return resident(s.pid(command)) }

// firstRead waits until a path answers.
func (s *server) firstRead(path string) error {
	var last error
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(2 * time.Millisecond) {
		if last = s.ask("GET", path, nil, nil); last == nil {
			return nil
		}
	}
	return last
}
