// Package require stands for checks that only Vault's own tests make. Some of
// Vault's packages import it outside of their tests.
package require

// TestingT is a test.
type TestingT interface {
	Errorf(format string, args ...any)
	FailNow()
}

func fail(t TestingT) {
	t.Errorf("this test build of Vault does not test Vault itself")
	t.FailNow()
}

// Assertions are the checks of one test. All checks fail.
type Assertions struct{ t TestingT }

// New makes the checks of a test.
func New(t TestingT) *Assertions { return &Assertions{t} }

// Equal fails.
func (a *Assertions) Equal(any, any, ...any) { fail(a.t) }

// NoError fails.
func (a *Assertions) NoError(error, ...any) { fail(a.t) }

// Contains fails.
func Contains(t TestingT, _ any, _ any, _ ...any) { fail(t) }

// Empty fails.
func Empty(t TestingT, _ any, _ ...any) { fail(t) }

// Equal fails.
func Equal(t TestingT, _ any, _ any, _ ...any) { fail(t) }

// EqualValues fails.
func EqualValues(t TestingT, _ any, _ any, _ ...any) { fail(t) }

// Error fails.
func Error(t TestingT, _ error, _ ...any) { fail(t) }

// False fails.
func False(t TestingT, _ bool, _ ...any) { fail(t) }

// Falsef fails.
func Falsef(t TestingT, _ bool, _ string, _ ...any) { fail(t) }

// Len fails.
func Len(t TestingT, _ any, _ int, _ ...any) { fail(t) }

// Nilf fails.
func Nilf(t TestingT, _ any, _ string, _ ...any) { fail(t) }

// NoError fails.
func NoError(t TestingT, _ error, _ ...any) { fail(t) }

// NoErrorf fails.
func NoErrorf(t TestingT, _ error, _ string, _ ...any) { fail(t) }

// NotEmpty fails.
func NotEmpty(t TestingT, _ any, _ ...any) { fail(t) }

// NotNil fails.
func NotNil(t TestingT, _ any, _ ...any) { fail(t) }

// NotNilf fails.
func NotNilf(t TestingT, _ any, _ string, _ ...any) { fail(t) }

// True fails.
func True(t TestingT, _ bool, _ ...any) { fail(t) }
