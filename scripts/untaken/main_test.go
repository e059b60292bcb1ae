// Does the tool see each way to fail, and nothing else, and hold the list to what it sees?

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const source = `package p

func refuse(s string) error { return errorOf(s) }

func work(n int) (int, error) {
	if n == 1 {
		return 0, refuse("one")
	}
	do(func() error {
		if n == 2 {
			return errTwo
		}
		return nil
	})
	err := refuse("three")
	return n, nil
}

func told(n int) *answer {
	if n == 4 {
		return &answer{text: "four"}
	}
	return nil
}

func length() int { return 5 }
`

// lines of a profile: work's first if and the function literal's did not run.
const profile = `mode: set
module/p/p.go:3.29,3.50 1 1
module/p/p.go:5.31,6.12 1 1
module/p/p.go:6.12,8.3 1 0
module/p/p.go:9.2,9.20 1 1
module/p/p.go:9.20,10.13 1 1
module/p/p.go:10.13,12.4 1 0
module/p/p.go:13.3,13.13 1 1
module/p/p.go:15.2,16.15 2 1
module/p/p.go:19.26,20.12 1 1
module/p/p.go:20.12,22.3 1 0
module/p/p.go:20.12,22.3 1 1
module/p/p.go:23.2,23.12 1 1
`

func tool(t *testing.T, reasons string) (string, error) {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("p/p.go", source)
	var out strings.Builder
	err := run(root, write("cover.out", profile), reasons, &out)
	return out.String(), err
}

func TestEachWayToFailThatNoTestTakesIsNamed(t *testing.T) {
	out, err := tool(t, "")
	want := "p/p.go:7: p/p.go work: return 0, refuse(\"one\")\n" +
		"p/p.go:11: p/p.go work: return errTwo\n" +
		"5 ways to fail, 2 that no test takes, 2 of them without a reason\n"
	if err == nil || out != want {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestReasonExcusesAndHasToBeTrue(t *testing.T) {
	two := "p/p.go work: return errTwo # nobody is two\n"
	out, err := tool(t, "# a comment\n\np/p.go work: return 0, refuse(\"one\") # nobody is one\n"+two)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = tool(t, two+"p/p.go told: return &answer{text: \"four\"} # nobody is four\n")
	if err == nil || !strings.Contains(out, "taken, or gone: p/p.go told") || !strings.Contains(out, "1 of them without a reason") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err = tool(t, "p/p.go work: return errTwo"); err == nil || !strings.Contains(err.Error(), "no reason") {
		t.Errorf("a line without a reason: %v", err)
	}
}

func TestProfileThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "mode: set\n", "module/p.go:nothing\n"} {
		path := filepath.Join(t.TempDir(), "cover.out")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readProfile(path); err == nil {
			t.Errorf("%q is read as a profile", text)
		}
	}
}
