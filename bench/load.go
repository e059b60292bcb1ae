// How is a server put under load? By connections that are kept alive, each of which
// asks again as soon as it is answered. The client is as plain as can be: what it
// costs is taken from the same processors.

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// connection is one that is kept alive.
type connection struct {
	net.Conn
	in *bufio.Reader
}

func dial(address string) (*connection, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{c, bufio.NewReaderSize(c, 16<<10)}, nil
}

// request is what is sent to read a path.
func request(address, token, path string) []byte {
	return fmt.Appendf(nil, "GET /v1/%s HTTP/1.1\r\nHost: %s\r\nX-Vault-Token: %s\r\n\r\n", path, address, token)
}

// exchange sends a request and reads the answer to its end.
func (c *connection) exchange(request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < len("HTTP/1.1 200") {
				return 0, errors.New("no HTTP answer")
			}
			status, _ = strconv.Atoi(string(line[9:12]))
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			length, _ = strconv.Atoi(string(value))
		}
		if len(line) == 0 {
			break
		}
	}
	if length >= 0 {
		_, err = c.in.Discard(length)
		return status, err
	}
	return status, c.skipChunks()
}

// skipChunks reads a body of unknown length.
func (c *connection) skipChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, c.in, size+2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// Load is what came of some requests.
type Load struct {
	Requests, Failures int
	Took               time.Duration
	latencies          []time.Duration
}

// Rate is in requests a second.
func (l *Load) Rate() float64 { return float64(l.Requests) / l.Took.Seconds() }

// percentile returns the latency that a part of the requests stayed below.
func (l *Load) percentile(part float64) time.Duration {
	if len(l.latencies) == 0 {
		return 0
	}
	return l.latencies[min(len(l.latencies)-1, int(part*float64(len(l.latencies))))]
}

// put keeps connections busy for a while; next returns the path of each read.
func put(s *server, connections int, length time.Duration, next func(connection, turn int) string) (*Load, error) {
	return until(s, connections, next, func(begun time.Time, _ int) bool { return time.Since(begun) >= length })
}

// once has each connection ask so many times.
func once(s *server, connections, turns int, next func(connection, turn int) string) (*Load, error) {
	return until(s, connections, next, func(_ time.Time, turn int) bool { return turn >= turns })
}

func until(s *server, connections int, next func(connection, turn int) string, over func(begun time.Time, turn int) bool) (*Load, error) {
	var mu sync.Mutex
	total := &Load{}
	var failed error
	var dialled []*connection
	for range connections {
		c, err := dial(s.address)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		dialled = append(dialled, c)
	}
	begun := time.Now()
	var work sync.WaitGroup
	for i, c := range dialled {
		work.Go(func() {
			var path string
			var send []byte
			own := Load{latencies: make([]time.Duration, 0, 1<<12)}
			for turn := 0; !over(begun, turn); turn++ {
				if p := next(i, turn); p != path {
					path, send = p, request(s.address, s.token, p)
				}
				start := time.Now()
				status, err := c.exchange(send)
				if err != nil {
					mu.Lock()
					failed = fmt.Errorf("reading %s: %w", path, err)
					mu.Unlock()
					return
				}
				own.latencies = append(own.latencies, time.Since(start))
				own.Requests++
				if status != 200 {
					own.Failures++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.Requests += own.Requests
			total.Failures += own.Failures
			total.latencies = append(total.latencies, own.latencies...)
		})
	}
	work.Wait()
	total.Took = time.Since(begun)
	slices.Sort(total.latencies)
	return total, failed
}

// same reads one path all the time.
func same(path string) func(int, int) string { return func(int, int) string { return path } }

// sorted makes a Load of latencies.
func sorted(latencies []time.Duration) *Load {
	slices.Sort(latencies)
	return &Load{Requests: len(latencies), latencies: latencies}
}
