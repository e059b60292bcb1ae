// Listeners: one http.Handler and one listener for each service of each data center.

package zohotest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Handler serves one service of a data center, for servers that the caller starts; see
// [Simulator.SetURL]. It panics if there is no such data center or service.
func (s *Simulator) Handler(dc string, service Service) http.Handler {
	s.mu.Lock()
	mustKnow(service)
	site := s.mustSite(dc)
	s.mu.Unlock()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, found := endpointAt(r.URL.Path); found && at.name == "auth" && refusesOtherSites(w, r) {
			return
		}
		c, err := readCall(site, service, r)
		if err != nil {
			return // the client went away
		}
		s.write(w, r, s.answerTo(r.Context(), c))
	})
}

// write sends an answer, or tears the connection. Tokens are marked before the
// bytes leave, so that a client that has them never finds them unmarked.
func (s *Simulator) write(w http.ResponseWriter, r *http.Request, a answer) {
	arrives := r.Context().Err() == nil && a.tear == whole && !a.undelivered
	s.delivered(a, arrives)
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
	if flushed := http.NewResponseController(w).Flush(); !errors.Is(flushed, errors.ErrUnsupported) {
		err = errors.Join(err, flushed)
	}
	if a.tear == tornHalf {
		reset(w)
	}
	if arrives && err != nil {
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

// Listen opens one loopback listener for each service of each data center, at free ports.
// stop closes them and waits; then addresses are Zoho's own again.
func (s *Simulator) Listen() (stop func(), err error) { return s.ListenWith(Listening{}) }

// ListenAt is Listen at a host and, unless port is 0, at consecutive ports: see
// [Listening.Port].
func (s *Simulator) ListenAt(host string, port int) (stop func(), err error) {
	return s.ListenWith(Listening{Host: host, Port: port})
}

// A Listening says where listeners are opened, and at which addresses clients reach them.
type Listening struct {
	Host string // to listen at; empty: 127.0.0.1
	// Port is that of the first accounts server. The accounts servers of the other data
	// centers follow it in the order of [Simulator.DataCenters], then the API gateways, the
	// hosts of Desk and those of portals: [Simulator.Ports] in all. 0 takes free ports.
	Port int
	TLS  *tls.Config // with a certificate; nil: plain HTTP

	// URL makes the address that answers, redirects and [Simulator.AccountsURL] name, from
	// that of a listener. nil: [LocalURL].
	URL func(listener net.Addr) string
}

// Ports is how many consecutive ports ListenWith takes.
func (s *Simulator) Ports() int { return len(s.hosts()) }

// hosted is a service that has a host in a data center.
type hosted struct {
	dc      string
	service Service
}

// hosts are all there are, in the order of their ports.
func (s *Simulator) hosts() (all []hosted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, service := range services {
		for _, dc := range s.sites {
			if slices.Contains(dc.services(), service) {
				all = append(all, hosted{dc.Name, service})
			}
		}
	}
	return all
}

// LocalURL is the address of a listener for clients on the same machine. A listener at all
// interfaces has an address that no client can use, so it is reached at localhost.
func LocalURL(scheme string, listener net.Addr) string {
	if tcp, ok := listener.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return scheme + "://" + net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return scheme + "://" + listener.String()
}

// ListenWith opens one listener for each service of each data center. stop closes them and
// waits; then addresses are Zoho's own again.
func (s *Simulator) ListenWith(l Listening) (stop func(), err error) {
	scheme := "http"
	if l.TLS != nil {
		scheme = "https"
	}
	if l.URL == nil {
		l.URL = func(listener net.Addr) string { return LocalURL(scheme, listener) }
	}
	var serving sync.WaitGroup
	var servers []*http.Server
	hosts := s.hosts()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			for _, server := range servers {
				server.Close()
			}
			serving.Wait()
			for _, h := range hosts {
				s.SetURL(h.dc, h.service, "")
			}
		})
	}
	at := l.Port
	for _, h := range hosts {
		listener, err := net.Listen("tcp", net.JoinHostPort(or(l.Host, "127.0.0.1"), strconv.Itoa(at)))
		if err != nil {
			stop()
			return nil, fmt.Errorf("zohotest: listening for %s of data center %s: %w", h.service, h.dc, err)
		}
		if at != 0 {
			at++
		}
		s.SetURL(h.dc, h.service, l.URL(listener.Addr()))
		if l.TLS != nil {
			listener = tls.NewListener(listener, l.TLS)
		}
		server := &http.Server{Handler: s.Handler(h.dc, h.service), ReadHeaderTimeout: time.Minute}
		servers = append(servers, server)
		serving.Go(func() { server.Serve(listener) })
	}
	return stop, nil
}
