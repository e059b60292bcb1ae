// server: what a Keeper knows of one accounts server, and the admission of mints to it.
// A server that answers gets a bounded number of mints at once, in their order of arrival.
// A server that fails gets one check at a time until it answers again, whichever grant needs
// a token: a circuit breaker. Libraries such as gobreaker open for a fixed time and test with
// the real call; here the time grows, Retry-After is honored, and the test costs no mint.

package zoho

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// atOnce is how many mints are under way at one accounts server at most. With answers
	// after 200 ms that is 640 a second.
	atOnce = 128
	// startAtOnce is how many are under way at a server that has not answered lately: a
	// server that fails is not met by a crowd. Each answer adds one, so that the number
	// doubles in the time of one answer.
	startAtOnce = 8
	// answeredLately is for how long an answer tells that the server works.
	answeredLately = time.Minute
	// checkHolds is for how long a passed check need not be repeated.
	checkHolds = time.Second

	// firstOutageWait and maxOutageWait bound the time between two checks, which doubles. A
	// token is back at most one such time, one check and one read after the server is.
	// Both count from the beginning of the last one, so that one that hangs is no longer wait.
	firstOutageWait = time.Second
	maxOutageWait   = 8 * time.Second
	// mintAsCheck is how long after the last mint one more is the check, if its grant has more
	// than half of its mints left: a server, or a proxy before it, may answer mints alone.
	// lateMintAsCheck is the same for every grant: it leaves six of ten mints.
	mintAsCheck     = 30 * time.Second
	lateMintAsCheck = 150 * time.Second
	// misledBy is how many grants in a row fail right after a check passed, until checks are
	// no longer believed: something before the server answers them.
	misledBy = 3
	// knownMost is how many servers are known before those that nobody uses are dropped.
	knownMost = 64
	// maxRetryAfter bounds what a Retry-After header may ask for with an outage.
	maxRetryAfter = time.Minute
	// outageRemembered is how long after its last wait an outage is told to readers. Nobody
	// needed a token since, so nothing is known; the next mint begins with a check.
	outageRemembered = time.Minute
	// blip is how long a mint waits for the end of an outage before its readers are told.
	blip = time.Second
)

// ErrBusy means that the read needs a mint, and that its turn did not come in time.
var ErrBusy = errors.New("too many new access tokens are being asked for at once, and the accounts server answers too slowly for all of them; nothing was asked for this one, so read again in a moment")

// errNotAdmitted is the reason for which a waiting mint looks at the server again.
var errNotAdmitted = errors.New("the accounts server failed meanwhile")

// serverKey tells servers apart. What failed with one setup (secret, certificates, timeouts)
// says nothing about another.
type serverKey struct{ url, setup string }

// servers has a server for each key.
type servers struct {
	mu    sync.Mutex
	known map[serverKey]*server
	// failing counts servers in an outage, so that a read looks for one only if there is any.
	failing atomic.Int32
	observe func(Event)
}

// server is the state of one accounts server. It is kept in memory only: after a restart one
// more call tells.
type server struct {
	host    string
	failing *atomic.Int32
	observe func(Event)

	mu sync.Mutex
	// under counts mints under way, limit how many there may be.
	under, limit int
	// waiting are the mints whose turn has not come, in their order of arrival.
	waiting []*turn
	// answers counts answers of the OAuth server: tokens, refusals and throttles.
	answers  uint64
	answered time.Time // when the last one came
	tried    time.Time // when a mint was last admitted
	checked  time.Time // when a check last passed
	// misled counts grants in a row whose mint failed right after a check passed; misledLast is
	// the last of them.
	misled     int
	misledLast string
	check      chan struct{}
	outage     *outage
}

// outage is a time in which a server does not answer.
type outage struct {
	failure Failure // Since is when it began, Until when the next check may begin
	// until is failure.Until, and begun Since, in the process's own time: a clock that is set
	// does not change them.
	until, begun time.Time
	tries        int
}

// turn is the place of one mint in the queue. admitted gets its result: nil, or errNotAdmitted.
type turn struct{ admitted chan error }

// admission is one mint that may be made. Its owner calls done once.
type admission struct {
	server *server
	// answers is the server's count when the mint was admitted.
	answers uint64
	// checked: a check passed right before, so that a failure is not the server's.
	checked bool
	// check: the mint is the check of a server in an outage.
	check bool
	// waited: others may have changed the grant's record meanwhile.
	waited bool
}

// of returns the server of an account.
func (s *servers) of(a *Account) *server {
	key := serverKey{a.Client.AccountsURL, a.Setup}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.known[key]; v != nil {
		return v
	}
	if s.known == nil {
		s.known = map[serverKey]*server{}
	}
	for other, v := range s.known { // a setup that was replaced, or more than a mount needs
		if (other.url == key.url || len(s.known) >= knownMost) && v.idle() {
			delete(s.known, other)
		}
	}
	v := &server{host: a.Client.host(), failing: &s.failing, observe: s.observe, limit: startAtOnce}
	s.known[key] = v
	return v
}

