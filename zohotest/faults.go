// What goes wrong on the way? Faults strike calls before or after the ledger
// is touched, and may tear their answers.

package zohotest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A FaultKind is a way in which a call fails.
type FaultKind string

const (
	// These strike before the ledger is touched: nothing is minted.

	Status5xx FaultKind = "status"   // answers Fault.Status (503 if 0) with a gateway's HTML page
	HTML      FaultKind = "html"     // answers Fault.Status (200 if 0) with an HTML page
	Hang      FaultKind = "hang"     // never answers
	Reset     FaultKind = "reset"    // tears the connection
	Slow      FaultKind = "slow"     // waits Fault.Delay, then serves the call
	Refuse    FaultKind = "refuse"   // answers {"error": Fault.Error} (general_error if empty)
	Throttle  FaultKind = "throttle" // answers as if somebody else had tripped the throttle; no violation

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
	Endpoint   string        // "token", "revoke", "auth", "api", "device", "enhance", "serverinfo"; empty: any
	DataCenter string        // empty: any
	Times      int           // how many calls; 0: until cleared
	Path       string        // what the call's path begins with, such as "/crm/"; empty: any
	GrantType  string        // the call's grant_type, such as "refresh_token"; empty: any
	Status     int           // for Status5xx, HTML, Empty and APIRefusal
	RetryAfter time.Duration // sent with Status5xx and Throttle when above 0
	Delay      time.Duration // for Slow and SlowAnswer
	Error      string        // for Refuse and APIRefusal
}

// Fault lets the next calls fail. Faults queue: each call meets at most one,
// the oldest that fits. It panics if the fault makes no sense.
func (s *Simulator) Fault(f Fault) {
	if err := f.check(); err != nil {
		panic("zohotest: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults; calls that hang go on hanging.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault finds the fault for a call and uses it up. The lock must be held.
func (s *Simulator) takeFault(endpoint, dc, path, grantType string) (Fault, bool) {
	for i, f := range s.faults {
		if f.Endpoint != "" && f.Endpoint != endpoint || f.DataCenter != "" && f.DataCenter != dc || !strings.HasPrefix(path, f.Path) ||
			f.GrantType != "" && f.GrantType != grantType {
			continue
		}
		taken := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		s.counts.Faulted++
		return taken, true
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
	case Hang:
		<-ctx.Done()
		a = answer{tear: tornWhole}
	case Reset:
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

// wait sleeps unless the context ends first. It leaves no goroutine behind and
// lets a synctest bubble's clock run.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
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

// check refuses what can only be a mistake of the test.
func (f Fault) check() error {
	switch f.Kind {
	case Status5xx, HTML, Hang, Reset, Slow, Refuse, Throttle, Empty, APIRefusal, LostAnswer, Truncated, Garbage, SlowAnswer:
	default:
		return fmt.Errorf("unknown fault kind %q", f.Kind)
	}
	switch f.Endpoint {
	case "", "auth", "token", "revoke", "api", "device", "enhance", "serverinfo":
	default:
		return fmt.Errorf("unknown endpoint %q", f.Endpoint)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("status %d is no final HTTP status", f.Status)
	}
	return nil
}
