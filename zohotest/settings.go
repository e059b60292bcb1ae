// Settings that are checked: data centers, clients, users and knobs that do not exist or have
// no effect are errors, so that no test passes because of a misspelt word.

package zohotest

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (s *Simulator) unknownDataCenter(name string) error {
	var known []string
	for _, dc := range s.sites {
		known = append(known, dc.Name)
	}
	return fmt.Errorf("unknown data center %q; there are %q, and AddDataCenter adds others", name, known)
}

// checkClient refuses what Zoho's API console refuses, and what has no effect.
func (s *Simulator) checkClient(c *Client) error {
	types := []ClientType{ServerBased, SelfClient, Mobile, Device, ClientBased, Organization}
	if !slices.Contains(types, c.Type) {
		return fmt.Errorf("unknown client type %q; there are %q", c.Type, types)
	}
	for _, dc := range slices.Concat([]string{c.DataCenter}, c.Enabled, slices.Sorted(maps.Keys(c.Secrets))) {
		if s.site(dc) == nil {
			return s.unknownDataCenter(dc)
		}
	}
	switch {
	case c.Portal != "" && (c.Type != ServerBased || strings.Contains(c.Portal, "/") || s.site(c.DataCenter).Portal == ""):
		return fmt.Errorf("client of portal %q: its type is %q, its id has no slash, and its data center has a host of portals", c.Portal, ServerBased)
	case c.Owner != "" && c.Type != SelfClient:
		return fmt.Errorf("a client of type %q has no owner; the account consents", c.Type)
	case c.Owner != "" && s.userByEmail(c.Owner) == nil:
		return fmt.Errorf("the owner %q is no user; add the user first", c.Owner)
	}
	for _, uri := range c.RedirectURIs {
		if err := checkRedirectURI(c.Type, uri); err != nil {
			return err
		}
	}
	return nil
}

// checkRedirectURI is what Zoho's console takes: http and https alone, except for a mobile
// client, and no http://127.0.0.1 (Zoho, oauth-setup; rclone issue 6163).
func checkRedirectURI(kind ClientType, uri string) error {
	u, err := url.Parse(uri)
	switch {
	case kind == SelfClient || kind == Device:
		return fmt.Errorf("a client of type %q has no redirect URI", kind)
	case uri == "":
		return errors.New("a redirect URI is empty")
	case err != nil || u.Scheme == "":
		return fmt.Errorf("redirect URI %q has no scheme; write it as https://app.example.com/callback", uri)
	case u.Scheme != "http" && u.Scheme != "https":
		if kind != Mobile {
			return fmt.Errorf("redirect URI %q: the redirect URIs of a client of type %q begin with http:// or https://", uri, kind)
		}
	case u.Hostname() == "":
		return fmt.Errorf("redirect URI %q has no host", uri)
	case u.Scheme == "http" && u.Hostname() == "127.0.0.1":
		return fmt.Errorf("redirect URI %q: Zoho refuses http://127.0.0.1; use http://localhost", uri)
	}
	return nil
}

// serviceGrammar is that of the first part of a scope.
var serviceGrammar = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// originGrammar is that of an Origin header, as browsers send it, or any.
var originGrammar = regexp.MustCompile(`^(\*|[a-z][a-z0-9+.-]*://[^/?#A-Z]+)$`)

// check refuses what no simulator can do, and what has no effect.
func (k *Knobs) check() error {
	for _, status := range []int{k.ThrottleStatus, k.PageErrorStatus, k.ErrorStatus, k.DeadTokenStatus, k.DeviceErrorStatus} {
		if status < 200 || status > 599 {
			return fmt.Errorf("status %d is no final HTTP status", status)
		}
	}
	for name, key := range map[string]struct {
		is Key
		of []Key
	}{
		"MintKey":             {k.MintKey, []Key{PerRefreshToken, PerClient}},
		"CodeKey":             {k.CodeKey, []Key{PerClient, PerUser}},
		"LiveRefreshTokenKey": {k.LiveRefreshTokenKey, []Key{PerUserAndClient, PerUser, PerClient}},
	} {
		if !slices.Contains(key.of, key.is) {
			return fmt.Errorf("%s is %q; use one of %q", name, key.is, key.of)
		}
	}
	for name, d := range map[string]time.Duration{
		"CodeLifetime": k.CodeLifetime, "SelfClientCodeLifetime": k.SelfClientCodeLifetime, "AccessTokenLifetime": k.AccessTokenLifetime,
		"EnhanceTokenLifetime": k.EnhanceTokenLifetime, "MintWindow": k.MintWindow, "CodeWindow": k.CodeWindow,
		"RefreshTokenWindow": k.RefreshTokenWindow, "DeviceCodeLifetime": k.DeviceCodeLifetime, "DeviceInterval": k.DeviceInterval,
	} {
		if d <= 0 {
			return fmt.Errorf("%s is %s; it must be above 0", name, d)
		}
	}
	for name, d := range map[string]time.Duration{
		"RefreshTokenIdle": k.RefreshTokenIdle, "Lockout": k.Lockout, "ThrottleRetryAfter": k.ThrottleRetryAfter, "CodeLockout": k.CodeLockout,
	} {
		if d < 0 {
			return fmt.Errorf("%s is %s; it must not be negative", name, d)
		}
	}
	for name, word := range map[string]string{
		"BadGrantTypeError": k.BadGrantTypeError, "PKCEError": k.PKCEError, "WrongDataCenterError": k.WrongDataCenterError,
	} {
		if word == "" {
			return fmt.Errorf("%s is empty; it is the word of an error", name)
		}
	}
	if languages := []string{"en", "zh", "ja"}; !slices.Contains(languages, k.ThrottleLanguage) {
		return fmt.Errorf("ThrottleLanguage is %q; use one of %q", k.ThrottleLanguage, languages)
	}
	return errors.Join(k.checkLists(), k.checkOrganization())
}

// checkLists refuses entries that can never fit.
func (k *Knobs) checkLists() error {
	for name, services := range map[string][]string{
		"NoOrganizationServices": k.NoOrganizationServices, "SoidlessServices": k.SoidlessServices, "OrganizationServices": k.OrganizationServices,
		"ExpandScopesServices": k.ExpandScopesServices, "LegacyExpiresInServices": k.LegacyExpiresInServices,
	} {
		for _, service := range services {
			if !serviceGrammar.MatchString(service) {
				return fmt.Errorf("%s has %q, which is not the first part of a scope, such as ZohoCRM", name, service)
			}
		}
	}
	for _, scope := range k.UnknownScopes {
		if !scopeGrammar.MatchString(scope) && !openID(scope) {
			return fmt.Errorf("UnknownScopes has %q, which no client can ask for: it is no scope", scope)
		}
	}
	for _, origin := range k.CORSOrigins {
		if !originGrammar.MatchString(origin) {
			return fmt.Errorf("CORSOrigins has %q, which no browser sends; write an origin as https://app.example.com", origin)
		}
	}
	return nil
}
