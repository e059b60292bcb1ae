// Tests of failures at a proxy: the error names the proxy and what to do, never its password.

package zoho_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

// proxied is a client that reaches its accounts server through a proxy on a socket, which
// serves each CONNECT with serve.
func proxied(t *testing.T, client *zoho.Client, transport *zoho.Transport, serve func(net.Conn, *http.Request)) (proxy string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					serve(conn, req)
				}
			}()
		}
	}()
	if serve == nil {
		_ = listener.Close()
	}
	address := &url.URL{Scheme: "http", User: url.UserPassword("canary_user", "canary_password"), Host: listener.Addr().String()}
	for _, part := range transport.Parts() {
		part.Proxy = http.ProxyURL(address)
	}
	client.Transport = transport
	return address.Host
}

// tunnel does what a proxy does.
func tunnel(conn net.Conn, req *http.Request) {
	to, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer to.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(to, conn); _ = to.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(conn, to)
}

func TestAFailureAtAProxyNamesTheProxyAndWhatToDo(t *testing.T) {
	answers := func(status int) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", status, canaryAnswer)
		}
	}
	for name, row := range map[string]struct {
		serve func(net.Conn, *http.Request)
		wants []string
	}{
		"refuses":               {answers(403), []string{"the proxy <proxy> refused the connection to <server> with HTTP 403", "allow this host in the proxy", "NO_PROXY"}},
		"wants credentials":     {answers(407), []string{"the proxy <proxy> refused the connection to <server> with HTTP 407", "HTTPS_PROXY", "user:password@host:port"}},
		"cannot reach Zoho":     {answers(502), []string{"the proxy <proxy> refused the connection to <server> with HTTP 502", "resolve and reach"}},
		"is in trouble":         {answers(503), []string{"the proxy <proxy> refused the connection to <server> with HTTP 503"}},
		"is down":               {nil, []string{"the proxy <proxy> cannot be reached", "connection refused", "HTTPS_PROXY"}},
		"hangs up":              {func(net.Conn, *http.Request) {}, []string{"no connection through the proxy <proxy>", "closed"}},
		"speaks no HTTP":        {func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, "SSH-2.0-"+canaryAnswer+"\r\n") }, []string{"no connection through the proxy <proxy>"}},
		"replaces certificates": {tunnel, []string{"certificate signed by unknown authority", "ca_pem", "<proxy>"}},
	} {
		for call, do := range oneCall {
			p := newPeer(t, nil, func(c *peerConn) { c.rest() })
			client, transport := p.client()
			for _, part := range transport.Parts() {
				part.TLSClientConfig.RootCAs = nil // nobody trusts the peer
			}
			proxy := proxied(t, client, transport, row.serve)
			err := do(t.Context(), client)
			e := zoho.AsError(err)
			if e == nil || e.Kind != zoho.Unavailable || e.Sent || e.Status != 0 {
				t.Errorf("%s, %s: %+v", name, call, err)
				continue
			}
			for _, want := range row.wants {
				want = strings.NewReplacer("<proxy>", proxy, "<server>", p.listener.Addr().String()).Replace(want)
				if !strings.Contains(e.Error(), want) {
					t.Errorf("%s, %s: %q does not say %q", name, call, e, want)
				}
			}
			if strings.Contains(strings.ToLower(e.Error()), "canary") {
				t.Errorf("%s, %s: %s", name, call, e)
			}
			if got := p.stop(transport); len(got) != 0 {
				t.Errorf("%s, %s: the peer read %+v", name, call, got)
			}
		}
	}
}

func TestATimeoutAtAProxyIsToldFromOneBehindIt(t *testing.T) {
	for call, do := range oneCall {
		p := newPeer(t, nil, func(c *peerConn) { c.rest() })
		client, transport := p.client()
		ctx := expiring{context.Background(), make(chan struct{})}
		proxy := proxied(t, client, transport, func(conn net.Conn, _ *http.Request) {
			close(ctx.done)
			_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
		})
		err := do(ctx, client)
		if e := zoho.AsError(err); !zoho.TimedOut(err) || e.Sent || !strings.Contains(e.Error(), "no connection through the proxy "+proxy+": timed out") {
			t.Errorf("%s: %+v", call, err)
		}
		ctx = expiring{context.Background(), make(chan struct{})}
		proxy = proxied(t, client, transport, tunnel)
		go func() { <-p.arrived; close(ctx.done) }()
		err = do(ctx, client)
		if e := zoho.AsError(err); !zoho.TimedOut(err) || !e.Sent || !strings.Contains(e.Error(), "timed out, through the proxy "+proxy) {
			t.Errorf("%s: %+v", call, err)
		}
		if got := p.stop(transport); len(got) != 1 {
			t.Errorf("%s: the peer read %+v", call, got)
		}
	}
}

// Bytes are counted under the TLS of a tunnel too.
func TestACallThroughAProxyThatWroteNothingIsSentOnANewConnection(t *testing.T) {
	p := newPeer(t, nil, func(c *peerConn) {
		for c.read() {
			c.answer("")
		}
	})
	client, transport := p.client()
	var first net.Conn
	proxied(t, client, transport, func(conn net.Conn, req *http.Request) {
		if first == nil {
			first = conn
		}
		tunnel(conn, req)
	})
	ended := notNoticing(transport)
	if err := oneCall["mint"](t.Context(), client); err != nil {
		t.Fatal(err)
	}
	_ = first.(*net.TCPConn).SetLinger(0)
	_ = first.Close()
	<-ended
	if err := oneCall["mint"](t.Context(), client); err != nil {
		t.Error(err)
	}
	if got := p.stop(transport); len(got) != 2 || got[1].conn != 2 {
		t.Errorf("the peer read %+v", got)
	}
}

// net/http reads the environment once, so this test runs itself in processes of their own.
func TestTheProxyOfTheEnvironmentIsUsed(t *testing.T) {
	if os.Getenv("TEST_OF_THE_ENVIRONMENT") != "" {
		transport, err := zoho.NewTransport("", 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(over(transport).Reachable(t.Context()))
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) })}
	go func() { _ = proxy.Serve(listener) }()
	defer proxy.Close()
	const invalid = "HTTPS_PROXY in the environment of the plugin process is not the address of a proxy"
	for address, want := range map[string]string{
		"http://canary_user:canary_password@" + listener.Addr().String(): "the proxy " + listener.Addr().String() + " refused the connection to accounts.zoho.eu:443 with HTTP 403",
		"http://canary_user:canary_password@proxy:port":                  invalid,
		"http://canary_user:1/canary_password@proxy:1":                   invalid, // which names the host canary_user
		"canary_user:2#canary_password@proxy:1":                          invalid,
	} {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), "TEST_OF_THE_ENVIRONMENT=yes", "HTTPS_PROXY="+address, "https_proxy=", "NO_PROXY=", "no_proxy=")
		out, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "canary") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
