// Faults: calls that fail before or after something is minted, and answers that are torn.

package zohotest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A FaultKind is a way in which a call fails.
type FaultKind string

const (
	// These strike before the ledger is touched: nothing is minted.

	Status5xx FaultKind = "status" // answers Fault.Status (503 if 0) with a gateway's HTML page
	HTML      FaultKind = "html"   // answers Fault.Status (200 if 0) with an HTML page
	Hang      FaultKind = "hang"   // never answers
	Reset     FaultKind = "reset"  // tears the connection
	Slow      FaultKind = "slow"   // waits Fault.Delay, then serves the call
	Refuse    FaultKind = "refuse" // answers {"error": Fault.Error} (general_error if empty)

	// Throttle answers as if another program had tripped the throttle, and blocks as that
	// throttle does: the refresh token, or the client where the simulator counts by client,
	// until the window ends, or for RetryAfter if that is shorter. The struck call is no violation; the
	// calls within the block are. A code exchange has no refresh token to block.
	Throttle FaultKind = "throttle"

	Empty      FaultKind = "empty"       // answers Fault.Status (204 if 0) without a body
	APIRefusal FaultKind = "api-refusal" // answers Fault.Status (400 if 0) with {"code": Fault.Error (INVALID_REQUEST if empty)}, in the form of CRM

	// These strike after it: whatever was minted exists, and nobody has it
	// (except with SlowAnswer, where a patient client gets it).

	LostAnswer FaultKind = "lost-answer" // tears the connection instead of answering
	Truncated  FaultKind = "truncated"   // tears the connection in the middle of the answer
	Garbage    FaultKind = "garbage"     // answers bytes that are no JSON, as JSON
	SlowAnswer FaultKind = "slow-answer" // waits Fault.Delay between serving the call and answering
)

// A Fault makes calls fail.
type Fault struct {
	Kind       FaultKind
	Endpoint   string        // "token", "revoke", "auth", "api", "device", "enhance", "serverinfo", "openid"; empty: any
	DataCenter string        // empty: any
	Times      int           // how many calls; 0: until cleared
	Path       string        // what the call's path begins with, such as "/crm/"; empty: any
	GrantType  string        // the call's grant_type, such as "refresh_token"; empty: any
	Status     int           // for Status5xx, HTML, Empty and APIRefusal
	RetryAfter time.Duration // sent with Status5xx and Throttle when above 0
	Delay      time.Duration // for Slow and SlowAnswer
	Error      string        // for Refuse and APIRefusal
}

// A queuedFault is a fault that waits for calls.
type queuedFault struct {
	Fault
	left   int // calls that it still strikes; below 1: until cleared
	struck bool
}

// Fault lets the next calls fail. Faults queue: each call meets at most one, the oldest that
// fits. It panics if no call can ever meet the fault, or if a field has no effect on its kind.
// [Simulator.UnmetFaults] lists the faults that no call has met.
func (s *Simulator) Fault(f Fault) {
	if err := s.addFault(f); err != nil {
		panic("zohotest: " + err.Error())
	}
}

func (s *Simulator) addFault(f Fault) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := f.check(); err != nil {
		return err
	}
	if f.DataCenter != "" && s.site(f.DataCenter) == nil {
		return s.unknownDataCenter(f.DataCenter)
	}
	s.faults = append(s.faults, &queuedFault{Fault: f, left: f.Times})
	return nil
}

// ClearFaults ends all faults; calls that hang go on hanging.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unmet = s.unmetFaults()
	s.faults = nil
}

// UnmetFaults are the faults that no call has met since the simulator was made or reset, also
// those that were cleared. A test that expects trouble and met none has shown nothing.
func (s *Simulator) UnmetFaults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unmetFaults()
}

// keptUnmet bounds how many cleared faults are remembered.
const keptUnmet = 1000

func (s *Simulator) unmetFaults() []Fault {
	unmet := slices.Clone(s.unmet)
	for _, f := range s.faults {
		if !f.struck {
			unmet = append(unmet, f.Fault)
		}
	}
	return newest(unmet, keptUnmet)
}

// takeFault finds the fault for a call and uses it up. The lock must be held.
func (s *Simulator) takeFault(endpoint, dc, path, grantType string) (Fault, bool) {
	for i, f := range s.faults {
		if f.Endpoint != "" && f.Endpoint != endpoint || f.DataCenter != "" && f.DataCenter != dc || !strings.HasPrefix(path, f.Path) ||
			f.GrantType != "" && f.GrantType != grantType {
			continue
		}
		f.struck = true
		if f.left--; f.left == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		s.counts.Faulted++
		return f.Fault, true
	}
	return Fault{}, false
}

