// What of clients that know only leases? With leased=true a read adds one to the
// same data. It ends with the token, and ending it early ends nothing else: others
// hold the same token.

package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

const leaseType = "zoho_access_token"

func leaseSecret() *framework.Secret {
	return &framework.Secret{
		Type:   leaseType,
		Fields: tokenFields(),
		// Without a Renew it can't be renewed; without a Revoke a lease would become irrevocable at its end.
		Revoke: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return nil, nil
		},
	}
}

// lease adds a non-renewable lease of the token's remaining life.
func (b *backend) lease(resp *logical.Response, t *zoho.Token) (*logical.Response, error) {
	if !b.WriteSafeReplicationState() {
		return nil, zoho.ErrReadOnly // this node can't store a lease
	}
	leased := b.Secret(leaseType).Response(resp.Data, nil)
	leased.Warnings = resp.Warnings
	leased.Secret.TTL = max(time.Second, time.Until(t.Expires).Truncate(time.Second))
	return leased, nil
}
