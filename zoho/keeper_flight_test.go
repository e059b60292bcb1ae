// Rule 3: is there one flight per grant, that outlives its callers and slows
// nobody who needs nothing from it?

package zoho_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestAThousandColdReadersShareOneMint(t *testing.T) {
	for _, want := range []zoho.Want{{}, {MaxAge: time.Hour}, {MinTTL: 30 * time.Minute, Demand: true}} {
		inBubble(t, func(w *world) {
			w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: time.Second, Times: 1})
			served, errs := w.burst(1000, want)
			for i := range served {
				if errs[i] != nil || served[i].Token.AccessToken != served[0].Token.AccessToken {
					t.Fatalf("%+v: reader %d got %+v, %v", want, i, served[i], errs[i])
				}
			}
			w.wantCalls(1)
			w.wantSaves(2) // the place, the token
		})
	}
}

func TestReadersShareTheMintThatTakesTheLastPlaceToo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(1, 10)
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: time.Second, Times: 1})
		go func() { w.reads(zoho.Want{}) }()
		synctest.Wait() // the place is taken
		_, errs := w.burst(100, zoho.Want{})
		for i, err := range errs {
			if err != nil {
				t.Fatalf("reader %d got %v", i, err)
			}
		}
		w.wantCalls(1)
	})
}

// late is a reader that has decided to mint, and begins once meanwhile is over.
func (w *world) late(meanwhile func()) (served zoho.Served, err error) {
	open := make(chan struct{})
	w.disk.set(func(d *disk) { d.joining = func() { <-open } })
	done := make(chan struct{})
	go func() {
		defer close(done)
		served, err = w.read(zoho.Want{})
	}()
	synctest.Wait()
	w.disk.set(func(d *disk) { d.joining = nil })
	meanwhile()
	close(open)
	<-done
	return served, err
}

func TestAReaderWhoseMintAnotherHasMadeMeanwhileMakesNoneOfItsOwn(t *testing.T) {
	inBubble(t, func(w *world) {
		var first zoho.Served
		late, err := w.late(func() { first = w.reads(zoho.Want{}) })
		if err != nil || late.Token.AccessToken != first.Token.AccessToken {
			t.Errorf("the reader that was late got %+v, %v", late, err)
		}
		w.wantCalls(1)
	})
}

func TestAThousandColdReadersShareOneFailure(t *testing.T) {
	for _, kind := range []zohotest.FaultKind{zohotest.Status5xx, zohotest.Hang, zohotest.Reset, zohotest.HTML, zohotest.Garbage, zohotest.Truncated} {
		inBubble(t, func(w *world) {
			w.fails(kind, 0)
			_, errs := w.burst(1000, zoho.Want{})
			for i, err := range errs {
				if held := w.wantHeld(err); held.Failure.Kind != zoho.Unavailable {
					t.Fatalf("%s: reader %d got %v, the first %v", kind, i, err, errs[0])
				}
			}
			if kind == zohotest.Garbage {
				return // a check passes, so who arrived late tries once more
			}
			w.wantMints(1)
			w.wantSaves(1) // the place
		})
	}
}

func TestReadersOfALiveTokenDoNotWaitForAHangingZoho(t *testing.T) {
	inBubble(t, func(w *world) {
		want := zoho.Want{MaxAge: 50 * time.Minute}
		first := w.reads(want)
		w.passes(45 * time.Minute) // refresh-ahead is due
		w.fails(zohotest.Hang, 0)
		before := time.Now()
		for range 3 {
			served, errs := w.burst(100, want)
			for i := range served {
				if errs[i] != nil || served[i].Token.AccessToken != first.Token.AccessToken {
					t.Fatalf("reader %d got %+v, %v", i, served[i], errs[i])
				}
			}
			w.passes(time.Second)
		}
		if waited := time.Since(before); waited != 3*time.Second {
			t.Errorf("readers waited %s for a hanging Zoho", waited-3*time.Second)
		}
		w.wantCalls(2) // one at the beginning, one that hangs
		w.passes(time.Minute)
	})
}

func TestReadersOfAnotherGrantDoNotWaitForAHangingOne(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.account
		w.connect("in")
		w.account.Shelf = w.shelf
		w.fails(zohotest.Hang, 1)
		go func() { _, _ = w.keeper.Token(w.Context(), other, zoho.Want{}) }()
		synctest.Wait()
		before := time.Now()
		w.reads(zoho.Want{})
		if waited := time.Since(before); waited != 0 {
			t.Errorf("a reader waited %s for another grant's Zoho", waited)
		}
		w.passes(time.Minute)
	})
}

func TestAHangingZohoIsGivenUpAfterTheTimeout(t *testing.T) {
	inBubble(t, func(w *world) {
		w.changeAccount(func(a *zoho.Account) { a.Client.Timeout = 3 * time.Second })
		w.fails(zohotest.Hang, 0)
		before := time.Now()
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		if waited := time.Since(before); waited != 3*time.Second {
			t.Errorf("the reader waited %s, want the timeout of 3s", waited)
		}
	})
}

func TestAReaderThatGivesUpLosesNobodysToken(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		go func() {
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			defer cancel()
			if _, err := w.keeper.Token(ctx, w.account, zoho.Want{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the reader that gave up got %v", err)
			}
		}()
		synctest.Wait()
		w.reads(zoho.Want{})
		w.wantCalls(1)
	})
}

func TestAMintThatEverybodyGaveUpServesTheNextReader(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := w.keeper.Token(ctx, w.account, zoho.Want{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the reader that gave up got %v", err)
		}
		w.passes(10 * time.Second)
		w.reads(zoho.Want{MaxAge: time.Minute})
		w.wantCalls(1)
	})
}

func TestAReaderWhoseFlightFailedForAnotherSecretAsksWithItsOwn(t *testing.T) {
	inBubble(t, func(w *world) {
		good := w.account
		w.changeAccount(func(a *zoho.Account) { a.Client.Secret, a.Setup = "wrong", "wrong" })
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: time.Second, Times: 1})
		go func() { _, _ = w.keeper.Token(w.Context(), w.account, zoho.Want{}) }()
		synctest.Wait()
		if _, err := w.keeper.Token(w.Context(), good, zoho.Want{}); err != nil {
			t.Errorf("a reader with the right secret got %v", err)
		}
		w.wantCalls(2)
	})
}

func TestWorkThatIsAloneWaitsForTheMintAndForgetsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		go func() { _, _ = w.read(zoho.Want{}) }()
		synctest.Wait()
		began := time.Now()
		err := w.keeper.Alone(w.Context(), w.account.ID, func() error {
			if waited := time.Since(began); waited != 5*time.Second {
				t.Errorf("the work began after %s, in the middle of a mint", waited)
			}
			return errStorage
		})
		if !errors.Is(err, errStorage) {
			t.Errorf("the work's error became %v", err)
		}
		loads, _ := w.disk.counts()
		w.reads(zoho.Want{MaxAge: time.Hour})
		if again, _ := w.disk.counts(); again != loads {
			t.Errorf("the record was loaded again")
		}
		w.wantCalls(1)
	})
}

func TestAWaiterIsAnsweredByItsFlightEvenIfMemoryForgetsItAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.keeper = zoho.NewKeeper(100, func(e zoho.Event) { w.keeper.Forget(e.Account.ID) })
		w.fails(zohotest.Hang, 0)
		_, errs := w.burst(10, zoho.Want{})
		for _, err := range errs {
			w.wantHeld(err)
		}
		w.wantCalls(1)
	})
}
