// paste.go: a consent in a browser on another machine. The person opens the link there and
// pastes the address that it ends at here.

package main

import (
	"bufio"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net/url"
	"strings"

	"vault-plugin-secrets-zoho/zoho"
)

// longestAddress is more than any browser shows; Vault has a limit of its own.
const longestAddress = 64 << 10

func loginByPaste(ctx context.Context, o options, t terminal, v *vault) outcome {
	if err := v.ready(ctx, o, t); err != nil {
		return notBegun(ctx, err)
	}
	c, err := begin(ctx, o, t, v)
	if err != nil {
		return notBegun(ctx, err)
	}
	waiting, cancel := c.patience(ctx)
	defer cancel()
	return c.settle(ctx, c.pasted(ctx, waiting))
}

func (c *consent) pasted(ctx, waiting context.Context) outcome {
	if waiting.Err() != nil {
		return over(waiting)
	}
	fmt.Fprintf(c.t.stderr, "Open this link in any browser, and accept:\n\n  %s\n\n", plain(c.Address))
	c.sayUntil(waiting)
	defer c.lookAhead(waiting)()
	fmt.Fprintf(c.t.stderr, "After you accept, the browser goes to an address that begins with %s. An error page there does not matter.\nPaste the whole address here: ", c.o.redirectURI)
	lines := readLines(c.t.stdin)
	var last outcome
	for {
		select {
		case line, open := <-lines:
			if !open {
				return failed("the input ended before an address was pasted; nothing was connected").after(last)
			}
			query, wrong := c.queryOf(line)
			if wrong == "" {
				if last = c.finish(ctx, query); !last.waits {
					return last
				}
				c.again(waiting, last)
				wrong = "Open the link again"
			}
			fmt.Fprintf(c.t.stderr, "%s. Paste the whole address: ", wrong)
		case <-waiting.Done():
			fmt.Fprintln(c.t.stderr)
			return over(waiting).after(last)
		}
	}
}

// queryOf is what the address that was pasted carries, or what is wrong with it.
func (c *consent) queryOf(line string) (query, wrong string) {
	line = zoho.TrimPasted(strings.Trim(zoho.TrimPasted(line), "\"'<>"))
	if line == "" {
		return "", "That line is empty"
	}
	_, query, _ = strings.Cut(line, "?")
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	switch {
	case err != nil || q.Get("code") == "" && q.Get("error") == "" && !enhanced(q):
		return "", "That is not the address that Zoho sent the browser to, or only part of it"
	case !q.Has("state") && c.o.addScopes != "" && enhanced(q):
		return query, "" // Zoho does not promise the state here
	case !q.Has("state"):
		return "", "That is only part of the address: its state is missing"
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(c.State)) != 1:
		return "", "That address belongs to another consent, not to the link above"
	}
	return query, ""
}

// readLines reads in the background: a terminal can't be asked to stop.
func readLines(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, longestAddress)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	return lines
}
