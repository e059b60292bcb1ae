// What can happen to an engine? A script: four bytes an event, so that a random
// one, a fuzzer's and a shrunk one are the same thing.

package zoho_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

const (
	headerSize = 8
	eventSize  = 4
	// maxEvents bounds what a fuzzer may ask for.
	maxEvents = 400
)

// script is a header of settings and then events.
type script []byte

// randomScript is reproducible by its seed.
func randomScript(seed uint64, events int) script {
	random := rand.New(rand.NewPCG(seed, 0))
	s := make(script, headerSize+events*eventSize)
	for i := range s {
		s[i] = byte(random.Uint32())
	}
	return s
}

// events splits a script; ok is false if it is too short to mean anything.
func (s script) events() (header []byte, events [][]byte, ok bool) {
	if len(s) < headerSize+eventSize {
		return nil, nil, false
	}
	header, rest := s[:headerSize], s[headerSize:]
	for len(rest) >= eventSize && len(events) < maxEvents {
		events = append(events, rest[:eventSize])
		rest = rest[eventSize:]
	}
	return header, events, true
}

func pick[T any](b byte, from ...T) T { return from[int(b)%len(from)] }

// action is one kind of event; it tells what it does for the reader of a failure.
type action struct {
	weight int
	do     func(h *history, a, b, c byte) string
}

// actions are all kinds of events. Weights make reading and time most frequent.
func actions() []action {
	return []action{
		{30, (*history).timePasses},
		{30, (*history).someoneReads},
		{10, (*history).manyRead},
		{12, (*history).zohoFails},
		{3, (*history).zohoRecovers},
		{4, (*history).processDies},
		{3, (*history).standbyTakesOver},
		{5, (*history).storageFails},
		{3, (*history).storageIsReadOnly},
		{2, (*history).limitsChange},
		{2, (*history).secretRotates},
		{2, (*history).configIsWritten},
		{1, (*history).userRevokes},
		{2, (*history).personReconnects},
		{2, (*history).cacheForgets},
		{1, (*history).grantIsProven},
		{2, (*history).operatorLooks},
		{12, (*history).budgetIsTested},
		{4, (*history).processDiesInMidCall},
		{3, (*history).connectIsSlow},
		{3, (*history).lifetimeChanges},
		{6, (*history).tokenDies},
		{3, (*history).complaintsStorm},
		{3, (*history).probeFindsDead},
	}
}

// play runs the event and returns what it did, in words.
func (h *history) play(event []byte) string {
	all := actions()
	total := 0
	for _, a := range all {
		total += a.weight
	}
	n := int(event[0]) % total
	for _, a := range all {
		if n -= a.weight; n < 0 {
			return a.do(h, event[1], event[2], event[3])
		}
	}
	panic("unreachable: weights add up")
}

// timePasses for a millisecond up to nine hours, short times as likely as long
// ones; in half of the scripts up to a minute only, so that budgets fill.
func (h *history) timePasses(a, b, _ byte) string {
	most := byte(25)
	if h.hurried {
		most = 16
	}
	d := time.Duration(float64(time.Millisecond<<(a%most)) * (1 + float64(b)/256))
	time.Sleep(d)
	return fmt.Sprintf("%s pass", d)
}

func wish(a, b, c byte) zoho.Want {
	return zoho.Want{
		MaxAge: pick(a, 0, 0, 0, time.Second, time.Minute, 5*time.Minute, 30*time.Minute, 50*time.Minute, time.Hour, 2*time.Hour),
		MinTTL: pick(b, 0, time.Second, time.Minute, 10*time.Minute, 10*time.Minute, 30*time.Minute, 55*time.Minute,
			59*time.Minute+50*time.Second, 59*time.Minute+59*time.Second+999*time.Millisecond, time.Hour, 2*time.Hour),
		Demand: c&1 == 1,
	}
}

func (h *history) someoneReads(a, b, c byte) string {
	want := wish(a, b, c)
	patience := pick(c>>1, 0, 0, 0, 50*time.Millisecond, 3*time.Second, 12*time.Second)
	standby := c>>5 == 7
	h.reader(h.holding(c>>3), want, patience, standby)
	return fmt.Sprintf("read %d %+v, patience %s, standby %v", c>>3, want, patience, standby)
}

