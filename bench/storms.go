// What happens when everybody comes at once? Over real HTTP, with a Zoho that takes its
// time, is out of order or hangs.

package main

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Fresh is what a read costs that has a token minted. What it is compared with is measured
// in turn with it, each after a pause as long as Zoho's answer: a machine that has nothing
// to do takes longer to wake up.
type Fresh struct {
	Reads       int
	Zoho        time.Duration // its answer time, mean
	P50, P99    time.Duration // of the read
	RaftWrites  float64       // entries of Vault's raft log for each
	WarmRead    time.Duration // p50 of a warm read
	PluginWrite time.Duration // p50 of a request that has a plugin store one entry
	PlainWrite  time.Duration // p50 of a write to kv version 1, which needs no plugin
}

// Put is what one entry costs that a plugin stores: the way to Vault, raft and the disk.
func (f *Fresh) Put() time.Duration { return max(0, f.PluginWrite-f.WarmRead) }

// Rest is what of a fresh read neither Zoho nor storage explains.
func (f *Fresh) Rest() time.Duration {
	return f.P50 - f.Zoho - f.WarmRead - time.Duration(f.RaftWrites*float64(f.Put()))
}

// Storm is one crowd.
type Storm struct {
	About       string
	Readers     int
	Took        time.Duration // until the last one was answered
	P50, P99    time.Duration
	Failed      int
	Calls       int64 // that reached Zoho, without checks of whether it answers
	AtOnce      int64 // of these, at most
	Connections int64 // to Zoho that were opened
	RaftWrites  int64
	// Warm readers of another credential beside it, where some were.
	WarmBefore, WarmDuring time.Duration // p99
}

// raftIndex counts what was ever written to storage.
func (s *server) raftIndex() int64 {
	var leader struct {
		Index int64 `json:"raft_applied_index"`
	}
	_ = s.ask("GET", "sys/leader", nil, &leader)
	return leader.Index
}

const zohosTime = 200 * time.Millisecond // a distant accounts server's answer

// fresh measures reads with max_age=0, one after the other.
func (o *options) fresh(s *server, z *simulated) (*Fresh, error) {
	turns := 50
	if o.short {
		turns = 5
	}
	f := &Fresh{Reads: turns, Zoho: 20 * time.Millisecond}
	z.delay.Store(int64(f.Zoho))
	defer z.delay.Store(0)
	z.forget()
	var fresh, warm, stored, plain Load
	writes := int64(0)
	for range turns {
		for _, part := range []struct {
			of           *Load
			method, path string
			body         any
		}{
			{&fresh, "GET", engineName + "/creds/app?max_age=0", nil},
			{&warm, "GET", engineName + "/creds/app", nil},
			{&stored, "POST", "storage/creds/other", map[string]any{}},
			{&plain, "POST", "kv1/plain", map[string]any{"v": "x"}},
		} {
			index := s.raftIndex()
			time.Sleep(time.Duration(z.delay.Load()))
			start := time.Now()
			if err := s.ask(part.method, part.path, part.body, nil); err != nil {
				return nil, err
			}
			part.of.latencies = append(part.of.latencies, time.Since(start))
			if part.of == &fresh {
				writes += s.raftIndex() - index
			}
		}
	}
	p50 := func(l *Load) time.Duration { return sorted(l.latencies).percentile(0.5) }
	f.Zoho = time.Duration(z.busy.Load() / max(1, z.calls.Load()))
	f.P50, f.WarmRead, f.PluginWrite, f.PlainWrite = p50(&fresh), p50(&warm), p50(&stored), p50(&plain)
	f.P99, f.RaftWrites = fresh.percentile(0.99), float64(writes)/float64(turns)
	return f, nil
}

// chill makes credentials whose tokens are over: they were connected while Zoho's
// tokens lived shortly.
func (o *options) chill(s *server, z *simulated, names []string) error {
	const life = 10 * time.Second
	z.life(life)
	defer z.life(time.Hour)
	if err := together(32, names, func(name string) error { return z.connect(s, engineName, name) }); err != nil {
		return err
	}
	time.Sleep(life + 2*time.Second)
	return nil
}

// together runs work for each name, so many at a time.
func together(width int, names []string, work func(name string) error) error {
	var group errgroup.Group
	group.SetLimit(width)
	for _, name := range names {
		group.Go(func() error { return work(name) })
	}
	return group.Wait()
}

func (o *options) storms(s *server, z *simulated) ([]Storm, error) {
	readers := 1000
	if o.short {
		readers = 50
	}
	many := make([]string, readers)
	for i := range many {
		many[i] = fmt.Sprintf("many%d", i)
	}
	const one, failing, hanging = "one", "failing", "hanging"
	progress("storms: connecting %d credentials", readers)
	if err := o.chill(s, z, append([]string{one, failing, hanging}, many...)); err != nil {
		return nil, err
	}
	calm := func() (time.Duration, error) {
		l, err := put(s, 4, time.Second, same(engineName+"/creds/app"))
		if err != nil {
			return 0, err
		}
		return l.percentile(0.99), nil
	}
	var made []Storm
	// crowd lets everybody read once, and warm readers beside them if that is asked.
	crowd := func(storm Storm, beside bool, next func(connection, turn int) string) error {
		progress("storm: %s", storm.About)
		storm.Readers = readers
		if beside {
			var err error
			if storm.WarmBefore, err = calm(); err != nil {
				return err
			}
		}
		z.forget()
		index := s.raftIndex()
		var during time.Duration
		var failed error
		var warm sync.WaitGroup
		if beside {
			warm.Go(func() { during, failed = calm() })
		}
		l, err := once(s, readers, 1, next)
		if err != nil {
			return err
		}
		warm.Wait()
		if failed != nil {
			return failed
		}
		storm.Took, storm.P50, storm.P99, storm.Failed = l.Took, l.percentile(0.5), l.percentile(0.99), l.Failures
		storm.Calls, storm.AtOnce, storm.Connections = z.calls.Load(), z.mostAtOnce.Load(), z.connections.Load()
		storm.RaftWrites, storm.WarmDuring = s.raftIndex()-index, during
		made = append(made, storm)
		return nil
	}
	to := func(name string) func(int, int) string { return same(engineName + "/creds/" + name) }
	z.delay.Store(int64(zohosTime))
	defer z.delay.Store(0)
	if err := crowd(Storm{About: "one cold credential; Zoho answers after 200 ms"}, false, to(one)); err != nil {
		return nil, err
	}
	z.failing.Store(true)
	err := crowd(Storm{About: "one cold credential; Zoho answers 503 after 200 ms"}, false, to(failing))
	z.failing.Store(false)
	if err != nil {
		return nil, err
	}
	// The next storm is not to begin with an outage.
	for range 20 {
		if err = s.ask("GET", engineName+"/creds/"+failing, nil, nil); err == nil {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("the engine gives no token although Zoho answers again: %w", err)
	}
	z.delay.Store(int64(2 * time.Second))
	if err := crowd(Storm{About: "one cold credential; Zoho hangs for 2 s; warm readers beside"}, true, to(hanging)); err != nil {
		return nil, err
	}
	z.delay.Store(int64(zohosTime))
	each := func(connection, _ int) string { return engineName + "/creds/" + many[connection] }
	if err := crowd(Storm{About: "as many different cold credentials; Zoho answers after 200 ms; warm readers beside"}, true, each); err != nil {
		return nil, err
	}
	return made, nil
}
