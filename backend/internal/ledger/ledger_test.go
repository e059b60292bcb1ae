// Does memory keep what was forgotten no longer than a mint may be on its way?

package ledger

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestForgottenGrantIsRememberedForAWhileAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil, nil)
		l.left("first")
		time.Sleep(unfinished)
		l.left("second")
		if !l.Gone("first") {
			t.Error("a mint that was on its way may bring back its record")
		}
		time.Sleep(time.Second)
		l.left("third")
		if l.Gone("first") || !l.Gone("second") {
			t.Errorf("remembered are %v", l.gone)
		}
	})
}
