// device.go: the device consent. A read of the credential asks Zoho at most once in each
// interval, and stores the result.

package backend

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// beginDevice completes a consent by device.
func (b *backend) beginDevice(ctx context.Context, c *client, dc zoho.DataCenter, f *fields, p *consent.Consent) error {
	if f.sent("redirect_uri") {
		return refuse("redirect_uri does not go with flow=device; leave it out")
	}
	if len(p.Scopes) == 0 {
		return errNoScopes()
	}
	d, err := c.at(dc).StartDevice(ctx, p.Scopes)
	if e := zoho.AsError(err); e != nil && e.Kind == zoho.Refused && e.About == zoho.AboutClient {
		return refuse("%s: the device flow needs a client of the type \"non-browser application\" in Zoho's API console; or: %s", e.Error(), remedy(e.Kind, e.About, e.Code, ""))
	}
	if err != nil {
		return explain(err, "flow=device")
	}
	now := time.Now().UTC()
	p.RedirectURI, p.State = "", ""
	p.DeviceCode, p.UserCode, p.VerificationURL = d.DeviceCode, d.UserCode, d.VerificationURL
	p.Interval, p.NextPoll, p.Expires = d.Interval, now.Add(d.Interval), now.Add(d.Life).Truncate(time.Second)
	return nil
}

// waiting is the answer while the person has not consented. It does not show the user
// code: with it a reader, who may lack a policy for authorize, could connect an account of
// their own.
func waiting(c *consent.Consent, name string) error {
	return refuse("the consent for %q is waiting until %s: open %s, type the code from the answer of authorize/%s and accept. After that, read again, not before %s", name, stamp(c.Expires), c.VerificationURL, name, stamp(c.NextPoll.Add(time.Second-1)))
}

// deviceConsent follows a pending device consent one step. It returns nil when
// there is none, or when the credential was connected by it; else the error for a
// reader who has no other token.
func (b *backend) deviceConsent(ctx context.Context, s logical.Storage, name string) error {
	// Most names have none, and only a poll is an attempt to obtain a grant.
	if c, err := b.consents.Get(ctx, s, name); err != nil || c == nil || c.Flow != consent.Device || !c.Open() {
		return unreadableConsent(name, err)
	}
	attempt := b.credentials.Begin(name)
	defer b.credentials.End(attempt)
	var readOnly error
	if !b.WriteSafeReplicationState() {
		readOnly = zoho.ErrReadOnly
	}
	c, claimed, err := b.consents.ClaimPoll(ctx, s, name, readOnly)
	switch {
	case err != nil || c == nil:
		return err
	case claimed:
		return b.pollDevice(ctx, s, name, attempt, c)
	case !c.Waits(time.Now()):
		return refuse("the device consent for %q expired at %s before anybody accepted it; start again with authorize/%s flow=device", name, stamp(c.Expires), name)
	}
	return waiting(c, name)
}

// pollDevice asks Zoho once about a device consent that was claimed.
func (b *backend) pollDevice(ctx context.Context, s logical.Storage, name string, attempt *credential.Attempt, c *consent.Consent) error {
	client, err := b.memory.config(ctx, s)
	if err != nil {
		return err
	}
	w := connectRequest{name: name, client: client, storage: s, center: c.DataCenter, change: func(*credential.Settings) error { return nil }}
	// The answer may hold a refresh token that exists nowhere else.
	ctx, cancel := w.detached(ctx)
	defer cancel()
	dc, err := w.place("")
	if err != nil {
		return err
	}
	arrived := w.arrived(gate.DeviceAnswer)
	// The data center of the account is known when Zoho gives a token.
	arrived.ConsentID = c.ID
	admitted, err := gate.Admit(c, arrived, time.Now())
	if err != nil {
		err = gateError(err)
		b.endFailed(ctx, w, c, c, err)
		return err
	}
	if err := b.knowOld(ctx, w); err != nil {
		return err
	}
	epoch := b.keeper.Epochs().Current
	got, err := client.at(dc).PollDevice(ctx, c.DeviceCode)
	if err != nil {
		return b.deviceFailed(ctx, w, admitted, c, err)
	}
	got.Token.Epoch = epoch
	_, _, err = b.finish(ctx, w, obtained{attempt: attempt, admitted: admitted, dc: dc, grantType: credential.GrantDevice, answer: got, stored: c, before: c})
	return err
}