func (h *history) manyRead(a, b, c byte) string {
	n := 2 + int(c>>4)
	for i := range n {
		// Half of them wish the same, the others something else.
		h.reader(h.holding(c), wish(a+byte(i/2*7), b+byte(i/2*3), c+byte(i/2)), 0, false)
	}
	return fmt.Sprintf("%d reads at once, like %+v", n, wish(a, b, c))
}

// budgetIsTested reads at the very moment at which the engine believes that Zoho
// allows one more mint, and just before; several times over.
func (h *history) budgetIsTested(a, b, _ byte) string {
	hold := h.holding(a)
	times := 1 + int(b%12)
	for range times {
		state, err := h.active.keeper.Look(h.ctx, h.at(h.active, hold))
		if wait := time.Until(state.NextMint); err == nil && wait > time.Millisecond {
			time.Sleep(wait - time.Millisecond)
			h.reader(hold, zoho.Want{}, 0, false)
			time.Sleep(time.Millisecond)
		}
		// Hardly any token lives as long, so this one is needed.
		h.reader(hold, zoho.Want{MinTTL: 85 * time.Second, Demand: true}, 0, false)
		h.reader(hold, zoho.Want{MinTTL: 59*time.Minute + 50*time.Second, Demand: true}, 0, false)
		synctest.Wait()
	}
	return fmt.Sprintf("account %d is read %d times as soon as there is a place", a, times)
}

func (h *history) zohoFails(a, b, c byte) string {
	f := zohotest.Fault{
		Kind: pick(a, zohotest.Status5xx, zohotest.HTML, zohotest.Hang, zohotest.Reset, zohotest.Slow, zohotest.Refuse,
			zohotest.Throttle, zohotest.LostAnswer, zohotest.Truncated, zohotest.Garbage, zohotest.SlowAnswer),
		Endpoint: "token", Times: 1 + int(b%5), GrantType: pick(c>>6, "", "refresh_token"), // also where checks pass
	}
	retryAfter := pick(c>>3, 0, 0, time.Second, 20*time.Minute)
	switch f.Kind {
	case zohotest.HTML:
		f.Status = pick(b, 0, 400, 404, 500)
	case zohotest.Status5xx:
		f.Status, f.RetryAfter = pick(b, 500, 502, 503, 429), retryAfter
	case zohotest.Throttle:
		f.RetryAfter = retryAfter
	case zohotest.Refuse:
		f.Error = pick(b, "general_error", "invalid_client", "invalid_code", "invalid_scope", "inactive_refreshtoken", "who_knows")
	case zohotest.Slow, zohotest.SlowAnswer:
		f.Delay = pick(c, time.Millisecond, time.Second, 7*time.Second, 9999*time.Millisecond, 10*time.Second, 15*time.Second)
	}
	h.zoho.Fault(f)
	return fmt.Sprintf("Zoho fails: %+v", f)
}

func (h *history) zohoRecovers(_, _, _ byte) string {
	h.zoho.ClearFaults()
	return "Zoho recovers"
}

func (h *history) storageFails(a, b, c byte) string {
	slow := pick(a, 0, 0, 10*time.Millisecond, 4*time.Second)
	fail := int(b % 4)
	after := c&1 == 1 // the write lands, and yet an error comes back
	h.storage(slow, fail, after)
	return fmt.Sprintf("storage: %s slow, next %d writes fail (having landed: %v)", slow, fail, after)
}

func (h *history) storageIsReadOnly(a, _, _ byte) string {
	readOnly := a&1 == 1
	h.disk.set(func(d *disk) { d.readOnly = readOnly })
	return fmt.Sprintf("storage read-only: %v", readOnly)
}

// String is the script in words of bytes, for a regression test.
func (s script) String() string {
	var b strings.Builder
	for i, x := range s {
		if i >= headerSize && (i-headerSize)%eventSize == 0 || i == 0 {
			b.WriteString(" ")
		}
		fmt.Fprintf(&b, "%02x", x)
	}
	return strings.TrimSpace(b.String())
}
