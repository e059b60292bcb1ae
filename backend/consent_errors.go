// What is said when a consent bought nothing? What became of the code, and what to
// do next.

package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// declined ends a consent to which the person, or Zoho, said no.
func (b *backend) declined(ctx context.Context, w connectRequest, c *consent.Consent) error {
	text := "Zoho ended the consent with an error; start again with authorize/" + w.name
	if w.callback.Err == "access_denied" {
		text = "the consent was declined (access_denied): the person chose reject, or Zoho's limit of ten codes in ten minutes was reached; start again with authorize/" + w.name
	}
	return b.end(ctx, w, c, &answer{status: http.StatusBadRequest, text: text, result: consent.Declined})
}

// end finishes a consent that comes to nothing, and returns why.
func (b *backend) end(ctx context.Context, w connectRequest, c *consent.Consent, why error) error {
	if err := b.consents.Finish(ctx, w.storage, w.name, c, b.failure(why)); err != nil {
		return err
	}
	return why
}

// failure is what came of a consent that failed.
func (b *backend) failure(err error) consent.Outcome {
	o := consent.Outcome{Result: consent.Failed, Status: http.StatusServiceUnavailable, Detail: b.told(err)}
	var a *answer
	if errors.As(err, &a) {
		o.Status = a.status
		if a.result != "" {
			o.Result = a.result
		}
		if a.browser != 0 {
			o.Status = a.browser
		}
	}
	return o
}

// success is what came of a consent that connected a credential, or extended it.
func success(k *known, requested, granted []string) consent.Outcome {
	o := consent.Outcome{Result: consent.Connected, Status: http.StatusOK, DataCenter: k.DataCenter, Granted: granted}
	o.GrantID, _ = k.grant()
	if len(granted) > 0 {
		o.Refused = zoho.MissingScopes(requested, granted)
	}
	return o
}

// otherAccount refuses an account that is not the one that a consent is for.
func otherAccount(name string, c *consent.Consent, got string) error {
	return &answer{
		status: http.StatusBadRequest, result: consent.OtherAccount,
		text: fmt.Sprintf("the consent for %q is for %s, and another account consented (%s), so nothing was connected; sign in to Zoho with the account that is expected and open the link again", name, expected(c), got),
	}
}

// expected names the account that a consent is for.
func expected(c *consent.Consent) string {
	var parts []string
	if c.ExpectedUser != "" {
		parts = append(parts, "the account "+c.ExpectedUser)
	}
	if c.ExpectedDataCenter != "" {
		parts = append(parts, "data center "+c.ExpectedDataCenter)
	}
	return strings.Join(parts, " in ")
}

// exchangeFailed says what became of the code. After the request was sent every
// failure is a 400: API clients send a write again on 429 and 5xx, and a code must
// not be tried twice. Browsers don't, and are told what it is.
func (b *backend) exchangeFailed(w connectRequest, consented bool, err error) error {
	e := zoho.AsError(err)
	b.Logger().Warn("a code was not exchanged", "credential", w.name, "error", err)
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
