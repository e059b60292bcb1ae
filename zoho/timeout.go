// Timeouts: whether a call failed because the server did not answer in time.

package zoho

import "errors"

// timedOut is the cause of a call that was not answered in time.
type timedOut struct{}

func (timedOut) Error() string { return "timed out" }
func (timedOut) Timeout() bool { return true }

// TimedOut reports whether a call failed because an accounts server did not answer in
// time: another call is likely to take as long.
func TimedOut(err error) bool {
	e := AsError(err)
	return e != nil && errors.As(e.cause, new(timedOut))
}
