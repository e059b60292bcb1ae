// consent.go: a consent from its start to its end. One that failed is withdrawn, so that
// nothing is left in Vault.

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// consent waits in Vault until it is finished, withdrawn or expired.
type consent struct {
	started
	o options
	t terminal
	v *vault
}

// begin starts one. If the person interrupts meanwhile it is ended again.
func begin(ctx context.Context, o options, t terminal, v *vault) (*consent, error) {
	s, err := v.start(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range s.warnings {
		fmt.Fprintf(t.stderr, "zoho-login: warning: %s\n", plain(warning))
	}
	return &consent{s, o, t, v}, nil
}

// notBegun says why begin failed.
func notBegun(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return interrupted()
	}
	return failed("%v", err)
}

// patience is the time that the person has.
func (c *consent) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithDeadline(ctx, c.Expires)
	if c.o.timeout == 0 {
		return ctx, cancel
	}
	shorter, cancelShorter := context.WithTimeout(ctx, c.o.timeout)
	return shorter, func() { cancelShorter(); cancel() }
}

// over is what came of it when the waiting ended.
func over(waiting context.Context) outcome {
	if errors.Is(waiting.Err(), context.DeadlineExceeded) {
		return outcome{Result: resultTimedOut, Problem: "nobody consented in time; nothing was connected"}
	}
	return interrupted()
}

// again tells the person that an attempt failed and that the same link can still be used.
func (c *consent) again(waiting context.Context, attempt outcome) {
	fmt.Fprintf(c.t.stderr, "zoho-login: %s\n", plain(attempt.Problem))
	c.sayUntil(waiting)
}

// after adds the last failed attempt to the outcome of a consent that was not completed.
func (o outcome) after(attempt outcome) outcome {
	if attempt.waits {
		o.Word = attempt.Word
		o.Problem += ". The last attempt failed: " + attempt.Problem
	}
	return o
}

func interrupted() outcome {
	return outcome{Result: resultInterrupted, Problem: "interrupted; nothing was connected"}
}

// finish hands over what Zoho sent the browser back with.
func (c *consent) finish(ctx context.Context, query string) outcome {
	got, err := c.v.finish(ctx, c.o.redirectURI+"?"+query)
	if err != nil {
		end := failed("%v", err)
		end.sent = statusOf(err) == http.StatusBadRequest
		end.waits = end.sent && c.v.stillWaits(ctx, c.started, err)
		if q, _ := url.ParseQuery(query); q.Get("error") != "" {
			end = declined(zoho.CleanRedirectWord(q.Get("error")), end)
		}
		return end
	}
	return outcome{
		Result: resultConnected, DataCenter: got.DataCenter, Requested: got.Requested, Granted: got.Granted,
		Account: c.account(ctx), warnings: got.warnings, sent: true,
	}
}

// declined is the outcome of a consent for which Zoho sent an error word and no code. failed
// is the answer of Vault.
func declined(word string, failed outcome) outcome {
	problem, next := zoho.ConsentErrorText(word)
	if failed.waits { // such as no_org: the text of Vault says which account can consent
		failed.Word = word
		return failed
	}
	end := outcome{Result: resultDeclined, Word: word, sent: failed.sent}
	end.Problem = fmt.Sprintf("the consent was declined (%s). %s %s", word, problem, next)
	if !failed.sent {
		end.Problem += " Vault did not get this result: " + failed.Problem
	}
	return end
}

// account is whose it is, where that is known and may be read.
func (c *consent) account(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	s, err := c.v.status(ctx)
	if err != nil {
		return ""
	}
	return s.account()
}

func (s status) account() string {
	if s.Email != "" {
		return s.Email
	}
	return s.User
}

// settle withdraws the consent if it came to nothing, and returns how it ended.
func (c *consent) settle(ctx context.Context, end outcome) outcome {
	if end.sent {
		return end
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	if err := c.v.withdraw(ctx, c.State); err != nil {
		fmt.Fprintf(c.t.stderr, "zoho-login: warning: %s; the consent was not withdrawn, and expires at %s\n", plain(err.Error()), clock(c.Expires))
	}
	return end
}

// clock is a time of day where the person is.
func clock(t time.Time) string { return t.Local().Format("15:04") }
