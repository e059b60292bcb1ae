// How is a simulator made and controlled? Construction, clock and addresses;
// the rest of the state is in ledger.go.

package zohotest

import (
	"fmt"
	"slices"
	"time"
)

// A Simulator is all of Zoho that an OAuth client can see. It is safe for
// concurrent use. Make it inside the bubble if it is used in a synctest bubble.
type Simulator struct {
	ledger
}

// New makes a simulator with all data centres, one user in each, and one
// server-based client. Nothing listens; see [Simulator.Transport] and
// [Simulator.Listen].
func New() *Simulator {
	s := &Simulator{ledger: newLedger()}
	s.codes = newMemory(keptCodes, func(_ string, c *code) bool { return s.codeInUse(c) })
	s.deviceCodes = newMemory(keptCodes, func(_ string, d *deviceCode) bool { return s.deviceCodeInUse(d) })
	s.secrets = newMemory(keptSecrets, func(text string, _ struct{}) bool { return s.secretInUse(text) })
	for _, dc := range s.sites {
		s.addUser(User{DataCenter: dc.Name})
	}
	s.defaultClient = s.AddClient(Client{
		Name:         "Example server-based client",
		DataCenter:   "us",
		RedirectURIs: []string{"http://localhost:8910/callback", "https://app.example.com/callback"},
	}).ID
	return s
}

// Advance moves the simulator's clock, which is time.Now plus all advances.
func (s *Simulator) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advanced += d
}

// Now is the simulator's clock.
func (s *Simulator) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// DataCenters names the data centres there are.
func (s *Simulator) DataCenters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, dc := range s.sites {
		names = append(names, dc.Name)
	}
	return names
}

// AddDataCenter adds a data centre and one user in it. Call it before Listen.
func (s *Simulator) AddDataCenter(dc DataCenter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sites = slices.DeleteFunc(s.sites, func(old *site) bool { return old.Name == dc.Name })
	s.sites = append(s.sites, newSite(dc))
	if s.defaultUser(dc.Name) == nil {
		s.addUser(User{DataCenter: dc.Name})
	}
}

// RemoveDataCenter switches a data center off: its hosts are unknown from now on. It panics if
// there is no such data center.
func (s *Simulator) RemoveDataCenter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.mustSite(name)
	s.sites = slices.DeleteFunc(s.sites, func(dc *site) bool { return dc == gone })
}

// AccountsURL is the accounts server of a data centre: Zoho's own address, or
// that of the listener. It panics if there is no such data centre.
func (s *Simulator) AccountsURL(dc string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustSite(dc).accountsURL()
}

// APIURL is the API gateway of a data center, as AccountsURL is its accounts server.
func (s *Simulator) APIURL(dc string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustSite(dc).url(APIGateway)
}

// DeskURL is the host of Zoho Desk in a data center, as AccountsURL is its accounts server.
func (s *Simulator) DeskURL(dc string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustSite(dc).url(DeskServer)
}

// PortalURL is where a portal's paths begin: its /auth, /token and /token/revoke. It panics if
// no host of portals is known in the data center.
func (s *Simulator) PortalURL(dc, portal string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if site := s.mustSite(dc); site.Portal != "" {
		return site.url(PortalServer) + portalPrefix + portal
	}
	panic("zohotest: no host of portals is known in data center " + dc)
}

// SetURL declares where [Simulator.Handler] of a data center's service is reachable, for
// servers that the caller starts (httptest.NewTLSServer, a proxy). Redirects and answers
// name that address from then on; an empty one means Zoho's own again. It panics if there
// is no such data center or service.
func (s *Simulator) SetURL(dc string, service Service, base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mustKnow(service)
	if base == "" {
		delete(s.mustSite(dc).bases, service)
		return
	}
	s.mustSite(dc).bases[service] = base
}

func mustKnow(service Service) {
	if !slices.Contains(services, service) {
		panic(fmt.Sprintf("zohotest: unknown service %q; there are %q", service, services))
	}
}
