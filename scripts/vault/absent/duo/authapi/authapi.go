// Package authapi stands for Duo's authentication: the names that Vault uses,
// and an error.
package authapi

import (
	"errors"
	"net/url"

	duoapi "github.com/duosecurity/duo_api_golang"
)

var errAbsent = errors.New("this test build of Vault has no login MFA by Duo")

// AuthApi asks Duo.
type AuthApi struct{}

// NewAuthApi makes one that fails.
func NewAuthApi(duoapi.DuoApi) *AuthApi { return &AuthApi{} }

// Answers of Duo.
type (
	CheckResult   struct{ duoapi.StatResult }
	PreauthResult struct {
		duoapi.StatResult
		Response struct{ Result, Status_Msg, Enroll_Portal_Url string }
	}
	AuthResult struct {
		duoapi.StatResult
		Response struct{ Txid string }
	}
	AuthStatusResult struct {
		duoapi.StatResult
		Response struct{ Result, Status, Status_Msg string }
	}
)

// Check fails.
func (*AuthApi) Check() (*CheckResult, error) { return nil, errAbsent }

// Preauth fails.
func (*AuthApi) Preauth(...func(*url.Values)) (*PreauthResult, error) { return nil, errAbsent }

// Auth fails.
func (*AuthApi) Auth(string, ...func(*url.Values)) (*AuthResult, error) { return nil, errAbsent }

// AuthStatus fails.
func (*AuthApi) AuthStatus(string) (*AuthStatusResult, error) { return nil, errAbsent }

func ignored(string) func(*url.Values) { return nil }

// Options, which change nothing.
var (
	PreauthUsername = ignored
	PreauthIpAddr   = ignored
	AuthUsername    = ignored
	AuthIpAddr      = ignored
	AuthPasscode    = ignored
	AuthDevice      = ignored
	AuthPushinfo    = ignored
)

// AuthAsync is an option, which changes nothing.
func AuthAsync() func(*url.Values) { return nil }
