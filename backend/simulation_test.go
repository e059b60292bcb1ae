// Does every promise of the engine hold whatever is asked at once, whatever fails and
// whenever the process dies? Random scripts for the whole backend; a failing one is
// shrunk and printed.
//
// ZOHO_SIM_STEPS is how many steps are played, ZOHO_SIM_SEED the first script's seed.
// With ZOHO_SIM_SURVEY set nothing is shrunk: each kind of failure is counted. Kinds in
// ZOHO_SIM_IGNORE, separated by commas, count as none.

package backend_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// simSteps is some five seconds on two busy cores.
const simSteps = 6000 / stride

func TestSimulationKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	steps, seed := simNumber(t, "ZOHO_SIM_STEPS", simSteps), uint64(simNumber(t, "ZOHO_SIM_SEED", 1))
	survey := map[string][]uint64{}
	total, scripts, start := 0, 0, time.Now()
	for total < steps {
		s := randomSimScript(seed)
		r := play(t, s)
		total, scripts = total+max(r.steps, 1), scripts+1
		switch {
		case len(r.problems) == 0:
		case os.Getenv("ZOHO_SIM_SURVEY") != "":
			for _, p := range r.problems[:1] {
				kind := p.kind
				if r.rotates {
					kind += ", where Zoho replaces refresh tokens"
				}
				survey[kind] = append(survey[kind], seed)
				t.Logf("seed %d: %s", seed, r.problems[0])
			}
		default:
			t.Logf("seed %d: %s; shrinking", seed, r.problems[0])
			reportSim(t, shrinkSim(t, s, r.problems[0].kind), r.problems[0].kind, fmt.Sprintf("seed %d", seed))
			return
		}
		seed++
	}
	for _, kind := range slices.Sorted(maps.Keys(survey)) {
		t.Errorf("%s: %d scripts, seeds %v", kind, len(survey[kind]), survey[kind][:min(len(survey[kind]), 10)])
	}
	took := time.Since(start)
	t.Logf("%d steps of %d scripts in %s, %.0f a second", total, scripts, took.Round(time.Millisecond), float64(total)/took.Seconds())
}

// FuzzSimulation is the same for scripts that a fuzzer finds.
func FuzzSimulation(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(randomSimBytes(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := readSimBytes(b); ok {
			if r := play(t, s); len(r.problems) > 0 {
				reportSim(t, s, r.problems[0].kind, "a fuzzer's script")
			}
		}
	})
}

func simNumber(t *testing.T, name string, fallback int) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(fallback)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func simIgnored() []string { return strings.Split(os.Getenv("ZOHO_SIM_IGNORE"), ",") }

// played is what became of a script.
type played struct {
	problems []simProblem
	log      []string
	steps    int
	rotates  bool
}

// simProblem is a broken promise. Shrinking keeps the kind.
type simProblem struct{ kind, text string }

func (p simProblem) String() string { return p.kind + ": " + p.text }

// play runs a script in a bubble of its own.
func play(t *testing.T, s simScript) (r played) {
	var h *simulation
	defer func() {
		if p := recover(); p != nil {
			// All goroutines of the bubble are blocked for ever, or something panicked.
			r = played{problems: []simProblem{{"panic", fmt.Sprint(p)}}, log: h.log, steps: len(s.events)}
			t.Logf("panic: %v", p)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		h = newSimulation(t, s)
		for _, e := range s.events {
			h.step(e)
			r.steps++
			if len(h.wrongs()) > 0 {
				break
			}
		}
		if len(h.wrongs()) == 0 {
			h.endsWell()
		}
		h.close()
		r.problems, r.log, r.rotates = h.wrongs(), h.log, h.rotates
		if h.rotates && h.torn {
			// Zoho documents no replaced refresh tokens. One that storage did not take is
			// in memory until the next read, and a process that dies first takes it along.
			r.problems = nil
		}
	})
	return r
}

// reportSim plays a script until the same promise is broken once more, and tells what
// happened in it.
func reportSim(t *testing.T, s simScript, kind, whose string) {
	t.Helper()
	var r played
	for range 20 { // goroutines may interleave differently
		if again := play(t, s); again.broke(kind) || len(r.problems) == 0 {
			r = again
		}
		if r.broke(kind) {
			break
		}
	}
	var problems []string
	for _, p := range r.problems {
		problems = append(problems, p.String())
	}
	t.Fatalf("%s, %s:\n%s\n\n%s\n\n%s", whose, kind, s, strings.Join(r.log, "\n"), strings.Join(problems, "\n"))
}

func (r played) broke(kind string) bool {
	return slices.ContainsFunc(r.problems, func(p simProblem) bool { return p.kind == kind })
}

// shrinkTime bounds shrinking: what is left then is reported.
const shrinkTime = 90 * time.Second

// shrinkSim drops events, then simplifies those that are left, as long as the same
// promise is broken.
func shrinkSim(t *testing.T, s simScript, kind string) simScript {
	start := time.Now()
	once := func(s simScript) bool { return play(t, s).broke(kind) }
	hits := 0
	for range 10 {
		if once(s) {
			hits++
		}
	}
	tries := 1
	if hits < 10 {
		tries = min(20, 30/max(hits, 1))
	}
	fails := func(s simScript) bool {
		for range tries {
			if time.Since(start) < shrinkTime && once(s) {
				return true
			}
		}
		return false
	}
	drop := func() {
		for size := max(len(s.events)/2, 1); size > 0; size /= 2 {
			for at := 0; at+size <= len(s.events); {
				shorter := simScript{s.header, slices.Concat(s.events[:at], s.events[at+size:])}
				if fails(shorter) {
					s = shorter
				} else {
					at += size
				}
			}
		}
	}
	drop()
	simplify := func(change func(*simScript)) {
		simpler := simScript{s.header, slices.Clone(s.events)}
		if change(&simpler); simpler.String() != s.String() && fails(simpler) {
			s = simpler
		}
	}
	for i := range s.header {
		simplify(func(s *simScript) { s.header[i] = 0 })
	}
	for i := range s.events {
		for j := range s.events[i].args {
			simplify(func(s *simScript) { s.events[i].args[j] = 0 })
		}
	}
	drop()
	return s
}
