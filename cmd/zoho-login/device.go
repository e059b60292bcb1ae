// device.go: a consent without a browser on this machine. The person types a short code on a
// phone, and Vault is asked about it as often as Zoho allows.

package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

func loginByDevice(ctx context.Context, o options, t terminal, v *vault) outcome {
	err := v.ready(ctx, o, t)
	var before earlier
	if err == nil {
		before, err = lookBefore(ctx, v)
	}
	if ctx.Err() != nil {
		return interrupted()
	}
	if err != nil {
		return failed("%v", err)
	}
	c, err := begin(ctx, o, t, v)
	if err != nil {
		return notBegun(ctx, err)
	}
	waiting, cancel := c.patience(ctx)
	defer cancel()
	if waiting.Err() == nil {
		c.showCode(waiting)
	}
	return c.settle(ctx, c.follow(ctx, waiting, before))
}

func (c *consent) showCode(waiting context.Context) {
	fmt.Fprintf(c.t.stderr, "Open this page on a phone or any other device:\n\n  %s\n\n", plain(c.VerificationURL))
	if c.t.draws {
		fmt.Fprintf(c.t.stderr, "%s\n", drawing(c.VerificationURL))
	}
	fmt.Fprintf(c.t.stderr, "type the code\n\n  %s\n\nand accept.\n", plain(c.UserCode))
	c.sayUntil(waiting)
}

// earlier is what there was before the consent. A credential that is connected is
// served on while the new consent waits, so that a read alone does not say whether
// anybody has consented.
type earlier struct {
	connected string // when, if it was
	blind     bool   // status may not be read
}

func lookBefore(ctx context.Context, v *vault) (earlier, error) {
	s, err := v.status(ctx)
	switch statusOf(err) {
	case http.StatusNotFound:
		return earlier{}, nil // there is no such credential yet
	case http.StatusForbidden:
	default:
		return earlier{connected: s.Connected}, err
	}
	if statusOf(v.poll(ctx)) == http.StatusNotFound {
		return earlier{blind: true}, nil
	}
	return earlier{}, fmt.Errorf("%w. That is needed because %q may be connected already, and only its status shows whether the new consent was accepted", err, v.name)
}

// follow asks until there is an answer. What goes wrong on the way is waited out:
// Zoho may be away for a moment, and so may Vault.
func (c *consent) follow(ctx, waiting context.Context, before earlier) outcome {
	tick := time.NewTicker(max(time.Duration(c.Interval)*time.Second, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-waiting.Done():
			return over(waiting)
		}
		if end, known := c.ask(waiting, before); known {
			return end
		}
	}
}

// ask is one question.
func (c *consent) ask(waiting context.Context, before earlier) (end outcome, known bool) {
	ctx, cancel := outlive(waiting, startGrace)
	defer cancel()
	err := c.v.poll(ctx)
	switch status := statusOf(err); {
	case err == nil:
		return c.served(ctx, before)
	case status == http.StatusBadRequest:
		return refusedPoll(err)
	case status == http.StatusForbidden:
		return failed("%v", err), true
	case status == http.StatusNotFound:
		end := failed("the consent was withdrawn or replaced by somebody else; nothing was connected")
		end.sent = true
		return end, true
	}
	return outcome{}, false
}

// declinedWord is Zoho's word in the engine's text (backend/device.go).
var declinedWord = regexp.MustCompile(`was declined \(([A-Za-z0-9_.-]{1,64})\)`)

// refusedPoll reads the engine's text: it tells a consent that waits from one that
// is over (backend/device.go).
func refusedPoll(err error) (end outcome, known bool) {
	said := err.Error()
	if strings.Contains(said, "is waiting until ") {
		return outcome{}, false
	}
	end = failed("%s", said)
	end.sent = true
	switch {
	case strings.Contains(said, "was declined"):
		end.Result = resultDeclined
		if word := declinedWord.FindStringSubmatch(said); word != nil {
			end.Word = word[1]
			problem, next := zoho.ConsentErrorText(end.Word)
			if !strings.Contains(said, problem) {
				end.Problem = strings.TrimSuffix(said, ".") + ". " + problem + " " + next
			}
		}
	case strings.Contains(said, "expired"):
		end.Result = resultTimedOut
	}
	return end, true
}

// served is what it means that a read was answered with a token.
func (c *consent) served(ctx context.Context, before earlier) (end outcome, known bool) {
	if before.blind {
		return outcome{Result: resultConnected, sent: true}, true
	}
	s, err := c.v.status(ctx)
	switch {
	case err != nil:
		return outcome{}, false
	case s.Connected != before.connected:
		return outcome{
			Result: resultConnected, DataCenter: s.DataCenter, Account: s.account(), sent: true,
			Requested: s.Requested, Granted: slices.Clone(s.Granted),
		}, true
	case s.ConsentExpires == "":
		end := outcome{Result: resultDeclined, sent: true}
		end.Problem = "the consent was declined or replaced; the credential is connected as before"
		return end, true
	}
	return outcome{}, false
}
