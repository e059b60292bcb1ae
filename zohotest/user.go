// Who consents? Zoho accounts, each of which lives in one data centre.

package zohotest

import (
	"fmt"
	"slices"
	"strings"
)

// A User is a Zoho account.
type User struct {
	Email      string `json:"email"`
	DataCenter string `json:"data_center"`
	ZUID       string `json:"zuid"`
	Name       string `json:"name"`
	OrgID      string `json:"org_id"`           // users who are to share an organization name it
	Member     bool   `json:"member,omitempty"` // is no administrator of the organization, as everybody else is

	// NoOrganization: the user belongs to no organization in Zoho's services. Where
	// scopes of [Knobs.NoOrganizationServices] are asked for, Zoho's page offers only
	// "Back to app", and the redirect carries error=no_org.
	NoOrganization bool `json:"no_organization,omitempty"`
	// NoAPIAccess: the user's profile in CRM lacks API access. CRM answers every call
	// 403 NO_PERMISSION; the grant works.
	NoAPIAccess bool `json:"no_api_access,omitempty"`
}

// AddUser adds an account and returns it complete; empty fields are filled in.
// A user with the same e-mail is replaced.
func (s *Simulator) AddUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.addUser(u)
}

func (s *Simulator) addUser(u User) *User {
	if u.DataCenter == "" {
		u.DataCenter = "us"
	}
	s.mustSite(u.DataCenter)
	s.userCount++
	if u.Email == "" {
		u.Email = fmt.Sprintf("user%d@%s.example.com", s.userCount, u.DataCenter)
	}
	if u.ZUID == "" {
		u.ZUID = fmt.Sprintf("600%06d", s.userCount)
	}
	if u.Name == "" {
		u.Name = "User " + strings.ToUpper(u.DataCenter)
	}
	if u.OrgID == "" {
		u.OrgID = fmt.Sprintf("700%06d", s.userCount)
	}
	s.users = slices.DeleteFunc(s.users, func(old *User) bool { return old.Email == u.Email })
	s.users = append(s.users, &u)
	return &u
}

// User is the default user of a data centre: the first that was added there.
// It panics if there is none.
func (s *Simulator) User(dc string) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustSite(dc)
	if u := s.defaultUser(dc); u != nil {
		return *u
	}
	panic("zohotest: data centre " + dc + " has no user")
}

// RemoveUser deletes an account, as when its person leaves the organization: its
// codes and tokens die, but for those of an organization. It panics if there is no such user.
func (s *Simulator) RemoveUser(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.userByEmail(email)
	if gone == nil {
		panic("zohotest: unknown user " + email)
	}
	s.removeUser(gone)
}

func (s *Simulator) removeUser(gone *User) {
	s.users = slices.DeleteFunc(s.users, func(u *User) bool { return u == gone })
	s.signOut(gone.Email)
	s.forgetConsents(gone.Email)
	s.codes.drop(func(c *code) bool { return c.user == gone.Email && c.org == nil })
	for _, d := range s.deviceCodes.all() {
		d.rejected = d.rejected || d.user != nil && d.user.Email == gone.Email
	}
	for _, rt := range s.refreshTokens {
		if rt.user == gone.Email && rt.org == nil {
			s.dropRefreshToken(rt)
		}
	}
	for _, at := range s.accessTokens {
		if at.user == gone.Email && at.org == nil {
			s.dropAccessToken(at)
		}
	}
}

func (s *Simulator) defaultUser(dc string) *User {
	for _, u := range s.users {
		if u.DataCenter == dc {
			return u
		}
	}
	return nil
}

func (s *Simulator) userByEmail(email string) *User {
	for _, u := range s.users {
		if strings.EqualFold(u.Email, email) {
			return u
		}
	}
	return nil
}
