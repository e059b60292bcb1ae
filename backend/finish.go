// finish.go: a grant that Zoho has just given is stored. It is noted in the ledger,
// the gate decides, the credential is pointed to it in one write, and its token becomes
// the first of its record. If any of that fails, Zoho is asked to revoke the grant. Logs
// and events come last, so that they delay nothing.

package backend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// obtained is an answer of Zoho that may hold a grant, with the request that led to it.
type obtained struct {
	attempt   *credential.Attempt
	admitted  *gate.Admitted
	dc        zoho.DataCenter
	grantType string
	answer    zoho.Answer
	// code is the fingerprint of the code that was exchanged, if one was.
	code string
	// stored is the consent as it is stored now, before is it as it was before a code was
	// sent; both are nil if none is completed.
	stored, before *consent.Consent
}

// credential is what is stored of the grant.
func (o *obtained) credential(w connectRequest) *credential.Credential {
	next := &credential.Credential{
		ClientID: w.client.ClientID, DataCenter: o.dc.Name, AccountsURL: o.dc.AccountsURL, GrantType: o.grantType,
		RefreshToken: o.answer.RefreshToken, APIDomain: o.answer.Token.APIDomain, Code: o.code,
		Granted: o.answer.Token.Scopes, Connected: o.answer.Received.UTC(),
	}
	if asked := o.admitted.Completes(); asked != nil {
		next.Requested, next.SOID = asked.Scopes, asked.SOID
		next.Organization = asked.Flow == consent.Organization
	}
	return next
}

// finish stores a grant that Zoho has given, and its first token. If it does not keep the
// grant, it stores why as the result of the consent.
func (b *backend) finish(ctx context.Context, w connectRequest, o obtained) (*known, []string, error) {
	next := o.credential(w)
	g := next.LedgerGrant()
	var doubt string
	var err error
	if g.RefreshToken != "" {
		if doubt, err = b.ledger.Keep(ctx, w.storage, g, w.name); err != nil {
			return nil, nil, b.unstored(ctx, w, o, g, err)
		}
	}
	passed, err := o.admitted.Pass(ctx, gate.Obtained{
		GrantID: g.ID, DataCenter: o.dc.Name, RefreshToken: g.RefreshToken != "", Granted: o.answer.Token.Scopes,
		Identity: func(ctx context.Context) (zoho.Person, error) {
			return w.client.at(o.dc).UserInfo(ctx, o.answer.Token.AccessToken)
		},
	})
	if err != nil && g.RefreshToken == "" {
		err = gateError(err) // there is no grant to revoke
		b.endFailed(ctx, w, o.stored, o.before, err)
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, b.unpointed(ctx, w, o, g, doubt, gateError(err))
	}
	var warnings []string
	k := newKnown(w.name, next)
	account := b.account(&derived{account: k.accountOf(w.client.at(o.dc), w.client)}, w.storage)
	err = b.keeper.Adopt(ctx, account, o.answer, func() (err error) {
		k, warnings, err = b.point(ctx, w, o.attempt, passed, next, o.stored)
		return err
	})
	if err != nil {
		return nil, nil, b.unpointed(ctx, w, o, g, doubt, err)
	}
	_, unsettled := b.ledger.Settle(ctx, w.storage, g.ID, w.name, doubt)
	unfinished := b.consents.Finish(ctx, w.storage, w.name, o.stored, success(k, next.Requested, o.answer.Token.Scopes))
	warnings = append(passed.Warnings(), warnings...)
	if err := errors.Join(unsettled, unfinished); err != nil {
		// The sweep brings both to their end.
		b.Logger().Warn("a consent was not finished in storage yet", "credential", w.name, "error", err)
	}
	b.connected(w.name, o.dc, o.grantType, o.answer.Token)
	b.learnPerson(ctx, w, k, o.dc, o.answer.Token, passed.Person())
	return k, warnings, nil
}

// point makes a name's credential point to a grant that passed the gate. claimed is the
// consent that the grant answers, nil if it needs none.
func (b *backend) point(ctx context.Context, w connectRequest, attempt *credential.Attempt, passed gate.Passed, next *credential.Credential, claimed *consent.Consent) (k *known, warnings []string, err error) {
	con := credential.Connection{Passed: passed, Create: w.create, Edit: w.change, Claimed: b.stillClaimed(ctx, w, claimed)}
	superseded := ""
	if claimed != nil {
		con.ConsentID = claimed.ID
	} else {
		con.Connected = func() { superseded = b.supersede(ctx, w) }
	}
	err = b.whileInForce(ctx, w, func() error {
		connected, err := b.credentials.Connect(ctx, w.storage, attempt, next, con)
		if err == nil {
			k = newKnown(w.name, connected)
		}
		return gateError(err)
	})
	if superseded != "" {
		warnings = []string{superseded}
		b.spawn(func(context.Context) {
			b.Logger().Warn("a consent was superseded", "credential", w.name, "reason", superseded)
		})
	}
	return k, warnings, err
}

