// What does Vault answer? One read of the credential, made into a token.

package tokensource

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/oauth2"
)

// scheme is what Zoho's APIs want before the token, whatever token_type says.
const scheme = "Zoho-oauthtoken"

// read asks Vault. rejected is the token_id of a token that Zoho rejected, if one was.
func (s *Source) read(ctx context.Context, rejected string) (*lent, error) {
	parameters := map[string][]string{}
	if rejected != "" {
		parameters["rejected"] = []string{rejected}
	}
	// ReadWithData would make nothing of a 404, and so lose what it says. Read takes no
	// parameters: it sends a ? in the path as %3F.
	resp, err := s.vault.Logical().ReadRawWithDataWithContext(ctx, s.path, parameters)
	if resp != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("no access token from Vault: %w", err)
	}
	secret, err := api.ParseSecret(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("no access token from Vault: reading its answer at %s: %w", s.path, err)
	}
	return lend(secret.Data, s.path, time.Now())
}

// lend makes an answer a token.
func lend(data map[string]any, path string, now time.Time) (*lent, error) {
	access, _ := data["access_token"].(string)
	id, _ := data["token_id"].(string)
	expires, _ := data["expire_time"].(string)
	ttl, _ := data["ttl"].(json.Number)
	wait, err := ttl.Int64()
	if access == "" || id == "" || err != nil {
		return nil, fmt.Errorf("%s in Vault is no credential of the Zoho secrets engine; name one such as zoho/creds/crm", path)
	}
	expiry, err := time.Parse(time.RFC3339, expires)
	if err != nil {
		return nil, fmt.Errorf("reading expire_time of %s: %w", path, err)
	}
	extra := map[string]any{}
	for name, value := range data {
		if name != "access_token" && name != "authorization" && name != "ttl" {
			extra[name] = value
		}
	}
	t := &oauth2.Token{AccessToken: access, TokenType: scheme, Expiry: expiry, ExpiresIn: int64(expiry.Sub(now) / time.Second)}
	return &lent{t.WithExtra(extra), id, now.Add(time.Duration(wait) * time.Second)}, nil
}
