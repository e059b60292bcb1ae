// What must hold whatever happens? The engine that a script is played on, and the
// checks on everything it hands out.

package zoho_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// boundedTime is how long a reader may have to wait: for one flight that was under
// way and one of its own, each at most three timeouts.
const boundedTime = 6 * zoho.DefaultTimeout

// history is one run of a script.
type history struct {
	ctx             context.Context
	zoho            *zohotest.Simulator
	disk            *disk
	active, standby *process
	holdings        []*holding
	limits          zoho.Limits
	cacheSize       int
	hurried         bool
	slowest         time.Duration // that a write ever was
	timeout         time.Duration
	maxLifetime     time.Duration
	setups          int

	mu       sync.Mutex
	readers  sync.WaitGroup
	problems []string
	minted   map[string]time.Time // by access token: when the keeper had it
	watched  map[string]time.Time // by access token: when it was first handed out
	promised map[string]time.Time // by access token: until when it was said to live
	killed   map[string]bool      // by access token: Zoho has forgotten it
	rejected map[string]rejection // by access token: the first complaint that was answered
	last     map[string]string    // by root: the access token handed out last
	storm    string               // the access token that everybody complains about
	revoked  map[string]bool      // by root: Zoho has forgotten the grant
}

// process is a keeper and its door to the disk.
type process struct {
	keeper *zoho.Keeper
	shelf  *shelf
	// refused is, by Account.ID, when this process last heard that a grant is dead.
	refused map[string]time.Time
}

// rejection is when and by whom a complaint about a token was answered.
type rejection struct {
	at time.Time
	by *process
}

// holding is one account as config and credential describe it now; guarded by
// history.mu, since Zoho may replace its refresh token with any mint.
type holding struct {
	account zoho.Account
	// root is the id that the grant had at first.
	root string
}

// lent is a process's door to the disk, for a credential as it was when it was read.
type lent struct {
	*shelf
	h    *history
	hold *holding
	read zoho.Secret
}

func (l *lent) Rotated(ctx context.Context, refreshToken zoho.Secret, r *zoho.Record) (string, error) {
	l.h.mu.Lock()
	current := l.hold.account.Grant.RefreshToken
	l.h.mu.Unlock()
	if current != l.read && current != refreshToken {
		return "", nil
	}
	if err := l.Save(ctx, newID(refreshToken), r); err != nil {
		return "", err
	}
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	l.hold.account.Grant.RefreshToken, l.hold.account.ID = refreshToken, newID(refreshToken)
	return newID(refreshToken), nil
}

func newHistory(ctx context.Context, header []byte) *history {
	h := &history{
		ctx: ctx, zoho: zohotest.New(), disk: newDisk(),
		minted: make(map[string]time.Time), watched: make(map[string]time.Time), promised: make(map[string]time.Time),
		killed: make(map[string]bool), rejected: make(map[string]rejection), last: make(map[string]string), revoked: make(map[string]bool),
		limits: zoho.Limits{
			Live: pick(header[0], 10, 15, 30), Mints: pick(header[1], 10, 10, 10, 15, 5, 2, 1, 30), Window: window,
		},
		cacheSize: pick(header[6], 100, 100, 2, 1),
		hurried:   header[5]&16 == 16,
		timeout:   pick(header[7]>>4, 0, 0, 2*time.Second),
	}
	byClient := header[6]>>4%4 == 1
	if byClient {
		h.limits.Key = zoho.KeyClient
	}
	h.zoho.Knobs(func(k *zohotest.Knobs) {
		// Consents are not what is examined here.
		k.Codes, k.LiveRefreshTokens = -1, -1
		k.Mints, k.LiveAccessTokens = h.limits.Mints, h.limits.Live
		k.AccessTokenLifetime = pick(header[2], lifetime, lifetime, 30*time.Minute, 10*time.Minute, 90*time.Second)
		switch header[3] % 5 {
		case 1:
			k.LegacyExpiresIn = true
		case 2:
			k.ExpiresInString = true
		case 3:
			k.OmitExpiresIn = k.AccessTokenLifetime == lifetime
		}
		k.ExchangeIsMint = header[2]&16 == 0 && !byClient // no consent waits for a limit
		k.RotateRefreshTokens = header[2]>>5 == 0
		k.ThrottleStatus = pick(header[4], 400, 200)
		k.ThrottleField = header[4]&2 == 0
		k.ThrottleLanguage = pick(header[4]>>2, "en", "zh", "ja")
		k.SlidingWindow = header[5]&1 == 1
		k.RejectedExtend = header[5]&2 == 2
		k.Lockout = pick(header[5]>>2, 0, 0, time.Hour)
		k.ErrorStatus = pick(header[4]>>4, 200, 200, 400, 401)
	})
	h.countBy(h.limits.Key)
	h.disk.saved = func(id string) {
		h.mu.Lock()
		standby := h.standby
		h.mu.Unlock()
		standby.keeper.Forget(id) // as Vault's Invalidate does
	}
	h.active, h.standby = h.newProcess(false), h.newProcess(true)
	for range 1 + int(header[7]%4) {
		hold := &holding{}
		h.holdings = append(h.holdings, hold)
		h.connect(hold)
	}
	return h
}

