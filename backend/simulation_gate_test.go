// How can storage block in a bubble? A goroutine that waits for a mutex keeps the
// bubble's clock from running; if its holder waits in storage, neither ever ends. So
// a blocked operation ends early when somebody is stuck behind it.

package backend_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// gate holds the storage operations that are blocked.
type gate struct {
	mu       sync.Mutex
	blocked  []chan struct{}
	watching bool
	open     bool // nothing blocks any more
	stack    []byte
}

// block waits until the time is over, or somebody is stuck.
func (g *gate) block(ctx context.Context, d time.Duration) error {
	g.mu.Lock()
	if g.open {
		g.mu.Unlock()
		return nil
	}
	release := make(chan struct{})
	g.blocked = append(g.blocked, release)
	g.mu.Unlock()
	g.move()
	timer := time.NewTimer(d)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-release:
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	for i, b := range g.blocked {
		if b == release {
			g.blocked = append(g.blocked[:i], g.blocked[i+1:]...)
			break
		}
	}
	g.mu.Unlock()
	g.move()
	return err
}

// move is called wherever a goroutine comes from a wait, or begins: it may run into
// a mutex next.
func (g *gate) move() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.blocked) > 0 && !g.watching {
		g.watching = true
		go g.watch()
	}
}

// watch ends when nobody runs any more, having released who is in somebody's way.
func (g *gate) watch() {
	for {
		for range 20 {
			runtime.Gosched()
		}
		running, stuck := g.look()
		if running {
			continue
		}
		// Nothing changes before this goroutine ends: the clock stands still.
		g.mu.Lock()
		if stuck {
			g.release()
		}
		g.watching = false
		g.mu.Unlock()
		return
	}
}

// release lets all go on; g.mu is held.
func (g *gate) release() {
	for _, b := range g.blocked {
		close(b)
	}
	g.blocked = nil
}

func (g *gate) openForGood() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
	g.release()
}

// look tells whether another goroutine runs, and whether one of the bubble waits for a
// mutex. The runtime alone knows.
func (g *gate) look() (running, stuck bool) {
	if g.stack == nil {
		g.stack = make([]byte, 1<<20)
	}
	ourselves := true // comes first
	for line := range strings.Lines(string(g.stack[:runtime.Stack(g.stack, true)])) {
		if !strings.HasPrefix(line, "goroutine ") {
			continue
		}
		_, state, _ := strings.Cut(line, "[")
		is := func(prefixes ...string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(state, p) })
		}
		switch {
		case ourselves:
			ourselves = false
		case strings.Contains(state, "(durable)"):
		case !strings.Contains(state, "synctest bubble"):
			// The collector takes a goroutine out of its bubble for a moment.
			running = running || is("running", "runnable", "GC assist", "preempted", "waiting", "copystack")
		case is("sync.", "semacquire"):
			stuck = true
		default:
			running = true
		}
	}
	return running, stuck
}
