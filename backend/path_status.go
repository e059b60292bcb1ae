// How is a credential doing? The paths status: for operators and auditors; nothing
// is minted and no token is shown.

package backend

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// States of a credential.
const (
	stateReady           = "ready"
	stateAwaitingConsent = "awaiting_consent"
	stateNotConnected    = "not_connected"
	stateNeedsConsent    = "needs_consent"
	stateThrottled       = "throttled"
	stateUnavailable     = "unavailable"
	stateDisabled        = "disabled"
)

func (b *backend) pathStatus() *framework.Path {
	return &framework.Path{
		Pattern:      "status" + nameRegex,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "status"},
		Fields: map[string]*framework.FieldSchema{
			"name":  nameField("Name of the credential."),
			"probe": {Type: framework.TypeBool, Description: "Must be true in a write: ask Zoho whose account it is, with a living token; nothing is minted for that."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readStatus, Summary: "Show how a credential is doing.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The state of the credential.", Fields: map[string]*framework.FieldSchema{
					"state":                {Type: framework.TypeString, Description: "ready, awaiting_consent, not_connected (no consent succeeded yet), needs_consent, throttled, unavailable or disabled."},
					"grant_type":           {Type: framework.TypeString, Description: "What access tokens are minted from."},
					"requested_level":      {Type: framework.TypeString, Description: "The level of consent that was requested: user (the grant ends when that person leaves the organization) or organization (the grant stays valid). Zoho's answer does not say which level it granted. Empty for an imported refresh token."},
					"soid":                 {Type: framework.TypeString, Description: "The organization that was named for the grant, if one was."},
					"belongs_to":           {Type: framework.TypeString, Description: "The person, organization or account with which the grant ends, as far as it is known."},
					"data_center":          {Type: framework.TypeString, Description: "Data center of the Zoho account."},
					"accounts_server":      {Type: framework.TypeString, Description: "Where its tokens come from."},
					"api_domain":           {Type: framework.TypeString, Description: "General API gateway of the account."},
					"requested_scopes":     {Type: framework.TypeStringSlice, Description: "Scopes that were asked for, if known."},
					"granted_scopes":       {Type: framework.TypeStringSlice, Description: "Scopes that Zoho granted, if its answer said."},
					"created_time":         {Type: framework.TypeTime, Description: "When the credential was first connected."},
					"connected_time":       {Type: framework.TypeTime, Description: "When its present grant was connected."},
					"last_mint_time":       {Type: framework.TypeTime, Description: "When an access token was last minted."},
					"expire_time":          {Type: framework.TypeTime, Description: "When the newest access token dies."},
					"mints_left":           {Type: framework.TypeInt, Description: "How many access tokens Zoho's limits allow right now."},
					"mint_limit_key":       {Type: framework.TypeString, Description: "What the mint limit is counted by now: refresh_token, or client (all credentials of this client share it)."},
					"mint_limit_key_until": {Type: framework.TypeTime, Description: "With mint_limit_key client, if a throttle has shown it: when each credential has a limit of its own again, unless another throttle comes."},
					"next_mint_time":       {Type: framework.TypeTime, Description: "With mints_left 0: when they allow the next."},
					"hold_until":           {Type: framework.TypeTime, Description: "Until when a failure is waited out; no call is made before."},
					"hold_reason":          {Type: framework.TypeString, Description: "What is waited out: refused, throttled or unavailable."},
					"last_error":           {Type: framework.TypeString, Description: "The last failure, until a call succeeds."},
					"last_error_time":      {Type: framework.TypeTime, Description: "When it happened."},
					"remedy":               {Type: framework.TypeString, Description: "What to do next."},
					"disabled":             {Type: framework.TypeBool, Description: "Whether reads are refused."},
					"custom_metadata":      {Type: framework.TypeKVPairs, Description: "Your own notes."},
					"retired_grants":       {Type: framework.TypeInt, Description: "Earlier grants of this credential that are still to be revoked at Zoho."},
					"retired_tokens":       {Type: framework.TypeInt, Description: "Access tokens of theirs that still live; revoke/<name> ends them."},
					"rejected_time":        {Type: framework.TypeTime, Description: "When a reader or a probe last said that Zoho rejects a token."},
					"zoho_user":            {Type: framework.TypeString, Description: "Zoho user id (ZUID) of the account, where the scopes let that be asked."},
					"zoho_email":           {Type: framework.TypeString, Description: "E-mail address of the account, likewise."},
					"next_command":         {Type: framework.TypeString, Description: "Where a person must act: the command to run next."},
					"consent_state":        {Type: framework.TypeString, Description: "State of the last consent that was started: waiting, in_progress, connected, declined, failed, expired, superseded or unreadable. Shown for seven days after the consent ended or expired."},
					"consent_expire_time":  {Type: framework.TypeTime, Description: "Time until which the waiting consent can be completed."},
					"consent_result":       {Type: framework.TypeString, Description: "Result of the last attempt to complete the consent, if there was one: connected, declined, failed or wrong_account."},
					"consent_result_time":  {Type: framework.TypeTime, Description: "When the last attempt to complete the consent ended."},
					"consent_detail":       {Type: framework.TypeString, Description: "Why the last attempt did not connect the credential, and what to do next."},
					"zoho_error":           {Type: framework.TypeString, Description: "The error word that Zoho sent in the redirect instead of a code, such as access_denied or no_org."},
				}}}},
			},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.probe, Summary: "Ask Zoho whose account a credential is, with a living token.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "What Zoho says.", Fields: map[string]*framework.FieldSchema{
					"token_accepted":    {Type: framework.TypeBool, Description: "Whether Zoho accepts the newest access token."},
					"zoho_user":         {Type: framework.TypeString, Description: "Zoho user id (ZUID)."},
					"zoho_email":        {Type: framework.TypeString, Description: "E-mail address."},
					"zoho_name":         {Type: framework.TypeString, Description: "Display name."},
					"organization_id":   {Type: framework.TypeString, Description: "Zoho CRM organization, where the scopes let that be asked."},
					"organization_name": {Type: framework.TypeString, Description: "Its name."},
				}}}},
			},
		},
		HelpSynopsis: "How a credential is doing: state, limits, last failure and its remedy.",
		HelpDescription: `
Never asks Zoho and never shows a token, so that auditors may read it. state is
ready, awaiting_consent (started with authorize, not finished), not_connected (the
last consent was declined, failed or expired; consent_detail says why), needs_consent
(the grant is dead), throttled (Zoho's limit is waited out), unavailable or disabled.

Writing probe=true asks Zoho with the newest living token whose account it is; that
needs the scope AaaServer.profile.READ for the user, ZohoCRM.org.READ for the
organization, and mints nothing.`,
	}
}

