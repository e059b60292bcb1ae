// What does an app get when it reads a credential? The token that the keeper
// serves, in a form that Vault Agent and its siblings can follow.

package backend

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// Agents come back after ttl seconds: soon while something is waited out, but
// never so soon that they spin.
const (
	minHold = 5 * time.Second
	maxHold = time.Minute
)

// rendered is the answer for one token, made once; it is copied for each read.
type rendered struct {
	token *zoho.Token
	data  map[string]any
	json  []byte // the same up to the value of ttl, its last field
}

func (b *backend) readCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return b.serve(ctx, req.Storage, data.Raw["name"].(string), data)
}

// plainRead returns the name of a credential that is read without parameters: what
// this engine does all day. HandleRequest serves it without the SDK's router, which
// costs more than the answer: it asks Vault for the replication state, over the
// bridge, on every request.
func plainRead(req *logical.Request) (name string, ok bool) {
	if req.Operation != logical.ReadOperation || len(req.Data) > 0 {
		return "", false
	}
	name, ok = strings.CutPrefix(req.Path, credsPrefix)
	return name, ok && name != ""
}

// serve answers a read. parameters is nil where there are none.
func (b *backend) serve(ctx context.Context, s logical.Storage, name string, parameters *framework.FieldData) (*logical.Response, error) {
	resp, err := b.serveOnce(ctx, s, name, parameters)
	if errors.Is(err, zoho.ErrMoved) {
		// Another grant took its place while this read was looking: the credential points
		// to that one by now.
		resp, err = b.serveOnce(ctx, s, name, parameters)
	}
	if errors.Is(err, zoho.ErrMoved) {
		err = explain(err, "")
	}
	if err == nil || !errors.Is(err, zoho.ErrReadOnly) && !errors.Is(err, logical.ErrReadOnly) { // Vault takes those to a node that counts them
		b.metrics.reads.Add(1)
	}
	return resp, err
}

func (b *backend) serveOnce(ctx context.Context, s logical.Storage, name string, parameters *framework.FieldData) (*logical.Response, error) {
	k, err := b.memory.credential(ctx, s, name)
	if isAbsent(err) {
		k, err = b.awaited(ctx, s, name, err)
	}
	if err != nil {
		return nil, err
	}
	if k.Disabled {
		return nil, refuse("credential %q is disabled; an operator enables it with disabled=false on creds/%s", name, name)
	}
	if err := b.pollAside(k, s); err != nil {
		return nil, err
	}
	c, err := b.memory.config(ctx, s)
	if err != nil {
		return nil, err
	}
	d, err := k.derive(c)
	if err != nil {
		return nil, err
	}
	want := d.want
	if parameters != nil {
		if want, err = wish(want, c, parameters); err != nil {
			return nil, err
		}
	}
	served, err := b.keeper.Token(ctx, b.account(d, s), want)
	if errors.Is(err, zoho.ErrMoved) || isAbsent(err) { // the grant is forgotten
		return nil, zoho.ErrMoved
	}
	if err != nil {
		return nil, explain(err, k.again())
	}
	b.metrics.served(served)
	resp := &logical.Response{Data: d.render(k, served, want)}
	if warning := served.Warning; warning != "" {
		if f := served.Failure; f != nil {
			warning += ": " + remedy(f.Kind, f.About, f.Code, k.again())
		}
		resp.AddWarning(warning)
	}
	if k.Leased {
		return b.lease(resp, served.Token)
	}
	return resp, nil
}

// awaited returns a credential that comes into being by this read: a device
// consent that has just been accepted. missing is what to say if there is none.
func (b *backend) awaited(ctx context.Context, s logical.Storage, name string, missing error) (*known, error) {
	if err := b.deviceConsent(ctx, s, name); err != nil {
		return nil, err
	}
	k, err := b.memory.credential(ctx, s, name)
	if isAbsent(err) {
		return nil, missing
	}
	return k, err
}

// wish reads the parameters of one read.
func wish(want zoho.Want, c *client, data *framework.FieldData) (zoho.Want, error) {
	f := &fields{FieldData: data}
	if err := f.only("read", "max_age", "min_ttl", "rejected"); err != nil {
		return want, err
	}
	f.duration("max_age", &want.MaxAge, want.MaxAge)
	if f.given("min_ttl") {
		f.duration("min_ttl", &want.MinTTL, want.MinTTL)
		want.Demand = true
	}
	var rejected string
	if f.text("rejected", &rejected); rejected != "" {
		if f.err == nil && !isTokenID(rejected) {
			return want, refuse("rejected is not a token_id; name the token that Zoho rejected by the token_id that its read answered, never by its value (which stands in the audit log now: if it still lives, revoke/<name> ends it)")
		}
		want.Rejected = func(t *zoho.Token) bool { return tokenID(t) == rejected }
	}
	if f.err == nil && want.Demand && want.MinTTL > c.MaxTokenLifetime-leastUse {
		return want, tooLong(c.MaxTokenLifetime)
	}
	return want, f.err
}