// idle reports whether nobody uses a server; it then ends its outage, which counts no more.
func (s *server) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under > 0 || len(s.waiting) > 0 || s.check != nil {
		return false
	}
	s.works(time.Now())
	return true
}

// outage returns the failure of the account's server, or nil if it answers. due: the next
// check may begin, so whoever needs a token should try. first: this is the first wait, which
// is so short that others than the one who met the failure can sit it out.
func (s *servers) outage(a *Account, now time.Time) (f *Failure, due, first bool) {
	if s.failing.Load() == 0 {
		return nil, false, false
	}
	s.mu.Lock()
	v := s.known[serverKey{a.Client.AccountsURL, a.Setup}]
	s.mu.Unlock()
	if v == nil {
		return nil, false, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.outage == nil {
		return nil, false, false
	}
	return v.held(now), v.check == nil && !v.outage.until.After(now), v.outage.tries == 1
}

// held returns the failure that is waited out; s.mu is held and there is an outage.
func (s *server) held(now time.Time) *Failure {
	f := s.outage.failure
	f.Until = now.Add(s.outage.until.Sub(now))
	if s.check != nil { // its result is soon there
		f.Until = later(f.Until, now.Add(2*time.Second))
	}
	return &f
}

// entry tells who asks for admission.
type entry struct {
	// doubtful asks for a check first: the grant's last call failed.
	doubtful bool
	// regardless asks even in an outage.
	regardless bool
	// rich: more than half of the grant's mints are left.
	rich bool
}

// enter admits one mint, as soon as there is room and the server answers. Errors: ErrBusy, a
// *HeldError during an outage, and the context's own.
func (s *server) enter(ctx context.Context, a *Account, by entry) (*admission, error) {
	admitted := &admission{server: s}
	queue, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	var end <-chan time.Time // when this mint no longer waits for the end of an outage
	for {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.mu.Lock()
		now := time.Now()
		if by.regardless || s.outage == nil && (!by.doubtful || now.Sub(s.checked) < checkHolds) {
			t := s.admit(now)
			admitted.answers, admitted.checked = s.answers, now.Sub(s.checked) < checkHolds
			s.mu.Unlock()
			if t == nil {
				return admitted, nil
			}
			admitted.waited = true
			switch err := s.await(queue, t); {
			case err == nil:
				s.mu.Lock()
				admitted.answers = s.answers
				s.mu.Unlock()
				return admitted, nil
			case !errors.Is(err, errNotAdmitted):
				return nil, fmt.Errorf("%s: %w", s.host, ErrBusy)
			}
			continue
		}
		admitted.waited = true
		check, failing := s.check, s.outage != nil
		var held *Failure
		if failing {
			held = s.held(now)
		}
		if check == nil && (!failing || !held.Until.After(now)) {
			misled, since := s.misled >= misledBy, now.Sub(s.tried)
			switch {
			case failing && (since >= lateMintAsCheck || by.rich && (misled || since >= mintAsCheck)):
				s.check = make(chan struct{})
				s.under++
				s.tried, admitted.check, admitted.answers = now, true, s.answers
				s.mu.Unlock()
				return admitted, nil
			case failing && misled: // another grant's mint will tell
				s.mu.Unlock()
				return nil, &HeldError{Failure: *held, Wait: maxOutageWait}
			}
			s.check = make(chan struct{})
			s.mu.Unlock()
			s.look(ctx, a)
			continue
		}
		s.mu.Unlock()
		if failing && end == nil {
			end = time.After(blip)
		}
		switch {
		case check == nil && held.Until.Sub(now) > blip:
		case waitFor(queue, check, held, end):
			continue
		case !failing:
			return nil, fmt.Errorf("%s: %w", s.host, ErrBusy)
		}
		return nil, &HeldError{Failure: *held, Wait: max(0, time.Until(held.Until))}
	}
}

// waitFor waits for the end of a check or, without one, of the wait after a failure. It
// returns false if that comes too late.
func waitFor(ctx context.Context, check <-chan struct{}, f *Failure, end <-chan time.Time) bool {
	var over <-chan time.Time
	if check == nil {
		over = time.After(time.Until(f.Until))
	}
	select {
	case <-check:
	case <-over:
	case <-end:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// admit gives a mint its place, or a turn to wait for; s.mu is held.
func (s *server) admit(now time.Time) *turn {
	if now.Sub(s.answered) > answeredLately && s.limit > startAtOnce {
		s.limit = startAtOnce
	}
	if s.under < s.limit && len(s.waiting) == 0 {
		s.under++
		s.tried = now
		return nil
	}
	t := &turn{make(chan error, 1)}
	s.waiting = append(s.waiting, t)
	return t
}

// await waits for a turn, and gives it up with the context.
func (s *server) await(ctx context.Context, t *turn) error {
	select {
	case err := <-t.admitted:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == t {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	return <-t.admitted // it came in the same moment
}

// next admits those who wait, as far as there is room; s.mu is held.
func (s *server) next() {
	for len(s.waiting) > 0 && s.under < s.limit {
		s.under++
		s.waiting[0].admitted <- nil
		s.waiting = s.waiting[1:]
	}
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
}

// look checks whether the server answers, as the only one who does.
func (s *server) look(ctx context.Context, a *Account) {
	var e *Error
	begun, passed := time.Now(), false
	defer func() { // after a panic too
		s.mu.Lock()
		event := Event{Account: a, Check: true}
		now := time.Now()
		switch {
		case passed:
			s.checked = now
			s.answers++
			event.Outage = s.works(now)
		case ctx.Err() == nil && e != nil:
			event.Server = s.fails(a, e, begun, now)
			event.Err, event.Until = e, s.outage.failure.Until
		}
		close(s.check)
		s.check = nil
		s.mu.Unlock()
		if event.Err != nil || event.Outage > 0 {
			go s.tell(event) // the mint that follows does not wait for a log line
		}
	}()
	err := a.Client.Reachable(ctx)
	e = AsError(err)
	passed = err == nil || e != nil && e.Kind == Throttled // too many checks: it answers
}

// tell observes an event. A panic in a goroutine of its own would take every mount of the
// plugin with it.
func (s *server) tell(e Event) {
	defer func() { _ = recover() }()
	s.observe(e)
}

// done ends an admission with the result of its mint. It reports whether a failure was the
// server's: no other call was answered since, and no check that is believed passed right
// before. A failure of one grant at a server that answers is the grant's. ended is the length
// of an outage that this answer ended.
func (m *admission) done(a *Account, e *Error, now time.Time) (server bool, ended time.Duration) {
	s := m.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under--
	switch {
	case e == nil || e.Kind != Unavailable && e.About != AboutServer:
		s.answers++
		s.answered, s.misled = now, 0
		s.limit = min(atOnce, s.limit+1)
		ended = s.works(now)
	case m.check:
		server = e.Kind == Unavailable
		s.fails(a, e, now, now)
	case e.Kind != Unavailable: // a page of something else, such as a filter
	case s.answers != m.answers: // others were answered since
	case m.checked && s.misled < misledBy:
		if s.misledLast != a.ID {
			s.misled, s.misledLast = s.misled+1, a.ID
		}
		if server = s.misled >= misledBy; server {
			s.fails(a, e, now, now)
		}
	default:
		server = true
		s.fails(a, e, now, now)
	}
	m.checkEnds()
	s.next()
	return server, ended
}

// left ends an admission without a call.
func (m *admission) left() {
	m.server.mu.Lock()
	defer m.server.mu.Unlock()
	m.server.under--
	m.checkEnds()
	m.server.next()
}

// checkEnds lets those go who wait for a mint that is the check; server.mu is held.
func (m *admission) checkEnds() {
	if m.check {
		close(m.server.check)
		m.server.check = nil
	}
}

// works ends an outage and returns its length, 0 if there was none; s.mu is held. Calls that
// still hang take no room from the next ones, which begin slowly.
func (s *server) works(now time.Time) time.Duration {
	if s.outage == nil {
		return 0
	}
	length := now.Sub(s.outage.begun)
	s.outage = nil
	s.limit = min(atOnce, s.under+startAtOnce)
	s.failing.Add(-1)
	return max(length, 1)
}

// fails begins an outage or prolongs it; s.mu is held. Mints that began before it and fail
// later do not prolong it: they tell nothing new. begun is when the call began. first reports
// that an outage begins.
func (s *server) fails(a *Account, e *Error, begun, now time.Time) (first bool) {
	o := s.outage
	if o != nil && s.check == nil {
		return false
	}
	if first = o == nil; first {
		o = &outage{failure: Failure{Since: now.UTC()}, begun: now}
		s.outage = o
		s.failing.Add(1)
		for _, t := range s.waiting {
			t.admitted <- errNotAdmitted
		}
		s.waiting = nil
	}
	wait := min(firstOutageWait<<min(o.tries, 10), maxOutageWait)
	wait = max(wait*3/4+rand.N(wait/4)-now.Sub(begun), firstOutageWait*3/4, min(e.RetryAfter, maxRetryAfter))
	o.tries++
	o.until = now.Add(wait)
	o.failure = Failure{
		Kind: Unavailable, Code: e.Code, Text: e.Error(), Since: o.failure.Since, Until: o.until.UTC(), Setup: a.Setup,
	}
	return first
}
