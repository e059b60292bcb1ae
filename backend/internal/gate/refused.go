// refused.go: the errors of the gate.

package gate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// Refused is why evidence does not connect a credential.
type Refused struct {
	// Text is for an operator: what failed, why, and what to do.
	Text string
	// Public is Text without the account that consented, where Text names it.
	Public string
	// Problem is the first sentence of the page in the browser; empty for the default one.
	Problem string
	// OtherAccount: the account is not the expected one.
	OtherAccount bool
	// Waits: another attempt can complete the consent.
	Waits bool
}

func (r *Refused) Error() string { return r.Text }

// Refuse makes a refusal that a caller must act on.
func Refuse(format string, args ...any) error { return &Refused{Text: fmt.Sprintf(format, args...)} }

// UsedCode refuses a code that was sent to Zoho before.
func UsedCode(name string) error {
	return Refuse("this code was used already, and a code can be used once; get a new one with authorize/%s, or in the self client tab of Zoho's API console", name)
}

// OtherAccount refuses an account that is not the one that a consent is for. got names it
// for those who may know it, public for callers that only start consents.
func OtherAccount(name string, c *consent.Consent, got, public string) error {
	next := "open the link again"
	if c.Flow == consent.Device {
		next = "start again with authorize/" + name + " flow=device"
	}
	said := func(who string) string {
		if who != "" {
			who = " (" + who + ")"
		}
		return fmt.Sprintf("the consent for %q is for %s, and another account consented%s, so nothing was connected; sign in to Zoho with the expected account and %s", name, c.Expected(), who, next)
	}
	return &Refused{
		Text: said(got), Public: said(public),
		OtherAccount: true, Waits: c.Flow != consent.Device, // a device code belongs to the account that it was typed with
	}
}

func belongsToOther(a Arrived) error {
	return Refuse("this address belongs to the consent for %q, not for %q; write it to creds/%s", a.StateName, a.Name, a.StateName)
}

func noState(c *consent.Consent, name string) error {
	return Refuse("a consent for %q is waiting until %s, and this write carries no state; write the whole address that the browser landed on with callback_url=- and paste it when the command waits (a shell cuts an address at the first & that is not in single quotes), or pass its state. To connect without it, withdraw the consent first with a delete of authorize/%s", name, stamp(c.Expires), name)
}

// notTheEvidence says why the table refuses evidence for the stored consent.
func notTheEvidence(stored *consent.Consent, a Arrived, now time.Time) error {
	expired := stored.Open() && !stored.Waits(now)
	switch {
	case a.Evidence == DeviceAnswer:
		return Refuse("no device consent is waiting for %q, so nothing was connected; start again with authorize/%s flow=device", a.Name, a.Name)
	case expired && (a.State == "" || stored.HasState(a.State)):
		return &Refused{Text: fmt.Sprintf("the consent for %q expired at %s; start again with authorize/%s", a.Name, stamp(stored.Expires), a.Name), Problem: "This link has expired."}
	case !stored.Waits(now) && a.Evidence == CodeWithState, !stored.Waits(now) && a.State != "":
		return Refuse("this state belongs to no consent that is waiting for %q: it was used already, or was started for another name; start again with authorize/%s", a.Name, a.Name)
	case !stored.Waits(now):
		return Refuse("no consent is waiting for %q, so %s connected nothing; start one with authorize/%s", a.Name, a.Evidence, a.Name)
	case a.Evidence == CodeAlone:
		return noState(stored, a.Name)
	case stored.Flow == consent.Scopes:
		return &Refused{
			Text:    fmt.Sprintf("the consent that is waiting for %q adds scopes to its present grant, and %s would connect another grant, so nothing was changed; open the link of authorize/%s add_scopes=%s, or withdraw it and start a consent from scratch with authorize/%s", a.Name, a.Evidence, a.Name, zoho.FormatScopes(stored.Scopes), a.Name),
			Problem: "This link adds permissions to an account that is already connected. You accepted a new connection instead, so nothing was changed.",
		}
	}
	return Refuse("the consent that is waiting for %q (flow=%s) is not completed by %s, so nothing was changed; complete it, or withdraw it and start again with authorize/%s", a.Name, stored.Flow, a.Evidence, a.Name)
}

// identified fails if an answer lacks what is compared with the expected user.
func identified(expected string, person zoho.Person) error {
	said := person.ZUID
	if strings.Contains(expected, "@") {
		said = person.Email
	}
	if said == "" {
		return errors.New("no user in its answer")
	}
	return nil
}

// Expects reports whether a consent for an expected user accepts a person.
func Expects(expected string, person zoho.Person) bool {
	return expected == person.ZUID || sameAddress(expected, person.Email)
}

// sameAddress compares e-mail addresses, in which the case of letters does not matter. A
// letter of another length that folds to a Latin one, as the Kelvin sign does to k, is
// another letter.
func sameAddress(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// ScopeWarnings names the scopes that were requested and are not among the granted ones.
func ScopeWarnings(requested, granted []string) []string {
	if len(requested) == 0 || len(granted) == 0 {
		return nil
	}
	if missing := zoho.MissingScopes(requested, granted); len(missing) > 0 {
		return []string{"Zoho did not grant " + zoho.FormatScopes(missing) + "; calls that need it will fail. Check the scopes' spelling and the account's rights, then connect again"}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }
