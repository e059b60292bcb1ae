// Revocations of one request: a bounded number of calls at once to each accounts server,
// a deadline for each call, and one call to a server that does not answer.

package backend

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

const (
	// revokers is how many calls are under way at once at one accounts server: with answers
	// after 200 ms some 300 a second.
	revokers = 64
	// requestTime is Vault's default_max_request_duration, which it does not tell a plugin:
	// when it is over the request is cancelled.
	requestTime = 90 * time.Second
	// answerTime is the part of it that is reserved for the work after the last call to Zoho.
	answerTime = 5 * time.Second
)

// revocations are the calls that one request makes to revoke tokens.
type revocations struct {
	// begin is when the last call may begin, end when every call is over.
	begin, end time.Time

	client  *client
	mu      sync.Mutex
	servers map[string]*revocationServer
	clients map[[2]string]*zoho.Client // by client id and accounts URL
}

// revocationServer is one accounts server, as one request sees it.
type revocationServer struct {
	// slots has a value for each call that may begin: one until the first call was
	// answered, revokers from then on.
	slots chan struct{}

	mu       sync.Mutex
	answered bool
	// hangs is the failure of a call that was not answered in time; nil without one.
	hangs error
}

// revocations returns the calls of a request that begins now, and the context of its work,
// which ends shortly after the last call, and not when the caller leaves. Where config cannot
// be read, the calls are made without the client's id and secret.
func (b *backend) revocations(ctx context.Context, s logical.Storage) (*revocations, context.Context, context.CancelFunc, error) {
	c, err := b.world.client(ctx, s)
	if err != nil { // a revocation needs no config
		c, err = b.world.unconfigured()
	}
	// A token that was revoked with all others is not revoked again. If that cannot be known,
	// it is.
	_ = b.memory.loadEpochs(ctx, s)
	if err != nil {
		return nil, nil, nil, err
	}
	r := newRevocations(ctx, c)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), r.end.Add(answerTime/2))
	return r, context.WithValue(ctx, revocationsKey{}, r), cancel, nil
}

func newRevocations(ctx context.Context, c *client) *revocations {
	end, known := ctx.Deadline()
	if !known {
		end = time.Now().Add(requestTime)
	}
	left := time.Until(end)
	end = end.Add(-min(answerTime, left/4))
	return &revocations{
		begin: end.Add(-min(c.RequestTimeout, left/2)), end: end, client: c,
		servers: map[string]*revocationServer{}, clients: map[[2]string]*zoho.Client{},
	}
}

// over reports whether no further call should begin.
func (r *revocations) over() bool { return !time.Now().Before(r.begin) }

func (r *revocations) server(accountsURL string) *revocationServer {
	if u, err := url.Parse(accountsURL); err == nil {
		accountsURL = u.Host
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.servers[accountsURL]
	if s == nil {
		s = &revocationServer{slots: make(chan struct{}, revokers)}
		s.slots <- struct{}{}
		r.servers[accountsURL] = s
	}
	return s
}

// revoke asks an accounts server to revoke a token, within the limits of the request.
func (r *revocations) revoke(ctx context.Context, at *zoho.Client, token zoho.Secret, kind string) error {
	ctx, cancel := context.WithDeadline(ctx, r.end)
	defer cancel()
	s := r.server(at.AccountsURL)
	select {
	case <-s.slots:
	case <-ctx.Done():
		return errUnreached
	}
	defer func() { s.slots <- struct{}{} }()
	if err := s.silent(); err != nil {
		return err
	}
	if r.over() {
		return errUnreached
	}
	err := at.Revoke(ctx, token, kind)
	s.note(err)
	return err
}

// silent returns why a server is not asked, or nil.
func (s *revocationServer) silent() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs == nil {
		return nil
	}
	return notAsked{s.hangs}
}

// note notes how a call ended.
func (s *revocationServer) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if zoho.TimedOut(err) {
		s.hangs = err
		return
	}
	if !s.answered {
		s.answered = true
		for range revokers - 1 {
			s.slots <- struct{}{}
		}
	}
}

// notAsked is why a call was not made: an earlier one of the same request to this server
// was not answered in time.
type notAsked struct{ cause error }

func (n notAsked) Error() string {
	return n.cause.Error() + "; this server was not called again in this request, so its other tokens are not revoked yet"
}

func (n notAsked) Unwrap() error { return n.cause }

// errUnreached says that a request's time was not enough.
var errUnreached error = &answer{status: http.StatusServiceUnavailable, text: "the time limit of the request ended before this was revoked; write again to continue"}

// revocationsKey is the context key of a request's revocations.
type revocationsKey struct{}

// at returns what can revoke tokens of a client at an accounts server.
func (r *revocations) at(clientID, accountsURL string) *zoho.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [2]string{clientID, accountsURL}
	if r.clients[key] == nil {
		r.clients[key] = r.client.revoker(clientID, accountsURL)
	}
	return r.clients[key]
}