func (h *history) newProcess(standby bool) *process {
	p := &process{shelf: &shelf{disk: h.disk, standby: standby}, refused: make(map[string]time.Time)}
	p.keeper = zoho.NewKeeper(h.cacheSize, func(e zoho.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch {
		case e.Outage > 0:
			return
		case e.Err == nil:
			h.minted[string(e.Token.AccessToken)] = time.Now()
			return
		}
		h.nothingSecretIn(e.Err)
		if refusal := zoho.AsError(e.Err); refusal != nil && refusal.Kind == zoho.Refused && refusal.About == zoho.AboutGrant {
			p.refused[e.Account.ID] = time.Now()
		}
	})
	return p
}

// wrong notes a broken promise; h.mu is held.
func (h *history) wrong(format string, args ...any) {
	if len(h.problems) < 5 {
		h.problems = append(h.problems, fmt.Sprintf("%s: ", time.Now().Format("15:04:05.000"))+fmt.Sprintf(format, args...))
	}
}

// nothingSecretIn checks a text that a person may see; h.mu is held.
func (h *history) nothingSecretIn(err error) {
	for _, secret := range h.zoho.Secrets() {
		if strings.Contains(err.Error(), secret) {
			h.wrong("error text holds a secret: %v", err)
		}
	}
}

func (h *history) holding(b byte) *holding { return h.holdings[int(b)%len(h.holdings)] }

// at is an account as a process of this moment sees it.
func (h *history) at(p *process, hold *holding) *zoho.Account {
	h.mu.Lock()
	defer h.mu.Unlock()
	account := hold.account
	account.Shelf, account.Limits = &lent{p.shelf, h, hold, account.Grant.RefreshToken}, h.limits
	return &account
}

// rootOf is the id that a holding's grant had at first.
func (h *history) rootOf(hold *holding) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return hold.root
}

// reader starts one read. Patience 0 is that of a plugin's context: endless.
func (h *history) reader(hold *holding, want zoho.Want, patience time.Duration, viaStandby bool) {
	first := h.active
	if viaStandby {
		first = h.standby
	}
	account, forwarded, active := h.at(first, hold), h.at(h.active, hold), h.active
	root := h.rootOf(hold)
	complaint := ""
	if want.Rejected != nil { // about the token that was handed out last
		h.mu.Lock()
		complaint = cmp.Or(h.storm, h.last[root])
		h.mu.Unlock()
		want.Rejected = func(t *zoho.Token) bool { return string(t.AccessToken) == complaint }
	}
	h.readers.Go(func() {
		ctx := h.ctx
		if patience > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, patience)
			defer cancel()
		}
		arrived := time.Now()
		by := first
		served, err := by.keeper.Token(ctx, account, want)
		if viaStandby && errors.Is(err, zoho.ErrReadOnly) {
			by = active
			served, err = by.keeper.Token(ctx, forwarded, want)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if took := time.Since(arrived); took > boundedTime {
			h.wrong("a reader waited %s for %+v, %v", took, served, err)
		}
		if by.shelf.isKilled() {
			return // the answer of a dead process reaches nobody
		}
		h.judgeComplaint(by, complaint, want, served, err)
		if err != nil {
			h.judgeError(err, patience > 0)
			return
		}
		h.judge(by, account.ID, root, arrived, want, served)
	})
}

// judgeError checks what a reader is told instead of a token; h.mu is held.
func (h *history) judgeError(err error, impatient bool) {
	h.nothingSecretIn(err)
	switch {
	case errors.As(err, new(*zoho.ThrottledError)), errors.As(err, new(*zoho.HeldError)), errors.As(err, new(*zoho.TooLongError)):
	case errors.Is(err, zoho.ErrReadOnly), errors.Is(err, zoho.ErrMoved), errors.Is(err, zoho.ErrBusy), errors.Is(err, errStorage), errors.Is(err, context.DeadlineExceeded):
	default:
		h.wrong("an error of no known kind: %v", err)
	}
}

// judgeComplaint notes that a token was said to be dead, and by whom that was heard.
func (h *history) judgeComplaint(by *process, about string, want zoho.Want, served zoho.Served, err error) {
	switch {
	case want.Rejected == nil || about == "":
	case err == nil && string(served.Token.AccessToken) == about:
		if !strings.Contains(served.Warning, "rejected too") {
			h.wrong("a complaint about %.13s was passed over in silence: %+v", about, served)
		}
	case err == nil, errors.As(err, new(*zoho.HeldError)), errors.As(err, new(*zoho.ThrottledError)):
		// Not if it is not believed, and another mint was needed anyway.
		if h.rejected[about].by == nil && h.disk.hasRejected(about) {
			h.rejected[about] = rejection{time.Now(), by}
		}
	}
}

