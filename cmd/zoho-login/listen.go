// listen.go: the listener on loopback for Zoho's answer. It takes one request, with the state
// of this consent. It refuses all others, and repeats nothing of what they sent.

package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"vault-plugin-secrets-zoho/internal/page"
)

// listen takes the port on both loopback addresses: which of the two a browser
// takes "localhost" for is its own choice.
func listen(port string) ([]net.Listener, error) {
	var all []net.Listener
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err == nil {
			all = append(all, l)
			continue
		}
		if host == "::1" && isOneOf(err, noSuchAddress) {
			continue // this machine has no IPv6
		}
		for _, l := range all {
			l.Close()
		}
		if isOneOf(err, addressInUse) {
			return nil, &takenError{port, host}
		}
		return nil, fmt.Errorf("listening for Zoho's redirect: %w", err)
	}
	return all, nil
}

// The errors of bind for an address that another program has, and for one that this machine
// does not have. On Windows the numbers are those of Winsock, for which the names in syscall
// stand for other values. No Unix uses numbers as high.
var (
	addressInUse  = []error{syscall.EADDRINUSE, wsaEADDRINUSE, wsaEACCES}
	noSuchAddress = []error{syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, wsaEADDRNOTAVAIL, wsaEAFNOSUPPORT}
)

// Error codes of Winsock ("Windows Sockets Error Codes", Microsoft). wsaEACCES is for a port
// that another program has for itself, or that Windows has reserved.
const (
	wsaEACCES        = syscall.Errno(10013)
	wsaEAFNOSUPPORT  = syscall.Errno(10047)
	wsaEADDRINUSE    = syscall.Errno(10048)
	wsaEADDRNOTAVAIL = syscall.Errno(10049)
)

func isOneOf(err error, these []error) bool {
	return slices.ContainsFunc(these, func(one error) bool { return errors.Is(err, one) })
}

// firstFree is the first port that a program needs no special rights for, on most systems.
const firstFree = 1024

// takenError is for a port that another program has.
type takenError struct{ port, host string }

func (e *takenError) Error() string {
	return fmt.Sprintf("port %s on %s is taken by another program, perhaps another zoho-login", e.port, e.host)
}

// portProblem adds to an error of listen how to use another port.
func (o options) portProblem(err error) string {
	number, _ := strconv.Atoi(o.port())
	next := number + 1
	if next > maxPort || number < firstFree {
		next = defaultPort
	}
	other := fmt.Sprintf("-port=%d", next)
	if o.redirectGiven {
		u := *o.redirect
		u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(next))
		other = "-redirect-uri=" + u.String()
	}
	remedy := "Use another port"
	if taken := new(takenError); errors.As(err, &taken) {
		remedy = "Stop that program, or use another port"
	}
	return fmt.Sprintf("%v. %s: register its redirect URI in Zoho's API console, then run for example: %s", err, remedy, o.again(other))
}

// landing is where the browser comes back to.
type landing struct {
	path  string
	state string
	// bare: Zoho does not promise the state when it has added scopes.
	bare   bool
	finish func(query string) outcome
	name   string

	done   chan struct{} // closed when end is final
	failed chan outcome  // attempts after which the consent still waits

	mu    sync.Mutex
	final bool
	end   outcome
	query string // of the attempt that gave end
}

// attempt hands over a query, unless that was done or the consent ended: a browser that
// loads an address twice gets the same outcome twice. Others wait meanwhile.
func (l *landing) attempt(query string) outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final || l.end.waits && l.query == query {
		return l.end
	}
	l.end, l.query = l.finish(query), query
	if !l.end.waits {
		l.final = true
		close(l.done)
		return l.end
	}
	select {
	case l.failed <- l.end:
	default: // the terminal shows the earlier ones
	}
	return l.end
}

// settle ends it with another outcome, unless it has ended.
func (l *landing) settle(other outcome) outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.final {
		l.final = true
		l.end = other.after(l.end)
		close(l.done)
	}
	return l.end
}

// wait returns when it ended, or when the person has no more time.
func (l *landing) wait(waiting context.Context, again func(outcome)) {
	for {
		select {
		case attempt := <-l.failed:
			again(attempt)
		case <-l.done:
			return
		case <-waiting.Done():
			return
		}
	}
}

func (l *landing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for name, values := range page.Headers() {
		header[name] = values
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case r.URL.Path != l.path:
		no(w, http.StatusNotFound, "not found")
	case r.Method != http.MethodGet:
		header.Set("Allow", http.MethodGet)
		no(w, http.StatusMethodNotAllowed, "only GET")
	case err != nil || !l.mine(query):
		show(w, http.StatusNotFound, page.Page{Result: page.Unknown})
	case looksAhead(r):
		no(w, http.StatusServiceUnavailable, "not ahead of time")
	case query.Get("code") == "" && query.Get("error") == "" && !enhanced(query):
		show(w, http.StatusBadRequest, page.Page{
			Result: page.Failed, Credential: l.name,
			Problem: "This address holds no answer from Zoho.", Next: "Open the link that zoho-login shows in the terminal once more.",
		})
	default:
		// It goes on when the browser leaves: a code is good for one try.
		end := l.attempt(r.URL.RawQuery).printable()
		status := http.StatusOK
		if end.Result != resultConnected && end.Result != resultDeclined {
			status = http.StatusBadRequest
		}
		show(w, status, end.page(l.name))
	}
}

func (l *landing) mine(query url.Values) bool {
	states := query["state"]
	if len(states) == 0 {
		return l.bare && enhanced(query)
	}
	return len(states) == 1 && subtle.ConstantTimeCompare([]byte(states[0]), []byte(l.state)) == 1
}

// enhanced is the answer when scopes were added.
func enhanced(query url.Values) bool {
	return query.Get("status") == "success" && query.Get("scope_enhanced") == "true"
}

// looksAhead tells a browser that fetches what the person might open next.
func looksAhead(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch" || r.Header.Get("X-Moz") == "prefetch"
}

func no(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

func show(w http.ResponseWriter, status int, p page.Page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(p.HTML())
}

// serve answers on all listeners until stop is called.
func (l *landing) serve(listeners []net.Listener) (stop func()) {
	server := &http.Server{
		Handler:           l,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      3 * time.Minute, // Vault is asked meanwhile
		IdleTimeout:       5 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // quotes what strangers sent
	}
	server.SetKeepAlivesEnabled(false)
	// Browsers connect ahead of need; Shutdown would wait for these to ask something.
	var silent sync.Map
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			silent.Store(c, nil)
		} else {
			silent.Delete(c)
		}
	}
	for _, listener := range listeners {
		go server.Serve(listener)
	}
	return func() {
		// For pages on their way.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		silent.Range(func(c, _ any) bool {
			c.(net.Conn).Close()
			return true
		})
		server.Shutdown(ctx)
		server.Close()
	}
}
