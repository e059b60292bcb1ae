// What is remembered of calls after an outage, a restart, or a change of settings?

package zoho_test

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// An outage takes the whole budget, and no call of it made a token: once Zoho's
// window is over, nothing is left to wait for.
func TestAfterAnOutageAndARestartOnlyTheWindowIsWaitedOut(t *testing.T) {
	inBubble(t, func(w *world) {
		w.fails(zohotest.Status5xx, 0)
		for range 10 {
			_, err := w.read(zoho.Want{})
			w.passes(w.wantHeld(err).Wait)
			w.restart()
		}
		w.zoho.ClearFaults()
		w.passes(11 * time.Minute)
		w.reads(zoho.Want{})
	})
}

func TestATokenWhoseAnswerWasLostMayBeEvictedAfterARestartToo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.withLimits(100, 2)
		for range 2 {
			w.fails(zohotest.LostAnswer, 1)
			_, err := w.read(zoho.Want{})
			w.wantHeld(err)
			w.restart()
			w.passes(2 * time.Minute)
		}
		w.reads(zoho.Want{})
		w.wantCalls(3)
	})
}

func TestAPlaceOfTheFirstFormatCountsAsATokenThatSomebodyHolds(t *testing.T) {
	inBubble(t, func(w *world) {
		w.disk.records[w.account.ID] = fullRecord(time.Now().Add(-11 * time.Minute))
		if _, err := w.read(zoho.Want{MinTTL: 55 * time.Minute, Demand: true}); w.wantThrottled(err).Wait < 48*time.Minute {
			t.Errorf("got %v", err)
		}
	})
}

// refusing is a client of whose every scope Zoho says that it does not know it.
func (w *world) refusing(variant string) *zoho.Account {
	account := *w.account
	account.ID, account.Grant, account.Variant = "shared", zoho.Grant{Scopes: []string{variant}}, variant
	account.Client = over(json200(`{"error":"invalid_scope"}`))
	account.Limits.Mints = 1000000
	return &account
}

func TestRefusalsOfManyVariantsDoNotFillTheRecordTheyShare(t *testing.T) {
	inBubble(t, func(w *world) {
		mine := w.refusing("mine")
		refused := func(a *zoho.Account) {
			_, err := w.keeper.Token(w.Context(), a, zoho.Want{})
			w.wantHeld(err)
		}
		refused(mine)
		for i := range 300 {
			refused(w.refusing(fmt.Sprint("other ", i)))
		}
		stored := w.stored("shared")
		if n := len(stored.Failures); n != 64 {
			t.Errorf("the record holds %d failures", n)
		}
		if last := stored.Failures[63].Variant; last != "other 299" {
			t.Errorf("the last of them is that of %s", last)
		}
		w.passes(25 * time.Hour)
		refused(mine)
		if n := len(w.stored("shared").Failures); n != 1 {
			t.Errorf("a day later it still holds %d", n)
		}
	})
}

func TestRefusalsThatWereWaitedOutAreDroppedFirst(t *testing.T) {
	inBubble(t, func(w *world) {
		for i := range 65 {
			if i == 64 {
				w.passes(10 * time.Minute)
			}
			a := w.refusing(fmt.Sprint(i))
			if i == 1 {
				w.passes(6 * time.Minute) // 0 is over when 64 comes, 1 is not
			}
			_, err := w.keeper.Token(w.Context(), a, zoho.Want{})
			w.wantHeld(err)
		}
		for _, f := range w.stored("shared").Failures {
			if f.Variant == "0" {
				t.Error("what was waited out is still there")
			}
		}
	})
}

func TestARefusalOfTheGrantIsRememberedUntilACallSucceeds(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.RevokeRefreshToken(string(w.account.Grant.RefreshToken))
		_, err := w.read(zoho.Want{})
		w.wantHeld(err)
		w.passes(7 * 24 * time.Hour)
		w.restart()
		if state, err := w.keeper.Look(w.Context(), w.account); err != nil || state.Failure == nil || state.Failure.About != zoho.AboutGrant {
			t.Errorf("a week later: %+v, %v", state.Failure, err)
		}
	})
}

func TestALoweredLifetimeShortensNoPromise(t *testing.T) {
	inBubble(t, func(w *world) {
		w.zoho.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = 3 * time.Hour })
		w.changeAccount(func(a *zoho.Account) { a.Client.MaxLifetime = 3 * time.Hour })
		w.withLimits(100, 1)
		held := w.reads(zoho.Want{})
		w.changeAccount(func(a *zoho.Account) { a.Client.MaxLifetime = time.Hour })
		w.restart()
		for range 20 {
			w.passes(9 * time.Minute)
			if _, err := w.keeper.Prove(w.Context(), w.account); err != nil {
				w.wantThrottled(err)
			}
			if !w.zoho.Alive(string(held.Token.AccessToken)) && time.Now().Before(held.Token.Expires) {
				t.Fatalf("a token died %s before its time", time.Until(held.Token.Expires))
			}
		}
	})
}
