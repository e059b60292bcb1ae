//go:build !race

package backend_test

import "testing"

// stride is how far apart the steps are at which something goes wrong, where all of
// them take long. This is every step; see stride_race_test.go.
const stride = 1

func nothingAtOnce(*testing.T) {}
