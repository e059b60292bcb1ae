// What is said when a consent bought nothing? What became of the code, and what to
// do next.

package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"vault-plugin-secrets-zoho/zoho"
)

// declined ends a consent to which the person, or Zoho, said no.
func (b *backend) declined(ctx context.Context, w connectRequest, p *pending) error {
	if p != nil {
		if err := w.storage.Delete(ctx, pendingPrefix+w.name); err != nil {
			return err
		}
	}
	if w.callback.Err == "access_denied" {
		return refuse("the consent was declined (access_denied): the person chose reject, or Zoho's limit of ten codes in ten minutes was reached; start again with authorize/%s", w.name)
	}
	return refuse("Zoho ended the consent with an error; start again with authorize/%s", w.name)
}

// exchangeFailed says what became of the code. After the request was sent every
// failure is a 400: API clients send a write again on 429 and 5xx, and a code must
// not be tried twice.
func (b *backend) exchangeFailed(ctx context.Context, w connectRequest, p *pending, err error) error {
	e := zoho.AsError(err)
	b.Logger().Warn("a code was not exchanged", "credential", w.name, "error", err)
	if e == nil {
		return err
	}
	if !e.Sent {
		if err := b.unspend(ctx, w, p); err != nil {
			return err
		}
		return &answer{status: http.StatusServiceUnavailable, text: fmt.Sprintf("%s; the code is not spent, write it again within its one to three minutes", e.Error())}
	}
	text, again := e.Error(), consentAgain(w.name)
	if p == nil {
		again = codeAgain(w.name)
	}
	switch e.Kind {
	case zoho.Refused:
		text += ": " + remedy(e.Kind, e.About, e.Code, again)
	case zoho.Throttled:
		text += ": Zoho's limit of ten codes or tokens in ten minutes was reached; wait ten minutes, then get a new code with " + again
	default:
		text += ": whether the code was spent is not known, so it is not tried again; get a new code with " + again
	}
	if !strings.Contains(text, again) {
		text += ", then get a new code with " + again
	}
	return refuse("%s", text)
}

// unspend takes back the mark of a code that never left, unless another consent was
// started meanwhile. p is the consent that was waiting, nil if none was.
func (b *backend) unspend(ctx context.Context, w connectRequest, p *pending) error {
	fingerprint := zoho.Fingerprint(string(w.callback.Code))
	b.spent.takeBack(fingerprint)
	return b.locked(w.name, func() error {
		var now pending
		err := get(ctx, w.storage, pendingPrefix+w.name, &now)
		if errors.Is(err, errAbsent) || err == nil && now.Spent != fingerprint {
			return nil
		}
		if err != nil {
			return err
		}
		if p == nil {
			return w.storage.Delete(ctx, pendingPrefix+w.name)
		}
		return put(ctx, w.storage, pendingPrefix+w.name, p)
	})
}

// unstored takes back a grant that could not be stored.
func (b *backend) unstored(ctx context.Context, w connectRequest, dc zoho.DataCenter, k *known, cause error) error {
	b.Logger().Error("a new grant could not be stored", "credential", w.name, "error", cause)
	// Storage that hung has used up the time of the write.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*w.client.RequestTimeout)
	defer cancel()
	var told *answer
	err := w.client.at(dc).Revoke(ctx, k.RefreshToken, zoho.RefreshToken)
	switch {
	case errors.As(cause, &told) && err == nil:
		return cause
	case err != nil:
		b.Logger().Error("nor could it be revoked", "credential", w.name, "error", err)
		if _, err := b.retired.note(ctx, w.storage, k, true, true); err == nil {
			return refuse("the consent succeeded, but Vault could not store the grant, and it is not yet revoked at %s either; that is retried until Zoho agrees. Start again with authorize/%s", hostOf(dc), w.name)
		}
		return refuse("the consent succeeded, but Vault could not store the grant, and it could not be revoked at %s either; remove the app under Connected Apps in the Zoho account, then start again with authorize/%s", hostOf(dc), w.name)
	}
	return refuse("the consent succeeded, but Vault could not store the grant, so it was revoked at %s again; what was stored before is unchanged; mend Vault's storage, then start again with authorize/%s", hostOf(dc), w.name)
}

func scopeWarnings(requested, granted []string) []string {
	if len(requested) == 0 || len(granted) == 0 {
		return nil
	}
	if missing := zoho.MissingScopes(requested, granted); len(missing) > 0 {
		return []string{"Zoho did not grant " + zoho.FormatScopes(missing) + "; calls that need it will fail. Check the scopes' spelling and the account's rights, then connect again"}
	}
	return nil
}

func hostOf(dc zoho.DataCenter) string {
	_, host, _ := strings.Cut(dc.AccountsURL, "://")
	return host
}
