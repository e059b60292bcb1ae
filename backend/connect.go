// How does a consent become a stored credential? The code is spent exactly once,
// what Zoho gave for it is stored at once, and nothing good is lost on the way.

package backend

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// consent checks a code against the consent that is pending for the name. It
// returns nil when there is none and none is needed.
func (b *backend) consent(ctx context.Context, w connectRequest) (*pending, error) {
	var p pending
	err := get(ctx, w.storage, pendingPrefix+w.name, &p)
	switch {
	case err == nil && p.Flow == flowSpent && w.callback.Code != "" && p.Spent == zoho.Fingerprint(string(w.callback.Code)):
		return nil, usedCode(w.name)
	case errors.Is(err, errAbsent) && w.callback.State != "", err == nil && p.Flow == flowSpent && w.callback.State != "":
		return nil, refuse("this state belongs to no consent that is waiting for %q: it was used already, or was started for another name; start again with authorize/%s", w.name, w.name)
	case errors.Is(err, errAbsent), err == nil && p.Flow == flowSpent:
		return nil, nil
	case err != nil:
		return nil, err
	case p.Flow == flowDevice && w.callback.State == "":
		return nil, nil // a code from elsewhere may win over a device consent
	case !time.Now().Before(p.Expires):
		if err := w.storage.Delete(ctx, pendingPrefix+w.name); err != nil {
			return nil, err
		}
		if w.callback.State == "" {
			return nil, nil
		}
		return nil, refuse("the consent for %q expired at %s; start again with authorize/%s", w.name, stamp(p.Expires), w.name)
	case p.Flow == flowScopes && w.callback.State == "" && w.callback.Enhanced:
		return &p, nil // Zoho does not promise a state here; the grant itself will show
	case w.callback.State == "":
		return nil, refuse("a consent for %q is waiting until %s, and what was written carries no state; write the whole address that the browser landed on as callback_url, or pass its state", w.name, stamp(p.Expires))
	case subtle.ConstantTimeCompare([]byte(p.State), []byte(w.callback.State)) != 1:
		return nil, refuse("the state is not that of the consent that is waiting for %q; write the address of the consent started last, or start again with authorize/%s", w.name, w.name)
	}
	return &p, nil
}

func usedCode(name string) error {
	return refuse("this code was used already, and a code is good for one try; get a new one with authorize/%s, or in the self client tab of Zoho's API console", name)
}

// connect trades a code for a grant and stores it.
func (b *backend) connect(ctx context.Context, w connectRequest) (*known, []string, error) {
	// From here on the work is finished whether or not the caller stays: a code is
	// spent once, and what it bought must be stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.client.RequestTimeout+20*time.Second)
	defer cancel()
	var p *pending
	var dc zoho.DataCenter
	var replaced replaced
	err := b.locked(w.name, func() (err error) {
		if p, err = b.consent(ctx, w); err != nil || w.callback.Code == "" {
			return err
		}
		fallback := ""
		if p != nil {
			fallback = p.DataCenter
		}
		if dc, err = w.place(fallback); err != nil {
			return err
		}
		// The old grant is noted for retirement before the code is spent, so that a
		// crash after storing the new one leaks nothing. While the old one is in use
		// the note is void.
		if replaced, err = b.noteReplaced(ctx, w); err != nil {
			return err
		}
		// From here on the state and the code count as used. That this can be stored
		// shows that the grant can.
		spent := pending{Flow: flowSpent, Spent: zoho.Fingerprint(string(w.callback.Code))}
		if !b.spent.spend(spent.Spent) {
			return usedCode(w.name)
		}
		if err := put(ctx, w.storage, pendingPrefix+w.name, &spent); err != nil {
			b.spent.takeBack(spent.Spent)
			return err
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, nil, err
	case p != nil && p.Flow == flowScopes:
		return b.finishScopes(ctx, w, p)
	case w.callback.Err != "":
		return nil, nil, b.declined(ctx, w, p)
	case w.callback.Code == "":
		return nil, nil, refuse("the callback address carries no code; start again with authorize/%s", w.name)
	}
	redirect, verifier := w.redirectURI, ""
	var requested []string
	if p != nil {
		redirect, verifier, requested = firstOf(w.redirectURI, p.RedirectURI), string(p.Verifier), p.Scopes
	} else if w.fromCallback {
		redirect = w.client.RedirectURI
	}
	got, err := w.client.at(dc).Exchange(ctx, w.callback.Code, redirect, verifier)
	if err != nil {
		b.retired.drop(ctx, w.storage, replaced.note)
		return nil, nil, b.exchangeFailed(ctx, w, p, err)
	}
	return b.keep(ctx, w, dc, grantCode, requested, got, replaced)
}

// keep stores the grant that a consent bought, and its first token.
func (b *backend) keep(ctx context.Context, w connectRequest, dc zoho.DataCenter, grantType string, requested []string, got zoho.Answer, replaced replaced) (*known, []string, error) {
	if got.RefreshToken == "" {
		b.retired.drop(ctx, w.storage, replaced.note)
		return nil, nil, refuse("%s gave an access token but no refresh token, so nothing could be kept: the consent was not asked for offline access; start it with authorize/%s, which asks for access_type=offline and prompt=consent", hostOf(dc), w.name)
	}
	k := &known{name: w.name, credential: credential{
		ClientID: w.client.ClientID, DataCenter: dc.Name, AccountsURL: dc.AccountsURL, GrantType: grantType,
		RefreshToken: got.RefreshToken, APIDomain: got.Token.APIDomain,
		Requested: requested, Granted: got.Token.Scopes, Connected: got.Received.UTC(),
	}}
	if err := b.replace(ctx, w, k, replaced); err != nil {
		return nil, nil, b.unstored(ctx, w, dc, k, err)
	}
	warnings := scopeWarnings(requested, got.Token.Scopes)
	if d, err := k.derive(w.client); err == nil {
		if err := b.keeper.Install(ctx, b.account(d, w.storage), got); err != nil {
			b.Logger().Warn("the first access token was not stored; the next read mints another", "credential", w.name, "error", err)
		}
	}
	b.connected(w.name, dc, grantType, got.Token)
	b.learnPerson(ctx, w, k, dc, got.Token)
	return k, warnings, nil
}

func (b *backend) connected(name string, dc zoho.DataCenter, grantType string, token *zoho.Token) {
	b.metrics.connected.Add(1)
	b.Logger().Info("credential connected", "credential", name, "data_center", dc.Name, "grant_type", grantType,
		"scopes", zoho.FormatScopes(token.Scopes), "token_fingerprint", b.memory.tokenFingerprint(token.AccessToken))
	b.send(eventConnected, name, "data_center", dc.Name, "grant_type", grantType)
}
