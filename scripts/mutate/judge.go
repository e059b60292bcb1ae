// Does a test notice a mutant? Those that get to it are run, the quickest first.

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// goPackage is what go list says of one.
type goPackage struct {
	Dir, ImportPath, Name string
	GoFiles               []string
}

// A test is one function of a package that judges.
type test struct {
	binary, dir, name string
	took              time.Duration
}

// A trial is a mutant and the tests that get to it.
type trial struct {
	*mutant
	tests []test
}

// A verdict on a mutant.
type verdict string

const (
	killed     verdict = "killed"
	survived   verdict = "survived"
	notCovered verdict = "not covered" // no test gets there
)

// prepare finds the mutants of a package and which tests of it, or of its judges, get
// to each; those tests have to pass. In the folder it keeps what is needed to try
// them.
func prepare(ctx context.Context, pkg, folder string, o options) (trials []trial, left int, err error) {
	pkg, named, found := strings.Cut(pkg, "=")
	judges := strings.Split(named, ",")
	if !found {
		judges = []string{pkg}
	}
	info, err := list(ctx, pkg)
	if err != nil {
		return nil, 0, err
	}
	made := map[string][]*mutant{}
	for _, name := range info.GoFiles {
		path := filepath.Join(info.Dir, name)
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, 0, err
		}
		if made[name], err = mutants(short(path), source); err != nil {
			return nil, 0, err
		}
	}
	over, err := overlay(ctx, info, made, folder)
	if err != nil {
		return nil, 0, err
	}
	var tests []test
	for i, judge := range judges {
		more, err := testsOf(ctx, judge, o.tests, over, filepath.Join(folder, fmt.Sprintf("judge%d.test", i)))
		if err != nil {
			return nil, 0, err
		}
		tests = append(tests, more...)
	}
	reached, err := whoReaches(ctx, tests, folder, o)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range info.GoFiles {
		for _, m := range made[name] {
			if m.number == 0 {
				left++
				continue
			}
			tests := reached[m.number]
			slices.SortFunc(tests, func(a, b test) int { return cmp.Compare(a.took, b.took) })
			trials = append(trials, trial{m, tests})
		}
	}
	return trials, left, nil
}

// short is a path as people write it.
func short(path string) string {
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(short, "..") {
			return short
		}
	}
	return path
}

func list(ctx context.Context, pkg string) (info goPackage, err error) {
	var screen bytes.Buffer
	c := exec.CommandContext(ctx, "go", "list", "-json=Dir,GoFiles,ImportPath,Name", pkg)
	c.Stderr = &screen
	listed, err := c.Output()
	if err != nil {
		return info, fmt.Errorf("%w\n%s", err, &screen)
	}
	return info, json.Unmarshal(listed, &info)
}

// testsOf builds a package's tests and names those that fit a pattern.
func testsOf(ctx context.Context, judge, pattern, over, binary string) ([]test, error) {
	info, err := list(ctx, judge)
	if err != nil {
		return nil, err
	}
	if screen, err := command(ctx, "test", "-c", "-vet=off", "-overlay="+over, "-o", binary, judge); err != nil {
		return nil, fmt.Errorf("its tests do not compile: %w\n%s", err, screen)
	}
	if _, err := os.Stat(binary); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no test
	}
	names := exec.CommandContext(ctx, binary, "-test.list="+pattern)
	names.Dir = info.Dir
	listed, err := names.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: its tests cannot be listed: %w", judge, err)
	}
	var tests []test
	for name := range strings.FieldsSeq(string(listed)) {
		if !strings.HasPrefix(name, "Benchmark") {
			tests = append(tests, test{binary: binary, dir: info.Dir, name: name})
		}
	}
	return tests, nil
}

// whoReaches runs every test alone and returns which of them get to which mutant, but
// for those that take too long.
func whoReaches(ctx context.Context, tests []test, folder string, o options) (map[int][]test, error) {
	var mu sync.Mutex
	reached := map[int][]test{}
	err := each(ctx, o.parallel, len(tests), func(ctx context.Context, i int) error {
		t := tests[i]
		trace := filepath.Join(folder, fmt.Sprintf("reached%d", i))
		began := time.Now()
		screen, err := runTests(ctx, []test{t}, "MUTANTS_REACHED="+trace, 10*time.Minute)
		t.took = time.Since(began)
		if err != nil {
			return fmt.Errorf("its tests fail as it is: %s: %w\n%s", t.name, err, screen)
		}
		numbers, err := os.ReadFile(trace)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if o.slowest > 0 && t.took > o.slowest {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		lines := strings.Fields(string(numbers)) // processes that a test starts write theirs too
		slices.Sort(lines)
		for _, line := range slices.Compact(lines) {
			if number, err := strconv.Atoi(line); err == nil {
				reached[number] = append(reached[number], t)
			}
		}
		return nil
	})
	return reached, err
}

// judge runs the tests that get to the mutant, and says who noticed it.
func (t trial) judge(ctx context.Context) (verdict, string, error) {
	if len(t.tests) == 0 {
		return notCovered, "", nil
	}
	// One process for each handful: who is quick to notice spares the others their time.
	for rest := t.tests; len(rest) > 0; {
		now, took := 0, time.Duration(0)
		for now < len(rest) && rest[now].binary == rest[0].binary && (now == 0 || took < 2*time.Second) {
			took += rest[now].took
			now++
		}
		// Whoever takes so much longer hangs.
		screen, err := runTests(ctx, rest[:now], "MUTANT="+strconv.Itoa(t.number), 30*time.Second+5*took)
		if ctx.Err() != nil {
			return "", "", ctx.Err()
		}
		if err != nil {
			return killed, firstFailure(screen), nil
		}
		rest = rest[now:]
	}
	return survived, "", nil
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// firstFailure is the test that failed, as far as its process lived to say so.
func firstFailure(screen []byte) string {
	if found := failure.FindSubmatch(screen); found != nil {
		return string(found[1])
	}
	return "a crash"
}

// runTests runs tests of one binary in a process of their own.
func runTests(ctx context.Context, tests []test, env string, timeout time.Duration) ([]byte, error) {
	names := make([]string, len(tests))
	for i, t := range tests {
		names[i] = regexp.QuoteMeta(t.name)
	}
	c := exec.CommandContext(ctx, tests[0].binary, "-test.failfast", "-test.timeout="+timeout.String(), "-test.run=^("+strings.Join(names, "|")+")$")
	c.Dir, c.Env = tests[0].dir, append(os.Environ(), env)
	c.WaitDelay = 10 * time.Second
	return c.CombinedOutput()
}

// each calls f with 0 to n-1, several at once, until one fails.
func each(ctx context.Context, parallel, n int, f func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(parallel, 1))
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return f(ctx, i) })
	}
	return group.Wait()
}

// command runs go; both of its outputs are the answer.
func command(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "go", args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it takes its child along
	c.WaitDelay = 10 * time.Second
	return c.CombinedOutput()
}
