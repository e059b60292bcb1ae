// What is a node of the simulation? A process with its own memory and its door to the
// storage that all share, which may fail; it may die at any touch of it.

package backend_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
)

type simNode struct {
	h       *simulation
	number  int
	backend logical.Backend
	standby atomic.Bool
	dead    atomic.Bool
	// what it sees of storage since another node leads and it has not noticed: nothing
	// that it writes is taken
	deposed atomic.Pointer[simStored]

	// h.mu guards the rest.
	mood   simMood
	failed time.Time // when storage last failed here
	lag    int       // invalidations on their way here
	told   time.Time // when the last one arrived
}

// simMood is trouble that storage makes for whoever comes next.
type simMood struct {
	left   int // operations
	odds   int // in 100
	random *rand.Rand
	kinds  []simTroubleKind
}

var (
	errSimDisk  = errors.New("disk full")
	errSimDead  = errors.New("this process is dead")
	errSimLate  = errors.New("storage timed out")
	errSimWrite = errors.New(logical.ErrReadOnly.Error()) // as it comes over the plugin bridge
)

func (h *simulation) newNode(standby bool) *simNode {
	h.mu.Lock()
	clear(h.behind) // it has what is stored when it begins
	h.mu.Unlock()
	h.nodes++
	n := &simNode{h: h, number: h.nodes}
	n.standby.Store(standby)
	conf := logical.TestBackendConfig()
	conf.System = simSystem{logical.TestSystemView(), n}
	conf.StorageView = &simDoor{node: n}
	conf.EventsSender = h.events
	conf.Logger = hclog.New(&hclog.LoggerOptions{Output: h.logs, Level: hclog.Debug, DisableTime: true})
	b, err := h.factory(&simWire{n})(context.Background(), conf)
	if err != nil {
		h.t.Fatal(err)
	}
	n.backend = b
	return n
}

// factory makes backends. Here goes what makes caches smaller than the number of
// grants (h.cacheSize), once that can be chosen.
func (h *simulation) factory(wire http.RoundTripper) logical.Factory {
	return backend.NewSmallFactory(wire, h.cacheSize)
}

// die ends a process: nothing it does from now on has any effect.
func (n *simNode) die() {
	if n.dead.Swap(true) {
		return
	}
	h := n.h
	stored := h.contents()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.torn = true
	h.notef("node %d dies", n.number)
	for grant, r := range h.received {
		// What Zoho gave it moments ago, and what it had no time to store.
		if r.node == n && time.Since(r.at) < simMoment && !stored.hold(grant) {
			h.lost[grant] = true
		}
	}
	for _, r := range h.revoking {
		if r.node == n && r.over == 0 {
			h.cutShort(r)
		}
	}
}

// simMoment is longer than any request works on what Zoho gave it.
const simMoment = 3 * time.Minute

// simSystem is what Vault tells a node about itself.
type simSystem struct {
	*logical.StaticSystemView
	node *simNode
}

func (s simSystem) ReplicationState() consts.ReplicationState {
	if s.node.standby.Load() {
		return consts.ReplicationPerformanceStandby
	}
	return consts.ReplicationUnknown
}

// simDoor is a node's way to storage, for one request or, without one, for all.
type simDoor struct {
	node *simNode
	ask  *simRequest
}

// trouble is what the next operation meets.
func (d *simDoor) trouble() simPlan {
	if d.ask != nil {
		n := int(d.ask.operations.Add(1))
		if p := d.ask.plan; p.kind != noTrouble && p.kind < diesBeforeCall && (n == p.nth || n > p.nth && p.kind == staysAway) {
			return p
		}
	}
	d.node.h.mu.Lock()
	defer d.node.h.mu.Unlock()
	m := &d.node.mood
	if m.left == 0 {
		return simPlan{}
	}
	if m.left--; m.random.IntN(100) >= m.odds {
		return simPlan{}
	}
	return simPlan{kind: m.kinds[m.random.IntN(len(m.kinds))], long: time.Duration(1+m.random.IntN(5000)) * time.Millisecond}
}

