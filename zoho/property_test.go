// Does every promise hold whatever happens? Random scripts of reads, time, faults,
// restarts and changed settings; a failing one is shrunk and printed.

package zoho_test

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Whatever happens: Zoho counts no violation, and no reader ever has a token that
// dies before its time or lives shorter than demanded.
func TestWhateverHappensZohoHasNothingToComplainAboutAndTokensLiveAsLongAsTold(t *testing.T) {
	for i, live := range []int{10, 15, 30} {
		t.Run(fmt.Sprintf("%d live tokens", live), func(t *testing.T) {
			for n := range runs(t) {
				seed := uint64(n)
				s := randomScript(seed, 60+n%200)
				s[0] = byte(i)
				if problems, _ := run(t, s); len(problems) > 0 {
					report(t, shrink(t, s), seed)
					return
				}
			}
		})
	}
}

// runs is how many scripts are played for each limit of live tokens.
func runs(t *testing.T) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("ZOHO_TEST_RUNS"), "60"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// FuzzAnyScriptKeepsThePromises is the same property for scripts that a fuzzer finds.
func FuzzAnyScriptKeepsThePromises(f *testing.F) {
	for seed := range uint64(5) {
		f.Add([]byte(randomScript(seed, 40)))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if problems, _ := run(t, s); len(problems) > 0 {
			report(t, s, 0)
		}
	})
}

// report plays a script once more and tells what happened in it.
func report(t *testing.T, s script, seed uint64) {
	t.Helper()
	var problems, log []string
	for range 20 { // goroutines may interleave differently
		if problems, log = run(t, s); len(problems) > 0 {
			break
		}
	}
	t.Fatalf("seed %d, shrunk to\n%s\n\n%s\n\n%s", seed, hex.EncodeToString(s), strings.Join(log, "\n"), strings.Join(problems, "\n"))
}

// shrink drops events as long as something is still wrong.
func shrink(t *testing.T, s script) script {
	fails := func(s script) bool {
		for range 3 {
			if problems, _ := run(t, s); len(problems) > 0 {
				return true
			}
		}
		return false
	}
	for size := (len(s) - headerSize) / eventSize / 2; size > 0; size /= 2 {
		for at := headerSize; at+size*eventSize <= len(s); {
			shorter := append(append(script{}, s[:at]...), s[at+size*eventSize:]...)
			if fails(shorter) {
				s = shorter
			} else {
				at += size * eventSize
			}
		}
	}
	return s
}
