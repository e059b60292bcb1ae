// How does a script play people? The part of the control API where somebody
// consents, signs in or leaves.

package zohotest

import (
	"fmt"
	"net/http"
	"time"
)

// mustRemoveUser is RemoveUser for scripts, which misspell.
func (s *Simulator) mustRemoveUser(email string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.userByEmail(email)
	if gone == nil {
		return fmt.Errorf("unknown user %q", email)
	}
	s.removeUser(gone)
	return nil
}

func (s *Simulator) controlAuthorize(r *http.Request) (any, error) {
	var in struct {
		URL              string `json:"url"`
		DataCenter       string `json:"data_center"`
		Email            string `json:"email"`
		Reject           bool   `json:"reject"`
		NoState          bool   `json:"no_state"`
		NoAccountsServer bool   `json:"no_accounts_server"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	callback, err := s.Authorize(in.URL, Consent{in.DataCenter, in.Email, in.Reject, in.NoState, in.NoAccountsServer})
	return map[string]string{"callback_url": callback}, err
}

// controlSignIn answers with two ways to one session: the cookie, and a page that
// sets it.
func (s *Simulator) controlSignIn(r *http.Request) (any, error) {
	var in struct {
		Emails     []string `json:"emails"`
		DataCenter string   `json:"data_center"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	in.DataCenter = or(in.DataCenter, "us")
	if !s.has(in.DataCenter) {
		return nil, fmt.Errorf("unknown data center %q", in.DataCenter)
	}
	cookie, err := s.SignIn(in.Emails...)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"cookie": cookie.Name + "=" + cookie.Value,
		"url":    s.AccountsURL(in.DataCenter) + signInPath + "?session=" + cookie.Value,
	}, nil
}

// controlApproveDevice plays the person at the verification address.
func (s *Simulator) controlApproveDevice(r *http.Request) (any, error) {
	var in struct {
		UserCode   string `json:"user_code"`
		DataCenter string `json:"data_center"`
		Email      string `json:"email"`
		Reject     bool   `json:"reject"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return done, s.ApproveDevice(in.UserCode, Consent{DataCenter: in.DataCenter, Email: in.Email, Reject: in.Reject})
}

func (s *Simulator) controlSelfClientCode(r *http.Request) (any, error) {
	var in struct {
		ClientID   string   `json:"client_id"`
		DataCenter string   `json:"data_center"`
		Scopes     []string `json:"scopes"`
		Life       duration `json:"life"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	code, err := s.SelfClientCode(in.ClientID, in.DataCenter, time.Duration(in.Life), in.Scopes...)
	return map[string]string{"code": code}, err
}
