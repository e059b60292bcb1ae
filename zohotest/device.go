// How does a device without a browser get a token? It shows a short code, a
// person approves that elsewhere, and the device polls.

package zohotest

import (
	"errors"
	"strings"
	"time"
)

// devicePath is the page where a person types the short code. Its buttons lead
// to deviceApprovePath, which is the simulator's own.
const (
	devicePath        = "/oauth/v3/device"
	deviceApprovePath = "/oauth/v3/device/approve"
)

type deviceCode struct {
	code     string
	userCode string
	client   *Client
	site     *site // where it was asked for
	scopes   []string
	offline  bool
	prompt   bool // a refresh token comes also if the user has consented before
	expires  time.Time
	polls    map[string]time.Time // when the interval began, by data centre

	over     bool  // the client was told how it ended
	moved    bool  // the client was told to poll at the user's data center
	user     *User // who approved, if anybody did
	covered  bool  // that user had consented to these scopes before
	rejected bool
	used     bool
}

// deviceStart is POST /oauth/v3/device/code (Zoho, devices, initiation-request).
func (s *Simulator) deviceStart(c *call) answer {
	client := s.clients[c.form.Get("client_id")]
	scopes := splitScopes(c.form.Get("scope"))
	switch {
	case c.form.Get("grant_type") == "":
		s.counts.Refused++
		return page(400, "Invalid Request", "The grant type is missing.")
	case c.form.Get("grant_type") != "device_request":
		return s.refuse(s.knobs.BadGrantTypeError)
	case client == nil || client.Type != Device || !client.enabled(c.site):
		return s.refuse("invalid_client")
	case !s.validScopes(scopes):
		return s.refuse("invalid_scope")
	}
	d := &deviceCode{
		code: newToken(ordinaryPrefix), userCode: newUserCode(), client: client, site: c.site, scopes: scopes,
		offline: c.form.Get("access_type") == "offline", prompt: c.form.Get("prompt") == "consent", expires: s.now().Add(s.knobs.DeviceCodeLifetime),
		polls: map[string]time.Time{},
	}
	s.deviceCodes.put(d.code, d)
	s.remember(d.code)
	unit := time.Millisecond // as clients read it; some read seconds
	if s.knobs.DeviceSeconds {
		unit = time.Second
	}
	page := c.site.accountsURL() + devicePath
	return jsonAnswer(200, map[string]any{
		"user_code": d.userCode, "device_code": d.code,
		"verification_url":          page,
		"verification_uri_complete": page + "?user_code=" + d.userCode,
		"interval":                  int64(s.knobs.DeviceInterval / unit),
		"expires_in":                int64(s.knobs.DeviceCodeLifetime / unit),
	})
}

// devicePoll is POST /oauth/v3/device/token (Zoho, devices, polling-request).
func (s *Simulator) devicePoll(c *call) answer {
	switch c.form.Get("grant_type") {
	case "device_token":
	case "":
		s.counts.Refused++
		return page(400, "Invalid Request", "The grant type is missing.")
	default:
		return s.refuse(s.knobs.BadGrantTypeError)
	}
	client, failure := s.authenticate(c)
	if failure != "" {
		return s.refuse(failure)
	}
	d, _ := s.deviceCodes.get(c.form.Get("code"))
	if d == nil || !s.mayPoll(c, d, client) {
		return s.refuse("invalid_code")
	}
	last, polled := d.polls[c.site.Name]
	early := polled && s.now().Sub(last) < s.knobs.DeviceInterval
	if !early || s.knobs.EarlyPollRestarts {
		d.polls[c.site.Name] = s.now()
	}
	switch {
	case early:
		s.counts.PolledTooFast++
		s.violate(PolledTooFast, "device code %s at %s, %s into the interval", short(d.code), c.site.Name, s.now().Sub(last))
		return s.deviceFeedback("slow_down")
	case !s.now().Before(d.expires):
		return s.deviceFeedback("expired").tells(&d.over)
	case d.rejected:
		return s.deviceFeedback("access_denied").tells(&d.over)
	case d.user == nil:
		return s.deviceFeedback("authorization_pending")
	case d.user.DataCenter != c.site.Name:
		elsewhere := map[string]string{"error": "other_dc", "user_location": d.user.DataCenter}
		return jsonAnswer(s.knobs.DeviceErrorStatus, elsewhere).tells(&d.moved)
	}
	g := grant{client: client, user: d.user.Email, site: c.site, scopes: d.scopes, refreshable: d.offline && (d.prompt || !d.covered), device: true}
	if a, ok := s.mayGrant(g); !ok {
		return a
	}
	d.used = true
	s.counts.DeviceGrants++
	return s.grant(c, g).tells(&d.over)
}

