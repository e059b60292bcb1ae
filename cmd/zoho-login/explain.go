// explain.go: errors of Vault for a person: what failed, the cause, and what to do. An address
// that was sent is never repeated: it holds the code.

package main

import (
	"context"
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
var errNothing = &refusal{http.StatusNotFound, "Vault sent an empty answer"}

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
		return &refusal{0, doing + ": " + v.unreached(unsent.Err)}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{0, doing + ": " + v.unreached(err)}
	}
	return &refusal{0, fmt.Sprintf("%s: %v", doing, err)}
}

// unreached says why no answer came.
func (v *vault) unreached(err error) string {
	address := v.client.Address()
	switch said := err.Error(); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("Vault at %s did not answer in time; check that VAULT_ADDR is the address of Vault, and that no firewall is in between", address)
	case strings.Contains(said, "server gave HTTP response to HTTPS client"):
		return fmt.Sprintf("the server at %s does not speak TLS, and VAULT_ADDR begins with https://; for a server on this machine run: %s", address, v.exportAddress("http"))
	case strings.Contains(said, "certificate"):
		return fmt.Sprintf("Vault at %s cannot be reached: %v; set VAULT_CACERT to the file with the certificate of its authority, or VAULT_ADDR to the name in its certificate", address, err)
	case strings.Contains(said, "malformed HTTP"), strings.Contains(said, "readLoopPeekFailLocked"): // net/http's words for a server that speaks first
		return fmt.Sprintf("the server at %s does not speak HTTP; set VAULT_ADDR to the address of Vault", address)
	}
	return fmt.Sprintf("Vault at %s cannot be reached: %v; check that VAULT_ADDR is the address of Vault", address, err)
}

// reason is Vault's own where it has one.
func (v *vault) reason(answer *api.ResponseError, capability, kind string) string {
	said := tidy(answer.Errors)
	switch {
	case answer.StatusCode == http.StatusForbidden && v.client.Token() == "":
		return "Vault needs a token; run: " + command("vault", "login")
	case answer.StatusCode == http.StatusForbidden && strings.Contains(said, "invalid token"):
		return "Vault does not accept the token: it is wrong or has expired; run: " + command("vault", "login")
	case answer.StatusCode == http.StatusForbidden && capability == "":
		return "Vault forbids it (" + said + ")"
	case answer.StatusCode == http.StatusForbidden:
		return fmt.Sprintf("Vault forbids it (%s): the token needs %s on %s, or it has expired. To see what it may do, run: %s. To log in again, run: %s", said, capability, v.path(kind), command("vault", "token", "capabilities", v.path(kind)), command("vault", "login"))
	case answer.StatusCode == http.StatusNotFound && strings.Contains(said, "no handler for route"):
		return fmt.Sprintf("no secrets engine is mounted at %s/. To see all mounts, run: %s. Then name the mount with -mount, and a namespace with VAULT_NAMESPACE", v.mount, command("vault", "secrets", "list"))
	case answer.RawError || said == "":
		return fmt.Sprintf("Vault, or a proxy in front of it, answered %d %s; its log says why", answer.StatusCode, http.StatusText(answer.StatusCode))
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
