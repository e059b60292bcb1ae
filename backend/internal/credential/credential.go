// Package credential owns the stored credentials: what each name points to, and its
// settings. The only writers of a grant, Connect and Extend, take a permission that only
// package gate makes.
package credential

import (
	"cmp"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// Grant types, as status shows them.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
	GrantDevice  = "device_code"
	GrantClient  = "client_credentials"
)

// Credential is one grant and its settings.
type Credential struct {
	store.Versioned
	// ClientID is the client it was connected with; no other can use it.
	ClientID   string `json:"client_id"`
	DataCenter string `json:"data_center"`
	// AccountsURL issued the grant, and is where it has to be revoked.
	AccountsURL  string      `json:"accounts_url"`
	GrantType    string      `json:"grant_type"`
	RefreshToken zoho.Secret `json:"refresh_token,omitempty"`
	APIDomain    string      `json:"api_domain,omitempty"`
	// SOID is the organization of client credentials, or the one that consented.
	SOID string `json:"soid,omitempty"`
	// Organization: an administrator gave the grant for an organization.
	Organization bool      `json:"organization,omitempty"`
	Requested    []string  `json:"requested_scopes,omitempty"`
	Granted      []string  `json:"granted_scopes,omitempty"`
	Connected    time.Time `json:"connected"`
	Created      time.Time `json:"created"`
	// Person is whose account it is, where the scopes let that be asked.
	Person zoho.Person `json:"person,omitzero"`
	// Code is the fingerprint of the code that was exchanged for the grant.
	Code string `json:"code,omitempty"`
	// Consent is the id of the consent that connected the credential, or extended it, last.
	Consent string `json:"consent,omitempty"`
	// Former are the grants that this one replaced and that may still be valid, with their
	// access tokens.
	Former []Former `json:"former,omitempty"`
	Settings
}

// Former is a grant that a credential pointed to before. Its refresh token, if it
// had one, is in the ledger.
type Former struct {
	ID          string `json:"id"`
	ClientID    string `json:"client_id"`
	AccountsURL string `json:"accounts_url"`
	DataCenter  string `json:"data_center"`
	// Client credentials have no refresh token; Variant tells which tokens of theirs
	// were this credential's.
	GrantType string `json:"grant_type"`
	Variant   string `json:"variant,omitempty"`
	// Revoke is false for one that Zoho replaced by itself.
	Revoke bool      `json:"revoke,omitempty"`
	Until  time.Time `json:"until"` // it was in use until then
}

// Settings are what a credential may set apart from the mount's defaults.
type Settings struct {
	MaxAge *time.Duration `json:"max_age,omitempty"`
	MinTTL *time.Duration `json:"min_ttl,omitempty"`
	// Leased adds a lease to reads, for clients that renew only by leases.
	Leased         bool              `json:"leased,omitempty"`
	Disabled       bool              `json:"disabled,omitempty"`
	CustomMetadata map[string]string `json:"custom_metadata,omitempty"`
}

// maxFormer bounds how many grants a credential remembers that it had.
const maxFormer = 64

// Grant names the grant of a credential, and the variant of its tokens. Zoho counts
// mints and live tokens per refresh token, whatever the client secret; client
// credentials per client, whatever the scopes.
func (c *Credential) Grant() (id, variant string) {
	if c.GrantType == GrantClient {
		return zoho.Fingerprint(c.AccountsURL, c.ClientID, GrantClient),
			zoho.Fingerprint(zoho.FormatScopes(c.Requested), c.SOID)
	}
	return zoho.Fingerprint(c.AccountsURL, c.ClientID, string(c.RefreshToken)), ""
}

// LedgerGrant is what the ledger keeps of a credential's grant.
func (c *Credential) LedgerGrant() ledger.Grant {
	id, variant := c.Grant()
	return ledger.Grant{
		ID: id, Variant: variant, RefreshToken: c.RefreshToken, ClientID: c.ClientID, AccountsURL: c.AccountsURL,
		DataCenter: c.DataCenter, ZUID: c.Person.ZUID,
	}
}

// succeed makes c take the place of old: it keeps what belongs to the name rather
// than to the grant, and remembers the grants that went before.
func (c *Credential) succeed(old *Credential, revoke bool) {
	c.Created = c.Connected
	if old == nil {
		return
	}
	c.Created, c.Settings = old.Created, old.Settings
	id, variant := old.Grant()
	now := time.Now().UTC()
	before := append(old.Former[:len(old.Former):len(old.Former)], Former{
		ID: id, ClientID: old.ClientID, AccountsURL: old.AccountsURL, DataCenter: old.DataCenter,
		GrantType: old.GrantType, Variant: variant, Revoke: revoke, Until: now,
	})
	current, variant := c.Grant()
	c.Former = nil
	for _, f := range before {
		if (f.ID != current || f.Variant != variant) && now.Sub(f.Until) < zoho.LongestLife {
			c.Former = append(c.Former, f)
		}
	}
	c.Former = c.Former[max(0, len(c.Former)-maxFormer):]
}

// GoesOn reports whether a credential still has a grant, under whatever refresh token
// Zoho has given it since.
func (c *Credential) GoesOn(id string) bool {
	if current, _ := c.Grant(); current == id {
		return true
	}
	for i := len(c.Former) - 1; i >= 0 && !c.Former[i].Revoke; i-- {
		if c.Former[i].ID == id {
			return true
		}
	}
	return false
}

// Levels of consent, as Zoho tells them apart. Zoho, "instance-level".
const (
	levelUser         = "user"
	levelOrganization = "organization"
)

// Level is the level of consent that was requested; empty for an imported refresh token. The
// person can change the link before opening it, and no answer of Zoho proves the level.
func (c *Credential) Level() string {
	switch {
	case c.Organization:
		return levelOrganization
	case c.GrantType == GrantRefresh:
		return ""
	}
	return levelUser
}

// BelongsTo says with whom the grant ends, as far as that is known.
func (c *Credential) BelongsTo() string {
	who := cmp.Or(c.Person.Email, c.Person.ZUID)
	switch {
	case c.Organization:
		return "the organization " + cmp.Or(c.SOID, "of the administrator who consented") + ", as requested"
	case c.GrantType == GrantClient:
		return "the account that owns the client in Zoho's API console"
	case who != "":
		return "the person " + who
	}
	return "a person whose account is not known; to see it, connect again with the scope " + gate.ProfileScope
}
