// Who hears of what happens? The log, the counters, and Vault's event system: each
// gets names and times, never a token.

package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// Types of events, below the mount's own name in Vault.
const (
	eventMinted    = "zoho/minted"
	eventRefused   = "zoho/refused"
	eventThrottled = "zoho/throttled"
	eventConnected = "zoho/connected"
	eventDeleted   = "zoho/deleted"
)

// observe hears of every mint and every failed one.
func (b *backend) observe(e zoho.Event) {
	b.metrics.count(e)
	log, name := b.Logger(), e.Account.Name
	failure := zoho.AsError(e.Err)
	switch {
	case e.Outage > 0:
		log.Info("the accounts server answers again", "accounts_server", e.Account.Client.AccountsURL, "outage", e.Outage.String())
		return
	case e.Check && !e.Server:
		log.Debug("the accounts server still does not answer", "accounts_server", e.Account.Client.AccountsURL,
			"error", e.Err, "hold_until", stamp(e.Until))
		return
	case e.Err == nil:
		log.Info("minted an access token", "credential", name,
			"token_fingerprint", b.memory.tokenFingerprint(e.Token.AccessToken),
			"expire_time", stamp(e.Token.Expires), "took", e.Took.String())
		b.send(eventMinted, name, "expire_time", stamp(e.Token.Expires))
		return
	case failure == nil:
		log.Error("storage failed", "credential", name, "error", e.Err)
		return
	}
	concerns := "credential"
	switch {
	case e.Shared:
		concerns = "client"
	case e.Server:
		concerns = "accounts server"
	}
	log.Warn("no access token from Zoho", "credential", name, "kind", string(failure.Kind),
		"error", failure.Error(), "hold_until", stamp(e.Until), "held", concerns, "took", e.Took.String())
	switch failure.Kind {
	case zoho.Refused:
		b.send(eventRefused, name, "error", failure.Code, "hold_until", stamp(e.Until))
	case zoho.Throttled:
		b.send(eventThrottled, name, "hold_until", stamp(e.Until))
	}
}

// send tells Vault's event system in the background; nobody waits for it, and a
// server without one is no error.
func (b *backend) send(kind, name string, more ...string) {
	metadata := append([]string{logical.EventMetadataDataPath, "creds/" + name, "name", name}, more...)
	if kind == eventConnected || kind == eventDeleted {
		metadata = append(metadata, logical.EventMetadataModified, "true")
	}
	b.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := logical.SendEvent(ctx, b.Backend, kind, metadata...); err != nil {
			b.Logger().Trace("an event was not sent", "event", kind, "error", err)
		}
	})
}
