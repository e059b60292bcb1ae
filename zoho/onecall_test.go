// Tests that one call is one request, whatever the peer does. The requests that reach the
// peer are counted there.

package zoho_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

func TestOneCallIsOneRequestWhateverThePeerDoes(t *testing.T) {
	returned := func(c *peerConn) { <-c.peer.over }
	for behaviour, row := range map[string]struct {
		serve   func(*peerConn)
		expires bool // the call times out once its request was read
		works   bool
	}{
		"resets":                     {serve: func(c *peerConn) { c.read(); c.reset() }},
		"closes":                     {serve: func(c *peerConn) { c.read() }},
		"half-closes":                {serve: func(c *peerConn) { c.read(); c.half(); c.rest() }},
		"stays silent":               {serve: func(c *peerConn) { c.read(); c.rest() }, expires: true},
		"answers late":               {serve: func(c *peerConn) { c.read(); returned(c); c.answer(""); c.rest() }, expires: true},
		"drains":                     {serve: func(c *peerConn) { c.read(); c.answer("Connection: close\r\n"); c.rest() }, works: true},
		"answers and closes":         {serve: func(c *peerConn) { c.read(); c.answer("") }, works: true},
		"answers in part and resets": {serve: func(c *peerConn) { c.read(); _, _ = io.WriteString(c, "HTTP/1.1 200 "); c.reset() }},
		"answers no HTTP":            {serve: func(c *peerConn) { c.read(); _, _ = io.WriteString(c, "SSH-2.0-x\r\n"); c.rest() }},
	} {
		for name, call := range oneCall {
			t.Run(behaviour+"/"+name, func(t *testing.T) {
				p := newPeer(t, []string{"h2", "http/1.1"}, row.serve)
				client, transport := p.client()
				ctx := expiring{context.Background(), make(chan struct{})}
				if row.expires {
					go func() { <-p.arrived; close(ctx.done) }()
				}
				err := call(ctx, client)
				got := p.stop(transport)
				if len(got) != 1 || got[0].proto != "HTTP/1.1" {
					t.Errorf("the peer read %+v", got)
				}
				switch e := zoho.AsError(err); {
				case row.works:
					if err != nil {
						t.Error(err)
					}
				case e == nil || e.Kind != zoho.Unavailable || !e.Sent || zoho.TimedOut(err) != row.expires:
					t.Errorf("the call ends with %+v", err)
				}
			})
		}
	}
}

// A connection that the peer closed is no problem once the client knows.
func TestACallAfterThePeerClosedAnIdleConnectionIsOneRequest(t *testing.T) {
	for name, call := range oneCall {
		noticed := make(chan struct{})
		p := newPeer(t, nil, func(c *peerConn) {
			c.read()
			c.answer("")
			if c.n == 1 {
				c.half()
				c.rest() // until the client closes its side too
				close(noticed)
			}
		})
		client, transport := p.client()
		if err := oneCall["mint"](t.Context(), client); err != nil {
			t.Fatal(err)
		}
		<-noticed
		if err := call(t.Context(), client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := p.stop(transport); len(got) != 2 || got[1].conn != 2 {
			t.Errorf("%s: the peer read %+v", name, got)
		}
	}
}

// unaware is a connection whose owner does not learn that the peer ended it before
// something was written: as if the news were still under way.
type unaware struct {
	net.Conn
	ended, written chan struct{}
	once           sync.Once
	armed          *sync.Once
}

func (u *unaware) NetConn() net.Conn { return u.Conn }

func (u *unaware) Read(p []byte) (int, error) {
	n, err := u.Conn.Read(p)
	if err != nil {
		u.armed.Do(func() { close(u.ended) })
		<-u.written
	}
	return n, err
}

func (u *unaware) Write(p []byte) (int, error) {
	n, err := u.Conn.Write(p)
	select {
	case <-u.ended:
		u.once.Do(func() { close(u.written) })
	default:
	}
	return n, err
}

func (u *unaware) Close() error {
	u.once.Do(func() { close(u.written) })
	return u.Conn.Close()
}

// notNoticing makes the first shared connection of a transport an unaware one.
func notNoticing(transport *zoho.Transport) (ended chan struct{}) {
	ended = make(chan struct{})
	var first, armed sync.Once
	shared := transport.Parts()[0]
	dial := shared.DialContext
	shared.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		first.Do(func() { conn = &unaware{Conn: conn, ended: ended, written: make(chan struct{}), armed: &armed} })
		return conn, err
	}
	return ended
}

