// For whom is a consent, and who may replace it? A link may be sent to somebody else: it
// lives longer, leads the browser on, and may be for one account alone.

package backend

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// forAuthorize returns the fields of a request that starts a consent. An empty field has
// its default. An empty condition is refused, since the caller meant to
// set it.
func (f *fields) forAuthorize() *fields {
	for _, name := range []string{"expected_user", "expected_data_center"} {
		if f.sent(name) && !f.given(name) {
			f.fail(refuse("%s is empty; name the account that must consent, or leave the field out", name))
		}
	}
	return f.withoutEmpty("flow", "scopes", "redirect_uri", "data_center", "soid", "ttl", "return_url", "return_state", "force")
}

// readLink reads what a consent may be told besides what it asks for.
func readLink(p *consent.Consent, c *client, f *fields, mountPoint string) error {
	life := consentLife
	f.duration("ttl", &life, consentLife)
	f.text("return_url", &p.ReturnURL)
	f.freeText("return_state", &p.ReturnState) // it appears only in addresses, escaped
	f.text("expected_user", &p.ExpectedUser)
	f.text("expected_data_center", &p.ExpectedDataCenter)
	f.organization("soid", &p.SOID)
	if f.err != nil {
		return f.err
	}
	more := f.sent("add_scopes")
	switch {
	case p.Flow == consent.Device && f.sent("ttl"):
		return refuse("ttl does not go with flow=device: Zoho says how long its code lives; leave it out")
	case p.Flow == consent.Device && p.ReturnURL != "":
		return refuse("return_url does not go with flow=device: no browser comes back; leave it out")
	case more && life > consentLife:
		return refuse("ttl is too long for a consent to more scopes, for which Zoho gives ten minutes; leave it out")
	case more && (p.ExpectedUser != "" || p.ExpectedDataCenter != ""):
		return refuse("expected_user and expected_data_center do not go with add_scopes, which extends the connected grant; leave them out")
	case life < minConsentLife || life > maxConsentLife:
		return refuse("ttl must be between 1m and 7d (168h); the link is good for that long")
	case p.SOID != "" && p.Flow != consent.Organization:
		return refuse("soid belongs to flow=organization; add that, or leave soid out")
	case p.ReturnURL == "" && p.ReturnState != "":
		return refuse("return_state goes with return_url; name where the browser shall go on to")
	case !utf8.ValidString(p.ReturnState):
		return refuse("return_state is no text in UTF-8; send base64 of it")
	case len(p.ReturnState) > 1024:
		return refuse("return_state is longer than 1024 bytes; keep the rest on your side, under a short key")
	}
	p.Expires = time.Now().Add(life).UTC().Truncate(time.Second)
	if p.ReturnURL != "" {
		if err := c.checkReturn(p.ReturnURL); err != nil {
			return err
		}
		if how, _ := completedBy(p.RedirectURI, mountPoint); how != byCallback {
			return refuse("return_url needs a browser that lands at this mount; set vault_addr in config, and register the redirect_uri that follows from it in Zoho's API console")
		}
	}
	return readExpected(p, c)
}

// readExpected checks whose account a consent is for.
func readExpected(p *consent.Consent, c *client) error {
	if p.ExpectedDataCenter != "" {
		dc, err := c.dataCenter(p.ExpectedDataCenter)
		if err != nil {
			return err
		}
		p.ExpectedDataCenter = dc.Name
	}
	if p.ExpectedUser == "" {
		return nil
	}
	if strings.Trim(p.ExpectedUser, "0123456789") != "" && !strings.Contains(p.ExpectedUser, "@") {
		return refuse("expected_user is neither an e-mail address nor a Zoho user id (ZUID, digits)")
	}
	if !zoho.HasScope(p.Scopes, gate.ProfileScope) {
		return refuse("expected_user needs the scope %s, without which Zoho does not say whose account it is; add it to scopes", gate.ProfileScope)
	}
	return nil
}

