// Transport: the connections to accounts servers. HTTP/1.1 alone; docs/architecture.md has
// the reasons.

package zoho

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// idleTimeout is how long a connection waits for its next request. How long Zoho keeps
// one open is not known; common servers close them after 5 seconds or more. A request that
// meets a connection while the server closes it is lost.
const idleTimeout = 3 * time.Second

// Transport makes requests to accounts servers over HTTP/1.1. A request with Close set
// gets a new connection, which serves no other request: that is for calls which cannot be
// repeated if a connection turns out to be closed. Other requests share connections.
type Transport struct{ shared, single *http.Transport }

// NewTransport returns a Transport: TLS 1.2 or newer, the proxy of the environment, bounded
// connecting and waiting. caPEM, when not empty, replaces the system's certificate
// authorities. timeout is that of one call: half of it bounds connecting.
func NewTransport(caPEM string, timeout time.Duration) (*Transport, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if caPEM != "" {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, errors.New("holds no certificate; give one or more PEM blocks that begin with -----BEGIN CERTIFICATE-----")
		}
	}
	dialer := &net.Dialer{Timeout: timeout / 2}
	shared := &http.Transport{
		Proxy:                  proxyFromEnvironment,
		OnProxyConnectResponse: proxyAnswered,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    timeout / 2,
		ResponseHeaderTimeout:  timeout,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        idleTimeout,
		// One for each mint that may be under way. The number in use has no limit here: a
		// revocation must not wait for mints that hang.
		MaxIdleConnsPerHost: atOnce,
		Protocols:           new(http.Protocols),
	}
	shared.Protocols.SetHTTP1(true)
	single := shared.Clone()
	single.DisableKeepAlives = true
	return &Transport{shared: shared, single: single}, nil
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Close {
		return t.single.RoundTrip(req)
	}
	return t.shared.RoundTrip(req)
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() { t.shared.CloseIdleConnections() }

// countedConn is a connection that counts the bytes written to it.
type countedConn struct {
	net.Conn
	mu    sync.Mutex // held while bytes are written
	bytes int64
}

// Write implements net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.bytes += int64(n)
	return n, err
}

func (c *countedConn) wrote() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// end closes the connection, waits for a Write that is under way and returns how many
// bytes were written.
func (c *countedConn) end() int64 {
	_ = c.Close()
	return c.wrote()
}

// counted returns the countedConn under a connection: TLS to the server, and TLS to a
// proxy, lie above it. It is nil if another transport opened the connection.
func counted(conn net.Conn) *countedConn {
	for {
		switch c := conn.(type) {
		case *countedConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