// whileInForce runs work while config names the client of a request: it may have changed
// while Zoho was asked.
func (b *backend) whileInForce(ctx context.Context, w connectRequest, work func() error) error {
	b.configuring.use()
	defer b.configuring.used()
	c, err := b.memory.config(ctx, w.storage)
	if err != nil {
		return err // deleted meanwhile
	}
	if c.ClientID != w.client.ClientID {
		return refuse("client_id in config was changed while Zoho was asked, so nothing was connected; start again with authorize/%s", w.name)
	}
	return work()
}

// supersede ends the consent of a name that was just connected without it: its link, or
// the code that is being exchanged for it, would replace the new grant. The lock of the
// name is held. It returns a warning for the caller, empty if there was no such consent.
func (b *backend) supersede(ctx context.Context, w connectRequest) string {
	ended, err := b.consents.Supersede(ctx, w.storage, w.name)
	switch {
	case store.Unreadable(err): // nothing can complete it
		return ""
	case err != nil:
		return fmt.Sprintf("a consent for %q may still wait, because it could not be ended in Vault's storage (%s); if a person completes it, its grant replaces this one. Withdraw it with a delete of authorize/%s", w.name, b.told(err), w.name)
	case ended == nil:
		return ""
	}
	return fmt.Sprintf("the consent for %q that was started at %s%s was ended, because the credential was connected without it: its link no longer works", w.name, stamp(ended.Started), startedBy(ended))
}

func (b *backend) connected(name string, dc zoho.DataCenter, grantType string, token *zoho.Token) {
	b.metrics.connected.Add(1)
	b.Logger().Info("credential connected", "credential", name, "data_center", dc.Name, "grant_type", grantType,
		"scopes", zoho.FormatScopes(token.Scopes), "token_fingerprint", b.memory.tokenFingerprint(token.AccessToken))
	b.send(eventConnected, name, "data_center", dc.Name, "grant_type", grantType)
}

// unpointed revokes a grant that the ledger has and no credential points to, and ends its
// consent. Settle checks whether the credential was written despite the error.
func (b *backend) unpointed(ctx context.Context, w connectRequest, o obtained, g ledger.Grant, doubt string, cause error) error {
	// If storage hung, the time of the write is over.
	revoking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*w.client.RequestTimeout)
	defer cancel()
	held, err := b.ledger.Settle(revoking, w.storage, g.ID, w.name, doubt)
	if err == nil && !held {
		_, err = b.ledger.Revoke(revoking, w.storage, g.ID)
	}
	var told *answer
	errors.As(cause, &told)
	why := notKept(w, o.dc, cause, held, err)
	b.endFailed(ctx, w, o.stored, o.before, why)
	if told != nil {
		b.Logger().Warn("a new grant is not kept", "credential", w.name, "error", cause, "unrevoked", err)
	} else {
		b.logUnstored(w.name, cause, err)
	}
	return why
}

// notKept says why no credential points to a new grant. held: one does, despite the cause.
// unrevoked is why the grant is not revoked yet, nil if it is.
func notKept(w connectRequest, dc zoho.DataCenter, cause error, held bool, unrevoked error) error {
	var told *answer
	errors.As(cause, &told)
	switch {
	case held:
		return refuse("the consent succeeded, and credential %q is connected, but Vault's storage failed on the way; see status/%s", w.name, w.name)
	case unrevoked != nil && told != nil:
		later := *told
		later.text += fmt.Sprintf("; the new grant is not yet revoked at %s; this is retried until Zoho agrees, and list retired shows the grant", hostOf(dc))
		return &later
	case unrevoked != nil:
		return refuse("the consent succeeded, but Vault could not store the grant, and the grant is not yet revoked at %s; this is retried until Zoho agrees. Fix Vault's storage, then start again with authorize/%s", hostOf(dc), w.name)
	case told != nil:
		return cause
	}
	return takenBack(w, dc)
}

func takenBack(w connectRequest, dc zoho.DataCenter) error {
	return refuse("the consent succeeded, but Vault could not store the grant, so it was revoked at %s again; what was stored before is unchanged; fix Vault's storage, then start again with authorize/%s", hostOf(dc), w.name)
}

// unstored revokes a grant that could not be stored, and ends its consent.
func (b *backend) unstored(ctx context.Context, w connectRequest, o obtained, g ledger.Grant, cause error) error {
	revoking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*w.client.RequestTimeout)
	defer cancel()
	var err error
	for wait := time.Second; ; wait *= 2 {
		if err = w.client.at(o.dc).Revoke(revoking, g.RefreshToken, zoho.RefreshToken); err == nil || wait > 4*time.Second {
			break
		}
		select {
		case <-revoking.Done():
		case <-time.After(wait):
		}
	}
	why := takenBack(w, o.dc)
	if err != nil {
		b.ledger.Owe(g, w.name)
		why = refuse("the consent succeeded, but Vault could not store the grant, and the grant is not yet revoked at %s; this is retried until Zoho agrees, but only while this Vault process runs. If it stops before, remove the app under Connected Apps in the Zoho account. Fix Vault's storage, then start again with authorize/%s", hostOf(o.dc), w.name)
	}
	b.endFailed(ctx, w, o.stored, o.before, why)
	b.logUnstored(w.name, cause, err)
	return why
}

func (b *backend) logUnstored(name string, cause, unrevoked error) {
	b.Logger().Error("a new grant could not be stored", "credential", name, "error", cause, "unrevoked", unrevoked)
}