// caller is who makes a request: an identifier to compare, and what people call them.
// The identifier is empty if there is none: all batch tokens of one login have the same
// display name, and no accessor.
func caller(req *logical.Request) (id, name string) {
	name = zoho.Printable(req.DisplayName)
	switch {
	case req.EntityID != "":
		return "entity " + req.EntityID, name
	case req.ClientTokenAccessor != "":
		return "token " + zoho.Fingerprint(req.ClientTokenAccessor), name
	}
	return "", name
}

// replace decides whether a new consent may replace the stored one, which is nil if there is
// none. It returns a warning if the stored consent still waits: its link may have been sent.
// Without force the new consent keeps the conditions of the stored one or names others.
func replace(stored *consent.Consent, unreadable error, next *consent.Consent, name string, force bool) (warning string, err error) {
	if unreadable != nil {
		if !force {
			return "", refuse("the stored consent for %q cannot be read (%s), and may be waiting; write force=true to replace it", name, unreadable)
		}
		return "the stored consent for " + name + " could not be read and was replaced: its link no longer works", nil
	}
	if stored == nil || stored.ClientID != next.ClientID {
		return "", nil
	}
	if status := stored.Status(time.Now()); status != consent.Waiting && status != consent.InProgress {
		return "", nil
	}
	who := startedBy(stored)
	same := stored.Starter != "" && stored.Starter == next.Starter
	dropped := droppedConditions(stored, next)
	switch {
	case !same && !force && len(dropped) > 0:
		return "", refuse("a consent for %q that was started at %s%s waits until %s; let it be finished, or write force=true to replace it: its link no longer works then. To keep its conditions, write %s too", name, stamp(stored.Started), who, stamp(stored.Expires), strings.Join(dropped, " "))
	case !same && !force:
		return "", refuse("a consent for %q that was started at %s%s waits until %s; let it be finished, or write force=true to replace it: its link no longer works then", name, stamp(stored.Started), who, stamp(stored.Expires))
	case !force && len(dropped) > 0:
		return "", refuse("the consent for %q that was started at %s%s waits until %s, and the new one would drop its conditions; write %s too to keep them, or force=true to drop them", name, stamp(stored.Started), who, stamp(stored.Expires), strings.Join(dropped, " "))
	}
	warning = "the consent for " + name + " that was started at " + stamp(stored.Started) + who + " was replaced: its link no longer works"
	if had := replacedFields(stored, next); len(had) > 0 {
		warning += ". The new consent does not have these settings of the former one: " + strings.Join(had, " ")
	}
	return warning, nil
}

// droppedConditions are the conditions of a stored consent for which the next one has none,
// each as field=value for a command.
func droppedConditions(stored, next *consent.Consent) (dropped []string) {
	for _, c := range []struct{ field, had, has string }{
		{"expected_user", stored.ExpectedUser, next.ExpectedUser},
		{"expected_data_center", stored.ExpectedDataCenter, next.ExpectedDataCenter},
	} {
		if c.had != "" && c.has == "" {
			dropped = append(dropped, assignment(c.field, c.had))
		}
	}
	return dropped
}

// replacedFields are the values of a stored consent that the next one does not have, each as
// field=value: the conditions, the flow, the scopes and the return address.
func replacedFields(stored, next *consent.Consent) (had []string) {
	for _, c := range []struct {
		field, had string
		same       bool
	}{
		{"expected_user", stored.ExpectedUser, strings.EqualFold(stored.ExpectedUser, next.ExpectedUser)},
		{"expected_data_center", stored.ExpectedDataCenter, stored.ExpectedDataCenter == next.ExpectedDataCenter},
		{"flow", stored.Flow, stored.Flow == next.Flow || stored.Flow == consent.Code || stored.Flow == consent.Scopes},
		{"soid", stored.SOID, stored.SOID == next.SOID},
		{"scopes", zoho.FormatScopes(stored.Scopes), sameScopes(stored.Scopes, next.Scopes)},
		{"return_url", stored.ReturnURL, stored.ReturnURL == next.ReturnURL},
	} {
		if c.had != "" && !c.same {
			had = append(had, assignment(c.field, c.had))
		}
	}
	return had
}

// sameScopes compares two lists, whatever their order.
func sameScopes(a, b []string) bool {
	return len(zoho.MissingScopes(a, b)) == 0 && len(zoho.MissingScopes(b, a)) == 0
}
