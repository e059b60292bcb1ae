// What is a script of the simulation? Settings and events. A random one and a
// fuzzer's are bytes; one that is kept is text, which stays good when actions are
// added.

package backend_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

type simScript struct {
	header [8]byte
	events []simEvent
}

// simEvent is one step. The bytes mean, as far as an action has a use for them: whose
// credential; how (does the script wait, has the caller patience, which node); what
// trouble storage makes; where; and two of the action's own.
type simEvent struct {
	action string
	args   [6]byte
}

const (
	simWho = iota
	simHow
	simTrouble
	simWhere
	simA
	simB
)

// maxSimEvents bounds what a fuzzer may ask for.
const maxSimEvents = 300

// randomSimBytes is reproducible by its seed.
func randomSimBytes(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 8+7*(20+random.IntN(100)))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func randomSimScript(seed uint64) simScript {
	s, _ := readSimBytes(randomSimBytes(seed))
	return s
}

// readSimBytes reads a fuzzer's script; ok is false if it is too short to mean
// anything.
func readSimBytes(b []byte) (s simScript, ok bool) {
	if len(b) < len(s.header)+7 {
		return s, false
	}
	b = b[copy(s.header[:], b):]
	for ; len(b) >= 7 && len(s.events) < maxSimEvents; b = b[7:] {
		e := simEvent{action: simActionAt(b[0])}
		copy(e.args[:], b[1:7])
		s.events = append(s.events, e)
	}
	return s, true
}

// simActionAt chooses an action by its weight.
func simActionAt(b byte) string {
	total := 0
	for _, a := range simActions() {
		total += a.weight
	}
	n := int(b) * total / 256
	for _, a := range simActions() {
		if n -= a.weight; n < 0 {
			return a.name
		}
	}
	panic("unreachable: weights add up")
}

// String is the script as parseSim reads it.
func (s simScript) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "settings %x", s.header)
	for _, e := range s.events {
		fmt.Fprintf(&b, "\n%s %x", e.action, e.args)
	}
	return b.String()
}

func parseSim(t testing.TB, text string) (s simScript) {
	t.Helper()
	for line := range strings.Lines(text) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if name == "settings" {
			copy(s.header[:], b)
			continue
		}
		if !slices.ContainsFunc(simActions(), func(a simAction) bool { return a.name == name }) {
			t.Fatalf("%q: no such action", line)
		}
		e := simEvent{action: name}
		copy(e.args[:], b)
		s.events = append(s.events, e)
	}
	return s
}

func choose[T any](b byte, from ...T) T { return from[int(b)%len(from)] }

// patience is how long the caller waits; 0 is for ever, as a plugin's context does.
func (e simEvent) patience() time.Duration {
	return choose(e.args[simHow]>>2, 0, 0, 0, 0, 0, 0, 50*time.Millisecond, 3*time.Second)
}

func (e simEvent) atStandby() bool { return e.args[simHow]>>5 == 7 }

func (e simEvent) atDeposed() bool { return e.args[simHow]>>5 > 3 }

// simTroubleKind is what storage, or the process, does to one request.
type simTroubleKind int

const (
	noTrouble simTroubleKind = iota
	blocks
	fails
	failsHavingDone
	staysAway
	diesBefore
	diesAfter
	diesBeforeCall
	diesAfterCall
)

func (k simTroubleKind) String() string {
	return [...]string{"", "blocks", "fails", "fails having done it", "fails from there on", "dies before it", "dies after it", "dies before the call", "dies after the call"}[k]
}

// simPlan is the trouble that one request meets at its nth operation, or call.
type simPlan struct {
	kind simTroubleKind
	nth  int
	long time.Duration
}

func (p simPlan) String() string {
	switch {
	case p.kind == noTrouble:
		return ""
	case p.kind == blocks:
		return fmt.Sprintf(" (storage blocks for %s at operation %d)", p.long, p.nth)
	case p.kind >= diesBeforeCall:
		return fmt.Sprintf(" (the process %s to Zoho, number %d)", p.kind, p.nth)
	case p.kind >= diesBefore:
		return fmt.Sprintf(" (the process %s, storage operation %d)", p.kind, p.nth)
	}
	return fmt.Sprintf(" (storage operation %d %s)", p.nth, p.kind)
}

// plan reads the trouble of an event; level is what a script allows: 0 none, 1
// blocking alone, 2 no deaths, 3 all.
func (e simEvent) plan(level byte) simPlan {
	kind := [32]simTroubleKind{
		18: blocks, 19: blocks, 20: blocks, 21: blocks, 22: blocks, 23: fails, 24: fails, 25: failsHavingDone, 26: failsHavingDone,
		27: staysAway, 28: diesBefore, 29: diesAfter, 30: diesBeforeCall, 31: diesAfterCall,
	}[e.args[simTrouble]%32]
	if level == 0 || level == 1 && kind > blocks || level == 2 && kind >= diesBefore {
		return simPlan{}
	}
	p := simPlan{kind: kind, nth: 1 + int(e.args[simWhere]%12), long: choose(e.args[simWhere]>>4, time.Millisecond, time.Second, 5*time.Second, 12*time.Second, 40*time.Second)}
	if kind >= diesBeforeCall {
		p.nth = 1 + int(e.args[simWhere]%3)
	}
	return p
}
