// How does the world around a keeper change? Processes die, config is written,
// grants are revoked and connected again.

package zoho_test

import (
	"context"
	"fmt"
	"testing/synctest"
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
	h.slowest = max(h.slowest, 2*slow)
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
	h.mu.Lock()
	defer h.mu.Unlock()
	client := *hold.account.Client
	client.Secret, client.MaxLifetime = zoho.Secret(h.zoho.DefaultClient().Secret), h.maxLifetime
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
	h.revoked[hold.root] = true
	h.zoho.RevokeRefreshToken(string(hold.account.Grant.RefreshToken))
}

func (h *history) personReconnects(a, _, _ byte) string {
	hold := h.holding(a)
	h.revoke(hold)
	h.connect(hold)
	return fmt.Sprintf("account %d is connected again", a)
}

// connect gives a holding a new grant. Faults are for mints.
func (h *history) connect(hold *holding) { h.connectSlowly(hold, 0) }

// connectSlowly does so while the credential takes its time to be stored. Whoever reads
// it meanwhile is faster than the connect.
func (h *history) connectSlowly(hold *holding, slow time.Duration) {
	h.zoho.ClearFaults()
	h.countBy(zoho.KeyGrant) // a code does not wait for a limit
	account, answer, err := connect(h.ctx, h.zoho, "eu")
	h.countBy(h.limits.Key)
	if err != nil {
		panic(err) // the way through the consent has tests of its own
	}
	account.Connected = answer.Received
	account.Client.Timeout, account.Client.MaxLifetime = h.timeout, h.maxLifetime
	h.mu.Lock()
	hold.account, hold.root = *account, account.ID
	// What is promised of it is what was answered, whatever is believed later.
	h.watch(hold.root, string(answer.Token.AccessToken), answer.Token.Expires)
	h.mu.Unlock()
	by, adopted := h.active, h.at(h.active, hold)
	h.readers.Go(func() {
		err := by.keeper.Adopt(h.ctx, adopted, answer, func() error { time.Sleep(slow); return nil })
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.last[account.ID] == "" {
			h.last[account.ID] = string(answer.Token.AccessToken)
		}
		if err != nil {
			h.wrong("a stored credential was not adopted: %v", err)
		}
	})
	synctest.Wait()
}

// countBy has Zoho count mints by a key.
func (h *history) countBy(key zoho.MintKey) {
	h.zoho.Knobs(func(k *zohotest.Knobs) {
		if k.MintKey = zohotest.PerRefreshToken; key == zoho.KeyClient {
			k.MintKey = zohotest.PerClient
		}
	})
}

// connectIsSlow connects an account again while others read it.
func (h *history) connectIsSlow(a, b, c byte) string {
	hold := h.holding(a)
	slow := pick(b, 0, time.Millisecond, time.Second, 7*time.Second)
	h.revoke(hold)
	h.connectSlowly(hold, slow)
	for i := range int(c % 8) {
		h.reader(hold, wish(b+byte(i), c, c), 0, false)
	}
	return fmt.Sprintf("account %d is connected again, which takes %s, and read %d times meanwhile", a, slow, c%8)
}

// lifetimeChanges changes how long tokens live and are believed to live together, while
// nothing is under way; often with a restart.
func (h *history) lifetimeChanges(a, b, _ byte) string {
	time.Sleep(2 * boundedTime)
	h.maxLifetime = pick(a, time.Hour, 10*time.Minute, 30*time.Minute, 3*time.Hour)
	h.zoho.Knobs(func(k *zohotest.Knobs) {
		k.AccessTokenLifetime = h.maxLifetime
		k.OmitExpiresIn = false // it would be taken for an hour
	})
	for _, hold := range h.holdings {
		h.synchronize(hold)
	}
	if b&1 == 1 {
		h.processDies(0, 0, 0)
	}
	return fmt.Sprintf("tokens live %s from now on, restart %v", h.maxLifetime, b&1 == 1)
}

// tokenDies at Zoho, and some or none of its readers complain.
func (h *history) tokenDies(a, b, c byte) string {
	hold := h.holding(a)
	root := h.rootOf(hold)
	h.mu.Lock()
	token := h.last[root]
	if token != "" {
		h.killed[token] = true
		h.zoho.RevokeAccessToken(token)
	}
	h.mu.Unlock()
	for i := range int(b % 8) {
		want := wish(c+byte(i), b, c)
		want.Rejected = never
		h.reader(hold, want, 0, b>>6 == 3)
	}
	return fmt.Sprintf("the token that account %d has read last dies, %d readers complain", a, b%8)
}

// never stands for a complaint in a wish; reader puts the token into it.
func never(*zoho.Token) bool { return false }

// complaintsStorm about one token, while all is well: there is one mint at most.
func (h *history) complaintsStorm(a, b, c byte) string {
	hold := h.holding(a)
	h.zoho.ClearFaults()
	time.Sleep(2 * boundedTime)
	calls, root := h.zoho.Counts().ByGrant["refresh_token"], h.rootOf(hold)
	h.mu.Lock()
	h.storm = h.last[root]
	h.mu.Unlock()
	for i := range 2 + int(b%20) {
		h.reader(hold, zoho.Want{MaxAge: pick(b+byte(i), 0, time.Minute, time.Hour), Rejected: never}, 0, c&1 == 1)
		if c&2 == 2 {
			time.Sleep(time.Second)
		}
	}
	time.Sleep(boundedTime)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.storm = ""
	if spent := h.zoho.Counts().ByGrant["refresh_token"] - calls; spent > 1 { // a check of the server is no mint
		h.wrong("a storm of complaints about one token made %d calls", spent)
	}
	return fmt.Sprintf("%d readers of account %d complain about its last token", 2+b%20, a)
}

// probeFindsDead is Zoho itself calling the newest token dead.
func (h *history) probeFindsDead(a, _, _ byte) string {
	hold, by := h.holding(a), h.active
	account := h.at(by, hold)
	h.readers.Go(func() {
		state, err := by.keeper.Look(h.ctx, account)
		if err != nil || state.Newest == nil {
			return
		}
		token := string(state.Newest.AccessToken)
		h.mu.Lock()
		h.killed[token] = true
		h.zoho.RevokeAccessToken(token)
		h.mu.Unlock()
		if err := by.keeper.Reject(h.ctx, account, state.Newest); err == nil && !by.shelf.isKilled() {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.rejected[token].by == nil {
				h.rejected[token] = rejection{time.Now(), by}
			}
		}
	})
	return fmt.Sprintf("a probe of account %d finds its token dead", a)
}

func (h *history) cacheForgets(a, _, _ byte) string {
	h.active.keeper.Forget(h.at(h.active, h.holding(a)).ID)
	return fmt.Sprintf("account %d is invalidated", a)
}

func (h *history) grantIsProven(a, _, _ byte) string {
	hold, by := h.holding(a), h.active
	account, root := h.at(by, hold), h.rootOf(hold)
	h.readers.Go(func() {
		token, err := by.keeper.Prove(h.ctx, account)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil {
			h.nothingSecretIn(err)
		} else if !by.shelf.isKilled() {
			h.watch(root, string(token.AccessToken), token.Expires)
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
