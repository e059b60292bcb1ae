// What happens to mints when a mount ends?

package zoho_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// closes ends the keeper, waiting for so long, and returns how long it took.
func (w *world) closes(patience time.Duration) time.Duration {
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	began := time.Now()
	w.keeper.Close(ctx)
	return time.Since(began)
}

func TestAClosedKeeperServesWhatItHasAndMintsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.reads(zoho.Want{})
		if took := w.closes(time.Minute); took != 0 {
			t.Errorf("with nothing under way closing took %s", took)
		}
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token != first.Token {
			t.Error("the token at hand was not served")
		}
		if _, err := w.read(zoho.Want{}); !errors.Is(err, zoho.ErrClosed) || !strings.Contains(err.Error(), "unmounted") {
			t.Errorf("a read that needs a mint got %v", err)
		}
		if _, err := w.keeper.Prove(w.Context(), w.account); !errors.Is(err, zoho.ErrClosed) {
			t.Errorf("a proof got %v", err)
		}
		w.wantCalls(1)
		w.wantSaves(2)
	})
}

func TestClosingWaitsForTheMintUnderWay(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		go func() { w.reads(zoho.Want{}) }()
		synctest.Wait()
		if took := w.closes(time.Minute); took != 5*time.Second {
			t.Errorf("closing took %s, the mint 5s", took)
		}
		w.restart()
		w.reads(zoho.Want{MaxAge: time.Hour})
		w.wantCalls(1)
	})
}

func TestClosingCutsOffAZohoThatHangs(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Hang, 1)
		read := make(chan error, 1)
		go func() {
			_, err := w.read(zoho.Want{})
			read <- err
		}()
		synctest.Wait()
		began := time.Now()
		if took := w.closes(2 * time.Second); took != 2*time.Second {
			t.Errorf("closing took %s", took)
		}
		if err := <-read; !errors.Is(err, zoho.ErrClosed) || time.Since(began) != 2*time.Second {
			t.Errorf("after %s the reader got %v", time.Since(began), err)
		}
		w.restart()
		w.reads(zoho.Want{}) // Zoho did not fail: nothing is waited out
	})
}

func TestAConnectIsStoredThoughTheMountEnds(t *testing.T) {
	reconnected(t, func(w *world, before int) {
		w.closes(time.Second)
		if err := w.adopts(stored); err != nil {
			t.Fatal(err)
		}
		w.restart()
		if served := w.reads(zoho.Want{MaxAge: time.Hour}); served.Token.AccessToken != w.first.Token.AccessToken {
			t.Error("the token of the code was lost")
		}
		w.wantCalls(before)
	})
}
