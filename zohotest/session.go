// Who is signed in at this browser? A session may hold several accounts, of
// which one is in use; the person can choose another and comes back to the page
// they were at.

package zohotest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signInPath is where a person chooses an account, signedInPath takes that
// choice. Both are the simulator's own, and nobody has a password.
const (
	signInPath   = "/signin"
	signedInPath = "/signin/account"
)

// sessionCookie is the simulator's own; Zoho's has another name.
const sessionCookie = "zoho_sim_session"

// A session is what a cookie stands for.
type session struct {
	accounts []string // e-mails; the first is in use
	chosen   string   // the address to which the last choice led
}

// SignIn makes a browser's session with these accounts, the first of which is
// in use. Whoever brings the cookie to an accounts server, of whatever data
// centre, is signed in there; so is a browser that visits its
// /signin?session=<value of the cookie>. How Zoho treats a session with several
// accounts is not documented; see [Knobs.ChooseAccount].
func (s *Simulator) SignIn(emails ...string) (*http.Cookie, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(emails) == 0 {
		return nil, errors.New("zohotest: a session needs an account at least; name its e-mail address")
	}
	of := &session{}
	for _, email := range slices.Backward(emails) {
		user := s.userByEmail(email)
		if user == nil {
			return nil, fmt.Errorf("zohotest: unknown user %q; add it first", email)
		}
		of.use(user.Email, "")
	}
	return s.openSession(of), nil
}

func (s *Simulator) openSession(of *session) *http.Cookie {
	value := randomHex(16)
	s.sessions[value] = of
	return newSessionCookie(value)
}

// newSessionCookie comes along when a link elsewhere leads to the consent page,
// and not when a form elsewhere does.
func newSessionCookie(value string) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// session is that of the browser that calls, and its cookie's value; nil if
// nobody is signed in there.
func (s *Simulator) session(c *call) (of *session, value string) {
	cookie, err := c.r.Cookie(sessionCookie)
	if err != nil {
		return nil, ""
	}
	of = s.sessions[cookie.Value]
	if of == nil || len(of.accounts) == 0 {
		return nil, ""
	}
	return of, cookie.Value
}

// inUse is the account with which a browser acts; empty if nobody is signed in.
func (s *Simulator) inUse(c *call) (email string) {
	if of, _ := s.session(c); of != nil {
		return of.accounts[0]
	}
	return ""
}

// use puts an account first.
func (of *session) use(email, then string) {
	of.accounts = append([]string{email}, slices.DeleteFunc(of.accounts, func(other string) bool { return other == email })...)
	of.chosen = then
}

// mustChoose says whether a browser is asked for the account before the page it
// came for.
func (s *Simulator) mustChoose(c *call) bool {
	of, _ := s.session(c)
	return s.knobs.ChooseAccount && of != nil && len(of.accounts) > 1 && of.chosen != c.r.URL.RequestURI()
}

// signOut takes a removed account from every session.
func (s *Simulator) signOut(email string) {
	for _, of := range s.sessions {
		of.accounts = slices.DeleteFunc(of.accounts, func(other string) bool { return other == email })
	}
}

// signIn is a browser at the page where an account is chosen; with a session's
// value in the query it has that session from now on.
func (s *Simulator) signIn(c *call) answer {
	if value := c.query.Get("session"); value != "" {
		if of := s.sessions[value]; of != nil && len(of.accounts) > 0 {
			return notice("Signed in", "This browser uses "+strings.Join(of.accounts, ", then ")+".").with(newSessionCookie(value))
		}
		return s.errorPage("Invalid Session", "There is no such session.")
	}
	return s.choosePage(c, c.query.Get("continue"))
}

// signedIn is a button of that page.
func (s *Simulator) signedIn(c *call) answer {
	then := c.body.Get("continue")
	if _, a, ok := s.comesBackTo(c.site, then); !ok {
		return a
	}
	user := s.userByEmail(c.body.Get("email"))
	if user == nil {
		return s.errorPage("Invalid User", "No such account: "+c.body.Get("email")+".")
	}
	of, value := s.session(c)
	cookie := newSessionCookie(value)
	if of == nil {
		of = &session{}
		cookie = s.openSession(of)
	}
	of.use(user.Email, then)
	if then == "" {
		return notice("Signed in", "This browser uses "+user.Email+".").with(cookie)
	}
	return redirectAnswer(then).with(cookie)
}

// comesBackTo checks where a person goes after the choice: to a page of this
// accounts server that asks for a decision, or nowhere if it is empty. The
// function says why a user could not take that decision; empty if they could.
func (s *Simulator) comesBackTo(at *site, address string) (refusal func(*User) string, a answer, ok bool) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "" || u.Host != "":
	case isAuthPath(u.Path):
		req, a, ok := s.readConsentRequest(at, u.Path, u.RawQuery)
		return s.consentRefusal(req), a, ok
	case u.Path == devicePath || address == "":
		return s.deviceRefusal(at), answer{}, true
	}
	return nil, s.errorPage("Invalid Request", "There is no such page to come back to."), false
}
