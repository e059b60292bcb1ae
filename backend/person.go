// Whose Zoho account is a grant in? Known where the scopes let that be asked.

package backend

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// Levels of consent, as Zoho tells them apart. Zoho, "instance-level".
const (
	levelUser         = "user"
	levelOrganization = "organization"
)

// level is the level of consent that was asked for; empty if none was asked for here. A
// visitor can change the address that they open, and no answer of Zoho's proves the level.
func (c *credential) level() string {
	switch {
	case c.Organization:
		return levelOrganization
	case c.GrantType == grantRefresh:
		return ""
	}
	return levelUser
}

// belongsTo says with whom the grant ends, as far as that is known.
func (c *credential) belongsTo() string {
	who := firstOf(c.Person.Email, c.Person.ZUID)
	switch {
	case c.Organization:
		return "asked for as the organization " + firstOf(c.SOID, "of the administrator who consented")
	case c.GrantType == grantClient:
		return "the account that owns the client in Zoho's API console"
	case who != "":
		return "the person " + who
	}
	return "a person who is not known here; a consent with the scope " + gate.ProfileScope + " tells"
}

// learnPerson notes whose account it is, where the scopes let that be asked: Zoho
// counts grants per user. person is set if it is known already. Not knowing is no failure.
func (b *backend) learnPerson(ctx context.Context, w connectRequest, k *known, dc zoho.DataCenter, token *zoho.Token, person zoho.Person) {
	if person == (zoho.Person{}) {
		if !slices.ContainsFunc(token.Scopes, func(s string) bool { return strings.EqualFold(s, gate.ProfileScope) }) {
			return
		}
		var err error
		if person, err = w.client.at(dc).UserInfo(ctx, token.AccessToken); err != nil {
			b.Logger().Debug("the account of a grant is not known", "credential", w.name, "error", err)
			return
		}
	}
	b.notePerson(ctx, w.storage, k, person)
}

// notePerson stores whose account a grant is in, if that is news.
func (b *backend) notePerson(ctx context.Context, s logical.Storage, k *known, person zoho.Person) {
	same, err := b.credentials.identify(ctx, s, k, person)
	if err == nil && same && k.RefreshToken != "" {
		id, _ := k.grant()
		err = b.ledger.Own(ctx, s, id, person.ZUID)
	}
	if err != nil {
		b.Logger().Debug("the account of a grant could not be stored", "credential", k.name, "error", err)
	}
}
