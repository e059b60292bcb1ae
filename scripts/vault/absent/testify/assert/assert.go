// Package assert stands for checks that only Vault's own tests make.
package assert

// TestingT is a test.
type TestingT interface {
	Errorf(format string, args ...any)
}

// NoError fails.
func NoError(t TestingT, _ error, _ ...any) bool {
	t.Errorf("this test build of Vault does not test Vault itself")
	return false
}
