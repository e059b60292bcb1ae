// Did the request leave? A real socket that fails after the handshake, and one that
// fails before it.

package zoho_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// overSocket is a client of a TLS server that serves each connection with serve,
// having done the handshake if it is asked to.
func overSocket(t *testing.T, handshake bool, serve func(raw net.Conn, secured *tls.Conn)) *zoho.Client {
	t.Helper()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			secured := tls.Server(raw, &tls.Config{Certificates: certified.TLS.Certificates})
			if !handshake || secured.Handshake() == nil {
				serve(raw, secured)
			}
			_ = raw.Close()
		}
	}()
	client := over(trusting(t, certified))
	client.AccountsURL = "https://" + listener.Addr().String()
	return client
}

// trusting is a transport to a server that no system trusts.
func trusting(t *testing.T, server *httptest.Server) *zoho.Transport {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	transport, err := zoho.NewTransport(string(ca), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestACallWhoseConnectionTurnsToGarbageAfterTheHandshakeMayHaveBeenServed(t *testing.T) {
	client := overSocket(t, true, func(raw net.Conn, secured *tls.Conn) {
		_, _ = secured.Read(make([]byte, 4096)) // the request is here
		_, _ = raw.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})
	_, err := client.Exchange(context.Background(), canaryCode, "", "")
	if e := zoho.AsError(err); e == nil || !e.Sent {
		t.Errorf("the code is said to be unspent: %+v", e)
	}
}

func TestACallThatMetGarbageInsteadOfAHandshakeNeverLeft(t *testing.T) {
	client := overSocket(t, false, func(raw net.Conn, _ *tls.Conn) {
		_, _ = raw.Read(make([]byte, 4096))
		_, _ = raw.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})
	_, err := client.Exchange(context.Background(), canaryCode, "", "")
	if e := zoho.AsError(err); e == nil || e.Sent {
		t.Errorf("the code is said to be spent: %+v", e)
	}
}

// As a transport that dials by itself reports it.
func TestACallWhoseServersNameCannotBeResolvedNeverLeft(t *testing.T) {
	for want, failure := range map[bool]error{false: &net.DNSError{Err: "no such host"}, true: io.ErrUnexpectedEOF} {
		client := over(roundTrip(func(*http.Request) (*http.Response, error) { return nil, failure }))
		_, err := client.Exchange(context.Background(), canaryCode, "", "")
		if e := zoho.AsError(err); e == nil || e.Sent != want {
			t.Errorf("%T: %+v", failure, e)
		}
	}
}

// However long it waited: without a connection nothing left.
func TestACallThatWasGivenUpBeforeItHadAConnectionNeverLeft(t *testing.T) {
	client := overSocket(t, false, func(raw net.Conn, _ *tls.Conn) {
		_, _ = raw.Read(make([]byte, 4096))
		_, _ = raw.Read(make([]byte, 4096)) // until the client hangs up
	})
	client.Timeout = 50 * time.Millisecond
	_, err := client.Exchange(context.Background(), canaryCode, "", "")
	if e := zoho.AsError(err); e == nil || e.Sent {
		t.Errorf("the code is said to be spent: %+v", e)
	}
}
