// Are mistakes made where they can be, and does somebody hear of the ones that
// nobody notices?

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryMistakeIsMadeByItsNumberAlone(t *testing.T) {
	for source, want := range map[string][]string{
		"if a == b && !c { return }":        {"if (mutantIs(1) != (a == b && !c)) { return }", "if (mutantIs(2) != ((mutantIs(2) != (a == b)) && (mutantIs(2) != (!c)))) { return }", "if (mutantIs(3) != (a == b)) && !c { return }"},
		"if a == b { }":                     {"if (mutantIs(1) != (a == b)) { }"},
		"for i < n { i++ }":                 {"for mutantLess(1, i , n) { i++ }", "for i < n { if !mutantIs(2) { i++ } }"},
		"a := f(true); a = g(1 * 2)":        {"a := f((mutantIs(1) != (true))); a = g(1 * 2)", "a := f(true); if !mutantIs(2) { a = g(1 * 2) }", "a := f(true); a = g(mutantTimes(3, 1 , 2))"},
		"defer f(); f(); c <- 1; m += 1":    {"if !mutantIs(1) { defer f() }; f(); c <- 1; m += 1", "defer f(); if !mutantIs(2) { f() }; c <- 1; m += 1", "defer f(); f(); if !mutantIs(3) { c <- 1 }; m += 1", "defer f(); f(); c <- 1; if !mutantIs(4) { m += 1 }"},
		"switch a { case 1: f(); g() }":     {"switch a { case 1: if mutantIs(1) { break }; f(); g() }", "switch a { case 1: if !mutantIs(2) { f() }; g() }", "switch a { case 1: f(); if !mutantIs(3) { g() } }"},
		`const d = 1 + 2; _ = "a" + b`:      {`const d = 1 + 2; if !mutantIs(1) { _ = "a" + b }`},
		"if a = 1; b { }":                   {"if a = 1; (mutantIs(1) != (b)) { }"},
		"for a = 1; ; a++ { }":              {},
		"switch a = 1; a.(type) { }":        {},
		"select { case c <- 1: case <-d: }": {},
		"switch { case a > b: return 1 }":   {"switch { case mutantMore(1, a , b): return 1 }"},
		"panic(1)":                          {},
	} {
		const before, after = "package p\nfunc _() {", "}\n"
		text := []byte(before + source + after)
		found, err := mutants("p.go", text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, m := range found {
			if m.line != 2 || m.what == "" {
				t.Errorf("%q is said to be at %s", source, m)
			}
			m.number = i + 1
			with, _ := embed(text, found)
			m.number = 0
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(string(with), before), after))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s became\n%s\nwant\n%s", source, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Those around the same bytes stand in each other, and a compiler's complaint is
// about the innermost.
func TestMistakesStandInEachOther(t *testing.T) {
	source := []byte("package p\nfunc _() { if a && b { f() } }\n")
	found, err := mutants("p.go", source)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range found {
		m.number = i + 1
	}
	text, places := embed(source, found)
	want := "if (mutantIs(1) != ((mutantIs(2) != ((mutantIs(2) != (a)) && (mutantIs(2) != (b)))))) { if !mutantIs(3) { f() } }"
	if !strings.Contains(string(text), want) {
		t.Errorf("it is\n%swant\n%s", text, want)
	}
	for inside, want := range map[string]int{"f()": 3, "(a))": 2, "!= ((mutantIs(2)": 1} {
		if m := at(places, strings.Index(string(text), inside)); m == nil || m.number != want {
			t.Errorf("around %s is %v, want number %d", inside, m, want)
		}
	}
	if at(places, 3) != nil {
		t.Error("something is around the package clause")
	}
	if where := position([]byte("a\nbc\nd"), 2, 2); where != 3 {
		t.Errorf("line 2, column 2 is %d", where)
	}
}

func TestTheSurvivorsAreListedAndTheFilesStayAsTheyAre(t *testing.T) {
	const source = `package p

func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func Hidden(a bool) bool { return a == true }

func Sum(all []int) (sum int) {
	for _, n := range all {
		sum += n
	}
	return sum
}
`
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module p\n\ngo 1.26\n", "p.go": source,
		"p_test.go": `package p

import "testing"

func Test(t *testing.T) {
	if Max(1, 2) != 2 || Max(2, 1) != 2 || Max(1, 1) != 1 || Sum([]int{1, 2}) != 3 {
		t.Fatal()
	}
}
`, "q/q_test.go": `package q

import (
	"p"
	"testing"
)

func Test(t *testing.T) {
	if !p.Hidden(true) {
		t.Fatal()
	}
}
`} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out bytes.Buffer
	if err := run(t.Context(), options{parallel: 2, tests: ".", packages: []string{"."}}, &out); err != nil {
		t.Fatal(err)
	}
	_, summary, _ := strings.Cut(out.String(), "\n\n")
	first, rest, _ := strings.Cut(summary, "\n")
	if !strings.Contains(first, "2 killed, 1 survived, 2 not covered") || !strings.HasSuffix(first, ": score 40%") {
		t.Errorf("it says %s", out.String())
	}
	want := "survived    p.go:4:7: >= for > in a > b\nnot covered p.go:10:37: != for == in a == true\nnot covered p.go:10:40: false for true\n"
	if rest != want {
		t.Errorf("it lists\n%swant\n%s", rest, want)
	}
	if now, err := os.ReadFile("p.go"); err != nil || string(now) != source {
		t.Errorf("the file is now %s, %v", now, err)
	}
	out.Reset()
	if err := run(t.Context(), options{parallel: 2, tests: ".", packages: []string{".=./q,."}}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "4 killed, 1 survived, 0 not covered") {
		t.Errorf("with another judge it says %s", out.String())
	}
}

func TestAPackageWhoseTestsFailIsAnError(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module p\n\ngo 1.26\n", "p.go": "package p\n", "p_test.go": "package p\nimport \"testing\"\nfunc Test(t *testing.T) { t.Fatal() }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	if err := run(t.Context(), options{tests: ".", packages: []string{"."}}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "fail as it is") {
		t.Errorf("the error is %v", err)
	}
}
