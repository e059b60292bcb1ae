// Is the token that came with a code everybody's, whoever reads meanwhile and
// whatever fails?

package zoho_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// reconnected is a world in which a code was just exchanged and nothing stored.
func reconnected(t *testing.T, test func(w *world, before int)) {
	t.Helper()
	inBubble(t, func(w *world) {
		w.connect("eu")
		w.changeAccount(func(a *zoho.Account) { a.Connected = w.first.Received })
		w.restart()
		test(w, w.calls())
	})
}

func (w *world) adopts(store func() error) error {
	return w.keeper.Adopt(w.Context(), w.account, w.first, store)
}

func stored() error { return nil }

func (w *world) failingSave(nth ...int) { w.savesAnswer(errStorage, nth...) }

// savesAnswer has the nth writes to storage answered with an error.
func (w *world) savesAnswer(err error, nth ...int) {
	w.disk.set(func(d *disk) {
		d.saving = func(_ context.Context, n int) error {
			if slices.Contains(nth, n) {
				return err
			}
			return nil
		}
	})
}

func TestReadersInTheMiddleOfAConnectGetTheTokenThatCameWithIt(t *testing.T) {
	for _, want := range []zoho.Want{{}, {MaxAge: time.Hour}, {MinTTL: 50 * time.Minute, Demand: true}} {
		reconnected(t, func(w *world, before int) {
			go func() {
				if err := w.adopts(func() error { time.Sleep(3 * time.Second); return nil }); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			served, errs := w.burst(10, want)
			for i := range served {
				if errs[i] != nil || served[i].Token.AccessToken != w.first.Token.AccessToken {
					t.Fatalf("%+v: reader %d got %+v, %v", want, i, served[i], errs[i])
				}
			}
			w.wantCalls(before)
			if state, err := w.keeper.Look(w.Context(), w.account); err != nil || state.MintsLeft != 9 {
				t.Errorf("%d mints are left beside the token of the code, %v", state.MintsLeft, err)
			}
		})
	}
}

func TestAConnectThatCannotBeStoredKeepsNothing(t *testing.T) {
	reconnected(t, func(w *world, before int) {
		if err := w.adopts(func() error { return errStorage }); !errors.Is(err, errStorage) {
			t.Errorf("got %v, want the storage's error", err)
		}
		w.wantSaves(0)
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantCalls(before + 1)
	})
}

func TestATokenOfACodeThatCannotBeStoredIsToldAndStoredByTheNextRead(t *testing.T) {
	for name, breaks := range map[string]func(w *world){
		"the write": func(w *world) { w.failingSave(1) },
		"the read": func(w *world) {
			w.disk.set(func(d *disk) {
				d.loading = func(_ context.Context, n int) error {
					if n == 1 {
						return errStorage
					}
					return nil
				}
			})
		},
	} {
		reconnected(t, func(w *world, before int) {
			breaks(w)
			if err := w.adopts(stored); err != nil {
				t.Errorf("%s fails: the connect failed with %v", name, err)
			}
			if events := w.events(); len(events) != 1 || !errors.Is(events[0].Err, errStorage) || zoho.AsError(events[0].Err) != nil {
				t.Errorf("%s fails: told was %+v", name, events)
			}
			if served := w.reads(zoho.Want{}); served.Token.AccessToken != w.first.Token.AccessToken {
				t.Errorf("%s fails: the token of the code was lost", name)
			}
			w.restart()
			if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != w.first.Token.AccessToken {
				t.Errorf("%s fails: the token was served without being stored", name)
			}
			w.wantCalls(before)
			if state, err := w.keeper.Look(w.Context(), w.account); err != nil || state.MintsLeft != 9 {
				t.Errorf("%s fails: %d mints are left beside the token of the code, %v", name, state.MintsLeft, err)
			}
		})
	}
}

func TestATokenOfACodeJoinsWhatCouldNotBeReadAtFirst(t *testing.T) {
	reconnected(t, func(w *world, before int) {
		w.passes(time.Minute)
		minted := w.reads(zoho.Want{})
		w.restart()
		loads, _ := w.disk.counts()
		w.disk.set(func(d *disk) {
			d.loading = func(_ context.Context, n int) error {
				if n == loads+1 {
					return errStorage
				}
				return nil
			}
		})
		if err := w.adopts(stored); err != nil {
			t.Fatal(err)
		}
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != minted.Token.AccessToken {
			t.Error("an older token took the place of a newer one")
		}
		w.restart()
		if state := w.looks(); len(state.Tokens) != 2 || state.MintsLeft != 8 {
			t.Errorf("two tokens and eight mints were expected: %+v", state)
		}
	})
}

func TestATokenOfACodeJoinsWhatWasMintedMeanwhile(t *testing.T) {
	reconnected(t, func(w *world, before int) {
		w.passes(time.Minute)
		minted := w.reads(zoho.Want{})
		if err := w.adopts(stored); err != nil {
			t.Fatal(err)
		}
		w.restart()
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != minted.Token.AccessToken {
			t.Error("an older token took the place of a newer one")
		}
		state, err := w.keeper.Look(w.Context(), w.account)
		if err != nil || len(state.Tokens) != 2 || state.MintsLeft != 8 || state.Tokens[0].AccessToken != w.first.Token.AccessToken {
			t.Errorf("two tokens, the older first, and eight mints were expected: %+v, %v", state, err)
		}
		for range 20 {
			w.reads(zoho.Want{})
		}
		w.wantCalls(before + 7)
	})
}