// leastUse is how long a token must be good for beyond min_ttl: with less, agents
// would spin.
const leastUse = minHold

func tooLong(lifetime time.Duration) error {
	return refuse("min_ttl must be at least %s below the lifetime of an access token (%s); ask for less", leastUse, lifetime)
}

// render makes the answer. All but ttl is constant for the life of one token:
// controllers restart workloads when a value changes.
func (d *derived) render(k *known, s zoho.Served, want zoho.Want) map[string]any {
	data := maps.Clone(d.renderedFor(k, s.Token).data)
	data["ttl"] = ttl(s, want, time.Now())
	if want.MaxAge != d.want.MaxAge || want.Demand {
		data["rotation_period"] = rotationPeriod(s.Token, want)
	}
	return data
}

// renderedFor returns the answer for a token, but for what changes between reads.
func (d *derived) renderedFor(k *known, t *zoho.Token) *rendered {
	if r := d.rendered.Load(); r != nil && r.token == t {
		return r
	}
	scopes := t.Scopes
	if len(scopes) == 0 {
		scopes = k.Granted
	}
	if len(scopes) == 0 {
		scopes = k.Requested
	}
	data := map[string]any{
		"access_token":        string(t.AccessToken),
		"token_type":          firstOf(t.TokenType, "Bearer"),
		"authorization":       "Zoho-oauthtoken " + string(t.AccessToken),
		"api_domain":          firstOf(t.APIDomain, k.APIDomain, d.dc.APIDomain),
		"data_center":         k.DataCenter,
		"scopes":              list(scopes),
		"token_id":            tokenID(t),
		"issue_time":          stamp(t.Issued),
		"expire_time":         stamp(t.Expires),
		"last_vault_rotation": stamp(t.Issued),
		"rotation_period":     rotationPeriod(t, d.want),
		"ttl":                 0,
	}
	if at := d.dc.ServiceURL(data["api_domain"].(string), scopes); at != "" {
		data["service_url"] = at
	}
	r := &rendered{t, data, encode(data)}
	d.rendered.Store(r)
	return r
}

// tokenIDLength is enough to tell a grant's tokens apart.
const tokenIDLength = 16

// tokenID names a token without giving it away: whoever met a refusal with it says so
// by this name.
func tokenID(t *zoho.Token) string {
	return zoho.Fingerprint("token_id", string(t.AccessToken))[:tokenIDLength]
}

func isTokenID(s string) bool {
	return len(s) == tokenIDLength && strings.Trim(s, "0123456789abcdef") == ""
}

// rotationPeriod is how far apart a steady reader's tokens are.
func rotationPeriod(t *zoho.Token, want zoho.Want) int {
	period := t.Lifetime() - reserve(t, want)
	if want.MaxAge > 0 {
		period = min(period, want.MaxAge)
	}
	return max(1, int(period/time.Second))
}

// reserve is the part of a token's life for which it is no longer handed out.
func reserve(t *zoho.Token, want zoho.Want) time.Duration {
	if want.Demand {
		return want.MinTTL
	}
	return min(want.MinTTL, t.Lifetime()/2)
}

// ttl is the whole seconds until a reader should come back.
func ttl(s zoho.Served, want zoho.Want, now time.Time) int {
	left := s.Token.Expires.Sub(now)
	wait := s.Next.Sub(now)
	if s.Held {
		wait = min(max(wait, minHold), maxHold, left)
	} else if spread := min(reserve(s.Token, want), wait) / 10; spread > 0 {
		// A fleet that got the same token must not come back in one second. The
		// token lives on for min_ttl, so a tenth of that is safe; more than a tenth of
		// the wait would break what a reader asked for.
		wait += rand.N(spread)
	}
	return max(1, int(wait/time.Second))
}

func isAbsent(err error) bool {
	if err == nil {
		return false // on every warm read; errors.As would allocate
	}
	var a *answer
	return errors.As(err, &a) && a.status == http.StatusNotFound
}
