// Command bench measures this engine on a real Vault server, beside yardsticks in the
// same server, and writes what it found as a page, charts and numbers.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Results is everything that one run found.
type Results struct {
	Machine    Machine
	Apart      map[string]Machine `json:",omitempty"` // where parts were measured on another day
	Comparison *Comparison        `json:",omitempty"`
	Variants   *Comparison        `json:",omitempty"`
	Fresh      *Fresh             `json:",omitempty"`
	Storms     []Storm            `json:",omitempty"`
	Retired    *Retired           `json:",omitempty"`
	BreakGlass []*BreakGlass      `json:",omitempty"`
	Sizes      []*Size            `json:",omitempty"`
	Starts     []*Start           `json:",omitempty"`

	Cluster []ClusterReads `json:",omitempty"`
}

// Machine is where it was found.
type Machine struct {
	Processor  string
	Processors int
	Memory     string
	Kernel     string
	Go, Vault  string
	Engine     string // its version
	When       string
}

func main() {
	o := &options{}
	var sizes, only string
	flag.StringVar(&o.vault, "vault", "bin/vault", "`binary` of Vault")
	flag.StringVar(&o.engine, "engine", "bin/vault-plugin-secrets-zoho", "`binary` of this engine")
	flag.StringVar(&o.yardstick, "yardstick", "bin/bench-yardstick", "`binary` of the yardsticks")
	flag.StringVar(&o.other, "plugin", "", "`binary` of another plugin to put beside them")
	flag.StringVar(&o.setup, "setup", "", "`program` that sets that plugin up; it has VAULT_ADDR, VAULT_TOKEN and MOUNT, and the last line that it prints is the path to read")
	flag.StringVar(&o.filler, "fill", "bin/bench-fill", "`binary` of the plugin that fills this engine's storage")
	flag.StringVar(&o.plain, "plain", "", "`binary` of this engine as the SDK serves it, one of its variants")
	flag.StringVar(&o.pgo, "pgo", "", "`binary` of this engine that was compiled with a profile, one of its variants")
	flag.StringVar(&o.before, "before", "", "`binary` of another build of this engine, for -only glass")
	flag.IntVar(&o.glass, "glass", 100_000, "`number` of credentials for -only glass")
	flag.StringVar(&only, "subjects", "", "the `names` of what is compared, beside the floor, with commas between; empty: all")
	flag.IntVar(&o.rounds, "rounds", 5, "`number` of rounds")
	flag.IntVar(&o.length, "length", 1500, "`milliseconds` of each measurement")
	flag.BoolVar(&o.short, "short", false, "seconds in all, to see that it works; the figures mean nothing")
	flag.StringVar(&o.out, "out", "", "`folder` for the page, its charts and its numbers; none are written without it")
	flag.StringVar(&o.only, "only", "", "`parts` to measure, with commas between: compare, variants, storms, retired, start, sizes, and glass, which is measured only when it is named; the rest of what -out holds stays; empty: all")
	flag.StringVar(&sizes, "sizes", "1,1000,100000", "`numbers` of credentials in storage")
	flag.StringVar(&o.profiled, "profile", "", "measure nothing: write what the engine, built with the tag profile, does under load to this `file`")
	flag.StringVar(&o.render, "render", "", "measure nothing: write the pages again from this `file` of numbers")
	flag.Parse()
	if only != "" {
		o.subject = strings.Split(only, ",")
	}
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			fail(fmt.Errorf("-sizes takes numbers of credentials, %q is none", text))
		}
		o.sizes = append(o.sizes, n)
	}
	if o.render != "" {
		if err := o.again(); err != nil {
			fail(err)
		}
		return
	}
	if o.short {
		o.rounds, o.length, o.sizes = 1, 100, []int{1, 100}
	}
	if (o.other == "") != (o.setup == "") {
		fail(fmt.Errorf("-plugin and -setup go together: the one is measured as the other sets it up"))
	}
	if err := o.run(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// progress tells who waits.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: %s\n", fmt.Sprintf(format, args...))
}

// wanted tells whether a part is to be measured.
func (o *options) wanted(part string) bool {
	return o.only == "" || strings.Contains(","+o.only+",", ","+part+",")
}

