// login.go: a consent on the person's own machine. Their browser opens Zoho's page and comes
// back to this command.

package main

import (
	"context"
	"fmt"
)

func loginByBrowser(ctx context.Context, o options, t terminal, v *vault) int {
	// Before anything is started: a port that is taken is a mistake to correct first.
	listeners, err := listen(o.port())
	if err != nil {
		return report(t, o, failed("%s", o.portProblem(err)))
	}
	l := &landing{name: o.name, path: o.redirect.Path, bare: o.addScopes != "", done: make(chan struct{}), failed: make(chan outcome, 1)}
	if l.path == "" {
		l.path = "/"
	}
	var c *consent
	if err = v.ready(ctx, o, t); err == nil {
		c, err = begin(ctx, o, t, v)
	}
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
		defer c.lead(waiting)()
		defer c.lookAhead(waiting)()
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

// lead takes the person to Zoho's page. stop waits until it prints no more.
func (c *consent) lead(waiting context.Context) (stop func()) {
	var later <-chan error // an opener that fails after it started
	opened := false
	if !c.o.noBrowser {
		var err error
		later, err = c.t.browse(c.Address)
		if opened = err == nil; !opened {
			fmt.Fprintf(c.t.stderr, "No browser was opened: %s.\n", plain(err.Error()))
		}
	}
	switch {
	case opened && c.o.addScopes != "":
		// This link holds a token for Zoho's page: on a screen only if it must be.
		fmt.Fprintf(c.t.stderr, "Your browser opens Zoho's page. If it does not, run: %s\n", c.o.again("-no-browser"))
	case opened:
		fmt.Fprintf(c.t.stderr, "Your browser opens Zoho's page. If it does not, open this link:\n\n  %s\n\n", plain(c.Address))
	default:
		c.showLink()
	}
	c.sayUntil(waiting)
	return c.watchBrowser(waiting, later)
}

// showLink prints the link for a browser that the person opens.
func (c *consent) showLink() {
	fmt.Fprintf(c.t.stderr, "Open this link in a browser on this machine, and accept:\n\n  %s\n\n", plain(c.Address))
	if port := c.o.port(); isRemote() {
		fmt.Fprintf(c.t.stderr, "For a browser on another machine, run %s. Or forward the port from that machine with ssh -L %s:localhost:%s, then open the link there.\n", c.o.again("-paste"), port, port)
	}
}

// watchBrowser shows the link if the browser fails to open. stop waits until it prints no
// more.
func (c *consent) watchBrowser(waiting context.Context, later <-chan error) (stop func()) {
	ctx, cancel := context.WithCancel(waiting)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case err := <-later:
			fmt.Fprintf(c.t.stderr, "The browser did not open: %s.\n", plain(err.Error()))
			c.showLink()
		case <-ctx.Done():
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (c *consent) sayUntil(waiting context.Context) {
	until, _ := waiting.Deadline()
	fmt.Fprintf(c.t.stderr, "Waiting for your consent until %s. Ctrl-C stops it.\n", clock(until))
}
