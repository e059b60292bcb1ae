// zohopage.go: an early look at Zoho's page. Zoho refuses a wrong redirect URI or client with
// a page and never sends the browser back, so the person would wait in vain.

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// pageTime is how long Zoho's page may take.
const pageTime = 10 * time.Second

// scripts may hold texts that the page does not show.
var scripts = regexp.MustCompile(`(?is)<script\b.*?</script>`)

// visitPage gets the page that a link leads to, as a browser does that is not signed in. It
// follows no redirect: an error page is not redirected to.
func visitPage(ctx context.Context, address string) (text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", "text/html")
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(body), err
}

// pageProblem says what an error page of Zoho means; "" for any other page. The texts are
// those that Zoho documents.
func (o options) pageProblem(text string) string {
	text = strings.ToLower(scripts.ReplaceAllString(text, ""))
	switch {
	case strings.Contains(text, "invalid redirect uri"):
		return fmt.Sprintf("Zoho's page says \"Invalid Redirect Uri\": %s is not registered for this client. Add it, byte for byte, to the client's redirect URIs in Zoho's API console and open the link again. Or stop this command, and run it with -port or -redirect-uri for one that is registered", o.redirectURI)
	case strings.Contains(text, "invalid client"):
		return "Zoho's page says \"Invalid Client\": Zoho does not know client_id of the mount's config, or the data center is not enabled for the client in Zoho's API console, or -organization is used with a client that is not an organization client. Have the operator of Vault correct config"
	case strings.Contains(text, "invalid oauth scope"):
		return "Zoho's page says \"Invalid OAuth Scope\": Zoho does not know one of the scopes for this client. Stop this command, and run it with other -scopes"
	}
	return ""
}

// lookAhead warns of an error page while the person's browser opens it. stop waits until it
// prints no more.
func (c *consent) lookAhead(ctx context.Context) (stop func()) {
	// The page for more scopes takes a token that may be good for one visit.
	if c.t.visit == nil || c.o.addScopes != "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// If Zoho cannot be reached from here, the browser shows that.
		text, err := c.t.visit(ctx, c.Address)
		if problem := c.o.pageProblem(text); err == nil && problem != "" && ctx.Err() == nil {
			fmt.Fprintf(c.t.stderr, "zoho-login: warning: %s.\n", plain(problem))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
