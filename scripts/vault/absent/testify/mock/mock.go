// Package mock stands for mocks, which only tests use. A package of raft's
// autopilot imports it outside of its tests.
package mock

const absent = "this test build of Vault does not test Vault itself"

// TestingT is a test.
type TestingT interface {
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	FailNow()
}

// Mock is a mock.
type Mock struct{}

// Arguments are what a mocked call answers.
type Arguments []any

// Test fails.
func (*Mock) Test(t TestingT) {
	t.Errorf(absent)
	t.FailNow()
}

// Called panics.
func (*Mock) Called(...any) Arguments { panic(absent) }

// AssertExpectations fails.
func (*Mock) AssertExpectations(t TestingT) bool {
	t.Errorf(absent)
	return false
}

// Get panics.
func (Arguments) Get(int) any { panic(absent) }
