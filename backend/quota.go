// Quota of grants: the warning before a consent that would make a Zoho user's grants of
// this client more than Zoho keeps.

package backend

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/ledger"
)

// quotaAdvice is the advice in both warnings.
const quotaAdvice = "Zoho keeps %d for one user and client, and one more consent silently ends the oldest, whichever credential uses it. Before you connect or reconnect a credential for this user, delete those that are no longer needed"

// quotaBefore returns a warning for a consent that is about to start for a name, and ""
// if none is due. It counts only grants of the user who gave that credential's present
// grant, and does not name the user: the caller may only start consents.
func (b *backend) quotaBefore(ctx context.Context, s logical.Storage, c *client, name string) string {
	k, err := b.memory.credential(ctx, s, name)
	if err != nil || k.ClientID != c.ClientID {
		return ""
	}
	owned := b.ledger.Owned(ctx, s, k.owner())
	if len(owned) < ledger.PerUser {
		return ""
	}
	return fmt.Sprintf("the Zoho user of credential %q has given %d grants of this client that this mount knows; "+quotaAdvice, name, len(owned), ledger.PerUser) + b.quotaForgotten(ctx, s, owned)
}

// quotaAfter returns a warning for a credential that was just connected, and "" if none
// is due.
func (b *backend) quotaAfter(ctx context.Context, s logical.Storage, name string) string {
	k, err := b.memory.credential(ctx, s, name)
	if err != nil {
		return ""
	}
	n := len(b.ledger.Owned(ctx, s, k.owner()))
	if n < ledger.PerUser {
		return ""
	}
	return fmt.Sprintf("Zoho user %s in data center %s has given %d grants of this client that this mount knows; "+quotaAdvice, k.Person.ZUID, k.DataCenter, n, ledger.PerUser)
}

// quotaForgotten adds how many of the counted grants no delete in Vault can end. It reads
// each grant, so that only the warning before a consent has it.
func (b *backend) quotaForgotten(ctx context.Context, s logical.Storage, owned []string) string {
	n := b.ledger.Forgotten(ctx, s, owned)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(". Of these grants, %d were only forgotten in Vault (revoke=false, or given up), so that no delete in Vault ends them. They end when the user removes the app under Connected Apps in the Zoho account, with all other grants of this client for that user; Vault cannot see that, and still counts them", n)
}

// owner is the Zoho user who gave the grant of a credential, with an empty ZUID where
// that is not known or where there is no refresh token that Zoho counts.
func (k *known) owner() ledger.Owner {
	if k.RefreshToken == "" {
		return ledger.Owner{}
	}
	return ledger.Owner{ClientID: k.ClientID, DataCenter: k.DataCenter, ZUID: k.Person.ZUID}
}
