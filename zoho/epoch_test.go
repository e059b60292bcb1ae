// Epochs as a set of facts: what was once revoked stays so, whatever is added later.

package zoho_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// tokensUnder stores a record with one token of an epoch, and returns how many are left for a keeper
// that knows the epochs.
func (w *world) tokensUnder(e zoho.Epochs, id string, epoch uint64) int {
	w.Helper()
	k := zoho.NewKeeper(10, nil)
	k.SetEpochs(e, true)
	a := *w.account
	a.ID = id
	now := time.Now()
	token := &zoho.Token{AccessToken: "t", Issued: now, Expires: now.Add(time.Hour), Epoch: epoch}
	r := &zoho.Record{Version: 2, Tokens: []*zoho.Token{token}, Places: []zoho.Place{{At: now, Until: now.Add(time.Hour)}}}
	if err := a.Shelf.Save(w.Context(), id, r); err != nil {
		w.Fatal(err)
	}
	state, err := k.Look(w.Context(), &a)
	if err != nil {
		w.Fatal(err)
	}
	return len(state.Tokens)
}

func TestTokensAreRevokedExactlyWhereSomeSpanSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		random := rand.New(rand.NewPCG(1, 2))
		ids := []string{"a", "b", "c", "d", "e"}
		for range 200 {
			var e zoho.Epochs
			var spans []zoho.Span
			for i := range 1 + random.IntN(4) {
				s := zoho.Span{Before: uint64(i + 1), Through: append(ids, "")[random.IntN(6)], At: time.Now()}
				for _, id := range ids {
					if random.IntN(4) == 0 {
						s.Except = append(s.Except, id)
					}
				}
				spans = append(spans, s)
			}
			random.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] }) // requests end in any order
			for _, s := range spans {
				e = e.With(s)
				e.Current = max(e.Current, s.Before)
			}
			id, epoch := ids[random.IntN(len(ids))], uint64(random.IntN(5))
			revoked := slices.ContainsFunc(spans, func(s zoho.Span) bool {
				return epoch < s.Before && (s.Through == "" || id <= s.Through) && !slices.Contains(s.Except, id)
			})
			if n := w.tokensUnder(e, id, epoch); (n == 0) != revoked {
				t.Fatalf("%d tokens of epoch %d of grant %s are left under %+v, made of %+v", n, epoch, id, e, spans)
			}
		}
	})
}

func TestSpansAreForgottenWhenTheirTokensHaveExpired(t *testing.T) {
	var e zoho.Epochs
	at := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for day := range 10 { // each leaves out another grant, so that none covers the one before
		e = e.With(zoho.Span{Before: uint64(day + 1), Except: []string{string(rune('a' + day))}, At: at.AddDate(0, 0, day)})
	}
	if len(e.Revoked) > 2 {
		t.Errorf("%d spans are stored after ten days", len(e.Revoked))
	}
}

func TestEarlierEpochNeverBecomesTheCurrentOneAgain(t *testing.T) {
	k := zoho.NewKeeper(1, nil)
	k.SetEpochs(zoho.Epochs{Current: 7}, true)
	k.SetEpochs(zoho.Epochs{Current: 6}, true)
	if now := k.Epochs().Current; now != 7 {
		t.Errorf("the current epoch is %d", now)
	}
}
