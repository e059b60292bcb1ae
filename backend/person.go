// Whose Zoho account is a grant in? Known where the scopes let that be asked.

package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// profileScope lets a token be asked whose it is.
const profileScope = "AaaServer.profile.READ"

// Levels of consent, as Zoho tells them apart. Zoho, "instance-level".
const (
	levelUser         = "user"
	levelOrganization = "organization"
)

// level is whose a grant is; empty where that is not known.
func (c *credential) level() string {
	switch {
	case c.Organization:
		return levelOrganization
	case c.GrantType == grantRefresh:
		return ""
	}
	return levelUser
}

// belongsTo says what leaves with whom.
func (c *credential) belongsTo() string {
	who := firstOf(c.Person.Email, c.Person.ZUID)
	switch {
	case c.Organization:
		return "the organization " + firstOf(c.SOID, "of the administrator who consented")
	case c.GrantType == grantClient:
		return "the account that owns the client in Zoho's API console"
	case who != "":
		return "the person " + who
	}
	return "a person who is not known here; a consent with the scope " + profileScope + " tells"
}

// learnPerson notes whose account it is, where the scopes let that be asked: Zoho
// counts grants per user. Not knowing is no failure.
func (b *backend) learnPerson(ctx context.Context, w connectRequest, k *known, dc zoho.DataCenter, token *zoho.Token) {
	if !slices.ContainsFunc(token.Scopes, func(s string) bool { return strings.EqualFold(s, profileScope) }) {
		return
	}
	person, err := w.client.at(dc).UserInfo(ctx, token.AccessToken)
	if err != nil {
		b.Logger().Debug("whose account it is could not be learnt", "credential", w.name, "error", err)
		return
	}
	b.notePerson(ctx, w.storage, k, person)
}

// whose asks Zoho whose account has just consented, and refuses another one than is
// expected: as long as that is not known the grant is nobody's.
func (w *connectRequest) whose(ctx context.Context, dc zoho.DataCenter, token *zoho.Token, asked *consent.Consent) (zoho.Person, error) {
	person, err := w.client.at(dc).UserInfo(ctx, token.AccessToken)
	said := person.ZUID
	if strings.Contains(asked.ExpectedUser, "@") {
		said = person.Email
	}
	if err == nil && said == "" {
		err = errors.New("no user in its answer")
	}
	if err != nil {
		return person, refuse("the consent for %q is for %s, and Zoho did not say whose account consented (%s), so nothing was connected; start again with authorize/%s, with the scope %s", w.name, expected(asked), err, w.name, profileScope)
	}
	if !expects(asked.ExpectedUser, person) {
		return person, otherAccount(w.name, asked, firstOf(person.Email, person.ZUID))
	}
	return person, nil
}

// notePerson stores whose account a grant is in, if that is news.
func (b *backend) notePerson(ctx context.Context, s logical.Storage, k *known, person zoho.Person) {
	id, _ := k.grant()
	same := false
	_, err := b.credentials.change(ctx, s, k.name, func(now *known) (*credential, error) {
		if same = now != nil && now.RefreshToken == k.RefreshToken; !same || now.Person == person {
			return nil, nil
		}
		next := now.credential
		next.Person = person
		return &next, nil
	})
	if err == nil && same && k.RefreshToken != "" {
		err = b.ledger.Own(ctx, s, id, person.ZUID)
	}
	if err != nil {
		b.Logger().Debug("whose account it is could not be stored", "credential", k.name, "error", err)
	}
}
