// May one more consent evict a grant? Zoho keeps twenty refresh tokens for one user
// and client; the ledger counts them.

package backend

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/ledger"
)

// census returns a warning when one more consent may evict a grant, and "" when it
// can't. Whose account a grant is in is known only where the scopes let that be
// asked; the others may all be one person's.
func (b *backend) census(ctx context.Context, s logical.Storage, c *client) string {
	owner, n, crowded := b.ledger.Crowded(ctx, s, c.ClientID)
	switch {
	case !crowded:
		return ""
	case owner.ZUID != "":
		return fmt.Sprintf("Zoho user %s in data center %s has %d grants of this client on this mount; Zoho keeps %d per user, and one more consent silently kills the oldest. Reconnect or delete credentials instead of adding more for this user", owner.ZUID, owner.DataCenter, n, ledger.PerUser)
	}
	return fmt.Sprintf("this mount holds %d grants of this client in data center %s whose users are not known (the scope AaaServer.profile.READ would tell); Zoho keeps %d per user, so if they are one user's, one more consent silently kills the oldest", n, owner.DataCenter, ledger.PerUser)
}