// judge checks what a reader is given; h.mu is held.
func (h *history) judge(by *process, id, root string, arrived time.Time, want zoho.Want, served zoho.Served) {
	now := time.Now()
	if served.Token == nil || served.Token.AccessToken == "" {
		h.wrong("a success without a token for %+v", want)
		return
	}
	token := string(served.Token.AccessToken)
	if left := served.Token.Expires.Sub(now); left <= 0 || want.Demand && left < want.MinTTL {
		h.wrong("a token that lives %s was given for %+v", left, want)
	}
	minted, known := h.minted[token]
	if !known {
		minted = served.Token.Issued // it came with the code
	}
	if refused := by.refused[id]; minted.Before(refused) && refused.Before(arrived) {
		h.wrong("a token was given whose grant Zoho had refused %s before", now.Sub(refused))
	}
	// Who heard the complaint remembers it, another process if it could be stored.
	if r := h.rejected[token]; r.by != nil && arrived.After(r.at) && (r.by == by || h.disk.hasRejected(token)) {
		h.wrong("a token was given %s after a complaint about it", now.Sub(r.at))
	}
	// A token that could not be stored at first is new to whoever gets it first.
	if given, again := h.watched[token]; known && again && !served.Warm && !served.Held && given.Before(arrived) {
		h.wrong("an older token was given as one minted for this read")
	}
	if good := served.Token.Expires.Sub(now) >= want.MinTTL; good && served.Held && served.Warm && want.Rejected == nil &&
		minted.Before(arrived) && now.Sub(arrived) > time.Second+h.slowest {
		h.wrong("a reader with a good token waited %s for %+v", now.Sub(arrived), want)
	}
	h.last[root] = token
	h.watch(root, token, served.Token.Expires)
}

// watch makes sure that a token lives at Zoho now and until its end; h.mu is held.
func (h *history) watch(id, token string, expires time.Time) {
	if _, watched := h.watched[token]; watched || h.revoked[id] || h.killed[token] {
		return
	}
	h.watched[token], h.promised[token] = time.Now(), expires
	if !h.zoho.Alive(token) {
		h.wrong("a token was given that is dead at Zoho")
	}
	h.readers.Go(func() {
		time.Sleep(time.Until(expires) - 1)
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.revoked[id] && !h.killed[token] && !h.zoho.Alive(token) {
			h.wrong("a token died at Zoho before the %s that its reader was told", expires.Format("15:04:05"))
		}
	})
}

// run plays a script and returns what went wrong, and what happened, in words.
func run(t *testing.T, s script) (problems, log []string) {
	header, events, ok := s.events()
	if !ok {
		return nil, nil
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t.Context(), header)
		log = append(log, fmt.Sprintf("limits %+v, cache of %d, %d accounts, timeout %s", h.limits, h.cacheSize, len(h.holdings), h.timeout))
		for _, event := range events {
			at := time.Now()
			log = append(log, at.Format("15:04:05.000 ")+h.play(event))
			synctest.Wait()
			if len(h.wrongs()) > 0 {
				break
			}
		}
		h.endsWell()
		problems = h.wrongs()
	})
	return problems, log
}

func (h *history) wrongs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range h.zoho.Violations() {
		if v.Kind != zohotest.AccessTokenEvicted || h.someoneHolds(v) {
			h.wrong("violation: %s", v)
		}
	}
	return h.problems
}

// someoneHolds reports whether a violation is about a token that was handed out, and
// not about one that reached only a process that died before it could store it.
func (h *history) someoneHolds(v zohotest.Violation) bool {
	for token, until := range h.promised {
		if strings.Contains(v.Detail, token[:13]) && v.Time.Before(until) {
			return true
		}
	}
	return false
}

// isLost reports whether Zoho replaced a refresh token by one that reached nobody, or
// only a process that died.
func (h *history) isLost(hold *holding) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, rt := range h.zoho.RefreshTokens() {
		if rt.Token == string(hold.account.Grant.RefreshToken) {
			return false
		}
	}
	return true
}

// endsWell mends everything: then every account must have a good token, and what
// was handed out must have lived to its end.
func (h *history) endsWell() {
	h.zoho.ClearFaults()
	h.storage(0, 0, false)
	h.disk.set(func(d *disk) { d.readOnly = false })
	time.Sleep(4 * time.Hour) // longer than any token lives
	h.readers.Wait()
	for i, hold := range h.holdings {
		h.synchronize(hold)
		if h.limits.Key == zoho.KeyClient && i > 0 {
			time.Sleep(2 * window) // they share a limit, of one perhaps
		}
		if h.revoked[h.rootOf(hold)] || h.isLost(hold) {
			h.connect(hold)
		}
		served, err := h.active.keeper.Token(h.ctx, h.at(h.active, hold), zoho.Want{MinTTL: time.Minute})
		h.mu.Lock()
		if err != nil || served.Held || !h.zoho.Alive(string(served.Token.AccessToken)) {
			h.wrong("all is mended, and yet a read gave %+v, %v", served, err)
		}
		h.mu.Unlock()
	}
	h.readers.Wait()
}
