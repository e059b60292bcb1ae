// How does the world around a keeper change? Processes die, config is written,
// grants are revoked and connected again.

package zoho_test

import (
	"context"
	"fmt"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func (s *shelf) isKilled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed
}

// storage sets how slow writes are and how many of the next ones fail.
func (h *history) storage(slow time.Duration, fail int, landed bool) {
	h.disk.set(func(d *disk) {
		last := d.saves + fail
		d.saving = func(_ context.Context, n int) error {
			time.Sleep(slow)
			if n <= last {
				if landed {
					return errLanded
				}
				return errStorage
			}
			return nil
		}
	})
}

func (h *history) processDies(_, _, _ byte) string {
	h.active.shelf.kill()
	h.active = h.newProcess(false)
	return "the process dies and starts again"
}

// processDiesInMidCall loses an answer that Zoho gives late, with everything that
// only memory knew.
func (h *history) processDiesInMidCall(a, b, c byte) string {
	hold := h.holding(c)
	kind := pick(a, zohotest.Slow, zohotest.SlowAnswer)
	delay := pick(a>>1, time.Second, 5*time.Second, 9*time.Second, 9990*time.Millisecond)
	before := time.Duration(b) * 60 * time.Millisecond
	h.zoho.ClearFaults()
	h.zoho.Fault(zohotest.Fault{Kind: kind, Endpoint: "token", Times: 1, Delay: delay})
	h.reader(hold, zoho.Want{MinTTL: 59*time.Minute + 50*time.Second}, 0, false)
	time.Sleep(before)
	h.processDies(0, 0, 0)
	time.Sleep(2 * zoho.DefaultTimeout)
	return fmt.Sprintf("account %d is read, Zoho is %s by %s, the process dies after %s", c, kind, delay, before)
}

func (h *history) standbyTakesOver(_, _, _ byte) string {
	h.active.shelf.kill()
	h.disk.set(func(*disk) { h.standby.shelf.standby = false })
	h.mu.Lock()
	h.active, h.standby = h.standby, nil
	h.mu.Unlock()
	fresh := h.newProcess(true)
	h.mu.Lock()
	h.standby = fresh
	h.mu.Unlock()
	return "the standby takes over"
}

// limitsChange changes Zoho's limits and ours together, while nothing is under way.
func (h *history) limitsChange(a, b, _ byte) string {
	time.Sleep(2 * boundedTime)
	h.limits.Mints = pick(a, 10, 15, 30, 5, 1)
	h.limits.Live = pick(b, 10, 15, 30, 5, 1)
	h.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens = h.limits.Mints, h.limits.Live })
	return fmt.Sprintf("limits are now %+v", h.limits)
}

// secretRotates at Zoho; config may follow later.
func (h *history) secretRotates(a, _, _ byte) string {
	h.zoho.RotateSecret(h.zoho.DefaultClient().ID, "")
	if a&1 == 1 {
		for _, hold := range h.holdings {
			h.synchronize(hold)
		}
	}
	return fmt.Sprintf("the client secret is rotated, config follows at once: %v", a&1 == 1)
}

// synchronize writes Zoho's client secret into the account.
func (h *history) synchronize(hold *holding) {
	client := *hold.account.Client
	client.Secret = zoho.Secret(h.zoho.DefaultClient().Secret)
	hold.account.Client = &client
	hold.account.Setup = zoho.Fingerprint(string(client.Secret), fmt.Sprint(h.setups))
}

func (h *history) configIsWritten(a, _, _ byte) string {
	if a&1 == 1 {
		h.setups++
	}
	for _, hold := range h.holdings {
		h.synchronize(hold)
	}
	return fmt.Sprintf("config is written, changing the transport: %v", a&1 == 1)
}

func (h *history) userRevokes(a, _, _ byte) string {
	hold := h.holding(a)
	h.revoke(hold)
	return fmt.Sprintf("the user of account %d revokes", a)
}

func (h *history) revoke(hold *holding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoked[hold.account.ID] = true
	h.zoho.RevokeRefreshToken(string(hold.account.Grant.RefreshToken))
}

func (h *history) personReconnects(a, _, _ byte) string {
	hold := h.holding(a)
	h.revoke(hold)
	h.connect(hold)
	return fmt.Sprintf("account %d is connected again", a)
}

// connect gives a holding a new grant. Faults are for mints.
func (h *history) connect(hold *holding) {
	h.zoho.ClearFaults()
	account, answer, err := connect(h.ctx, h.zoho, "eu")
	if err != nil {
		panic(err) // the way through the consent has tests of its own
	}
	account.Connected = answer.Received
	account.Client.Timeout = h.timeout
	hold.account = *account
	// If storing the first token fails, Connected still keeps its place.
	_ = h.active.keeper.Adopt(h.ctx, h.at(h.active, hold), answer, func() error { return nil })
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watch(account.ID, string(answer.Token.AccessToken), answer.Token.Expires)
}

func (h *history) cacheForgets(a, _, _ byte) string {
	h.active.keeper.Forget(h.holding(a).account.ID)
	return fmt.Sprintf("account %d is invalidated", a)
}

func (h *history) grantIsProven(a, _, _ byte) string {
	hold, by := h.holding(a), h.active
	account := h.at(by, hold)
	h.readers.Go(func() {
		token, err := by.keeper.Prove(h.ctx, account)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil {
			h.nothingSecretIn(err)
		} else if !by.shelf.isKilled() {
			h.watch(account.ID, string(token.AccessToken), token.Expires)
		}
	})
	return fmt.Sprintf("account %d is proven", a)
}

func (h *history) operatorLooks(a, _, _ byte) string {
	calls := h.zoho.Counts().TokenCalls
	state, err := h.active.keeper.Look(h.ctx, h.at(h.active, h.holding(a)))
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || state.MintsLeft < 0 || state.MintsLeft > h.limits.Mints || h.zoho.Counts().TokenCalls != calls {
		h.wrong("a look gave %+v, %v", state, err)
	}
	return "an operator looks"
}
