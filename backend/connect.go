// How does a consent become a stored credential? The code is spent exactly once,
// what Zoho gave for it is stored at once, and nothing good is lost on the way.

package backend

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// connectRequest is one write to creds/<name>, read and checked.
type connectRequest struct {
	name    string
	client  *client
	storage logical.Storage
	change  func(*settings) error

	callback     zoho.Callback
	fromCallback bool
	redirectURI  string
	center       string
	refreshToken zoho.Secret
	scopes       []string
	soid         string
}

// read takes the source of a grant from the fields: "code", "refresh_token",
// "client_credentials", or "" for settings alone.
func (w *connectRequest) read(f *fields) (string, error) {
	var callbackURL, code, grantType string
	f.text("callback_url", &callbackURL)
	f.text("code", &code)
	f.secret("refresh_token", &w.refreshToken)
	f.text("redirect_uri", &w.redirectURI)
	f.text("data_center", &w.center)
	f.text("state", &w.callback.State)
	f.text("accounts_server", &w.callback.AccountsServer)
	f.text("grant_type", &grantType)
	f.scopes("scopes", &w.scopes)
	f.text("soid", &w.soid)
	if f.err != nil {
		return "", f.err
	}
	if strings.Contains(code, "://") && callbackURL == "" {
		callbackURL, code = code, "" // the whole address was pasted
	}
	sources := 0
	for _, given := range []bool{callbackURL != "", code != "", w.refreshToken != "", grantType == grantClient} {
		if given {
			sources++
		}
	}
	belongs := func(source string, fields ...string) error {
		for _, name := range []string{"state", "redirect_uri", "data_center", "accounts_server", "scopes", "soid"} {
			if f.sent(name) && !slices.Contains(fields, name) {
				return refuse("field %q does not go with %s; leave it out", name, source)
			}
		}
		return nil
	}
	switch {
	case sources > 1:
		return "", refuse("a write takes one source of a grant; give only one of callback_url, code, refresh_token and grant_type=client_credentials")
	case grantType != "" && grantType != grantClient:
		return "", refuse("grant_type %q is not needed or not known; with callback_url, code or refresh_token leave it out, for a self client's own credentials write client_credentials", shorten(grantType))
	case grantType == grantClient && len(w.scopes) == 0:
		return "", refuse("scopes are missing; client credentials are minted for the scopes named here, such as ZohoCRM.modules.READ")
	case grantType == grantClient:
		return grantClient, belongs("client credentials", "data_center", "scopes", "soid")
	case callbackURL != "":
		callback, err := zoho.ParseCallback(callbackURL)
		if err != nil {
			return "", refuse("%s", err)
		}
		w.callback, w.fromCallback = callback, true
		return "code", belongs("callback_url, which says it itself")
	case code != "":
		w.callback.Code = zoho.Secret(code)
		return "code", belongs("code", "state", "redirect_uri", "data_center", "accounts_server")
	case w.refreshToken != "":
		if strings.ContainsAny(string(w.refreshToken), " \t\r\n\"'") {
			return "", refuse("refresh_token holds spaces or quotes; paste the token alone")
		}
		return "refresh_token", belongs("refresh_token", "data_center")
	case f.sent("callback_url") || f.sent("code") || f.sent("refresh_token"):
		return "", refuse("the source of the grant is empty; give callback_url, code or refresh_token")
	}
	return "", belongs("settings alone")
}

// place decides the data centre to which a code or refresh token is sent. Nothing
// in a callback is trusted beyond choosing a row of the table.
func (w *connectRequest) place(fallback string) (zoho.DataCenter, error) {
	dc, named, err := w.callback.DataCenter(w.client.table)
	if err != nil {
		return dc, refuse("%s", err)
	}
	if w.center != "" {
		chosen, err := w.client.dataCenter(w.center)
		if err != nil {
			return dc, err
		}
		if named && chosen.AccountsURL != dc.AccountsURL {
			return dc, refuse("data_center says %s, the accounts server given belongs to %s; leave data_center out", chosen.Name, dc.Name)
		}
		dc, named = chosen, true
	}
	if !named {
		if dc, err = w.client.dataCenter(firstOf(fallback, w.client.DataCenter)); err != nil {
			return dc, err
		}
	}
	if w.client.secret(dc.Name) == "" {
		return dc, noSecret(dc, w.name)
	}
	return dc, nil
}

func noSecret(dc zoho.DataCenter, name string) error {
	return refuse("there is no client secret for data center %q; add it to client_secrets in config (in Zoho's API console: the client's Settings tab), then start again with authorize/%s", dc.Name, name)
}

