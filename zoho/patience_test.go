// How long does a reader wait for Zoho who has a token that will do?

package zoho_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// took is how long something took.
func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func TestAReaderWithAGoodTokenWaitsASecondForASlowZoho(t *testing.T) {
	for name, want := range map[string]zoho.Want{
		"fresh each time": {MinTTL: 10 * time.Minute}, "too old": {MaxAge: time.Minute}, "demanding": {MinTTL: 10 * time.Minute, Demand: true},
	} {
		inBubble(t, func(w *world) {
			first := w.reads(want)
			w.passes(2 * time.Minute)
			w.fails(zohotest.Hang, 1)
			if waited := took(func() {
				served := w.reads(want)
				if served.Token != first.Token || !served.Held || !served.Warm || !strings.Contains(served.Warning, "takes its time") {
					t.Errorf("%s: got %+v, want the token at hand with a warning", name, served)
				}
				if wait := time.Until(served.Next); wait < time.Second || wait > 30*time.Second {
					t.Errorf("%s: it is to come back in %s", name, wait)
				}
			}); waited != time.Second {
				t.Errorf("%s: the reader waited %s", name, waited)
			}
			w.wantCalls(2)
		})
	}
}

func TestTheTokenThatAnImpatientReaderDidNotWaitForIsThereLater(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{})
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 4 * time.Second, Times: 1})
		w.reads(zoho.Want{})
		w.passes(5 * time.Second)
		if served := w.reads(zoho.Want{MaxAge: time.Minute}); served.Token == first.Token {
			t.Error("the token of the flight that went on was lost")
		}
		w.wantCalls(2)
	})
}

func TestAReaderWithoutAGoodTokenWaitsForZoho(t *testing.T) {
	inBubble(t, func(w *world) {
		w.reads(zoho.Want{})
		w.passes(55 * time.Minute)
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 4 * time.Second, Times: 1})
		if waited := took(func() {
			if served := w.reads(zoho.Want{MinTTL: 10 * time.Minute}); served.Held {
				t.Errorf("got %+v", served)
			}
		}); waited != 4*time.Second {
			t.Errorf("the reader waited %s", waited)
		}
	})
}

// Whether an unavailable Zoho is back is found out behind the answer.
func TestAfterAnOutageAReaderWithAGoodTokenDoesNotWaitToSeeWhetherItIsOver(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{})
		w.fails(zohotest.Hang, 2)
		w.reads(zoho.Want{})
		w.passes(time.Minute) // the call is given up, and its failure waited out
		for i := range 2 {
			if waited := took(func() {
				if served := w.reads(zoho.Want{}); served.Token != first.Token || !served.Held || served.Failure == nil {
					t.Errorf("read %d got %+v", i, served)
				}
			}); waited != 0 {
				t.Errorf("read %d waited %s", i, waited)
			}
			w.wantCalls(3 + i) // it is asked, behind the answer
			w.passes(time.Minute)
		}
		if served := w.reads(zoho.Want{}); served.Token == first.Token || served.Held {
			t.Errorf("all is well again, and a read got %+v", served)
		}
	})
}