// mayPoll says whether a device code may be polled for by a client at a data center. It
// records a poll that no client makes who read the answers so far.
func (s *Simulator) mayPoll(c *call, d *deviceCode, client *Client) bool {
	switch {
	case d.client.ID != client.ID:
		s.violate(OtherClient, "device code %s of client %s, from client %s at %s", short(d.code), d.client.ID, client.ID, c.site.Name)
		return false
	case !d.knownAt(c.site):
		s.violate(WrongDataCenter, "device code %s of %s polled at %s", short(d.code), d.site.Name, c.site.Name)
		return false
	case d.moved && d.user.DataCenter != c.site.Name:
		s.violate(WrongDataCenter, "device code %s polled at %s after the answer other_dc", short(d.code), c.site.Name)
	case d.over:
		s.violate(PolledAfterEnd, "device code %s at %s", short(d.code), c.site.Name)
	}
	return !d.used
}

// knownAt: where it was asked for, and where its user lives once that is known.
func (d *deviceCode) knownAt(at *site) bool {
	return d.site.Name == at.Name || d.user != nil && d.user.DataCenter == at.Name
}

// deviceFeedback is an error by shape, and no failure.
func (s *Simulator) deviceFeedback(code string) answer {
	return jsonAnswer(s.knobs.DeviceErrorStatus, map[string]string{"error": code})
}

// ApproveDevice plays the person who types a user code at the verification
// address and accepts, or rejects. The error is the text of the page.
func (s *Simulator) ApproveDevice(userCode string, c Consent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.approveDevice(userCode, c); a.failed {
		return errors.New(a.text)
	}
	return nil
}

func (s *Simulator) approveDevice(userCode string, consent Consent) answer {
	var d *deviceCode
	for _, known := range s.deviceCodes.all() {
		if strings.EqualFold(known.userCode, userCode) && s.now().Before(known.expires) && known.user == nil && !known.rejected {
			d = known
		}
	}
	if d == nil {
		return s.errorPage("Invalid Code", "The code is wrong, used or expired.")
	}
	user, home := s.consenting(d.site, consent)
	if user == nil || home == nil {
		return s.errorPage("Invalid User", "No such account: "+or(consent.Email, consent.DataCenter)+".")
	}
	if refusal := unreachable(d.client, d.site, home); refusal != "" {
		return s.errorPage("Invalid Client", refusal)
	}
	if consent.Reject || s.knobs.RejectConsent {
		d.rejected = true
		s.counts.Rejections++
		return notice("Rejected", "The device is told that you said no.")
	}
	d.user, d.covered = user, s.covered(user.Email, d.client.ID, d.scopes)
	s.recordConsent(user.Email, d.client.ID, d.scopes)
	s.counts.Consents++
	return notice("Accepted", "You may go back to your device.")
}

// devicePage is what a person sees at the verification address.
func (s *Simulator) devicePage(c *call) answer {
	if s.mustChoose(c) {
		return s.choosePage(c, c.r.URL.RequestURI())
	}
	return htmlAnswer(200, render("device", map[string]any{
		"Action": deviceApprovePath, "UserCode": c.query.Get("user_code"), "Person": s.person(c, s.deviceRefusal(c.site)),
	}))
}

// deviceRefusal says why a user cannot decide at this data centre, whatever the
// device; empty if nothing stands against it.
func (s *Simulator) deviceRefusal(at *site) func(*User) string {
	return func(user *User) string {
		home := s.site(user.DataCenter)
		if home == at || home != nil && !home.Isolated && !at.Isolated {
			return ""
		}
		return "Data centre " + user.DataCenter + " takes no part in other data centres' consents."
	}
}

// deviceApprove is a button of that page.
func (s *Simulator) deviceApprove(c *call) answer {
	return s.approveDevice(strings.TrimSpace(c.body.Get("user_code")), Consent{
		Email: or(c.body.Get("email"), s.inUse(c)), Reject: c.body.Get("decision") != "accept",
	})
}
