// Who may ask? OAuth clients as Zoho's API console registers them.

package zohotest

import (
	"errors"
	"maps"
	"slices"
)

// A ClientType is one of the API console's kinds of client.
type ClientType string

const (
	ServerBased ClientType = "server"       // authorization code with a secret
	SelfClient  ClientType = "self"         // codes made in the console, and client credentials
	Mobile      ClientType = "mobile"       // authorization code with PKCE
	Device      ClientType = "device"       // device flow
	ClientBased ClientType = "client-based" // implicit, in a browser

	// Organization is registered by an administrator, for consents of an
	// organization alone: at <API console>/add?client_type=ORG. Its id begins with
	// 1005., and so do the codes and tokens of its grants.
	Organization ClientType = "organization"
)

// A Client is an OAuth client.
type Client struct {
	ID           string            `json:"client_id"`
	Secret       string            `json:"client_secret"`
	Secrets      map[string]string `json:"client_secrets,omitempty"` // per data centre, where it differs from Secret
	Type         ClientType        `json:"type"`
	Name         string            `json:"name"`
	RedirectURIs []string          `json:"redirect_uris,omitempty"`
	DataCenter   string            `json:"data_center"`       // where it is registered
	Enabled      []string          `json:"enabled,omitempty"` // data centres switched on; nil: all but isolated ones, for a self client its own
	// Portal is the id of the portal whose client this is: its consents and tokens are at
	// [Simulator.PortalURL]. Empty: it is an ordinary client.
	Portal string `json:"portal,omitempty"`
	Owner  string `json:"owner,omitempty"` // e-mail of a self client's account; empty: the data centre's default user

	// These hold for this client; knobs of the same names hold for all.

	LegacyExpiresIn bool `json:"legacy_expires_in,omitempty"`
	ExpandScopes    bool `json:"expand_scopes,omitempty"`
}

// secret is what this client must show in a data centre.
func (c *Client) secret(dc string) string {
	if secret, ok := c.Secrets[dc]; ok {
		return secret
	}
	return c.Secret
}

// knowsElsewhere says whether a secret is right in some other data centre.
func (c *Client) knowsElsewhere(secret string) bool {
	if secret == c.Secret {
		return true
	}
	for _, other := range c.Secrets {
		if secret == other {
			return true
		}
	}
	return false
}

// enabled says whether the client's switch for a data centre is on.
func (c *Client) enabled(dc *site) bool {
	switch {
	case c.Enabled != nil:
		return slices.Contains(c.Enabled, dc.Name)
	case c.Type == SelfClient || dc.Isolated:
		return dc.Name == c.DataCenter
	default:
		return c.DataCenter == dc.Name || c.DataCenter != "cn"
	}
}

func (c *Client) clone() Client {
	copied := *c
	copied.Secrets = maps.Clone(c.Secrets)
	copied.RedirectURIs = slices.Clone(c.RedirectURIs)
	copied.Enabled = slices.Clone(c.Enabled)
	return copied
}

// AddClient registers a client and returns it complete: an empty ID, Secret,
// Type, Name, DataCenter or entry of Secrets is filled in, and clients that need a redirect URI
// and have none get http://localhost:8910/callback. A client that exists
// already (same ID) is replaced; its tokens stay. It panics if Zoho's console would refuse the
// client, or if the client names what does not exist.
func (s *Simulator) AddClient(c Client) Client {
	added, err := s.addClient(c)
	if err != nil {
		panic("zohotest: " + err.Error())
	}
	return added
}

func (s *Simulator) addClient(c Client) (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c = c.clone()
	if c.Type == "" {
		c.Type = ServerBased
	}
	if c.ID == "" {
		c.ID = newClientID(c.Type)
	}
	if c.Secret == "" {
		c.Secret = newClientSecret()
	}
	if c.Name == "" {
		c.Name = "Example " + string(c.Type) + " client"
	}
	if c.DataCenter == "" {
		c.DataCenter = "us"
	}
	if c.RedirectURIs == nil && c.Type != SelfClient && c.Type != Device {
		c.RedirectURIs = []string{"http://localhost:8910/callback"}
	}
	if err := s.checkClient(&c); err != nil {
		return Client{}, err
	}
	s.rememberClientSecret(c.Secret)
	for dc, secret := range c.Secrets {
		c.Secrets[dc] = or(secret, newClientSecret())
		s.rememberClientSecret(c.Secrets[dc])
	}
	s.clients[c.ID] = &c
	return c.clone(), nil
}

// AddRedirectURI registers one more redirect URI of a client, byte for byte. It panics as
// AddClient does.
func (s *Simulator) AddRedirectURI(clientID, uri string) {
	if err := s.addRedirectURI(clientID, uri); err != nil {
		panic("zohotest: " + err.Error())
	}
}

func (s *Simulator) addRedirectURI(clientID, uri string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[clientID]
	if c == nil {
		return errors.New("unknown client " + clientID)
	}
	if err := checkRedirectURI(c.Type, uri); err != nil {
		return err
	}
	if !slices.Contains(c.RedirectURIs, uri) {
		c.RedirectURIs = append(c.RedirectURIs, uri)
	}
	return nil
}

// DefaultClient is the server-based client every simulator starts with: home
// us, all multi-data-centre switches on, one secret everywhere.
func (s *Simulator) DefaultClient() Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[s.defaultClient]; c != nil {
		return c.clone()
	}
	return Client{}
}

// RotateSecret gives a client a new secret in one data centre, or everywhere
// if dc is empty. Tokens live on.
func (s *Simulator) RotateSecret(clientID, dc string) (secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[clientID]
	if c == nil {
		panic("zohotest: unknown client " + clientID)
	}
	secret = newClientSecret()
	s.rememberClientSecret(secret)
	if dc == "" {
		c.Secret, c.Secrets = secret, nil
		return secret
	}
	s.mustSite(dc)
	if c.Secrets == nil {
		c.Secrets = map[string]string{}
	}
	c.Secrets[dc] = secret
	return secret
}

// RemoveClient deletes a client in the console; its tokens die. It panics if there is no such
// client.
func (s *Simulator) RemoveClient(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[clientID] == nil {
		panic("zohotest: unknown client " + clientID)
	}
	delete(s.clients, clientID)
	for _, rt := range s.refreshTokens {
		if rt.client == clientID {
			s.dropRefreshToken(rt)
		}
	}
	for _, at := range s.accessTokens {
		if at.client == clientID {
			s.dropAccessToken(at)
		}
	}
}
