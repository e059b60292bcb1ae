// What do grants cost that nobody uses any more? They wait in storage, and are looked at
// each minute.

package main

import (
	"fmt"
	"time"
)

// Retired is what they cost.
type Retired struct {
	Waiting    int           // grants, for their tokens to run out
	WaitingCPU time.Duration // of the plugin in a minute
	IdleCPU    time.Duration // in a minute without any
	Revoked    int           // grants that Zoho did not revoke at once
	Took       time.Duration // from the first call to the last when it could be reached again
}

func (o *options) retired(s *server, z *simulated) (*Retired, error) {
	grants, minute := 1000, time.Minute
	if o.short {
		grants, minute = 10, time.Second
	}
	names := make([]string, grants)
	for i := range names {
		names[i] = fmt.Sprintf("retired%d", i)
	}
	connect := func(name string) error { return z.connect(s, engineName, name) }
	progress("retired grants: connecting %d credentials", grants)
	if err := together(32, names, connect); err != nil {
		return nil, err
	}
	spent := func() time.Duration {
		pid := s.pid(engineName)
		cpu := cpuTime(pid)
		time.Sleep(minute)
		return cpuTime(pid) - cpu
	}
	r := &Retired{Waiting: grants, Revoked: 2 * grants, IdleCPU: spent()}
	progress("retired grants: connecting them again")
	if err := together(32, names, connect); err != nil {
		return nil, err
	}
	r.WaitingCPU = spent()
	progress("retired grants: deleting them while Zoho is away")
	z.failing.Store(true)
	err := together(32, names, func(name string) error { return s.ask("DELETE", engineName+"/creds/"+name, nil, nil) })
	z.failing.Store(false)
	if err != nil || o.short { // a Zoho that failed is left alone for a minute at least
		return r, err
	}
	// Both grants of each name are due. A server that failed is left alone for a while,
	// and the plugin's minute comes when Vault says.
	z.forget()
	left := len(z.RefreshTokens()) - r.Revoked
	var first time.Time
	for begun := time.Now(); time.Since(begun) < 10*time.Minute; time.Sleep(10 * time.Millisecond) {
		if first.IsZero() && z.calls.Load() > 0 {
			first = time.Now()
		}
		if len(z.RefreshTokens()) == left {
			r.Took = time.Since(first)
			return r, nil
		}
	}
	return nil, fmt.Errorf("%d of %d retired grants are left after ten minutes", len(z.RefreshTokens())-left, r.Revoked)
}