// before is what a fault does to a call that the ledger has not seen; ok says
// that the call may go on.
func (s *Simulator) before(ctx context.Context, c *call, f Fault) (a answer, ok bool) {
	switch f.Kind {
	case Status5xx:
		a = page(or(f.Status, 503), "Service Unavailable", "The server is temporarily unable to service your request.")
		a.retryAfter(f.RetryAfter)
	case HTML:
		a = page(or(f.Status, 200), "Zoho Accounts", "We are working on something. Please come back later.")
	case Empty:
		a = answer{status: or(f.Status, 204), header: zohoHeader("Server", "ZGS")}
	case APIRefusal:
		a = jsonAnswer(or(f.Status, 400), map[string]any{
			"code": or(f.Error, "INVALID_REQUEST"), "details": map[string]any{}, "message": "the request is not valid", "status": "error",
		})
	case Hang, Reset:
		if f.Kind == Hang {
			<-ctx.Done()
		}
		a = answer{tear: tornWhole}
	case Slow:
		if !wait(ctx, f.Delay) {
			return answer{tear: tornWhole}, false
		}
		return answer{}, true
	case Refuse:
		s.mu.Lock()
		a = s.oauthError(or(f.Error, "general_error"))
		if throttle, full := s.failureCosts(c); full {
			a = throttle
		}
		s.mu.Unlock()
	case Throttle:
		s.mu.Lock()
		s.blockedBy(c, f)
		a = s.throttled()
		s.mu.Unlock()
		a.retryAfter(f.RetryAfter)
	default:
		return answer{}, true
	}
	return a, false
}

// after is what a fault does to an answer.
func (s *Simulator) after(ctx context.Context, f Fault, a answer) answer {
	switch f.Kind {
	case LostAnswer:
		a.tear = tornWhole
	case Truncated:
		a.tear = tornHalf
	case Garbage:
		a.body = []byte(`{"access_token":` + "\x00\xff<garbage>")
		a.undelivered = true
	case SlowAnswer:
		wait(ctx, f.Delay)
	}
	return a
}

// blockedBy begins the block that a throttle fault stands for.
func (s *Simulator) blockedBy(c *call, f Fault) {
	id, _ := c.client()
	client := s.clients[id]
	if client == nil {
		return
	}
	var of *window
	switch grant := c.form.Get("grant_type"); {
	case grant == "client_credentials", s.knobs.MintKey == PerClient:
		of = s.clientWindow(client.ID, c.site.Name)
	case grant == "refresh_token":
		if rt := s.findRefreshToken(c.form.Get("refresh_token")); rt != nil {
			of = rt.mints
		}
	}
	if of != nil {
		of.block(s.now(), s.knobs.mintLimit(s.knobs.Mints), f.RetryAfter)
	}
}

// wait sleeps unless the context ends first. It leaves no goroutine behind and
// lets a synctest bubble's clock run.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// A faultKind says which fields of a Fault have an effect on a kind.
type faultKind struct{ status, retryAfter, delay, word bool }

var faultKinds = map[FaultKind]faultKind{
	Status5xx: {status: true, retryAfter: true}, HTML: {status: true}, Empty: {status: true},
	APIRefusal: {status: true, word: true}, Refuse: {word: true}, Throttle: {retryAfter: true},
	Slow: {delay: true}, SlowAnswer: {delay: true},
	Hang: {}, Reset: {}, LostAnswer: {}, Truncated: {}, Garbage: {},
}

// check refuses what can only be a mistake of the test: a fault that no call can meet, and a
// field without effect.
func (f Fault) check() error {
	kind, known := faultKinds[f.Kind]
	switch {
	case !known:
		return fmt.Errorf("unknown fault kind %q; there are %q", f.Kind, slices.Sorted(maps.Keys(faultKinds)))
	case f.Times < 0:
		return fmt.Errorf("a fault cannot strike %d times; 0 is until it is cleared", f.Times)
	case f.RetryAfter < 0 || f.Delay < 0:
		return fmt.Errorf("fault %q has a negative duration", f.Kind)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d is no final HTTP status", f.Status)
	case f.Status != 0 && !kind.status, f.RetryAfter != 0 && !kind.retryAfter, f.Delay != 0 && !kind.delay, f.Error != "" && !kind.word:
		return fmt.Errorf("fault %q has a field that has no effect on it: %+v", f.Kind, f)
	case kind.delay && f.Delay == 0:
		return fmt.Errorf("fault %q needs a delay", f.Kind)
	}
	return f.checkTarget()
}

// checkTarget refuses a fault that fits no endpoint.
func (f Fault) checkTarget() error {
	path := tablePath(f.Path)
	var names []string
	for _, known := range endpoints {
		if !slices.Contains(names, known.name) {
			names = append(names, known.name)
		}
		fits := (f.Endpoint == "" || f.Endpoint == known.name) && strings.HasPrefix(known.path, path) &&
			(f.GrantType == "" || slices.Contains(known.grants, f.GrantType))
		if fits {
			return nil
		}
	}
	return fmt.Errorf("no call fits endpoint %q, path %q and grant type %q; endpoints are %q", f.Endpoint, f.Path, f.GrantType, names)
}
