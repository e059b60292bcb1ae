// How does a stored credential become something that can mint? By joining it with
// the mount's client: secret, data centre, transport and limits.

package backend

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/zoho"
)

// client is the configuration with what is made from it once.
type client struct {
	config
	table     zoho.Table
	transport http.RoundTripper
	limits    zoho.Limits
	// transportID changes when the way to Zoho does.
	transportID string
	states      *states
	// observe is called at the end of each call to Zoho.
	observe observer
}

// observer is called at the end of a call to Zoho, with its kind and its error, nil for a
// success.
type observer = func(call zoho.Call, err error)

func newClient(c config, transport http.RoundTripper, observe observer) (*client, error) {
	table, err := zoho.NewTable(c.AccountsURLs)
	if err != nil {
		return nil, err
	}
	if transport == nil {
		made, err := zoho.NewTransport(c.CAPEM, c.RequestTimeout)
		if err != nil {
			return nil, fmt.Errorf("ca_pem %w", err)
		}
		transport = made
	}
	states, err := newStates(c.LogKey)
	if err != nil {
		return nil, err
	}
	return &client{
		config: c, table: table, transport: transport, states: states, observe: observe,
		limits:      zoho.Limits{Mints: c.MintLimit, Window: c.MintWindow, Key: c.MintLimitKey, Live: c.LiveTokenLimit},
		transportID: zoho.Fingerprint(c.CAPEM, c.RequestTimeout.String()),
	}, nil
}

// secret returns the client secret for a data centre.
func (c *client) secret(dc string) zoho.Secret {
	if s, ok := c.ClientSecrets[dc]; ok {
		return s
	}
	return c.ClientSecret
}

// at returns the client at one data centre's accounts server.
func (c *client) at(dc zoho.DataCenter) *zoho.Client {
	return &zoho.Client{
		ID: c.ClientID, Secret: c.secret(dc.Name), AccountsURL: dc.AccountsURL,
		Transport: c.transport, Timeout: c.RequestTimeout, MaxLifetime: c.MaxTokenLifetime, Observe: c.observe,
	}
}

// mintingFor returns a client whose mints are observed as calls for something else.
func mintingFor(call zoho.Call, at *zoho.Client) *zoho.Client {
	other := *at
	other.Observe = func(made zoho.Call, err error) {
		if made == zoho.CallMint {
			made = call
		}
		at.Observe(made, err)
	}
	return &other
}

// dataCenter finds a row of the table, or says which there are.
func (c *client) dataCenter(name string) (zoho.DataCenter, error) {
	dc, found := c.table.ByName(name)
	if !found {
		return dc, refuse("unknown data center %q; use one of %s, or add its accounts server to accounts_urls in config", shorten(name), c.table.Names())
	}
	return dc, nil
}

// derived is what a credential and a client make together.
type derived struct {
	client  *client
	dc      zoho.DataCenter
	account zoho.Account // without a shelf, which belongs to a request
	want    zoho.Want
	// rendered is the answer to a read, but for what changes between reads.
	rendered atomic.Pointer[rendered]
}

// derive joins a credential with the client in force.
func (k *known) derive(c *client) (*derived, error) {
	if d := k.derived.Load(); d != nil && d.client == c {
		return d, nil
	}
	if k.ClientID != c.ClientID {
		return nil, refuse("credential %q was connected with another client (config now names a different client_id); connect it again with %s, or put the old client back", k.name, k.again())
	}
	dc, err := c.dataCenter(k.DataCenter)
	if err != nil {
		return nil, err
	}
	if k.AccountsURL != dc.AccountsURL {
		// Whoever may write config must not be able to have a refresh token sent to a
		// host of their choice.
		return nil, refuse("credential %q was connected at %s, and config now names %s for data center %q; connect it again with %s, or put the old accounts_urls back", k.name, k.AccountsURL, dc.AccountsURL, dc.Name, k.again())
	}
	d := &derived{
		client: c, dc: dc, account: k.accountOf(c.at(dc), c),
		want: k.want(c),
	}
	k.derived.Store(d)
	return d, nil
}

// derived returns a credential joined with the client in force.
func (b *backend) derived(ctx context.Context, s logical.Storage, name string) (*known, *derived, error) {
	k, err := b.memory.credential(ctx, s, name)
	if err != nil {
		return nil, nil, err
	}
	c, err := b.memory.config(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	d, err := k.derive(c)
	return k, d, err
}

// accountOf is the account at an accounts server.
func (k *known) accountOf(at *zoho.Client, c *client) zoho.Account {
	account := zoho.Account{
		Name: k.name, Client: at, Limits: c.limits, Connected: k.Connected,
		Setup: zoho.Fingerprint(string(at.Secret), c.transportID),
		Grant: zoho.Grant{RefreshToken: k.RefreshToken},
	}
	account.ID, account.Variant = k.Grant()
	if k.GrantType == credential.GrantClient {
		account.Grant = zoho.Grant{Scopes: k.Requested, SOID: k.SOID}
		account.Connected = time.Time{} // its record is shared, and so never lost alone
	}
	return account
}

// stranded is what is left of a credential that config no longer fits: good for
// revoking where it came from, which needs no client, and for nothing else.
func (k *known) stranded(c *client) *derived {
	return &derived{
		client: c, dc: zoho.DataCenter{Name: k.DataCenter, AccountsURL: k.AccountsURL}, account: k.accountOf(c.revoker(k.ClientID, k.AccountsURL), c),
		want: k.want(c),
	}
}

// want returns the request of a read of the credential. It bounds min_ttl, because
// max_token_lifetime may have been lowered since min_ttl was stored.
func (k *known) want(c *client) zoho.Want {
	return zoho.Want{
		MaxAge: orDefault(k.MaxAge, c.MaxAge),
		MinTTL: min(orDefault(k.MinTTL, c.MinTTL), c.MaxTokenLifetime-leastUse),
	}
}

func orDefault(own *time.Duration, fallback time.Duration) time.Duration {
	if own != nil {
		return *own
	}
	return fallback
}

// account returns what the keeper mints from, with this request's storage.
func (b *backend) account(d *derived, s logical.Storage) *zoho.Account {
	lent := &struct {
		account zoho.Account
		shelf   shelf
	}{d.account, shelf{storage: s, mount: b, credential: d.account.Name, id: d.account.ID, from: d}}
	lent.account.Shelf = &lent.shelf
	return &lent.account
}
