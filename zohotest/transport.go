// How does a request get here without a socket? An http.RoundTripper that
// serves Zoho's real hosts in the caller's own goroutine.

package zohotest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// Transport is an in-process wire to all of Zoho's real hosts
// (https://accounts.zoho.eu, https://www.zohoapis.eu, ...). It opens no socket
// and starts no goroutine, so it works in a testing/synctest bubble. Requests
// end with their context. Hosts that are not Zoho's do not resolve.
func (s *Simulator) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Simulator }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.s.mu.Lock()
	site, service, found := t.s.host(req.URL.Scheme, req.URL.Host)
	t.s.mu.Unlock()
	if !found {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{
			Err: "no such host in this simulator", Name: req.URL.Host, IsNotFound: true,
		}}
	}
	c, err := readCall(site, service, req)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	a := t.s.answerTo(ctx, c)
	if err := ctx.Err(); err != nil {
		t.s.delivered(a, false)
		return nil, err
	}
	t.s.delivered(a, a.tear == whole && !a.undelivered)
	if a.tear == tornWhole {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return a.response(req), nil
}

// response is the answer as net/http's client would have read it.
func (a answer) response(req *http.Request) *http.Response {
	resp := &http.Response{
		Status:     strconv.Itoa(a.status) + " ", // Zoho's line has no reason
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}
	if req.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	if a.tear == tornHalf {
		half := bytes.NewReader(a.body[:len(a.body)/2])
		resp.Body = io.NopCloser(io.MultiReader(half, failing{io.ErrUnexpectedEOF}))
	}
	return resp
}

// failing is a reader at the torn end of an answer.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