func TestACallOnAConnectionThatTookNothingIsSentOnANewOne(t *testing.T) {
	for name, call := range oneCall {
		p := newPeer(t, nil, func(c *peerConn) {
			c.read()
			c.answer("")
			if c.n == 1 {
				c.reset() // the next write fails with not one byte sent
			}
		})
		client, transport := p.client()
		ended := notNoticing(transport)
		if err := oneCall["mint"](t.Context(), client); err != nil {
			t.Fatal(err)
		}
		<-ended
		if err := call(t.Context(), client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := p.stop(transport); len(got) != 2 || got[1].conn != 2 {
			t.Errorf("%s: the peer read %+v", name, got)
		}
	}
}

func TestACallThatWroteNothingAndReachesNobodyNeverLeft(t *testing.T) {
	var p *peer
	p = newPeer(t, nil, func(c *peerConn) {
		c.read()
		_ = p.listener.Close()
		c.answer("")
		c.reset()
	})
	client, transport := p.client()
	ended := notNoticing(transport)
	if err := oneCall["mint"](t.Context(), client); err != nil {
		t.Fatal(err)
	}
	<-ended
	if e := zoho.AsError(oneCall["mint"](t.Context(), client)); e == nil || e.Sent || e.Kind != zoho.Unavailable {
		t.Errorf("the call ends with %+v", e)
	}
	if got := p.stop(transport); len(got) != 1 {
		t.Errorf("the peer read %+v", got)
	}
}

// The client's system took the bytes and the peer never read them. Nobody can tell, so a
// mint may have happened and is not repeated. What cannot be repeated is not at risk.
func TestACallThatMeetsAClosingConnectionIsNotRepeated(t *testing.T) {
	for name, call := range oneCall {
		p := newPeer(t, nil, func(c *peerConn) {
			c.read()
			c.answer("") // and the connection is closed without a reset
		})
		client, transport := p.client()
		ended := notNoticing(transport)
		if err := oneCall["mint"](t.Context(), client); err != nil {
			t.Fatal(err)
		}
		<-ended
		shares := name == "mint" || name == "revoke"
		err := call(t.Context(), client)
		if e := zoho.AsError(err); shares && (e == nil || !e.Sent) || !shares && err != nil {
			t.Errorf("%s ends with %v", name, err)
		}
		if got := len(p.stop(transport)); shares && got != 1 || !shares && got != 2 {
			t.Errorf("%s: the peer read %d requests", name, got)
		}
	}
}

func TestOnlyMintsAndRevocationsShareConnections(t *testing.T) {
	p := newPeer(t, nil, func(c *peerConn) {
		for c.read() {
			c.answer("")
		}
	})
	client, transport := p.client()
	order := []string{"mint", "exchange", "mint", "device poll", "revoke"}
	for _, name := range order {
		if err := oneCall[name](t.Context(), client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _ = client.StartDevice(t.Context(), nil)
	_, _ = client.ExtraScopesURL(t.Context(), canaryRefreshToken, "", "", nil)
	_, _ = client.UserInfo(t.Context(), canaryRefreshToken)
	_ = client.Reachable(t.Context())
	got := p.stop(transport)
	if len(got) != 9 {
		t.Fatalf("the peer read %+v", got)
	}
	for i, want := range []int{1, 2, 1, 3, 1, 4, 5, 6, 7} {
		if got[i].conn != want || got[i].closes != (want > 1) {
			t.Errorf("request %d is %+v, want connection %d", i, got[i], want)
		}
	}
}

// A firewall that forgot its connections drops what comes on them, and says nothing.
func TestOneCallIsLostWhenAllIdleConnectionsDieSilently(t *testing.T) {
	const many = 5
	var all sync.WaitGroup
	all.Add(many)
	p := newPeer(t, nil, func(c *peerConn) {
		c.read()
		if c.n <= many {
			all.Done()
			all.Wait() // so that each of them needs a connection
		}
		c.answer("")
		c.rest()
	})
	client, transport := p.client()
	var mints sync.WaitGroup
	for range many {
		mints.Go(func() {
			if err := oneCall["mint"](t.Context(), client); err != nil {
				t.Error(err)
			}
		})
	}
	mints.Wait()
	for range many {
		<-p.arrived
	}
	ctx := expiring{context.Background(), make(chan struct{})}
	go func() { <-p.arrived; close(ctx.done) }()
	if err := oneCall["mint"](ctx, client); !zoho.TimedOut(err) {
		t.Errorf("on a dead connection a mint ends with %v", err)
	}
	if err := oneCall["mint"](t.Context(), client); err != nil {
		t.Errorf("the next mint fails too: %v", err)
	}
	if got := p.stop(transport); len(got) != many+2 || got[many+1].conn != many+1 {
		t.Errorf("the peer read %+v", got)
	}
}

func TestARevocationDoesNotWaitForMintsThatHang(t *testing.T) {
	const hanging = 64
	p := newPeer(t, nil, func(c *peerConn) {
		c.read()
		if c.n > hanging {
			c.answer("")
		}
		c.rest()
	})
	client, transport := p.client()
	ctx := expiring{context.Background(), make(chan struct{})}
	var mints sync.WaitGroup
	for range hanging {
		mints.Go(func() { _ = oneCall["mint"](ctx, client) })
	}
	for range hanging {
		<-p.arrived
	}
	if err := oneCall["revoke"](t.Context(), client); err != nil {
		t.Error(err)
	}
	close(ctx.done)
	mints.Wait()
	if got := len(p.stop(transport)); got != hanging+1 {
		t.Errorf("the peer read %d requests", got)
	}
}

// HTTP/2 frame types and error codes. RFC 9113, sections 6 and 7.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway byte = 0, 1, 3, 4, 7
	endStream                                                            = 1
	protocolError, refusedStream                                         = 1, 7
)

// h2 speaks as much HTTP/2 as it takes to count requests: then does, given the stream of
// each request that was read to its end, says whether to go on.
func h2(c *peerConn, then func(stream uint32) bool) {
	go func() { // the client keeps a connection on which it gave up a stream
		<-c.peer.over
		_ = c.NetConn().Close()
	}()
	if _, err := io.ReadFull(c.in, make([]byte, 24)); err != nil { // the client's preface
		return
	}
	c.frame(frameSettings, 0, 0, nil)
	for {
		header := make([]byte, 9)
		if _, err := io.ReadFull(c.in, header); err != nil {
			return
		}
		length := int64(binary.BigEndian.Uint32(header) >> 8)
		if _, err := io.CopyN(io.Discard, c.in, length); err != nil {
			return
		}
		switch kind, flags := header[3], header[4]; {
		case kind == frameSettings && flags == 0:
			c.frame(frameSettings, 1, 0, nil)
		case (kind == frameData || kind == frameHeaders) && flags&endStream != 0:
			c.count(arrival{proto: "HTTP/2", conn: c.n})
			if !then(binary.BigEndian.Uint32(header[5:])) {
				return
			}
		}
	}
}

func (c *peerConn) frame(kind, flags byte, stream uint32, payload []byte) {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	frame = binary.BigEndian.AppendUint32(append(frame, flags), stream)
	_, _ = c.Write(append(frame, payload...))
}

func word(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// net/http's own HTTP/2 re-sends what it can. A transport that is not of this package must not do so either.
func TestOneCallIsOneRequestOverAForeignHTTP2Transport(t *testing.T) {
	for behaviour, row := range map[string]struct {
		then    func(c *peerConn, stream uint32) bool
		expires bool
	}{
		"resets the stream":  {then: func(c *peerConn, s uint32) bool { c.frame(frameReset, 0, s, word(protocolError)); return true }},
		"refuses the stream": {then: func(c *peerConn, s uint32) bool { c.frame(frameReset, 0, s, word(refusedStream)); return true }},
		"goes away":          {then: func(c *peerConn, _ uint32) bool { c.frame(frameGoAway, 0, 0, append(word(0), word(0)...)); return true }},
		"goes away and closes": {then: func(c *peerConn, _ uint32) bool {
			c.frame(frameGoAway, 0, 0, append(word(0), word(0)...))
			return false
		}},
		"closes":       {then: func(*peerConn, uint32) bool { return false }},
		"resets":       {then: func(c *peerConn, _ uint32) bool { c.reset(); return false }},
		"half-closes":  {then: func(c *peerConn, _ uint32) bool { c.half(); return true }},
		"stays silent": {then: func(*peerConn, uint32) bool { return true }, expires: true},
	} {
		for name, call := range oneCall {
			t.Run(behaviour+"/"+name, func(t *testing.T) {
				p := newPeer(t, []string{"h2"}, func(c *peerConn) {
					h2(c, func(stream uint32) bool { return row.then(c, stream) })
				})
				roots := x509.NewCertPool()
				roots.AddCert(p.trusted)
				foreign := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
				client := over(foreign)
				client.AccountsURL = "https://" + p.listener.Addr().String()
				ctx := expiring{context.Background(), make(chan struct{})}
				if row.expires {
					go func() { <-p.arrived; close(ctx.done) }()
				}
				err := call(ctx, client)
				if got := p.stop(foreign); len(got) != 1 {
					t.Errorf("the peer read %d requests", len(got))
				}
				if e := zoho.AsError(err); e == nil || !e.Sent || e.Kind != zoho.Unavailable || strings.Contains(e.Error(), "canary") {
					t.Errorf("the call ends with %+v", err)
				}
			})
		}
	}
}
