// Command untaken tells which ways to fail no test takes: each statement that makes or
// returns an error and that a coverage profile has never seen run. Those that none can
// take are listed in reasons.txt beside it, with the reason.
//
//	go run ./scripts/untaken coverage.out
//
// It fails if one is missing in the list, or if the list names one that is taken by now.
package main

import (
	"bufio"
	"cmp"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed reasons.txt
var reasons string

func main() {
	root := flag.String("C", ".", "the `folder` of the module")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: untaken [-C folder] coverage.out")
		os.Exit(2)
	}
	if err := run(*root, flag.Arg(0), reasons, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "untaken:", err)
		os.Exit(1)
	}
}

func run(root, profile, reasons string, out io.Writer) error {
	known, err := parseReasons(reasons)
	if err != nil {
		return err
	}
	runs, err := readProfile(profile)
	if err != nil {
		return err
	}
	total, untaken := 0, []failure(nil)
	for _, file := range slices.Sorted(mapKeys(runs)) {
		found, err := failuresIn(root, file)
		if err != nil {
			return err
		}
		total += len(found)
		for _, f := range found {
			if !runs[file].took(f.line, f.column) {
				untaken = append(untaken, f)
			}
		}
	}
	excused, missing := map[string]bool{}, 0
	for _, f := range untaken {
		if known[f.key()] != "" {
			excused[f.key()] = true
			continue
		}
		missing++
		fmt.Fprintf(out, "%s:%d: %s\n", f.file, f.line, f.key())
	}
	stale := 0
	for _, key := range slices.Sorted(mapKeys(known)) {
		if !excused[key] {
			stale++
			fmt.Fprintf(out, "reasons.txt: taken, or gone: %s\n", key)
		}
	}
	fmt.Fprintf(out, "%d ways to fail, %d that no test takes, %d of them without a reason\n", total, len(untaken), missing)
	if missing+stale > 0 {
		return errors.New("write a test for each, or a line in scripts/untaken/reasons.txt that says why none can")
	}
	return nil
}

// key names a failure by what it says and where, whatever its line.
func (f failure) key() string { return fmt.Sprintf("%s %s: %s", f.file, f.function, f.text) }

// parseReasons reads lines of a key, " # " and the reason. What begins with # is a comment.
func parseReasons(text string) (map[string]string, error) {
	known := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, found := strings.Cut(line, " # ")
		if !found || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("reasons.txt: no reason after \" # \" in %q", line)
		}
		known[strings.TrimSpace(key)] = reason
	}
	return known, nil
}

// span is a block of a coverage profile.
type span struct {
	fromLine, fromColumn, toLine, toColumn int
	ran                                    bool
}

// spans are the blocks of one file.
type spans []span

// took reports whether the innermost block around a place ran. A place in no block is
// not one that can run.
func (s spans) took(line, column int) bool {
	ran, smallest := true, -1
	for i, b := range s {
		if before(b.fromLine, b.fromColumn, line, column) && before(line, column, b.toLine, b.toColumn) &&
			(smallest < 0 || before(s[smallest].fromLine, s[smallest].fromColumn, b.fromLine, b.fromColumn)) {
			ran, smallest = b.ran, i
		}
	}
	return ran
}

func before(line, column, otherLine, otherColumn int) bool {
	return cmp.Or(cmp.Compare(line, otherLine), cmp.Compare(column, otherColumn)) <= 0
}

// readProfile reads a profile of go test -coverprofile: by file below the module, its
// blocks. Several tests may have seen one block.
func readProfile(path string) (map[string]spans, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	type place struct {
		file                                   string
		fromLine, fromColumn, toLine, toColumn int
	}
	ran := map[place]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// module/file.go:12.34,56.78 statements count
		name, rest, found := strings.Cut(lines.Text(), ".go:")
		if !found {
			continue
		}
		var p place
		var statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &p.fromLine, &p.fromColumn, &p.toLine, &p.toColumn, &statements, &count); err != nil {
			return nil, fmt.Errorf("%s: %q is no line of a coverage profile", path, lines.Text())
		}
		_, p.file, _ = strings.Cut(name, "/")
		p.file += ".go"
		ran[p] = ran[p] || count > 0
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ran) == 0 {
		return nil, fmt.Errorf("%s: no coverage in it; make it with go test -coverpkg=./backend/...,./zoho -coverprofile", path)
	}
	files := map[string]spans{}
	for p, took := range ran {
		files[p.file] = append(files[p.file], span{p.fromLine, p.fromColumn, p.toLine, p.toColumn, took})
	}
	return files, nil
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// quoted shortens the text of a statement to one line.
func quoted(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if letters := []rune(text); len(letters) > 90 {
		text = string(letters[:90]) + "..."
	}
	if strings.Contains(text, " # ") {
		text = strconv.Quote(text)
	}
	return text
}

func join(root, file string) string { return filepath.Join(root, filepath.FromSlash(file)) }
