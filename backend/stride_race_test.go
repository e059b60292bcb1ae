//go:build race

package backend_test

import "testing"

// With the race detector every step takes five times as long, and what it looks for
// hardly depends on the step: a third of them. make unit plays all of them without it.
const stride = 3

// nothingAtOnce skips a long test in which one thing happens after another.
func nothingAtOnce(t *testing.T) {
	t.Skip("nothing happens at once here: make unit plays it without the race detector")
}
