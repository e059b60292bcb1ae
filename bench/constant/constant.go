// Package constant is the answer that every yardstick gives: as many fields as a read
// of this engine has, and as long ones, so that what differs is the way to it. It has the
// names of copied credentials too.
package constant

import (
	"fmt"
	"strings"
)

// Copy is the name of a copy of a credential, from 1; names sort as numbers do.
func Copy(i int) string { return fmt.Sprintf("copy%07d", i) }

// Answer returns it, built anew.
func Answer() map[string]any {
	token := "1000." + strings.Repeat("5", 32) + "." + strings.Repeat("a", 32)
	return map[string]any{
		"access_token":        token,
		"token_type":          "Bearer",
		"authorization":       "Zoho-oauthtoken " + token,
		"api_domain":          "https://www.zohoapis.com",
		"data_center":         "us",
		"scopes":              []string{"ZohoCRM.modules.ALL"},
		"token_id":            "0123456789abcdef",
		"issue_time":          "2026-01-01T10:00:00Z",
		"expire_time":         "2026-01-01T11:00:00Z",
		"last_vault_rotation": "2026-01-01T10:00:00Z",
		"rotation_period":     3000,
		"service_url":         "https://www.zohoapis.com/crm/v8",
		"ttl":                 1500,
	}
}