// askLater stores when Zoho may be asked again, and says that the person has not
// consented yet.
func (b *backend) askLater(ctx context.Context, s logical.Storage, name string, c *consent.Consent) error {
	c.NextPoll = time.Now().Add(c.Interval).UTC()
	if err := b.consents.Change(ctx, s, name, c); err != nil {
		return err
	}
	return waiting(c, name)
}

// pollAside follows a device consent that is waiting beside a good credential,
// which is served meanwhile and stays until the new grant has won.
func (b *backend) pollAside(k *known, s logical.Storage) error {
	p := k.device.Load()
	if p == nil {
		return nil
	}
	switch now := time.Now(); {
	case !now.Before(p.Expires):
		k.device.CompareAndSwap(p, nil) // reads of the credential need nothing else
		return nil
	case now.Before(p.NextPoll):
		return nil
	}
	if !b.WriteSafeReplicationState() {
		return zoho.ErrReadOnly // this read goes to a node that can ask
	}
	if !k.device.CompareAndSwap(p, nil) {
		return nil
	}
	b.spawn(func(ctx context.Context) {
		if err := b.deviceConsent(ctx, s, k.name); err != nil {
			b.Logger().Debug("a device consent is waiting", "credential", k.name, "state", err)
		}
		// Read again from storage, where the next question's time is.
		b.memory.forget(credsPrefix + k.name)
	})
	return nil
}

// deviceFailed says what a poll without a token means.
func (b *backend) deviceFailed(ctx context.Context, w connectRequest, admitted *gate.Admitted, c *consent.Consent, err error) error {
	s, name := w.storage, w.name
	e := zoho.AsError(err)
	if e == nil {
		return err
	}
	switch e.Code {
	case zoho.DevicePending:
		return b.askLater(ctx, s, name, c)
	case zoho.DeviceSlowDown:
		c.Interval += zoho.DefaultPollInterval
		return b.askLater(ctx, s, name, c)
	case zoho.DeviceOtherDC:
		return b.followDevice(ctx, w, admitted, c, e.UserLocation)
	}
	if e.Kind != zoho.Refused || e.About != zoho.AboutCode && e.About != zoho.AboutUser {
		// This does not end the consent: config may be corrected while the person can still accept.
		_ = b.askLater(ctx, s, name, c) // if that can't be stored the claim stands, for longer
		b.Logger().Warn("a device consent could not be asked about", "credential", name, "error", err)
		return explain(err, consentAgain(name)+" flow=device")
	}
	why := deviceRefused(name, e)
	b.endFailed(ctx, w, c, c, why)
	return why
}

// followDevice makes later polls ask the data center of the account, if it is the expected
// one.
func (b *backend) followDevice(ctx context.Context, w connectRequest, admitted *gate.Admitted, c *consent.Consent, location string) error {
	dc, err := w.client.dataCenter(location)
	if err != nil {
		return refuse("the person's Zoho account is in data center %q, which this mount does not know; add it to accounts_urls in config, then start again with authorize/%s flow=device", shorten(location), w.name)
	}
	if err := gateError(admitted.Locate(dc.Name)); err != nil {
		b.endFailed(ctx, w, c, c, err)
		return err
	}
	c.DataCenter = dc.Name
	return b.askLater(ctx, w.storage, w.name, c)
}

// deviceRefused says why a device consent ended without a grant.
func deviceRefused(name string, e *zoho.Error) error {
	again := "start again with " + consentAgain(name) + " flow=device"
	refused := &answer{status: http.StatusBadRequest, word: e.Code}
	switch {
	case e.Code == "access_denied":
		refused.result = consent.Declined
		refused.text = fmt.Sprintf("the consent for %q was declined (access_denied); %s", name, again)
	case e.About == zoho.AboutCode:
		refused.text = fmt.Sprintf("the device code for %q is expired or used (%s); %s", name, e.Code, again)
	default:
		refused.text = fmt.Sprintf("%s: %s; %s", e.Error(), remedy(e.Kind, e.About, e.Code, consentAgain(name)), again)
	}
	return refused
}
