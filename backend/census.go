// How many grants of this client live? Zoho keeps twenty refresh tokens for one
// user and client; one more silently kills the oldest.

package backend

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// grantsPerUser is Zoho's limit. Zoho, "token-limits".
const grantsPerUser = 20

// census returns a warning when one more consent may evict a grant, and "" when it
// can't. Whose account a grant is in is known only where the scopes let that be
// asked; the others may all be one person's.
func (b *backend) census(ctx context.Context, s logical.Storage, c *client) string {
	names, err := s.List(ctx, credsPrefix)
	if err != nil {
		return "" // a warning is not worth failing for
	}
	retired, err := b.retired.waiting(ctx, s, maxListed)
	if err != nil || len(names)+len(retired) < grantsPerUser {
		return ""
	}
	type person struct{ dc, zuid string }
	grants := map[person]map[zoho.Secret]bool{}
	count := func(clientID string, owner person, refreshToken zoho.Secret) {
		if clientID != c.ClientID || refreshToken == "" {
			return
		}
		if grants[owner] == nil {
			grants[owner] = map[zoho.Secret]bool{}
		}
		grants[owner][refreshToken] = true
	}
	for _, name := range names[:min(len(names), maxListed)] {
		var k credential
		if get(ctx, s, credsPrefix+name, &k) == nil {
			count(k.ClientID, person{k.DataCenter, k.Person.ZUID}, k.RefreshToken)
		}
	}
	for _, r := range retired {
		count(r.ClientID, person{r.DataCenter, r.ZUID}, r.RefreshToken) // alive until revoked
	}
	for owner, tokens := range grants {
		n, dc, zuid := len(tokens), owner.dc, owner.zuid
		if n < grantsPerUser {
			continue
		}
		if zuid != "" {
			return fmt.Sprintf("Zoho user %s in data center %s has %d grants of this client on this mount; Zoho keeps %d per user, and one more consent silently kills the oldest. Reconnect or delete credentials instead of adding more for this user", zuid, dc, n, grantsPerUser)
		}
		return fmt.Sprintf("this mount holds %d grants of this client in data center %s whose users are not known (the scope AaaServer.profile.READ would tell); Zoho keeps %d per user, so if they are one user's, one more consent silently kills the oldest", n, dc, grantsPerUser)
	}
	return ""
}
