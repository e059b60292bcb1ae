// How does a consent become a stored credential? The code is spent exactly once,
// what Zoho gave for it is stored at once, and nothing good is lost on the way.

package backend

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// fits checks what was written against the consent of the name, nil where there is
// none. It returns the consent that it finishes, nil where none is needed.
func (w *connectRequest) fits(c *consent.Consent, now time.Time) (*consent.Consent, error) {
	state := w.callback.State
	switch {
	case c != nil && c.Spent != "" && w.callback.Code != "" && c.Spent == w.code():
		return nil, usedCode(w.name)
	case !c.Open():
		if state != "" {
			return nil, refuse("this state belongs to no consent that is waiting for %q: it was used already, or was started for another name; start again with authorize/%s", w.name, w.name)
		}
		return nil, nil
	case c.Flow == consent.Device && state == "":
		return nil, nil // a code from elsewhere may win over a device consent
	case !c.Waits(now):
		if state == "" {
			return nil, nil
		}
		return nil, refuseLink(fmt.Sprintf("the consent for %q expired at %s; start again with authorize/%s", w.name, stamp(c.Expires), w.name), "This link has expired.")
	case c.Flow == consent.Scopes && state == "" && w.callback.Enhanced:
		return c, nil // Zoho does not promise a state here; the grant itself will show
	case state == "":
		return nil, refuse("a consent for %q is waiting until %s, and what was written carries no state; write the whole address that the browser landed on with callback_url=- and paste it when the command waits (a shell cuts an address at the first & that is not in single quotes), or pass its state", w.name, stamp(c.Expires))
	case subtle.ConstantTimeCompare([]byte(c.State), []byte(state)) != 1:
		return nil, refuse("the state is not that of the consent that is waiting for %q; write the address of the consent started last, or start again with authorize/%s", w.name, w.name)
	}
	return c, nil
}

func usedCode(name string) error {
	return refuse("this code was used already, and a code is good for one try; get a new one with authorize/%s, or in the self client tab of Zoho's API console", name)
}

// code is the fingerprint of the code that was written.
func (w *connectRequest) code() string { return zoho.Fingerprint(string(w.callback.Code)) }

// detached is a request's context for work that is finished whether or not the
// caller stays: a code is spent once, and what it bought must be stored.
func (w *connectRequest) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), w.client.RequestTimeout+20*time.Second)
}

// connect trades a code for a grant and stores it.
func (b *backend) connect(ctx context.Context, w connectRequest) (*known, []string, error) {
	ctx, cancel := w.detached(ctx)
	defer cancel()
	if owner := w.client.states.open(w.callback.State); owner != "" && owner != w.name {
		return nil, nil, refuse("this address belongs to the consent for %q, not for %q; write it to creds/%s", owner, w.name, owner)
	}
	if w.callback.Code == "" {
		return b.withoutCode(ctx, w)
	}
	attempt := b.credentials.begin(w.name)
	defer b.credentials.end(attempt)
	if err := b.knowOld(ctx, w); err != nil {
		return nil, nil, err
	}
	var dc zoho.DataCenter
	var finishes *consent.Consent
	before, spent, err := b.consents.Spend(ctx, w.storage, w.name, w.callback.Code, func(c *consent.Consent) (_ bool, err error) {
		if finishes, err = w.fits(c, time.Now()); err != nil {
			return false, err
		}
		fallback := ""
		if finishes != nil {
			fallback = finishes.DataCenter
		}
		dc, err = w.place(fallback)
		if err == nil && finishes != nil && finishes.ExpectedDataCenter != "" && finishes.ExpectedDataCenter != dc.Name {
			err = otherAccount(w.name, finishes, "data center "+dc.Name)
		}
		return finishes != nil, err
	})
	if errors.Is(err, consent.ErrSpent) {
		err = usedCode(w.name)
	}
	if err != nil {
		return nil, nil, err
	}
	redirect, verifier := w.redirectURI, ""
	if finishes != nil {
		redirect, verifier = firstOf(w.redirectURI, finishes.RedirectURI), string(finishes.Verifier)
	} else if w.fromCallback {
		redirect = w.client.redirectURI(w.mountPoint)
	}
	got, err := w.client.at(dc).Exchange(ctx, w.callback.Code, redirect, verifier)
	if e := zoho.AsError(err); e != nil && !e.Sent {
		if err := b.consents.Unspend(ctx, w.storage, w.name, spent, before); err != nil {
			return nil, nil, err
		}
		return nil, nil, b.exchangeFailed(w, finishes != nil, err)
	}
	var k *known
	var warnings []string
	if err != nil {
		err = b.exchangeFailed(w, finishes != nil, err)
	} else {
		k, warnings, err = b.keep(ctx, w, attempt, dc, grantCode, finishes, got, spent)
	}
	if err != nil {
		b.noteFailure(ctx, w, finishes, spent, err)
	}
	return k, warnings, err
}

// noteFailure keeps what came of a code for whoever loads the page again. If it can't be
// stored they hear that Vault was interrupted, which is as true.
func (b *backend) noteFailure(ctx context.Context, w connectRequest, finishes, spent *consent.Consent, cause error) {
	o := b.failure(cause)
	var err error
	if o.Result == consent.OtherAccount && finishes != nil {
		err = b.consents.Reopen(ctx, w.storage, w.name, spent, finishes, o)
	} else {
		err = b.consents.Finish(ctx, w.storage, w.name, spent, o)
	}
	if err != nil {
		b.Logger().Warn("what came of a consent was not stored", "credential", w.name, "error", err)
	}
}

// withoutCode finishes a consent whose address carries no code.
func (b *backend) withoutCode(ctx context.Context, w connectRequest) (*known, []string, error) {
	c, err := b.consents.Get(ctx, w.storage, w.name)
	if err == nil {
		c, err = w.fits(c, time.Now())
	}
	switch {
	case err != nil:
		return nil, nil, err
	case c != nil && c.Flow == consent.Scopes:
		return b.finishScopes(ctx, w, c)
	case w.callback.Err != "":
		return nil, nil, b.declined(ctx, w, c)
	}
	return nil, nil, refuse("the callback address carries no code; start again with authorize/%s", w.name)
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
			return usedCode(w.name)
		}
		return b.ledger.Know(ctx, w.storage, w.name)
	})
}
