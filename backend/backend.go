// Package backend is a Vault secrets engine that keeps Zoho OAuth grants and hands
// out short-lived access tokens. It owns the paths, the storage and the
// translation of errors; what Zoho does and how its limits are kept is package
// zoho's matter.
package backend

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/internal/release"
	"vault-plugin-secrets-zoho/zoho"
)

const help = `
The Zoho secrets engine keeps OAuth 2.0 refresh tokens of Zoho accounts and hands
out short-lived access tokens for Zoho CRM, Books, Desk and the other products.

Store the OAuth client at config. With vault_addr there, a consent that you start at
authorize/<name> is complete when the person has clicked Accept: Zoho sends the browser
to this mount's callback. Without it, write the address that the browser landed on to
creds/<name>. A device code (authorize/<name> flow=device), a self client's code, client
credentials and an import of a refresh token do not use the callback.

From then on reading creds/<name> gives an access token. Zoho's limits (ten mints in ten
minutes, ten live tokens for one grant) are kept however many clients read. status shows
the state of each credential, authorize shows the state and result of each consent, and
retired shows the grants that are still to be revoked at Zoho.
`

// Factory makes a backend; it is a logical.Factory. A process that serves several
// mounts takes that of its Process.
func Factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	return NewFactory(nil)(ctx, conf)
}

// NewFactory returns a factory whose backends speak to Zoho over transport; nil
// means a transport made from the mount's own configuration.
func NewFactory(transport http.RoundTripper) logical.Factory {
	return NewSmallFactory(transport, rememberedCredentials)
}

// NewSmallFactory is NewFactory with caches for so many credentials.
func NewSmallFactory(transport http.RoundTripper, remembered int) logical.Factory {
	return func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b := newBackend(conf.StorageView, transport, remembered)
		return b, b.Setup(ctx, conf)
	}
}

// backend is one mount. Its parts hold what outlives a request.
type backend struct {
	*framework.Backend
	storage     logical.Storage // for what no request asks for
	memory      *memory
	keeper      *zoho.Keeper
	credentials *credential.Store
	consents    *consent.Consents
	world       *world
	ledger      *ledger.Ledger
	// configuring keeps config from being deleted while a credential is connected.
	// It comes before the lock of a credential's name.
	configuring *configuring
	// background ends with the mount.
	background context.Context
	stop       context.CancelFunc
	spawning   sync.Mutex // guards work against stop
	work       sync.WaitGroup
	metrics    metrics
	arrivals   singleflight.Group // of browsers, by state
	process    *Process           // nil in tests
}

func newBackend(s logical.Storage, transport http.RoundTripper, remembered int) *backend {
	b := &backend{storage: s, configuring: newConfiguring()}
	m := newMemory(transport, b.metrics.ended, remembered)
	b.memory, b.consents, b.credentials = m, m.consents, credential.NewStore(m)
	b.background, b.stop = context.WithCancel(context.Background())
	b.keeper = zoho.NewKeeper(remembered, b.observe)
	m.epochs = newEpochs(b.keeper)
	b.world = &world{b.credentials, m, b.keeper}
	b.ledger = ledger.New(b.world, func() hclog.Logger { return b.Logger() })
	b.Backend = &framework.Backend{
		BackendType:    logical.TypeLogical,
		Help:           strings.TrimSpace(help),
		RunningVersion: release.Version,
		PathsSpecial: &logical.Paths{
			Unauthenticated: []string{callbackPath},
			SealWrapStorage: []string{
				configKey, epochKey, credsPrefix, tokenPrefix, clientPrefix, consent.Prefix, consent.SpentPrefix, ledger.DuePrefix, ledger.GrantPrefix, ledger.OwnerPrefix, ledger.IndexPrefix, ledger.UsePrefix,
				ledger.OldRetiredPrefix, ledger.OldHolderPrefix,
			},
		},
		// The order is the order of matching: what is read most comes first.
		Paths: []*framework.Path{
			b.pathCreds(), b.pathCredsList(),
			b.pathStatus(), b.pathStatusList(),
			b.pathAuthorize(), b.pathAuthorizeList(), b.pathCallback(), b.pathConfig(),
			b.pathRevoke(), b.pathRevokeAll(), b.pathRetired(), b.pathRetiredList(), b.pathMetrics(),
			pathDataCenters(b.memory), pathDataCentersList(b.memory),
		},
		Secrets:        []*framework.Secret{leaseSecret()},
		InitializeFunc: b.initialize,
		Invalidate:     b.invalidate,
		PeriodicFunc:   b.periodic,
		Clean:          b.clean,
	}
	return b
}

// invalidate drops from memory what another node changed in storage.
func (b *backend) invalidate(_ context.Context, key string) {
	if id, found := strings.CutPrefix(key, tokenPrefix); found {
		b.keeper.Forget(id)
		return
	}
	if id, found := strings.CutPrefix(key, clientPrefix); found {
		b.keeper.ForgetClient(id)
		return
	}
	b.ledger.Invalidate(key)
	b.memory.forget(key)
}
