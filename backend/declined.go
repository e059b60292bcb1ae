// What is said when a consent bought nothing? What became of the code, and what to
// do next.

package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// declined ends a consent to which the person, or Zoho, said no.
func (b *backend) declined(ctx context.Context, w connectRequest, c *consent.Consent) error {
	if err := b.consents.Finish(ctx, w.storage, w.name, c); err != nil {
		return err
	}
	if w.callback.Err == "access_denied" {
		return refuse("the consent was declined (access_denied): the person chose reject, or Zoho's limit of ten codes in ten minutes was reached; start again with authorize/%s", w.name)
	}
	return refuse("Zoho ended the consent with an error; start again with authorize/%s", w.name)
}

// exchangeFailed says what became of the code. After the request was sent every
// failure is a 400: API clients send a write again on 429 and 5xx, and a code must
// not be tried twice.
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
