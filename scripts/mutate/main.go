// Command mutate makes small mistakes in packages, one at a time, and tells which
// of them no test of the same package notices, or of those that are named as its
// judges (package=judge,judge). The files stay as they are.
//
// It is written here because the tools that are published build the tests for every
// mistake and run all of them, which takes a minute for each of some thousands, take a
// compilation for a hanging test, and cannot draw a sample.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
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
	slowest  time.Duration
	only     string
	tests    string
	packages []string
}

func main() {
	var o options
	flag.IntVar(&o.sample, "n", 40, "`number` of mistakes to make; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the sample")
	flag.DurationVar(&o.limit, "for", 0, "`time` after which no other is begun; 0: none")
	flag.IntVar(&o.parallel, "parallel", 2, "`number` of tests at once")
	flag.StringVar(&o.tests, "tests", ".", "`pattern` of the names of tests that are asked")
	flag.DurationVar(&o.slowest, "slowest", 0, "`time` beyond which a test is not asked; 0: none")
	flag.StringVar(&o.only, "only", "", "`pattern` of mistakes as they are listed, such as mint.go:45")
	flag.Parse()
	o.packages = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	var trials []trial
	outside := 0
	for i, pkg := range o.packages {
		folder := filepath.Join(temporary, fmt.Sprint(i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		of, left, err := prepare(ctx, pkg, folder, o)
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		trials = append(trials, of...)
		outside += left
	}
	trials = slices.DeleteFunc(trials, func(t trial) bool { return !only.MatchString(t.String()) })
	all := len(trials)
	rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(trials), func(i, j int) { trials[i], trials[j] = trials[j], trials[i] })
	if o.sample > 0 {
		trials = trials[:min(o.sample, len(trials))]
	}
	fmt.Fprintf(out, "mutate: %d of %d mistakes, seed %d; %d more do not compile\n", len(trials), all, o.seed, outside)

	began := time.Now()
	var mu sync.Mutex
	results := map[verdict][]trial{}
	err = each(ctx, o.parallel, len(trials), func(ctx context.Context, i int) error {
		if o.limit > 0 && time.Since(began) > o.limit {
			return nil
		}
		v, by, err := trials[i].judge(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		results[v] = append(results[v], trials[i])
		if by != "" {
			by = " (by " + by + ")"
		}
		fmt.Fprintf(out, "%-11s %s%s\n", v, trials[i], by)
		return nil
	})
	if err != nil && ctx.Err() == nil { // whoever interrupts it wants to see what there is
		return err
	}

	k, s, n := len(results[killed]), len(results[survived]), len(results[notCovered])
	fmt.Fprintf(out, "\nmutate: %d killed, %d survived, %d not covered, in %s", k, s, n, time.Since(began).Round(time.Second))
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
