// How does a test play the person at the browser or in the API console?

package zohotest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// A Consent is what a person does at Zoho's page.
type Consent struct {
	DataCenter       string // whose default user consents; empty: of the data centre that was asked
	Email            string // or exactly this user
	Reject           bool   // the user clicks Reject
	NoState          bool   // the redirect loses its state
	NoAccountsServer bool   // the redirect has no accounts-server
}

// Authorize opens an authorization URL (a user's, an organization's, or one of
// addextrascope) as a browser
// would, decides for the user, and returns the address the browser lands on.
// The error is the text of Zoho's error page. Knobs about the redirect apply; faults do not.
func (s *Simulator) Authorize(authorizationURL string, c Consent) (callbackURL string, err error) {
	u, err := url.Parse(authorizationURL)
	if err != nil {
		return "", fmt.Errorf("zohotest: authorization URL: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	site, service, _ := s.host(u.Scheme, u.Host)
	if service != AccountsServer && service != PortalServer {
		return "", fmt.Errorf("zohotest: no accounts server at %s://%s", u.Scheme, u.Host)
	}
	if !isAuthPath(u.Path) {
		return "", fmt.Errorf("zohotest: no authorization endpoint at %s", u.Path)
	}
	at, _ := endpointAt(u.Path)
	visit := &call{site: site, service: service, at: at, r: &http.Request{Method: at.method, URL: u}, query: u.Query(), form: u.Query()}
	s.looksForSecrets(visit)
	s.arrived(at, visit)
	req, a, ok := s.readConsentRequest(site, u.Path, u.RawQuery)
	if ok {
		a = s.decide(req, c)
	}
	for _, delivered := range a.issued {
		*delivered = true
	}
	if to := a.header.Get("Location"); to != "" {
		return to, nil
	}
	return "", errors.New(a.text)
}

// SelfClientCode makes a code as the API console does for a self client. An
// empty dc is the client's; life 0 is three minutes, Zoho's default.
func (s *Simulator) SelfClientCode(clientID, dc string, life time.Duration, scopes ...string) (code string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	client := s.clients[clientID]
	if client == nil || client.Type != SelfClient {
		return "", fmt.Errorf("zohotest: %q is no self client", clientID)
	}
	dc = or(dc, client.DataCenter)
	if dc != client.DataCenter {
		return "", fmt.Errorf("zohotest: self client %s belongs to data centre %s, not %s", clientID, client.DataCenter, dc)
	}
	owner := s.owner(client)
	if owner == nil {
		return "", fmt.Errorf("zohotest: self client %s has no owner", clientID)
	}
	if life == 0 {
		life = s.knobs.SelfClientCodeLifetime
	}
	var split []string
	for _, scope := range scopes {
		split = append(split, splitScopes(scope)...)
	}
	if !s.validScopes(split) {
		return "", errors.New("zohotest: Enter a valid scope")
	}
	made, ok := s.issueCode(newSelfClientCode(client, owner, split), life)
	if !ok {
		return "", errors.New("zohotest: access_denied")
	}
	return made.text, nil
}

// newSelfClientCode has no redirect URI, and always yields a refresh token.
func newSelfClientCode(client *Client, owner *User, scopes []string) code {
	return code{client: client.ID, user: owner.Email, dc: client.DataCenter, scopes: scopes, refreshable: true}
}

// owner is the account a self client acts as.
func (s *Simulator) owner(client *Client) *User {
	if client.Owner != "" {
		return s.userByEmail(client.Owner)
	}
	return s.defaultUser(client.DataCenter)
}