func (d *simDoor) perform(ctx context.Context, op, key string, work func() error) error {
	n, h := d.node, d.node.h
	h.gate.move()
	writes := op == "put" || op == "delete"
	if writes && d.ask != nil {
		d.ask.writes.Add(1)
	}
	if n.dead.Load() {
		return errSimDead
	}
	if err := ctx.Err(); err != nil {
		return n.fail(err)
	}
	if n.standby.Load() && writes {
		h.wrong("standby writes", "%s %s at a node that may not write", op, key)
		return errSimWrite
	}
	if n.deposed.Load() != nil && writes {
		return n.fail(errSimLate)
	}
	p := d.trouble()
	if p.kind != noTrouble && d.ask != nil && p.nth > 0 {
		h.note("#%d: storage %s at %s %s", d.ask.number, p.kind, op, h.unnamed(key))
	}
	switch p.kind {
	case blocks:
		h.waiting.Add(1)
		err := h.gate.block(ctx, p.long)
		h.waiting.Add(-1)
		if err != nil {
			return n.fail(err)
		}
	case fails, staysAway:
		return n.fail(errSimDisk)
	case diesBefore:
		n.die()
	}
	if n.dead.Load() {
		return errSimDead
	}
	if d.ask != nil && d.ask.forgets && op == "delete" && (key == "creds/"+d.ask.name || strings.HasPrefix(key, "due/")) {
		h.mu.Lock()
		h.forgetGrant(d.ask.name)
		h.mu.Unlock()
	}
	replicated := func() {}
	if writes {
		replicated = h.replicate(n, key)
	}
	if n.deposed.Load() != nil && writes {
		return n.fail(errSimLate) // while it was blocked
	}
	if err := work(); err != nil {
		return n.fail(err)
	}
	replicated()
	switch {
	case p.kind == failsHavingDone && writes:
		return n.fail(errSimLate)
	case p.kind == diesAfter:
		n.die()
		return errSimDead
	}
	return nil
}

// fail notes that storage failed here.
func (n *simNode) fail(err error) error {
	n.h.mu.Lock()
	defer n.h.mu.Unlock()
	n.failed, n.h.torn = time.Now(), true
	return err
}

func (d *simDoor) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = d.perform(ctx, "get", key, func() (err error) {
		entry, err = d.node.sees(key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entry, nil
}

func (d *simDoor) List(ctx context.Context, prefix string) (names []string, err error) {
	err = d.perform(ctx, "list", prefix, func() (err error) {
		names, err = d.node.h.disk.List(context.Background(), prefix)
		return err
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

func (d *simDoor) Put(ctx context.Context, e *logical.StorageEntry) error {
	return d.perform(ctx, "put", e.Key, func() error { return d.node.h.disk.Put(context.Background(), e) })
}

func (d *simDoor) Delete(ctx context.Context, key string) error {
	return d.perform(ctx, "delete", key, func() error { return d.node.h.disk.Delete(context.Background(), key) })
}

// sees is what a node finds in storage: the standby what has reached it.
func (n *simNode) sees(key string) (*logical.StorageEntry, error) {
	if frozen := n.deposed.Load(); frozen != nil {
		if value, ok := (*frozen)[key]; ok {
			return &logical.StorageEntry{Key: key, Value: []byte(value)}, nil
		}
		return nil, nil
	}
	h := n.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if earlier := h.behind[key]; n.standby.Load() && len(earlier) > 0 {
		return earlier[0], nil
	}
	return h.disk.Get(context.Background(), key)
}

// replicate is what Vault does with a write before and after it: it reaches the standby
// some time later, and then the standby's memory is told, soon, late or twice, and not
// in the order of the writes.
func (h *simulation) replicate(writer *simNode, key string) (written func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.standby
	if s == nil || s == writer {
		return func() {}
	}
	if h.lag == 0 {
		return func() { s.backend.InvalidateKey(context.Background(), key) }
	}
	h.writes++
	reaches, told, again := h.lag, time.Duration(0), h.stale && h.writes%5 == 0
	if h.stale {
		reaches, told = h.lag*time.Duration(1+h.writes%3)/3, h.lag*time.Duration(h.writes%4)/3
		before, _ := h.disk.Get(context.Background(), key) // this storage never fails
		h.behind[key] = append(h.behind[key], before)
	}
	s.lag++
	return func() {
		h.background.Go(func() {
			passes(reaches)
			h.mu.Lock()
			if h.stale && s == h.standby && len(h.behind[key]) > 0 {
				h.behind[key] = h.behind[key][1:]
			}
			h.mu.Unlock()
			passes(told)
			h.gate.move()
			s.backend.InvalidateKey(context.Background(), key)
			h.mu.Lock()
			s.lag--
			s.told = time.Now()
			h.mu.Unlock()
			if again {
				passes(h.lag)
				s.backend.InvalidateKey(context.Background(), key)
			}
		})
	}
}
