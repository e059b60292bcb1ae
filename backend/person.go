// Whose Zoho account is a grant in? Known where the scopes let that be asked.

package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// learnPerson notes whose account it is, where the scopes let that be asked: Zoho
// counts grants per user. person is set if it is known already. Not knowing is no failure.
func (b *backend) learnPerson(ctx context.Context, w connectRequest, k *known, dc zoho.DataCenter, token *zoho.Token, person zoho.Person) {
	if person == (zoho.Person{}) {
		if !zoho.HasScope(token.Scopes, gate.ProfileScope) {
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
	same, err := b.credentials.Identify(ctx, s, k.name, &k.Credential, person)
	if err == nil && same && k.RefreshToken != "" {
		id, _ := k.Grant()
		err = b.ledger.Own(ctx, s, id, person.ZUID)
	}
	if err != nil {
		b.Logger().Debug("the account of a grant could not be stored", "credential", k.name, "error", err)
	}
}