func (b *backend) readStatus(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if _, sent := data.Raw["probe"]; sent {
		return nil, refuse("probe belongs to a write, since it asks Zoho; write probe=true to this path")
	}
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	now := time.Now()
	p, about, err := b.consentStatus(ctx, req.Storage, name, now)
	if err != nil {
		return nil, err
	}
	k, err := b.memory.credential(ctx, req.Storage, name)
	if isAbsent(err) && len(about) > 0 {
		return &logical.Response{Data: notConnected(p, about, req.MountPoint, name, now)}, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := b.memory.config(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	answer := describeCredential(k)
	resp := &logical.Response{Data: answer}
	if err := b.describeFormer(ctx, req.Storage, k, answer); err != nil {
		resp.AddWarning("retired_grants and retired_tokens are not complete: what is stored of a grant that the credential had before cannot be read; Vault's log names the entry")
	}
	maps.Copy(answer, about)
	waiting := p.Waits(now)
	if waiting {
		answer["next_command"] = nextCommand(p, req.MountPoint, name)
	}
	d, err := k.derive(c)
	if err != nil {
		answer["state"], answer["last_error"], answer["next_command"] = stateNeedsConsent, err.Error(), k.nextCommand(req.MountPoint)
		answer["remedy"] = "connect again with authorize/" + name + ", or put the old configuration back"
		return resp, nil
	}
	answer["accounts_server"], answer["api_domain"] = d.dc.AccountsURL, firstOf(k.APIDomain, d.dc.APIDomain)
	state, err := b.keeper.Look(ctx, b.account(d, req.Storage))
	if err != nil {
		return nil, err
	}
	describe(answer, state, k.again(), time.Now())
	if answer["state"] == stateNeedsConsent && !waiting {
		answer["next_command"] = k.nextCommand(req.MountPoint)
	}
	if k.Disabled {
		answer["state"] = stateDisabled
		answer["next_command"] = vaultCommand("write", req.MountPoint+credsPrefix+name, "disabled=false")
		answer["remedy"] = "write disabled=false to creds/" + name + " to enable it"
	}
	return resp, nil
}

// describeCredential is what is stored of a credential.
func describeCredential(k *known) map[string]any {
	answer := map[string]any{
		"state":            stateReady,
		"grant_type":       k.GrantType,
		"requested_level":  k.Level(),
		"soid":             k.SOID,
		"belongs_to":       k.BelongsTo(),
		"data_center":      k.DataCenter,
		"accounts_server":  k.AccountsURL,
		"api_domain":       k.APIDomain,
		"requested_scopes": list(k.Requested),
		"granted_scopes":   list(k.Granted),
		"created_time":     stamp(k.Created),
		"connected_time":   stamp(k.Connected),
		"disabled":         k.Disabled,
		"custom_metadata":  pairs(k.CustomMetadata),
	}
	if k.Person.ZUID != "" {
		answer["zoho_user"], answer["zoho_email"] = k.Person.ZUID, k.Person.Email
	}
	return answer
}

// consentStatus returns the stored consent of a name, nil without a readable one, and what
// status shows of it. An unreadable consent does not hide the rest of the status.
func (b *backend) consentStatus(ctx context.Context, s logical.Storage, name string, now time.Time) (*consent.Consent, map[string]any, error) {
	c, err := b.consents.Get(ctx, s, name)
	switch {
	case store.Unreadable(err):
		return nil, map[string]any{"consent_state": "unreadable", "consent_detail": unreadableConsent(name, err).Error()}, nil
	case err != nil || c == nil:
		return nil, nil, err
	}
	about := map[string]any{"consent_state": c.Status(now)}
	if c.Open() {
		about["consent_expire_time"] = stamp(c.Expires)
	}
	result := describeResult(c, now)
	if result["result"] != "" {
		about["consent_result"], about["consent_detail"] = result["result"], result["result_detail"]
		if c.Outcome != nil {
			about["consent_detail"] = c.Outcome.Detail // who reads status may know the account
		}
	}
	for from, to := range map[string]string{"result_time": "consent_result_time", "zoho_error": "zoho_error"} {
		if value, known := result[from]; known {
			about[to] = value
		}
	}
	return c, about, nil
}

// notConnected is the status of a name whose consent waits, or ended without a grant.
func notConnected(c *consent.Consent, about map[string]any, mountPoint, name string, now time.Time) map[string]any {
	answer := map[string]any{"state": stateNotConnected, "remedy": "start a consent with authorize/" + name}
	maps.Copy(answer, about)
	if c == nil {
		return answer
	}
	answer["data_center"], answer["requested_scopes"] = c.DataCenter, list(c.Scopes)
	switch {
	case c.Waits(now):
		answer["state"], answer["remedy"] = stateAwaitingConsent, nextStep(c, mountPoint, name)
		answer["next_command"] = nextCommand(c, mountPoint, name)
	case c.Open():
		answer["remedy"] = "the consent expired at " + stamp(c.Expires) + "; start again with authorize/" + name
	}
	return answer
}

// describeFormer adds what still lives of the grants that a credential had before. It
// counts what can be read, and returns the first failure.
func (b *backend) describeFormer(ctx context.Context, s logical.Storage, k *known, answer map[string]any) (failed error) {
	grants, tokens := 0, 0
	for _, f := range k.Former {
		if f.GrantType != credential.GrantClient {
			g, err := b.ledger.Condemned(ctx, s, f.ID)
			if err != nil {
				failed = cmp.Or(failed, err)
				continue
			}
			if g == nil {
				continue // gone, or another credential's
			}
			grants++
		}
		state, err := b.world.look(ctx, s, f.ID)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		for _, t := range state.Tokens {
			if t.Variant == f.Variant {
				tokens++
			}
		}
	}
	answer["retired_grants"], answer["retired_tokens"] = grants, tokens
	if failed != nil {
		b.spawn(func(context.Context) { // the answer does not wait for a log line
			b.Logger().Warn("the former grants of a credential cannot be counted in full", "credential", k.name, "error", failed)
		})
	}
	return failed
}

// nextStep says how a pending consent goes on.
func nextStep(p *consent.Consent, mountPoint, name string) string {
	if how, _ := completedBy(p.RedirectURI, mountPoint); how == byCallback {
		return "open the authorization_url that authorize/" + name + " answered, and consent"
	}
	if p.Flow == consent.Device {
		return "open " + p.VerificationURL + ", type the code from the answer of authorize/" + name + " and accept; then read creds/" + name
	}
	return "open the authorization_url that authorize/" + name + " answered, consent, and write the address the browser lands on to creds/" + name + " as callback_url"
}

// nextCommand is what to type when the person has consented.
func nextCommand(p *consent.Consent, mountPoint, name string) string {
	if how, _ := completedBy(p.RedirectURI, mountPoint); how == byCallback || p.Flow == consent.Device {
		return vaultCommand("read", mountPoint+credsPrefix+name)
	}
	return vaultCommand("write", mountPoint+credsPrefix+name, "callback_url=-")
}

// health is the state of a connected grant.
func health(s zoho.State, now time.Time) string {
	f := s.Failure
	if f != nil && f.Kind != zoho.Refused && !f.Until.After(now) {
		f = nil // waited out; only last_error still tells of it
	}
	switch {
	case f == nil && s.MintsLeft == 0 && s.Newest == nil, f != nil && f.Kind == zoho.Throttled:
		return stateThrottled
	case f == nil:
		return stateReady
	case f.Kind == zoho.Refused && (f.About == zoho.AboutGrant || f.About == zoho.AboutUser):
		return stateNeedsConsent
	}
	return stateUnavailable
}

// describe adds what the keeper knows of the grant.
func describe(answer map[string]any, s zoho.State, again string, now time.Time) {
	answer["mints_left"], answer["mint_limit_key"] = s.MintsLeft, string(zoho.KeyGrant)
	if s.Shared != nil {
		answer["mint_limit_key"] = string(zoho.KeyClient)
		if !s.Shared.Until.IsZero() {
			answer["mint_limit_key_until"] = stamp(s.Shared.Until)
		}
	}
	if !s.LastMint.IsZero() {
		answer["last_mint_time"] = stamp(s.LastMint)
	}
	if s.Newest != nil {
		answer["expire_time"] = stamp(s.Newest.Expires)
	}
	if s.MintsLeft == 0 {
		answer["next_mint_time"] = stamp(s.NextMint)
	}
	answer["state"] = health(s, now)
	if !s.Rejected.IsZero() {
		answer["rejected_time"] = stamp(s.Rejected)
	}
	f := s.Failure
	if f == nil {
		return
	}
	answer["last_error"], answer["last_error_time"] = f.Text, stamp(f.Since)
	if answer["state"] != stateReady {
		answer["remedy"] = remedy(f.Kind, f.About, f.Code, again)
	}
	if f.Until.After(now) {
		answer["hold_until"], answer["hold_reason"] = stamp(f.Until), string(f.Kind)
	}
}
