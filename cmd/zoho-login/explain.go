// What is a person told when Vault refuses? What was tried, why it did not work,
// and what to do. An address that was sent is never repeated: it holds the code.

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
)

// refusal is an error that is ready for a person.
type refusal struct {
	status int // of Vault's answer; 0: there was none
	text   string
}

func (r *refusal) Error() string { return r.text }

// statusOf is that of Vault's answer, 0 where there was none.
func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// errNothing is what the client makes of a 404 or of an answer without data.
var errNothing = &refusal{http.StatusNotFound, "Vault answered nothing"}

func (v *vault) explain(err error, doing, capability, kind string) error {
	var answer *api.ResponseError
	var unsent *url.Error
	switch {
	case errors.Is(err, errNothing):
		return fmt.Errorf("%s: %w", doing, errNothing)
	case errors.As(err, &answer):
		reason := v.reason(answer, capability, kind)
		if answer.StatusCode != http.StatusBadRequest { // the engine's own says it all
			reason = doing + ": " + reason
		}
		return &refusal{answer.StatusCode, reason}
	case errors.As(err, &unsent):
		// Its own text holds the request's address.
		return &refusal{0, fmt.Sprintf("%s: Vault at %s cannot be reached: %v; is VAULT_ADDR right?", doing, v.client.Address(), unsent.Err)}
	}
	return &refusal{0, fmt.Sprintf("%s: %v", doing, err)}
}

// reason is Vault's own where it has one.
func (v *vault) reason(answer *api.ResponseError, capability, kind string) string {
	said := tidy(answer.Errors)
	switch {
	case answer.StatusCode == http.StatusForbidden && v.client.Token() == "":
		return "Vault wants to know who you are; log in with vault login, or set VAULT_TOKEN"
	case answer.StatusCode == http.StatusForbidden:
		return fmt.Sprintf("Vault forbids it (%s); the token needs %s on %s, or has expired: then log in again with vault login", said, capability, v.path(kind))
	case answer.StatusCode == http.StatusNotFound && strings.Contains(said, "no handler for route"):
		return fmt.Sprintf("no secrets engine is mounted at %s/; name the mount with -mount, and the namespace with VAULT_NAMESPACE", v.mount)
	case answer.RawError || said == "":
		return fmt.Sprintf("Vault, or something on the way to it, answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return said
}

// tidy undoes the list that Vault makes of a single error.
func tidy(errs []string) string {
	said := strings.TrimSpace(strings.Join(errs, "; "))
	if list, isList := strings.CutPrefix(said, "1 error occurred:"); isList {
		said = strings.TrimPrefix(strings.TrimSpace(list), "* ")
	}
	return said
}
