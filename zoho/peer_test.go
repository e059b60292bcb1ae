// Peers for tests of the wire: servers on real sockets that count what they read, and reset,
// close, half-close, drain, stay silent or answer late.

package zoho_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// peer is a TLS server that speaks HTTP as its test wants.
type peer struct {
	t        *testing.T
	listener net.Listener
	trusted  *x509.Certificate
	arrived  chan struct{} // a request was read
	over     chan struct{} // the test is over
	serving  sync.WaitGroup
	mu       sync.Mutex
	requests []arrival
	conns    int
}

// arrival is a request that was read to its end.
type arrival struct {
	path   string
	proto  string
	conn   int // on which connection
	closes bool
}

// peerConn is one connection of a peer.
type peerConn struct {
	*tls.Conn
	peer *peer
	in   *bufio.Reader
	n    int // which connection it is
}

// newPeer starts a peer that runs serve for each connection, n of which begins at 1. protocols
// are those that TLS offers.
func newPeer(t *testing.T, protocols []string, serve func(*peerConn)) *peer {
	t.Helper()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, listener: listener, trusted: certified.Certificate(), arrived: make(chan struct{}, 10_000), over: make(chan struct{})}
	config := &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: protocols}
	p.serving.Go(func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns++
			c := &peerConn{Conn: tls.Server(raw, config), peer: p, n: p.conns}
			p.mu.Unlock()
			p.serving.Go(func() {
				defer raw.Close()
				if c.Handshake() == nil {
					c.in = bufio.NewReader(c.Conn)
					serve(c)
				}
			})
		}
	})
	return p
}

// client returns a client of the peer over a transport of this package.
func (p *peer) client() (*zoho.Client, *zoho.Transport) {
	p.t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.trusted.Raw})
	transport, err := zoho.NewTransport(string(ca), time.Minute)
	if err != nil {
		p.t.Fatal(err)
	}
	transport.Parts()[0].IdleConnTimeout = 0 // no test waits for it or fails on a slow machine
	client := over(transport)
	client.AccountsURL, client.Timeout = "https://"+p.listener.Addr().String(), time.Minute
	return client, transport
}

// read reads one whole request and counts it.
func (c *peerConn) read() bool {
	req, err := http.ReadRequest(c.in)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	c.count(arrival{req.URL.Path, req.Proto, c.n, req.Close})
	return true
}

func (c *peerConn) count(a arrival) {
	c.peer.mu.Lock()
	c.peer.requests = append(c.peer.requests, a)
	c.peer.mu.Unlock()
	c.peer.arrived <- struct{}{}
}

// answer answers a request with a token, which a revocation takes for a success.
func (c *peerConn) answer(headers string) {
	_, _ = io.WriteString(c, "HTTP/1.1 200 \r\nContent-Type: application/json\r\nContent-Length: 20\r\n"+headers+"\r\n{\"access_token\":\"t\"}")
}

// rest reads what else comes, counts it and answers nothing.
func (c *peerConn) rest() {
	for c.read() {
	}
}

// reset closes the connection with a TCP reset.
func (c *peerConn) reset() {
	_ = c.NetConn().(*net.TCPConn).SetLinger(0)
	_ = c.NetConn().Close()
}

// half closes the peer's direction of the connection alone.
func (c *peerConn) half() {
	_ = c.CloseWrite()
	_ = c.NetConn().(*net.TCPConn).CloseWrite()
}

// read returns the requests so far.
func (p *peer) read() []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// stop ends the peer, and returns all requests that were ever read.
func (p *peer) stop(idle interface{ CloseIdleConnections() }) []arrival {
	idle.CloseIdleConnections()
	_ = p.listener.Close()
	close(p.over)
	p.serving.Wait()
	return p.read()
}

// expiring is a context whose deadline comes when its channel is closed.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// oneCall are the calls whose requests are counted.
var oneCall = map[string]func(context.Context, *zoho.Client) error{
	"mint": func(ctx context.Context, c *zoho.Client) error {
		return second(c.Mint(ctx, zoho.Grant{RefreshToken: canaryRefreshToken}))
	},
	"exchange": func(ctx context.Context, c *zoho.Client) error { return second(c.Exchange(ctx, canaryCode, "", "")) },
	"revoke": func(ctx context.Context, c *zoho.Client) error {
		return c.Revoke(ctx, canaryRefreshToken, zoho.RefreshToken)
	},
	"device poll": func(ctx context.Context, c *zoho.Client) error { return second(c.PollDevice(ctx, canaryCode)) },
}