func (o *options) run() error {
	for _, path := range []*string{&o.vault, &o.engine, &o.yardstick, &o.filler} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(absolute); err != nil {
			return err
		}
		*path = absolute
	}
	z, err := startZoho()
	if err != nil {
		return err
	}
	defer z.server.Close()
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s, err := newServer(o.vault, folder, "vault")
	if err != nil {
		return err
	}
	defer func() { s.stop(syscall.SIGKILL) }()
	if err := s.start(); err != nil {
		return err
	}
	if err := s.initialize(); err != nil {
		return err
	}
	if o.profiled != "" {
		return o.profile(s, z, o.profiled)
	}
	subjects, err := o.subjects(s, z)
	if err != nil {
		return err
	}
	results := &Results{}
	if o.only != "" && o.out != "" {
		// The parts that are not measured now stay.
		if text, err := os.ReadFile(filepath.Join(o.out, "performance.json")); err == nil {
			if err := json.Unmarshal(text, results); err != nil {
				return err
			}
		}
	}
	results.measuredOn(o.machine(s), o.only)
	if o.wanted("compare") {
		if results.Comparison, err = o.compare(s, subjects); err != nil {
			return err
		}
	}
	if o.wanted("variants") {
		made, err := o.variants(s, z, named(subjects, engineName))
		if err != nil {
			return err
		}
		if results.Variants, err = o.compare(s, made); err != nil {
			return err
		}
	}
	if o.wanted("storms") {
		if results.Fresh, err = o.fresh(s, z); err != nil {
			return err
		}
		if results.Storms, err = o.storms(s, z); err != nil {
			return err
		}
	}
	if err := o.save(results); err != nil { // a run that is interrupted later has this much
		return err
	}
	if o.wanted("retired") {
		if results.Retired, err = o.retired(s, z); err != nil {
			return err
		}
	}
	if o.wanted("start") {
		results.Starts = nil
		for _, name := range []string{"floor", engineName} {
			progress("start: %s", name)
			start, err := o.starts(s, named(subjects, name))
			if err != nil {
				return err
			}
			results.Starts = append(results.Starts, start)
		}
		progress("failover")
		if results.Cluster, err = o.failovers(z, results.Starts); err != nil {
			return err
		}
	}
	if o.only != "" && o.wanted("glass") {
		if err := o.beforeBinary(); err != nil {
			return err
		}
		made, err := o.breakGlass(s, z)
		if err != nil {
			return err
		}
		results.BreakGlass = slices.DeleteFunc(results.BreakGlass, func(g *BreakGlass) bool { return g.Credentials == o.glass })
		results.BreakGlass = append(results.BreakGlass, made)
	}
	if o.wanted("sizes") {
		for _, n := range o.sizes {
			size, err := o.size(s, z, n)
			if err != nil {
				return err
			}
			results.Sizes = slices.DeleteFunc(results.Sizes, func(s *Size) bool { return s.Credentials == n })
			results.Sizes = append(results.Sizes, size)
			slices.SortFunc(results.Sizes, func(a, b *Size) int { return a.Credentials - b.Credentials })
			if err := o.save(results); err != nil {
				return err
			}
		}
	}
	return o.write(results)
}

// measuredOn notes where the parts that are measured now are, "" for all.
func (r *Results) measuredOn(m Machine, parts string) {
	if parts == "" || r.Machine == (Machine{}) {
		r.Machine, r.Apart = m, nil
		return
	}
	if r.Apart == nil {
		r.Apart = map[string]Machine{}
	}
	for part := range strings.SplitSeq(parts, ",") {
		if r.Apart[part] = m; m == r.Machine {
			delete(r.Apart, part)
		}
	}
}

// machine describes this one.
func (o *options) machine(s *server) Machine {
	m := Machine{Processors: runtime.NumCPU(), Go: runtime.Version(), When: time.Now().UTC().Format("2006-01-02")}
	for _, line := range lines("/proc/cpuinfo") {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			m.Processor = strings.TrimSpace(value)
			break
		}
	}
	for _, line := range lines("/proc/meminfo") {
		if value, found := strings.CutPrefix(line, "MemTotal:"); found {
			kilobytes, _ := strconv.Atoi(strings.Fields(value)[0])
			m.Memory = fmt.Sprintf("%d GiB", (kilobytes+1<<19)>>20)
		}
	}
	if kernel := lines("/proc/sys/kernel/osrelease"); len(kernel) > 0 {
		m.Kernel = "Linux " + kernel[0]
	}
	var health struct{ Version string }
	if s.ask("GET", "sys/health", nil, &health) == nil {
		m.Vault = health.Version
	}
	if info, err := s.read("sys/mounts/" + engineName); err == nil {
		m.Engine, _ = info["running_plugin_version"].(string)
	}
	return m
}

func lines(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// write stores the results, or shows them.
func (o *options) write(r *Results) error {
	if o.out == "" {
		_, err := os.Stdout.WriteString(r.page())
		return err
	}
	return o.save(r)
}

// save stores the results where there is a folder for them.
func (o *options) save(r *Results) error {
	if o.out == "" {
		return nil
	}
	if r.Comparison != nil {
		if err := r.Comparison.charts(o.out); err != nil {
			return err
		}
	}
	if text := r.capacity(); text != "" {
		if err := os.WriteFile(filepath.Join(o.out, "capacity.md"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	numbers, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "performance.json"), append(numbers, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "performance.md"), []byte(r.page()), 0o644)
}

// again writes the pages from numbers that were measured before.
func (o *options) again() error {
	text, err := os.ReadFile(o.render)
	if err != nil {
		return err
	}
	r := &Results{}
	if err := json.Unmarshal(text, r); err != nil {
		return err
	}
	return o.write(r)
}
