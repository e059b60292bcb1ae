// What if a reader is late: it decides on what was true a moment ago, or a token
// reaches storage long after it was minted?

package zoho_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

func TestTokenThatIsStoredLongAfterItsMintIsNoFreshOne(t *testing.T) {
	inBubble(t, func(w *world) {
		fail := func(_ context.Context, n int) error {
			if n == 2 { // the place was stored, the token is not
				return errStorage
			}
			return nil
		}
		w.disk.set(func(d *disk) { d.saving = fail })
		if _, err := w.read(zoho.Want{}); err == nil {
			t.Fatal("a token is handed out that is not stored")
		}
		w.disk.set(func(d *disk) { d.saving = nil })
		w.passes(10 * time.Minute)
		served := w.reads(zoho.Want{})
		if age := time.Since(served.Token.Issued); age > time.Minute {
			t.Errorf("a reader who wants a new token gets one of %s", age)
		}
	})
}

// Readers run in parallel here: one that has decided to mint, and comes to it when
// another's mint has landed, must not mint again.
func TestReaderWhoDecidedBeforeAMintLandedDoesNotMintAgain(t *testing.T) {
	for range 200 {
		inBubble(t, func(w *world) {
			var start, readers sync.WaitGroup
			start.Add(1)
			for range 32 {
				readers.Go(func() {
					start.Wait()
					w.reads(zoho.Want{MaxAge: 30 * time.Minute})
				})
			}
			start.Done()
			readers.Wait()
			w.wantCalls(1)
		})
	}
}
