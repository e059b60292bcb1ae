// How is a device consent followed to its end? Reading the credential asks Zoho at
// most once in its interval, and keeps what comes of it.

package backend

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// beginDevice completes a consent by device.
func (b *backend) beginDevice(ctx context.Context, c *client, dc zoho.DataCenter, f *fields, p *pending) error {
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

// waiting is the answer while the person has not consented.
func waiting(p *pending, name string) error {
	return refuse("the consent for %q is waiting: open %s, type the code %s and accept, until %s; then read again", name, p.VerificationURL, p.UserCode, stamp(p.Expires))
}

// deviceConsent follows a pending device consent one step. It returns nil when
// there is none, or when the credential was connected by it; else what to tell a
// reader who has no other token.
func (b *backend) deviceConsent(ctx context.Context, s logical.Storage, name string) error {
	p, claimed, err := b.claimPoll(ctx, s, name)
	if err != nil || p == nil {
		return err
	}
	if !claimed {
		return waiting(p, name)
	}
	c, err := b.memory.config(ctx, s)
	if err != nil {
		return err
	}
	// The answer may hold a refresh token that exists nowhere else.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.RequestTimeout+20*time.Second)
	defer cancel()
	w := connectRequest{name: name, client: c, storage: s, center: p.DataCenter, change: func(*settings) error { return nil }}
	dc, err := w.place("")
	if err != nil {
		return err
	}
	replaced, err := b.noteReplaced(ctx, w)
	if err != nil {
		return err
	}
	got, err := c.at(dc).PollDevice(ctx, p.DeviceCode)
	if err != nil {
		b.retired.drop(ctx, s, replaced.note)
		return b.deviceFailed(ctx, s, name, p, err)
	}
	if _, _, err := b.keep(ctx, w, dc, grantDevice, p.Scopes, got, replaced); err != nil {
		return err
	}
	return b.endDevice(ctx, s, name, p)
}

// askLater stores when Zoho may be asked again, and says that the person has not
// consented yet.
func (b *backend) askLater(ctx context.Context, s logical.Storage, name string, p *pending) error {
	p.NextPoll = time.Now().Add(p.Interval).UTC()
	if err := b.stillPending(ctx, s, name, p, func() error { return put(ctx, s, pendingPrefix+name, p) }); err != nil {
		return err
	}
	return waiting(p, name)
}

// endDevice forgets a device consent that has come to its end.
func (b *backend) endDevice(ctx context.Context, s logical.Storage, name string, p *pending) error {
	return b.stillPending(ctx, s, name, p, func() error { return s.Delete(ctx, pendingPrefix+name) })
}

// stillPending runs work unless another consent was started, or finished, since.
func (b *backend) stillPending(ctx context.Context, s logical.Storage, name string, p *pending, work func() error) error {
	defer b.memory.forget(credsPrefix + name)
	return b.locked(name, func() error {
		var now pending
		err := get(ctx, s, pendingPrefix+name, &now)
		if errors.Is(err, errAbsent) || err == nil && now.DeviceCode != p.DeviceCode {
			return nil
		}
		if err != nil {
			return err
		}
		return work()
	})
}

// pollAside follows a device consent that is waiting beside a good credential,
// which is served meanwhile and stays until the new grant has won.
func (b *backend) pollAside(k *known, s logical.Storage) error {
	p := k.device.Load()
	if p == nil {
		return nil
	}
	if now := time.Now(); now.Before(p.NextPoll) || !now.Before(p.Expires) {
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

// claimPoll returns the pending device consent and whether this reader may ask
// Zoho about it. The claim is stored before the question, so that no two nodes or
// readers ask within one interval.
func (b *backend) claimPoll(ctx context.Context, s logical.Storage, name string) (claimedPending *pending, claimed bool, err error) {
	err = b.locked(name, func() error {
		var p pending
		err := get(ctx, s, pendingPrefix+name, &p)
		if errors.Is(err, errAbsent) || err == nil && p.Flow != flowDevice {
			return nil
		}
		if err != nil {
			return err
		}
		claimedPending = &p
		now := time.Now()
		if !now.Before(p.Expires) {
			if !b.WriteSafeReplicationState() {
				return zoho.ErrReadOnly
			}
			if err := s.Delete(ctx, pendingPrefix+name); err != nil {
				return err
			}
			return refuse("the device consent for %q expired at %s before anybody accepted it; start again with authorize/%s flow=device", name, stamp(p.Expires), name)
		}
		if now.Before(p.NextPoll) {
			return nil
		}
		if !b.WriteSafeReplicationState() {
			return zoho.ErrReadOnly
		}
		// While the question is under way nobody else asks; the interval is counted
		// from its answer.
		p.NextPoll = now.Add(time.Minute + p.Interval).UTC()
		claimed = true
		return put(ctx, s, pendingPrefix+name, &p)
	})
	return claimedPending, claimed, err
}

// deviceFailed says what a poll without a token means.
func (b *backend) deviceFailed(ctx context.Context, s logical.Storage, name string, p *pending, err error) error {
	e := zoho.AsError(err)
	if e == nil {
		return err
	}
	switch e.Code {
	case zoho.DevicePending:
		return b.askLater(ctx, s, name, p)
	case zoho.DeviceSlowDown:
		p.Interval += zoho.DefaultPollInterval
		return b.askLater(ctx, s, name, p)
	case zoho.DeviceOtherDC:
		// The person's account lives elsewhere: the next question goes there.
		c, err := b.memory.config(ctx, s)
		if err != nil {
			return err
		}
		dc, err := c.dataCenter(e.UserLocation)
		if err != nil {
			return refuse("the person's Zoho account is in data center %q, which this mount does not know; add it to accounts_urls in config, then start again with authorize/%s flow=device", shorten(e.UserLocation), name)
		}
		p.DataCenter = dc.Name
		return b.askLater(ctx, s, name, p)
	}
	if e.Kind != zoho.Refused {
		b.Logger().Warn("a device consent could not be asked about", "credential", name, "error", err)
		_ = b.askLater(ctx, s, name, p) // if that can't be stored the claim stands, for longer
		return explain(err, consentAgain(name)+" flow=device")
	}
	if err := b.endDevice(ctx, s, name, p); err != nil {
		return err
	}
	b.Logger().Warn("a device consent ended", "credential", name, "error", err)
	again := "start again with " + consentAgain(name) + " flow=device"
	switch {
	case e.Code == "access_denied":
		return refuse("the consent for %q was declined (access_denied); %s", name, again)
	case e.About == zoho.AboutCode:
		return refuse("the device code for %q is expired or used (%s); %s", name, e.Code, again)
	}
	return refuse("%s: %s; %s", e.Error(), remedy(e.Kind, e.About, e.Code, consentAgain(name)), again)
}
