// Command mutate makes small mistakes in packages, one at a time, and tells which
// of them no test of the same package notices, or of those that are named as its
// judges (package=judge,judge). A mistake lives in an overlay of the build; files stay as they are.
//
// It is written here because the tools that are published take a compilation for a
// hanging test, cannot draw a sample, and leave statements where they are.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// options are the flags.
type options struct {
	sample   int
	seed     uint64
	limit    time.Duration
	parallel int
	packages []string
}

func main() {
	var o options
	flag.IntVar(&o.sample, "n", 40, "`number` of mistakes to make; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the sample")
	flag.DurationVar(&o.limit, "for", 0, "`time` after which no other is begun; 0: none")
	flag.IntVar(&o.parallel, "parallel", 2, "`number` of builds and tests at once")
	flag.Parse()
	o.packages = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// A verdict on a mutant.
type verdict string

const (
	killed     verdict = "killed"
	survived   verdict = "survived"
	notCovered verdict = "not covered" // no test gets there
	notViable  verdict = "not viable"  // it does not compile, and counts for nothing
)

// a trial is a mutant and how its package is tested.
type trial struct {
	mutant
	judgedBy []string // packages
	covered  bool
	timeout  time.Duration
}

func run(ctx context.Context, o options, out io.Writer) error {
	var trials []trial
	for _, pkg := range o.packages {
		of, err := prepare(ctx, pkg)
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		trials = append(trials, of...)
	}
	all := len(trials)
	rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(trials), func(i, j int) { trials[i], trials[j] = trials[j], trials[i] })
	if o.sample > 0 {
		trials = trials[:min(o.sample, len(trials))]
	}
	fmt.Fprintf(out, "mutate: %d of %d mistakes, seed %d\n", len(trials), all, o.seed)

	began := time.Now()
	var mu sync.Mutex
	results := map[verdict][]trial{}
	next := make(chan trial)
	var workers sync.WaitGroup
	var failed error
	for range max(o.parallel, 1) {
		workers.Go(func() {
			for t := range next {
				v, err := t.judge(ctx)
				mu.Lock()
				if failed == nil {
					failed = err
				}
				if err == nil {
					results[v] = append(results[v], t)
					fmt.Fprintf(out, "%-11s %s\n", v, t)
				}
				mu.Unlock()
			}
		})
	}
	for _, t := range trials {
		if ctx.Err() != nil || o.limit > 0 && time.Since(began) > o.limit {
			break
		}
		next <- t
	}
	close(next)
	workers.Wait()
	if ctx.Err() == nil && failed != nil {
		return failed
	}

	k, s, n := len(results[killed]), len(results[survived]), len(results[notCovered])
	fmt.Fprintf(out, "\nmutate: %d killed, %d survived, %d not covered, %d did not compile, in %s", k, s, n, len(results[notViable]), time.Since(began).Round(time.Second))
	if k+s+n > 0 {
		fmt.Fprintf(out, ": score %d%%", 100*k/(k+s+n))
	}
	fmt.Fprintln(out)
	for _, v := range []verdict{survived, notCovered} {
		slices.SortFunc(results[v], func(a, b trial) int { return strings.Compare(a.String(), b.String()) })
		for _, t := range results[v] {
			fmt.Fprintf(out, "%-11s %s\n", v, t)
		}
	}
	return nil
}

// prepare runs a package's tests once, or its judges', which have to pass, and finds
// its mutants.
func prepare(ctx context.Context, pkg string) ([]trial, error) {
	pkg, named, found := strings.Cut(pkg, "=")
	judges := strings.Split(named, ",")
	if !found {
		judges = []string{pkg}
	}
	listed, err := command(ctx, "list", "-json=Dir,GoFiles,ImportPath", pkg)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, listed)
	}
	var info struct {
		Dir, ImportPath string
		GoFiles         []string
	}
	if err := json.Unmarshal(listed, &info); err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	profile := filepath.Join(temporary, "cover")
	began := time.Now()
	if screen, err := command(ctx, append([]string{"test", "-count=1", "-vet=off", "-coverprofile=" + profile, "-coverpkg=" + pkg}, judges...)...); err != nil {
		return nil, fmt.Errorf("its tests fail as it is: %w\n%s", err, screen)
	}
	// Whoever takes so much longer hangs.
	timeout := 30*time.Second + 5*time.Since(began)
	covered, err := readProfile(profile)
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var trials []trial
	for _, name := range info.GoFiles {
		path := filepath.Join(info.Dir, name)
		if short, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(short, "..") {
			path = short
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		made, err := mutants(path, source)
		if err != nil {
			return nil, err
		}
		for _, m := range made {
			trials = append(trials, trial{m, judges, covered.reached(info.ImportPath+"/"+name, m.line, m.col), timeout})
		}
	}
	return trials, nil
}

// judge builds a package with the mistake and runs its tests.
func (t trial) judge(ctx context.Context) (verdict, error) {
	if !t.covered {
		return notCovered, nil
	}
	source, err := os.ReadFile(t.file)
	if err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	wrong, overlay := filepath.Join(temporary, "wrong.go"), filepath.Join(temporary, "overlay.json")
	original, err := filepath.Abs(t.file)
	if err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: wrong}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(wrong, t.apply(source), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	for _, judge := range t.judgedBy { // the quickest is named first; who comes later is asked only if it says nothing
		screen, err := command(ctx, "test", "-count=1", "-vet=off", "-failfast", "-timeout="+t.timeout.String(), "-overlay="+overlay, judge)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err == nil:
			continue
		case bytes.Contains(screen, []byte("[build failed]")):
			return notViable, nil
		}
		return killed, nil
	}
	return survived, nil
}

// command runs go; both of its outputs are the answer.
func command(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "go", args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it takes its child along
	c.WaitDelay = 10 * time.Second
	return c.CombinedOutput()
}

// A profile is what a run of the tests got to, by file.
type profile map[string][]block

type block struct{ line, col, endLine, endCol, statements, count int }

// readProfile reads what go test -coverprofile writes.
func readProfile(path string) (profile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := profile{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		var b block
		if n, _ := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.line, &b.col, &b.endLine, &b.endCol, &b.statements, &b.count); n == 6 {
			p[name] = append(p[name], b)
		}
	}
	return p, lines.Err()
}

// reached says whether a test got to a place: whether the innermost block around it
// was run. What is in no block (a variable of the package, the expression of a
// case) may have been.
func (p profile) reached(file string, line, col int) bool {
	innermost := block{count: 1}
	for _, b := range p[file] {
		inside := (b.line < line || b.line == line && b.col <= col) && (line < b.endLine || line == b.endLine && col < b.endCol)
		switch {
		case !inside:
		case b.line > innermost.line || b.line == innermost.line && b.col > innermost.col:
			innermost = b
		case b.line == innermost.line && b.col == innermost.col: // as another judge has it
			innermost.count += b.count
		}
	}
	return innermost.count > 0
}
