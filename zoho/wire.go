// wire.go: one request to an accounts server and its answer. All calls go through send,
// which sends a request once, reads the answer up to a limit and says whether a request
// that failed may have reached the server.

package zoho

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxBody caps an answer; a real one is below 2 KiB.
	maxBody = 64 << 10
	// DefaultTimeout bounds one call, from connecting to the last byte.
	DefaultTimeout = 10 * time.Second
)

// reply is one answer, read to its end.
type reply struct {
	status      int
	contentType string
	retryAfter  time.Duration
	body        []byte
}

// send makes one call: it sends the request, follows no redirect and reads the whole
// answer. Its error is an *Error that names the server.
//
// A request without Close may go over a connection that an earlier call left open. If
// that connection turns out to be closed, and certainly no whole request was written to
// it, send sends the request a second time, over a new connection. The server never gets
// two requests.
func send(base http.RoundTripper, req *http.Request) (reply, error) {
	form := req.GetBody
	r, stale, err := sendOnce(base, req)
	if !stale || form == nil {
		return r, err
	}
	body, failed := form()
	if failed != nil {
		return r, err
	}
	req = req.WithContext(req.Context())
	req.Body, req.Close = body, true
	r, _, err = sendOnce(base, req)
	return r, err
}

// sendOnce is send without the second time. stale reports that a connection from an
// earlier call failed before a whole request was written to it.
func sendOnce(base http.RoundTripper, req *http.Request) (r reply, stale bool, err error) {
	var way connecting
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), way.trace()))
	// With GetBody, net/http sends the form again without asking: over HTTP/2 as often as
	// the server resets the stream or closes the connection.
	req.GetBody = nil
	resp, err := base.RoundTrip(req)
	if err != nil {
		e := failedCall(base, req, err, way.had())
		e.Sent = way.sent(err, req.ContentLength)
		return r, way.reused() && !e.Sent, e
	}
	defer resp.Body.Close()
	r = reply{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), retryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	var e *Error
	switch {
	case err != nil:
		e = failedCall(base, req, err, true)
	case len(r.body) > maxBody:
		e = &Error{Kind: Unavailable, Server: req.URL.Host, reason: "an answer that is longer than any real one"}
	default:
		return r, false, nil
	}
	e.Sent, e.Status, e.RetryAfter = true, r.status, r.retryAfter
	return reply{}, false, e
}

// failedCall is the Error of a call that the network failed. It closes the idle
// connections: a firewall that dropped one of them without a word has dropped all, and
// each would cost a call. connected reports whether the request had a connection.
func failedCall(base http.RoundTripper, req *http.Request, err error, connected bool) *Error {
	if idle, ok := base.(interface{ CloseIdleConnections() }); ok && !errors.Is(err, context.Canceled) {
		idle.CloseIdleConnections()
	}
	e := unreachable(err)
	e.Server = req.URL.Host
	if t, ok := base.(*Transport); ok {
		e.cause = t.withProxy(req, err, e.cause, connected)
	}
	return e
}

// connecting is how far a request got on its way to a connection.
type connecting struct {
	asked atomic.Bool
	times atomic.Int32
	last  atomic.Pointer[httptrace.GotConnInfo]
	// conn and before: the connection under the last one, and how many bytes had been
	// written to it when the request got it.
	conn   atomic.Pointer[countedConn]
	before atomic.Int64
}

func (c *connecting) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			if conn := counted(info.Conn); conn != nil {
				c.before.Store(conn.wrote())
				c.conn.Store(conn)
			}
			c.last.Store(&info)
			c.times.Add(1)
		},
	}
}

func (c *connecting) had() bool { return c.times.Load() > 0 }

// reused reports whether the request had one connection, which an earlier call opened.
func (c *connecting) reused() bool { return c.times.Load() == 1 && c.last.Load().Reused }

// sent reports whether a request that failed may have reached the server. It closes the
// connection, so that nothing is written to it from then on. Fewer bytes than the form has
// are no whole request, whatever they are: TLS adds bytes and leaves none out. On another
// transport's connections that count nothing, a request that had a connection may have
// left, however the error looks (a broken TLS record comes after the handshake too). A round
// trip that does not trace its connections is judged by its error.
func (c *connecting) sent(err error, form int64) bool {
	conn := c.conn.Load()
	switch {
	case !c.had():
		return !c.asked.Load() && !neverSent(err)
	case c.times.Load() > 1 || conn == nil:
		return true
	}
	return conn.end()-c.before.Load() >= max(1, form)
}

// retryAfter reads both forms of the header. None was ever seen from Zoho's token
// endpoint, but gateways send it.
func retryAfter(value string) time.Duration {
	// Out of range it is the largest number; bounded before it could overflow.
	if seconds, err := strconv.Atoi(value); (err == nil || errors.Is(err, strconv.ErrRange)) && seconds > 0 {
		return time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(time.Until(at), time.Hour))
	}
	return 0
}

// tokenWire is the round trip under the OAuth library: it hands up either an
// answer in the standard's words or an *Error.
type tokenWire struct {
	base        http.RoundTripper
	maxLifetime time.Duration
	// newConnection: see Transport.
	newConnection bool
}

// RoundTrip implements http.RoundTripper.
func (w tokenWire) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.WithContext(req.Context())
	req.Close = w.newConnection
	r, err := send(w.base, req)
	if err != nil {
		return nil, err
	}
	answer, failed := parseTokenAnswer(r.status, r.contentType, r.body, w.maxLifetime)
	if failed != nil {
		failed.Server, failed.RetryAfter = req.URL.Host, r.retryAfter
		return nil, failed
	}
	body, err := json.Marshal(map[string]any{
		"access_token":  answer.AccessToken,
		"refresh_token": answer.RefreshToken,
		"token_type":    answer.TokenType,
		"api_domain":    answer.APIDomain,
		"scope":         answer.Scope,
		"expires_in":    int64(answer.Lifetime / time.Second),
	})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    req,
	}, nil
}

// plain reduces a network error to what may be shown: hosts and causes, never
// bytes that the other side sent.
func plain(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("cancelled")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return timedOut{}
	case isTLSRefusal(err), errors.As(err, &dns), errors.As(err, &op), errors.Is(err, errProxyAddress):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("connection closed before the answer was complete")
	}
	return errors.New("connection or protocol error")
}

// isTLSRefusal reports whether this side gave up on what the other side's TLS said.
func isTLSRefusal(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &record)
}
