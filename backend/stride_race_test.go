//go:build race

package backend_test

// With the race detector every step takes five times as long, and what it looks for
// hardly depends on the step: a third of them. make unit plays all of them without it.
const stride = 3
