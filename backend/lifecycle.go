// How does a mount, and the process, end? What must be done is done first, within
// bounds: a grant that Zoho gave is stored, or taken back.

package backend

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/parallel"
)

// patience is how long an unmount waits for Zoho: longer than Zoho takes when it is
// well, and short enough for an operator who waits while it is not.
const patience = 3 * time.Second

// initialize moves forward what format 1 stored, in the background: a large mount
// is served meanwhile.
func (b *backend) initialize(_ context.Context, req *logical.InitializationRequest) error {
	// States that somebody made up are told apart without storage from now on.
	b.safely(func() { _, _ = b.memory.whose(context.Background(), req.Storage, "") })
	if !b.WriteSafeReplicationState() {
		return nil
	}
	s := req.Storage
	b.spawn(func(ctx context.Context) {
		for wait := time.Second; ; wait = min(2*wait, time.Hour) {
			err := b.ledger.Forward(ctx, s, func() ([]string, error) { return s.List(ctx, credsPrefix) })
			if err == nil || ctx.Err() != nil {
				return
			}
			// Apart: what is left does not wait behind a log line.
			b.spawn(func(context.Context) {
				b.Logger().Warn("what an earlier release stored is not moved forward yet", "error", err, "again_in", wait.String())
			})
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	})
	return nil
}

// periodic tidies up: condemned grants, and consents that nobody finished. Vault
// holds its state lock meanwhile, so the work runs behind it.
func (b *backend) periodic(_ context.Context, req *logical.Request) error {
	if !b.WriteSafeReplicationState() {
		return nil
	}
	if b.ledger.Begin() {
		b.spawn(func(ctx context.Context) { b.ledger.Sweep(ctx, req.Storage) })
	}
	if b.consents.Due() {
		b.spawn(func(ctx context.Context) {
			if err := b.consents.Sweep(ctx, req.Storage); err != nil {
				b.Logger().Warn("consents that nobody finished are not deleted yet", "error", err)
			}
		})
	}
	return nil
}

// safely runs work outside of HandleRequest. One process serves every mount: a panic
// here must not take the others with it.
func (b *backend) safely(work func()) {
	defer func() {
		if p := recover(); p != nil {
			b.Logger().Error("work in the background failed", "error", parallel.Fault(p))
		}
	}()
	work()
}

// spawn runs work that ends with the mount.
func (b *backend) spawn(work func(ctx context.Context)) {
	b.spawning.Lock()
	defer b.spawning.Unlock()
	if b.background.Err() != nil {
		return
	}
	b.work.Go(func() { b.safely(func() { work(b.background) }) })
}

// clean ends what runs in the background. An exchange that is under way is waited
// for, for a while: OpenBao reloads a plugin without waiting for requests, and what
// a code bought would die with the process, as would what is owed.
func (b *backend) clean(context.Context) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b.credentials.WaitIdle(ctx)
	var owed error
	b.safely(func() { owed = b.ledger.SettleDebts(ctx, b.storage) })
	b.keeper.Close(ctx)
	b.spawning.Lock()
	b.stop()
	b.spawning.Unlock()
	ended := make(chan struct{})
	go func() {
		b.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	b.process.remove(b)
	if owed != nil {
		b.Logger().Error("the mount ends too early: remove the app under Connected Apps in the Zoho account", "error", owed)
	}
}

// Process is the mounts of one plugin process.
type Process struct {
	// Transport makes the calls to Zoho; nil: one that config describes.
	Transport http.RoundTripper

	mu     sync.Mutex
	mounts map[*backend]bool
}

// Factory makes a backend; it is a logical.Factory.
func (p *Process) Factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	b := newBackend(conf.StorageView, p.Transport, rememberedCredentials)
	p.add(b)
	return b, b.Setup(ctx, conf)
}

func (p *Process) add(b *backend) {
	b.process = p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mounts == nil {
		p.mounts = map[*backend]bool{}
	}
	p.mounts[b] = true
}

func (p *Process) remove(b *backend) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mounts, b)
}

// Finish returns when nothing is left that must be done, or when the context ends:
// every grant that Zoho gave is stored, or taken back. It is for a process whose
// Vault is gone, so that nobody will ask again.
func (p *Process) Finish(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var mounts sync.WaitGroup
	for b := range p.mounts {
		mounts.Go(func() {
			b.credentials.WaitIdle(ctx)
			b.safely(func() { _ = b.ledger.SettleDebts(ctx, b.storage) }) // there is nobody left to tell
		})
	}
	mounts.Wait()
}
