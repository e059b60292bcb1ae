// What becomes of a grant that Zoho has just given? It is noted in the ledger, the
// credential is pointed to it in one write, and its token is the first on its shelf.
// If that can't be, Zoho is told to take it back. Logs and events come last: nothing
// that must happen waits behind them.

package backend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/zoho"
)

// keep stores the grant that a consent bought, and its first token.
// asked is what was asked for, nil if that is not known; finishes is what is stored of it now.
func (b *backend) keep(ctx context.Context, w connectRequest, attempt *attempt, dc zoho.DataCenter, grantType string, asked *consent.Consent, got zoho.Answer, finishes *consent.Consent) (*known, []string, error) {
	if got.RefreshToken == "" {
		return nil, nil, refuse("%s gave an access token but no refresh token, so nothing could be kept: the consent was not asked for offline access; start it with authorize/%s, which asks for access_type=offline and prompt=consent", hostOf(dc), w.name)
	}
	if asked == nil {
		asked = &consent.Consent{}
	}
	next := &credential{
		ClientID: w.client.ClientID, DataCenter: dc.Name, AccountsURL: dc.AccountsURL, GrantType: grantType,
		RefreshToken: got.RefreshToken, APIDomain: got.Token.APIDomain, Code: finishes.Spent,
		Requested: asked.Scopes, Granted: got.Token.Scopes, Connected: got.Received.UTC(),
		Organization: asked.Flow == consent.Organization, SOID: asked.SOID,
	}
	g := next.ledgerGrant()
	doubt, err := b.ledger.Keep(ctx, w.storage, g, w.name)
	if err != nil {
		return nil, nil, b.unstored(ctx, w, dc, g, err)
	}
	var person zoho.Person
	if asked.ExpectedUser != "" {
		if person, err = w.whose(ctx, dc, got.Token, asked); err != nil {
			return nil, nil, b.unpointed(ctx, w, dc, g, doubt, err)
		}
	}
	k := &known{name: w.name, credential: *next}
	account := b.account(&derived{account: k.accountOf(w.client.at(dc), w.client)}, w.storage)
	err = b.keeper.Adopt(ctx, account, got, func() (err error) {
		k, err = b.point(ctx, w, attempt, next)
		return err
	})
	if err != nil {
		return nil, nil, b.unpointed(ctx, w, dc, g, doubt, err)
	}
	_, unsettled := b.ledger.Settle(ctx, w.storage, g.ID, w.name, doubt)
	unfinished := b.consents.Finish(ctx, w.storage, w.name, finishes, success(k, asked.Scopes, got.Token.Scopes))
	if err := errors.Join(unsettled, unfinished); err != nil {
		// The sweep brings both to their end.
		b.Logger().Warn("a consent was not finished in storage yet", "credential", w.name, "error", err)
	}
	b.connected(w.name, dc, grantType, got.Token)
	if person.ZUID != "" {
		b.notePerson(ctx, w.storage, k, person)
	} else {
		b.learnPerson(ctx, w, k, dc, got.Token)
	}
	return k, scopeWarnings(asked.Scopes, got.Token.Scopes), nil
}

// point makes a name's credential point to a new grant, unless it was deleted while
// that was obtained.
func (b *backend) point(ctx context.Context, w connectRequest, attempt *attempt, next *credential) (*known, error) {
	b.configuring.use()
	defer b.configuring.used()
	if _, err := b.memory.config(ctx, w.storage); err != nil {
		return nil, err // deleted meanwhile
	}
	return b.credentials.change(ctx, w.storage, w.name, func(old *known) (*credential, error) {
		if attempt.cancelled {
			return nil, refuse("credential %q was deleted while Zoho was asked, so nothing was connected; start again with authorize/%s", w.name, w.name)
		}
		if old == nil {
			next.succeed(nil, true)
		} else {
			next.succeed(&old.credential, true)
		}
		return next, w.change(&next.settings)
	})
}

func (b *backend) connected(name string, dc zoho.DataCenter, grantType string, token *zoho.Token) {
	b.metrics.connected.Add(1)
	b.Logger().Info("credential connected", "credential", name, "data_center", dc.Name, "grant_type", grantType,
		"scopes", zoho.FormatScopes(token.Scopes), "token_fingerprint", b.memory.tokenFingerprint(token.AccessToken))
	b.send(eventConnected, name, "data_center", dc.Name, "grant_type", grantType)
}

// unpointed takes back a grant that the ledger knows and no credential points to.
// Whether the write was done all the same is for Settle to see.
func (b *backend) unpointed(ctx context.Context, w connectRequest, dc zoho.DataCenter, g ledger.Grant, doubt string, cause error) error {
	// Storage that hung has used up the time of the write.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*w.client.RequestTimeout)
	defer cancel()
	held, err := b.ledger.Settle(ctx, w.storage, g.ID, w.name, doubt)
	if err == nil && !held {
		_, err = b.ledger.Revoke(ctx, w.storage, g.ID)
	}
	var told *answer
	if errors.As(cause, &told) {
		b.Logger().Warn("a new grant is not kept", "credential", w.name, "error", cause, "unrevoked", err)
	} else {
		b.Logger().Error("a new grant could not be stored", "credential", w.name, "error", cause, "unrevoked", err)
	}
	switch {
	case held:
		return refuse("the consent succeeded, and credential %q is connected, but Vault's storage failed on the way; see status/%s", w.name, w.name)
	case err != nil && told != nil:
		later := *told
		later.text += fmt.Sprintf("; the grant that came of it is not yet revoked at %s, which is retried until Zoho agrees", hostOf(dc))
		return &later
	case err != nil:
		return refuse("the consent succeeded, but Vault could not store the grant, and it is not yet revoked at %s either; that is retried until Zoho agrees. Start again with authorize/%s", hostOf(dc), w.name)
	case told != nil:
		return cause
	}
	return takenBack(w, dc)
}

func takenBack(w connectRequest, dc zoho.DataCenter) error {
	return refuse("the consent succeeded, but Vault could not store the grant, so it was revoked at %s again; what was stored before is unchanged; mend Vault's storage, then start again with authorize/%s", hostOf(dc), w.name)
}

// unstored takes back a grant that could not be stored at all.
func (b *backend) unstored(ctx context.Context, w connectRequest, dc zoho.DataCenter, g ledger.Grant, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*w.client.RequestTimeout)
	defer cancel()
	var err error
	for wait := time.Second; ; wait *= 2 {
		if err = w.client.at(dc).Revoke(ctx, g.RefreshToken, zoho.RefreshToken); err == nil || wait > 4*time.Second {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	if err != nil {
		b.ledger.Owe(g, w.name)
	}
	b.Logger().Error("a new grant could not be stored", "credential", w.name, "error", cause, "unrevoked", err)
	if err != nil {
		return refuse("the consent succeeded, but Vault could not store the grant, and it is not yet revoked at %s either; that is retried until Zoho agrees, for as long as this Vault runs: if it stops before, remove the app under Connected Apps in the Zoho account. Start again with authorize/%s", hostOf(dc), w.name)
	}
	return takenBack(w, dc)
}
