// consent_errors.go: the errors of a consent that did not connect a credential, and how
// they are stored and logged.

package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// wordNoOrganization is the error word that Zoho sends instead of a code for an account
// without an organization in the service. Another account can still consent. Zoho, 2025-02-10.
const wordNoOrganization = "no_org"

// gateError turns a refusal of the gate into an answer. It returns other errors, and nil,
// unchanged.
func gateError(err error) error {
	var r *gate.Refused
	if !errors.As(err, &r) {
		return err
	}
	a := &answer{status: http.StatusBadRequest, text: r.Text, problem: r.Problem, waits: r.Waits}
	if r.OtherAccount {
		a.result, a.public = consent.WrongAccount, r.Public
	}
	return a
}

// declined stores and returns why a consent was answered without a code.
func (b *backend) declined(ctx context.Context, w connectRequest, c *consent.Consent) error {
	problem, next := zoho.ConsentErrorText(w.callback.Err)
	refused := &answer{status: http.StatusBadRequest, result: consent.Declined, word: zoho.CleanRedirectWord(w.callback.Err)}
	again := "authorize/" + w.name
	switch {
	case c.Flow == consent.Scopes:
		refused.text = fmt.Sprintf("the scopes were not added, and the credential works as before. %s %s (authorize/%s add_scopes=%s)", problem, next, w.name, zoho.FormatScopes(c.Scopes))
	case refused.word == wordNoOrganization:
		refused.result, refused.waits = consent.WrongAccount, true
		refused.text = fmt.Sprintf("credential %q was not connected (%s). %s Sign in to Zoho with an account that belongs to an organization in that service, or create one there, and open the same link again", w.name, refused.word, problem)
	default:
		refused.text = fmt.Sprintf("credential %q was not connected (%s). %s %s (%s)", w.name, refused.word, problem, next, again)
	}
	b.endFailed(ctx, w, c, c, refused)
	return refused
}

// endFailed stores and logs the result of an attempt that did not connect the credential.
// stored is the consent as it is stored, nil without one; before is it as it was before a
// code was sent. The consent keeps waiting if another attempt can complete it.
// If the result can't be stored, the page says that Vault was interrupted.
func (b *backend) endFailed(ctx context.Context, w connectRequest, stored, before *consent.Consent, cause error) {
	o := b.failure(cause)
	var err error
	var a *answer
	switch {
	case stored == nil:
	case errors.As(cause, &a) && a.waits && before.Waits(time.Now()):
		err = b.consents.Reopen(ctx, w.storage, w.name, stored, before, o)
	default:
		err = b.consents.Finish(ctx, w.storage, w.name, stored, o)
	}
	b.logFailed(w.name, o, err)
}

// noteInterval is the least time between two refusals of one consent that are noted.
const noteInterval = time.Minute

// noteRefused stores and logs that the gate refused evidence with the state of a consent,
// which keeps waiting. A request without that state is neither stored nor logged.
func (b *backend) noteRefused(ctx context.Context, w connectRequest, stored *consent.Consent, cause error) {
	if !stored.Open() || stored.State == "" || !stored.HasState(w.callback.State) {
		return
	}
	o := b.failure(cause)
	// The same page may be loaded again, and a visitor may send another address each second.
	if last := stored.Outcome; last != nil && (last.Result == o.Result && last.Detail == o.Detail || time.Since(last.At).Abs() < noteInterval) {
		return
	}
	b.logFailed(w.name, o, b.consents.Reopen(ctx, w.storage, w.name, stored, stored, o))
}

// logFailed logs a failed attempt. It is called last, so that logging delays nothing.
func (b *backend) logFailed(name string, o consent.Outcome, unstored error) {
	attributes := []any{"credential", name, "result", string(o.Result), "reason", o.Detail}
	if o.Word != "" {
		attributes = append(attributes, "zoho_error", o.Word)
	}
	if unstored != nil {
		attributes = append(attributes, "not_stored", unstored)
	}
	b.Logger().Warn("a consent did not connect the credential", attributes...)
}

// failure is the outcome of an attempt that failed.
func (b *backend) failure(err error) consent.Outcome {
	o := consent.Outcome{Result: consent.Failed, Status: http.StatusServiceUnavailable, Detail: b.told(err)}
	var a *answer
	if errors.As(err, &a) {
		o.Status, o.Word, o.Public = a.status, a.word, a.public
		if a.result != "" {
			o.Result = a.result
		}
		if a.browser != 0 {
			o.Status = a.browser
		}
	}
	return o
}

// success is the outcome of a consent that connected a credential, or extended it.
func success(k *known, requested, granted []string) consent.Outcome {
	o := consent.Outcome{Result: consent.Connected, Status: http.StatusOK, DataCenter: k.DataCenter, Granted: granted}
	o.GrantID, _ = k.Grant()
	if len(granted) > 0 {
		o.Refused = zoho.MissingScopes(requested, granted)
	}
	return o
}

// stillClaimed returns a function that fails if the consent that a grant answers was
// withdrawn, replaced or ended since; nil if the grant needs none. It is called under the
// lock of the name, as every write that ends a consent is made.
func (b *backend) stillClaimed(ctx context.Context, w connectRequest, claimed *consent.Consent) func() error {
	if claimed == nil {
		return nil
	}
	return func() error {
		err := b.consents.Claimed(ctx, w.storage, w.name, claimed)
		if errors.Is(err, consent.ErrEnded) {
			return refuse("the consent for %q was withdrawn or replaced while Zoho was asked, so nothing was changed; start again with authorize/%s", w.name, w.name)
		}
		return unreadableConsent(w.name, err)
	}
}

// startedBy names who started a consent, for a sentence.
func startedBy(c *consent.Consent) string {
	if c.StartedBy == "" {
		return ""
	}
	return " by " + shorten(c.StartedBy)
}

// exchangeFailed returns the error for a code that was not exchanged. After the request was
// sent every failure is a 400: API clients send a write again on 429 and 5xx, and a code
// must not be sent twice. Browsers do not repeat it, so they get the real status.
func exchangeFailed(w connectRequest, consented bool, err error) error {
	e := zoho.AsError(err)
	if e == nil {
		return err
	}
	if !e.Sent {
		return &answer{status: http.StatusServiceUnavailable, text: fmt.Sprintf("%s; the code is not spent, write it again within its one to three minutes", e.Error())}
	}
	text, again := e.Error(), consentAgain(w.name)
	if !consented {
		again = codeAgain(w.name)
	}
	browser := http.StatusBadRequest
	switch e.Kind {
	case zoho.Refused:
		text += ": " + remedy(e.Kind, e.About, e.Code, again)
	case zoho.Throttled:
		browser = http.StatusTooManyRequests
		text += ": Zoho's limit of ten codes or tokens in ten minutes was reached; wait ten minutes, then get a new code with " + again
	default:
		browser = http.StatusServiceUnavailable
		text += ": whether the code was spent is not known, so it is not tried again; get a new code with " + again
	}
	if !strings.Contains(text, again) {
		text += ", then get a new code with " + again
	}
	return &answer{status: http.StatusBadRequest, browser: browser, text: text}
}

func hostOf(dc zoho.DataCenter) string {
	_, host, _ := strings.Cut(dc.AccountsURL, "://")
	return host
}
