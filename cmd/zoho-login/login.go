// How does a person consent on their own machine? Their browser opens Zoho's page
// and comes back here.

package main

import (
	"context"
	"fmt"
)

func loginByBrowser(ctx context.Context, o options, t terminal, v *vault) int {
	// Before anything is started: a port that is taken is a mistake to mend first.
	listeners, err := listen(o.port())
	if err != nil {
		return report(t, o, failed("%v", err))
	}
	l := &landing{name: o.name, path: o.redirect.Path, bare: o.addScopes != "", done: make(chan struct{}), failed: make(chan outcome, 1)}
	if l.path == "" {
		l.path = "/"
	}
	c, err := begin(ctx, o, t, v)
	if err != nil {
		for _, listener := range listeners {
			listener.Close()
		}
		return report(t, o, notBegun(ctx, err))
	}
	waiting, cancel := c.patience(ctx)
	defer cancel()
	l.state, l.finish = c.State, func(query string) outcome { return c.finish(ctx, query) }
	stop := l.serve(listeners)
	defer stop()
	if waiting.Err() == nil {
		c.lead(waiting)
	}
	l.wait(waiting, func(attempt outcome) { c.again(waiting, attempt) })
	// If the browser has come at the last moment, what it brought decides.
	end := l.settle(over(waiting))
	code := report(t, o, c.settle(ctx, end))
	if waiting.Err() == nil {
		// A browser may fetch twice, and a person load the page again.
		again, cancel := context.WithTimeout(ctx, o.linger)
		defer cancel()
		<-again.Done()
	}
	return code
}

// lead takes the person to Zoho's page.
func (c *consent) lead(waiting context.Context) {
	opened := false
	if !c.o.noBrowser {
		err := c.t.browse(c.Address)
		if opened = err == nil; !opened {
			fmt.Fprintf(c.t.stderr, "No browser was opened: %v.\n", err)
		}
	}
	switch {
	case opened && c.o.addScopes != "":
		// This link holds a token for Zoho's page: on a screen only if it must be.
		fmt.Fprintf(c.t.stderr, "Your browser opens Zoho's page. If it does not, run this again with -no-browser.\n")
	case opened:
		fmt.Fprintf(c.t.stderr, "Your browser opens Zoho's page. If it does not, open this link:\n\n  %s\n\n", plain(c.Address))
	default:
		fmt.Fprintf(c.t.stderr, "Open this link in a browser on this machine, and accept:\n\n  %s\n\n", plain(c.Address))
		if port := c.o.port(); isRemote() {
			fmt.Fprintf(c.t.stderr, "In a browser on another machine it works with -paste, or while ssh -L %s:localhost:%s forwards the port.\n", port, port)
		}
	}
	c.sayUntil(waiting)
}

func (c *consent) sayUntil(waiting context.Context) {
	until, _ := waiting.Deadline()
	fmt.Fprintf(c.t.stderr, "Waiting for your consent until %s. Ctrl-C ends it.\n", clock(until))
}
