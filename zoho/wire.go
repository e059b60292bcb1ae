// How do bytes get to an accounts server and back? One HTTP client, one round
// trip under every call: it caps, reads, judges and normalises the answer, so
// that the standard OAuth library above it sees nothing but RFC 6749.

package zoho

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
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

// NewTransport returns the HTTP transport for accounts servers: TLS 1.2 or newer,
// the proxy of the environment, bounded connecting and waiting. caPEM, when not
// empty, replaces the system's certificate authorities.
func NewTransport(caPEM string, timeout time.Duration) (*http.Transport, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if caPEM != "" {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, errors.New("holds no certificate; give one or more PEM blocks that begin with -----BEGIN CERTIFICATE-----")
		}
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout / 2}).DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    timeout / 2,
		ResponseHeaderTimeout:  timeout,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    atOnce,
		ForceAttemptHTTP2:      true,
	}, nil
}

// reply is one answer, read to its end.
type reply struct {
	status      int
	contentType string
	retryAfter  time.Duration
	body        []byte
}

// send makes one request, follows no redirect and reads the whole answer. Its
// error is an *Error that names the server.
func send(base http.RoundTripper, req *http.Request) (reply, error) {
	var way connecting
	resp, err := base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), way.trace())))
	if err != nil {
		e := unreachable(err)
		e.Server, e.Sent = req.URL.Host, way.sent(err)
		return reply{}, e
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	e := &Error{Kind: Unavailable, Server: req.URL.Host, Status: resp.StatusCode, Sent: true}
	switch {
	case err != nil:
		e.cause = plain(err)
		return reply{}, e
	case len(body) > maxBody:
		e.reason = "an answer that is longer than any real one"
		return reply{}, e
	}
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), retryAfter(resp.Header.Get("Retry-After")), body}, nil
}

// connecting is how far a request got on its way to a connection.
type connecting struct{ asked, had atomic.Bool }

func (c *connecting) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.had.Store(true) },
	}
}

// sent reports whether bytes of a request that failed may have left: with a
// connection they may, however the error looks (a broken TLS record comes after the
// handshake too). A round trip that tells nothing of its way is judged by its error.
func (c *connecting) sent(err error) bool {
	return c.had.Load() || !c.asked.Load() && !neverSent(err)
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
}

// RoundTrip implements http.RoundTripper.
func (w tokenWire) RoundTrip(req *http.Request) (*http.Response, error) {
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
	case isTLSRefusal(err), errors.As(err, &dns), errors.As(err, &op):
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
