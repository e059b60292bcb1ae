// connect.go: an authorization code becomes a grant. The code is sent to Zoho exactly
// once, and the grant is stored or revoked.

package backend

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// code is the fingerprint of the code that was written.
func (w *connectRequest) code() string { return zoho.Fingerprint(string(w.callback.Code)) }

// arrived describes the write to the gate.
func (w *connectRequest) arrived(e gate.Evidence) gate.Arrived {
	a := gate.Arrived{
		Name: w.name, Evidence: e, ClientID: w.client.ClientID,
		State: w.callback.State, StateName: w.client.states.open(w.callback.State),
	}
	if w.callback.Code != "" {
		a.Code = w.code()
	}
	return a
}

// detached is a request's context for work that is finished whether or not the
// caller stays: a code is spent once, and what it bought must be stored.
func (w *connectRequest) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), w.client.RequestTimeout+20*time.Second)
}

// connect exchanges a code for a grant and stores it, or finishes a consent whose address
// carries no code.
func (b *backend) connect(ctx context.Context, w connectRequest) (*known, []string, error) {
	ctx, cancel := w.detached(ctx)
	defer cancel()
	if w.callback.Code == "" {
		return b.withoutCode(ctx, w)
	}
	attempt := b.credentials.Begin(w.name)
	defer b.credentials.End(attempt)
	if err := b.knowOld(ctx, w); err != nil {
		return nil, nil, err
	}
	x := exchange{attempt: attempt}
	var waiting *consent.Consent
	claim, err := b.consents.Spend(ctx, w.storage, w.name, w.callback.Code, func(stored *consent.Consent) (finishes bool, err error) {
		waiting = stored
		if x.admitted, x.dc, err = w.admitCode(stored); err != nil {
			return false, err
		}
		return x.admitted.Completes() != nil, nil
	})
	if err != nil {
		if !errors.Is(err, consent.ErrSpent) { // which says nothing about the consent
			b.noteRefused(ctx, w, waiting, err)
		}
		return nil, nil, notSpent(w, err)
	}
	return b.exchange(ctx, w, x, claim)
}

// exchange is one code on its way to Zoho.
type exchange struct {
	attempt  *credential.Attempt
	admitted *gate.Admitted
	dc       zoho.DataCenter
}

// exchange sends a code to Zoho, once, and stores the grant or the failure.
func (b *backend) exchange(ctx context.Context, w connectRequest, x exchange, claim *consent.Claim) (*known, []string, error) {
	redirect, verifier := w.redirectURI, ""
	asked := x.admitted.Completes()
	if asked != nil {
		redirect, verifier = firstOf(w.redirectURI, asked.RedirectURI), string(asked.Verifier)
	} else if w.fromCallback {
		redirect = w.client.redirectURI(w.mountPoint)
	}
	epoch := b.keeper.Epochs().Current
	got, err := w.client.at(x.dc).Exchange(ctx, w.callback.Code, redirect, verifier)
	if e := zoho.AsError(err); e != nil && !e.Sent {
		if err := b.consents.Unspend(ctx, w.storage, w.name, claim); err != nil {
			return nil, nil, err
		}
		err = exchangeFailed(w, asked != nil, err)
		b.logFailed(w.name, b.failure(err), nil)
		return nil, nil, err
	}
	if err != nil {
		err = exchangeFailed(w, asked != nil, err)
		b.endFailed(ctx, w, claim.Spent, claim.Before, err)
		return nil, nil, err
	}
	got.Token.Epoch = epoch
	return b.finish(ctx, w, obtained{
		attempt: x.attempt, admitted: x.admitted, dc: x.dc, grantType: credential.GrantCode, answer: got, code: claim.Code,
		stored: claim.Spent, before: claim.Before,
	})
}

// admitCode asks the gate about a code, with the stored consent of the name, and decides
// to which data center the code is sent.
func (w *connectRequest) admitCode(stored *consent.Consent) (*gate.Admitted, zoho.DataCenter, error) {
	evidence := gate.CodeWithState
	if w.callback.State == "" {
		evidence = gate.CodeAlone
	}
	admitted, err := gate.Admit(stored, w.arrived(evidence), time.Now())
	if err != nil {
		return nil, zoho.DataCenter{}, gateError(err)
	}
	fallback := ""
	if asked := admitted.Completes(); asked != nil {
		fallback = asked.DataCenter
	}
	dc, err := w.place(fallback)
	if err != nil {
		return nil, dc, err
	}
	return admitted, dc, gateError(admitted.Locate(dc.Name))
}

// notSpent says why a code was not sent.
func notSpent(w connectRequest, err error) error {
	if errors.Is(err, consent.ErrSpent) {
		return gateError(gate.UsedCode(w.name))
	}
	return unreadableConsent(w.name, err)
}

// unreadableConsent replaces an error of a stored consent that cannot be read by one that
// says what to do. It returns other errors unchanged.
func unreadableConsent(name string, err error) error {
	if !store.Unreadable(err) {
		return err
	}
	return refuse("the stored consent for %q cannot be read (%s); withdraw it with a delete of authorize/%s, then start again with authorize/%s", name, err, name, name)
}

// withoutCode finishes a consent whose address carries no code.
func (b *backend) withoutCode(ctx context.Context, w connectRequest) (*known, []string, error) {
	evidence := gate.ScopesAdded
	if w.callback.Err != "" || !w.callback.Enhanced {
		evidence = gate.Refusal
	}
	stored, err := b.consents.Get(ctx, w.storage, w.name)
	if err != nil {
		return nil, nil, unreadableConsent(w.name, err)
	}
	arrived := w.arrived(evidence)
	if evidence == gate.ScopesAdded {
		arrived.HoldsGrant = b.holdsGrant(ctx, w)
	}
	admitted, err := gate.Admit(stored, arrived, time.Now())
	if err != nil {
		err = gateError(err)
		b.noteRefused(ctx, w, stored, err)
		return nil, nil, err
	}
	if evidence == gate.Refusal {
		return nil, nil, b.declined(ctx, w, admitted.Completes())
	}
	return b.finishScopes(ctx, w, admitted)
}

// knowOld makes sure that the ledger knows the grant that is about to be replaced,
// and that this code did not buy it.
func (b *backend) knowOld(ctx context.Context, w connectRequest) error {
	return b.credentials.Still(w.name, func() error {
		k, err := b.memory.credential(ctx, w.storage, w.name)
		if isAbsent(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if w.callback.Code != "" && k.Code == w.code() {
			return gateError(gate.UsedCode(w.name))
		}
		return b.ledger.Know(ctx, w.storage, w.name)
	})
}