// consent checks a code against the consent that is pending for the name. It
// returns an empty one when there is none and none is needed.
func (b *backend) consent(ctx context.Context, w connectRequest) (*pending, error) {
	var p pending
	err := get(ctx, w.storage, pendingPrefix+w.name, &p)
	switch {
	case err == nil && p.Flow == flowSpent && w.callback.Code != "" && p.Spent == zoho.Fingerprint(string(w.callback.Code)):
		return nil, refuse("this code was used already, and a code is good for one try; get a new one with authorize/%s, or in the self client tab of Zoho's API console", w.name)
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
		return put(ctx, w.storage, pendingPrefix+w.name, &spent)
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
		return nil, nil, b.unstored(ctx, w, dc, got.RefreshToken, err)
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

// profileScope lets a token be asked whose it is.
const profileScope = "AaaServer.profile.READ"

// learnPerson notes whose account it is, where the scopes let that be asked: Zoho
// counts grants per user. Not knowing is no failure.
func (b *backend) learnPerson(ctx context.Context, w connectRequest, k *known, dc zoho.DataCenter, token *zoho.Token) {
	if !slices.ContainsFunc(token.Scopes, func(s string) bool { return strings.EqualFold(s, profileScope) }) {
		return
	}
	person, err := w.client.at(dc).UserInfo(ctx, token.AccessToken)
	if err != nil {
		b.Logger().Debug("whose account it is could not be learnt", "credential", w.name, "error", err)
		return
	}
	b.notePerson(ctx, w.storage, k, person)
}

// notePerson stores whose account a grant is in, if that is news.
func (b *backend) notePerson(ctx context.Context, s logical.Storage, k *known, person zoho.Person) {
	err := b.locked(k.name, func() error {
		now, err := b.memory.credential(ctx, s, k.name)
		if err != nil || now.RefreshToken != k.RefreshToken || now.Person == person {
			return err
		}
		next := &known{name: k.name, credential: now.credential}
		next.Person = person
		return b.storeCredential(ctx, s, next)
	})
	if err != nil {
		b.Logger().Debug("whose account it is could not be stored", "credential", k.name, "error", err)
	}
}

// declined ends a consent to which the person, or Zoho, said no.
func (b *backend) declined(ctx context.Context, w connectRequest, p *pending) error {
	if p != nil {
		if err := w.storage.Delete(ctx, pendingPrefix+w.name); err != nil {
			return err
		}
	}
	if w.callback.Err == "access_denied" {
		return refuse("the consent was declined (access_denied): the person chose reject, or Zoho's limit of ten codes in ten minutes was reached; start again with authorize/%s", w.name)
	}
	return refuse("Zoho ended the consent with an error; start again with authorize/%s", w.name)
}

// exchangeFailed says what became of the code. After the request was sent every
// failure is a 400: API clients send a write again on 429 and 5xx, and a code must
// not be tried twice.
func (b *backend) exchangeFailed(ctx context.Context, w connectRequest, p *pending, err error) error {
	e := zoho.AsError(err)
	b.Logger().Warn("a code was not exchanged", "credential", w.name, "error", err)
	if e != nil && !e.Sent {
		if p == nil {
			p = &pending{Flow: flowSpent} // none was
		}
		if err := b.storePending(ctx, w.storage, w.name, p); err != nil {
			return err
		}
		return &answer{status: http.StatusServiceUnavailable, text: fmt.Sprintf("%s; the code is not spent, write it again within its one to three minutes", e.Error())}
	}
	if e == nil {
		return err
	}
	text, again := e.Error(), consentAgain(w.name)
	if p == nil {
		again = codeAgain(w.name)
	}
	switch e.Kind {
	case zoho.Refused:
		text += ": " + remedy(e.Kind, e.About, e.Code, again)
	case zoho.Throttled:
		text += ": Zoho's limit of ten codes or tokens in ten minutes was reached; wait ten minutes, then get a new code with " + again
	default:
		text += ": whether the code was spent is not known, so it is not tried again; get a new code with " + again
	}
	if !strings.Contains(text, again) {
		text += ", then get a new code with " + again
	}
	return refuse("%s", text)
}

// unstored takes back a grant that could not be stored.
func (b *backend) unstored(ctx context.Context, w connectRequest, dc zoho.DataCenter, refreshToken zoho.Secret, cause error) error {
	b.Logger().Error("a new grant could not be stored", "credential", w.name, "error", cause)
	if err := w.client.at(dc).Revoke(ctx, refreshToken, zoho.RefreshToken); err != nil {
		b.Logger().Error("nor could it be revoked", "credential", w.name, "error", err)
		return refuse("the consent succeeded, but Vault could not store the grant, and it could not be revoked at %s either; remove the app under Connected Apps in the Zoho account, then start again with authorize/%s", hostOf(dc), w.name)
	}
	return refuse("the consent succeeded, but Vault could not store the grant, so it was revoked at %s again; what was stored before is unchanged; mend Vault's storage, then start again with authorize/%s", hostOf(dc), w.name)
}

// prove stores a refresh token that somebody else obtained, or client credentials,
// once they have proven themselves by one mint.
func (b *backend) prove(ctx context.Context, w connectRequest, grantType string) (*known, []string, error) {
	dc, err := w.place("")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.client.RequestTimeout+20*time.Second)
	defer cancel()
	k := &known{name: w.name, credential: credential{
		ClientID: w.client.ClientID, DataCenter: dc.Name, AccountsURL: dc.AccountsURL, GrantType: grantType,
		RefreshToken: w.refreshToken, Requested: w.scopes, SOID: w.soid,
	}}
	d, err := k.derive(w.client)
	if err != nil {
		return nil, nil, err
	}
	account := b.account(d, w.storage)
	token, err := b.keeper.Prove(ctx, account)
	if err != nil {
		if grantType == grantRefresh {
			b.retired.forgetUnused(ctx, w.storage, account.ID, w.name)
		}
		return nil, nil, explain(err, k.again())
	}
	k.APIDomain, k.Granted, k.Connected = token.APIDomain, token.Scopes, time.Now().UTC()
	k.derived.Store(nil)
	replaced, err := b.noteReplaced(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	if err := b.replace(ctx, w, k, replaced); err != nil {
		return nil, nil, err
	}
	b.connected(w.name, dc, grantType, token)
	b.learnPerson(ctx, w, k, dc, token)
	return k, scopeWarnings(w.scopes, token.Scopes), nil
}

// replaced is what a new grant takes the place of.
type replaced struct {
	old        *known        // nil if there is nothing
	note       *retiredGrant // of old's grant
	generation uint64        // of memory, when this was looked up
}

// noteReplaced looks up what is about to be replaced, and notes that its grant
// will have to go.
func (b *backend) noteReplaced(ctx context.Context, w connectRequest) (r replaced, err error) {
	r.generation = b.memory.generation()
	r.old, err = b.memory.credential(ctx, w.storage, w.name)
	switch {
	case isAbsent(err):
		r.old, err = nil, nil
	case err == nil && r.old.RefreshToken != "": // client credentials have nothing to revoke
		r.note, err = b.retired.note(ctx, w.storage, w.client, r.old, false, true)
	}
	return r, err
}

// replace stores a new grant. What it replaces is looked up again only if
// something changed since: while what Zoho gave is in memory alone, the first
// thing to touch storage is the write that keeps it.
func (b *backend) replace(ctx context.Context, w connectRequest, k *known, r replaced) error {
	return b.locked(w.name, func() (err error) {
		if b.memory.generation() != r.generation {
			if r, err = b.noteReplaced(ctx, w); err != nil {
				return err
			}
		}
		k.Created = k.Connected
		if r.old != nil {
			k.Created, k.settings = r.old.Created, r.old.settings
		}
		if err := w.change(&k.settings); err != nil {
			return err
		}
		if err := b.storeCredential(ctx, w.storage, k); err != nil {
			// A write may be done and fail to say so.
			var stored credential
			if get(ctx, w.storage, credsPrefix+w.name, &stored) != nil || stored.RefreshToken != k.RefreshToken {
				return err
			}
			b.Logger().Warn("storage said that a write failed which is there", "credential", w.name, "error", err)
		}
		d, err := k.derive(w.client)
		if err != nil || k.RefreshToken == "" {
			return err
		}
		// After the credential: until then what Zoho gave is in memory alone.
		if err := put(ctx, w.storage, holderKey(d.account.ID, w.name), &holder{}); err != nil {
			b.Logger().Warn("the holder of a grant was not noted; before importing its refresh token elsewhere, connect it again", "credential", w.name, "error", err)
		}
		return nil
	})
}

// rotated stores a refresh token that came with a refresh in place of the old one.
func (b *backend) rotated(ctx context.Context, s logical.Storage, name string, before, after zoho.Secret) error {
	return b.locked(name, func() error {
		old, err := b.memory.credential(ctx, s, name)
		if err != nil || old.RefreshToken != before {
			return err
		}
		k := &known{name: name, credential: old.credential}
		k.RefreshToken, k.Connected = after, time.Now().UTC()
		b.Logger().Info("Zoho replaced the refresh token", "credential", name)
		return b.storeCredential(ctx, s, k)
	})
}

func scopeWarnings(requested, granted []string) []string {
	if len(requested) == 0 || len(granted) == 0 {
		return nil
	}
	if missing := zoho.MissingScopes(requested, granted); len(missing) > 0 {
		return []string{"Zoho did not grant " + zoho.FormatScopes(missing) + "; calls that need it will fail. Check the scopes' spelling and the account's rights, then connect again"}
	}
	return nil
}

func hostOf(dc zoho.DataCenter) string {
	_, host, _ := strings.Cut(dc.AccountsURL, "://")
	return host
}
