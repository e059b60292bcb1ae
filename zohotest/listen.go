// How does a request get here over a socket? One http.Handler and one loopback
// listener per data centre.

package zohotest

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Handler serves one data centre, accounts server and APIs alike, for servers
// that the caller starts; see [Simulator.SetURL]. It panics if there is no such
// data centre.
func (s *Simulator) Handler(dc string) http.Handler {
	s.mu.Lock()
	site := s.mustSite(dc)
	s.mu.Unlock()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, found := endpointAt(r.URL.Path); found && at.name == "auth" && refusesOtherSites(w, r) {
			return
		}
		c, err := readCall(site, bothSides, r)
		if err != nil {
			return // the client went away
		}
		s.write(w, r, s.answerTo(r.Context(), c))
	})
}

// write sends an answer, or tears the connection. Tokens are marked before the
// bytes leave, so that a client that has them never finds them unmarked.
func (s *Simulator) write(w http.ResponseWriter, r *http.Request, a answer) {
	if r.Context().Err() != nil || a.tear != whole || a.undelivered {
		s.delivered(a, false)
	} else {
		s.delivered(a, true)
	}
	if a.tear == tornWhole {
		reset(w)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	body := a.body
	if a.tear == tornHalf {
		body = body[:len(body)/2]
	}
	_, err := w.Write(body)
	if flushErr := http.NewResponseController(w).Flush(); err == nil {
		err = flushErr
	}
	if a.tear == tornHalf {
		reset(w)
	}
	if err != nil && r.Method != http.MethodHead {
		s.delivered(a, false)
	}
}

// reset tears a connection with a TCP reset where the server lets it.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
			conn = wrapped.NetConn()
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// Listen opens one loopback listener per data centre at free ports. stop closes
// them and waits; then addresses are Zoho's own again.
func (s *Simulator) Listen() (stop func(), err error) { return s.ListenWith(Listening{}) }

// ListenAt is Listen at a host and, unless port is 0, at consecutive ports in
// the order of [Simulator.DataCenters].
func (s *Simulator) ListenAt(host string, port int) (stop func(), err error) {
	return s.ListenWith(Listening{Host: host, Port: port})
}

// A Listening says where listeners are opened, and at which addresses clients reach them.
type Listening struct {
	Host string      // to listen at; empty: 127.0.0.1
	Port int         // of the first data centre, whose successors follow it; 0: free ones
	TLS  *tls.Config // with a certificate; nil: plain HTTP

	// URL makes the address of a data centre that answers, redirects and
	// [Simulator.AccountsURL] name, from the port of its listener. nil: [LocalURL].
	URL func(dc string, listener net.Addr) string
}

// LocalURL is the address of a listener for clients on the same machine. A listener at all
// interfaces has an address that no client can use, so it is reached at localhost.
func LocalURL(scheme string, listener net.Addr) string {
	if tcp, ok := listener.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return scheme + "://" + net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return scheme + "://" + listener.String()
}

// ListenWith opens one listener per data centre. stop closes them and waits; then
// addresses are Zoho's own again.
func (s *Simulator) ListenWith(l Listening) (stop func(), err error) {
	scheme := "http"
	if l.TLS != nil {
		scheme = "https"
	}
	if l.URL == nil {
		l.URL = func(_ string, listener net.Addr) string { return LocalURL(scheme, listener) }
	}
	var serving sync.WaitGroup
	var servers []*http.Server
	names := s.DataCenters()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			for _, server := range servers {
				server.Close()
			}
			serving.Wait()
			for _, dc := range names {
				s.SetURL(dc, "")
			}
		})
	}
	for i, dc := range names {
		at := 0
		if l.Port != 0 {
			at = l.Port + i
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(or(l.Host, "127.0.0.1"), strconv.Itoa(at)))
		if err != nil {
			stop()
			return nil, fmt.Errorf("zohotest: listening for data centre %s: %w", dc, err)
		}
		s.SetURL(dc, l.URL(dc, listener.Addr()))
		if l.TLS != nil {
			listener = tls.NewListener(listener, l.TLS)
		}
		server := &http.Server{Handler: s.Handler(dc), ReadHeaderTimeout: time.Minute}
		servers = append(servers, server)
		serving.Go(func() { server.Serve(listener) })
	}
	return stop, nil
}
