// vault.go: the requests to Vault for a consent. Every answer becomes plain values. Of an
// access token that comes back nothing is kept.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// vault is one credential on one mount.
type vault struct {
	client *api.Client
	mount  string
	name   string
	asked  options // the command line, for remedies
}

func (v *vault) path(kind string) string { return v.mount + "/" + kind + "/" + v.name }

// started is the answer to authorize.
type started struct {
	Address         string    `json:"authorization_url"`
	State           string    `json:"state"`
	Expires         time.Time `json:"expire_time"`
	UserCode        string    `json:"user_code"`
	VerificationURL string    `json:"verification_url"`
	Interval        int       `json:"interval"` // seconds between two questions

	warnings []string
	expires  time.Time // Expires as Vault said it
}

// connected is the answer to a source of a grant.
type connected struct {
	DataCenter string   `json:"data_center"`
	Requested  []string `json:"requested_scopes"`
	Granted    []string `json:"granted_scopes"`

	warnings []string
}

// status is how a credential is doing.
type status struct {
	DataCenter     string   `json:"data_center"`
	Requested      []string `json:"requested_scopes"`
	Granted        []string `json:"granted_scopes"`
	Email          string   `json:"zoho_email"`
	User           string   `json:"zoho_user"`
	Connected      string   `json:"connected_time"`
	ConsentExpires string   `json:"consent_expire_time"`
}

// Each request goes on for a while after the person has interrupted: what Vault
// does with it must be known, or it can't be undone.
const (
	startGrace = 5 * time.Second
	endGrace   = 10 * time.Second
	// A code is spent once. Vault gives Zoho as long as this, by default.
	finishGrace = 30 * time.Second
)

func (v *vault) start(ctx context.Context, o options) (started, error) {
	fields := map[string]any{}
	if o.device {
		fields["flow"] = "device"
	} else {
		fields["redirect_uri"] = o.redirectURI
	}
	if o.organization {
		fields["flow"] = "organization"
	}
	for name, value := range map[string]string{
		"scopes": o.scopes, "add_scopes": o.addScopes, "data_center": o.dataCenter, "soid": o.soid, "ttl": o.ttl,
		"expected_user": o.expectedUser, "expected_data_center": o.expectedDataCenter,
	} {
		if value != "" {
			fields[name] = value
		}
	}
	if o.force {
		fields["force"] = true
	}
	ctx, cancel := outlive(ctx, startGrace)
	defer cancel()
	var s started
	secret, err := v.client.Logical().WriteWithContext(ctx, v.path("authorize"), fields)
	if err == nil {
		err = decode(secret, &s)
	}
	if err == nil && (s.State == "" || o.device && s.VerificationURL == "" || !o.device && s.Address == "") {
		err = errors.New("the answer has no link, so it is not from vault-plugin-secrets-zoho, or from another release; compare with zoho-login -version")
	}
	if err != nil {
		return s, v.notReplaced(ctx, v.explain(err, "starting a consent", "update", "authorize"))
	}
	s.warnings = secret.Warnings
	s.expires = s.Expires
	s.leaveTime(time.Now())
	return s, nil
}

// leaveTime makes sure that there is time: where this machine's clock is far ahead of
// Vault's, the consent seems to have expired already.
func (s *started) leaveTime(now time.Time) {
	if !s.Expires.After(now) {
		s.Expires = now.Add(10 * time.Minute) // Vault's default
	}
}

// finish hands over the address that the browser landed at.
func (v *vault) finish(ctx context.Context, address string) (connected, error) {
	// A code is good for two minutes, and Vault lets it be spent but once.
	setRetries(v.client, 2)
	ctx, cancel := outlive(ctx, finishGrace)
	defer cancel()
	var c connected
	secret, err := v.client.Logical().WriteWithContext(ctx, v.path("creds"), map[string]any{"callback_url": address})
	if err == nil {
		err = decode(secret, &c)
	}
	if err != nil {
		return c, v.explain(err, "handing Zoho's answer to Vault", "create and update", "creds")
	}
	c.warnings = secret.Warnings
	return c, nil
}

// status is told to whoever may read it.
func (v *vault) status(ctx context.Context) (status, error) {
	var s status
	secret, err := v.client.Logical().ReadWithContext(ctx, v.path("status"))
	if err == nil {
		err = decode(secret, &s)
	}
	if err != nil {
		return s, v.explain(err, "reading the status of the credential", "read", "status")
	}
	return s, nil
}

// stillWaits reports whether the consent s can still be completed. A token that may not read
// authorize gets the answer from the text of the error that Vault returned for the attempt
// (backend/consent_errors.go, backend/internal/gate/refused.go).
func (v *vault) stillWaits(ctx context.Context, s started, attempt error) bool {
	ctx, cancel := outlive(ctx, endGrace)
	defer cancel()
	var stored struct {
		State   string    `json:"state"`
		Expires time.Time `json:"expire_time"`
	}
	secret, err := v.client.Logical().ReadWithContext(ctx, v.path("authorize"))
	if err == nil {
		err = decode(secret, &stored)
	}
	if err != nil {
		text := attempt.Error()
		forbidden := statusOf(v.explain(err, "reading the consent", "read", "authorize")) == http.StatusForbidden
		return forbidden && (strings.Contains(text, "open the same link again") || strings.Contains(text, "open the link again"))
	}
	return stored.State == "waiting" && stored.Expires.Equal(s.expires)
}

// poll reads the credential, by which Vault asks Zoho whether the person has
// consented. A token that comes back is dropped unread; that it may be old keeps
// Vault from making a new one.
func (v *vault) poll(ctx context.Context) error {
	secret, err := v.client.Logical().ReadWithDataWithContext(ctx, v.path("creds"), map[string][]string{"max_age": {"1h"}})
	if err == nil && secret == nil {
		err = errNothing
	}
	if err != nil {
		return v.explain(err, "asking whether the person has accepted", "read", "creds")
	}
	return nil
}

// withdraw ends the consent of a state and no other. The state is in the body of a write: an
// address stays in Vault's audit log, and the state may be in force.
func (v *vault) withdraw(ctx context.Context, state string) error {
	_, err := v.client.Logical().WriteWithContext(ctx, v.path("authorize"), map[string]any{"withdraw": true, "if_state": state})
	if err != nil {
		return v.explain(err, "withdrawing the consent", "update", "authorize")
	}
	return nil
}

// notReplaced adds to a refusal how this command replaces the consent that waits, with the
// conditions of that consent or without them.
func (v *vault) notReplaced(ctx context.Context, err error) error {
	if statusOf(err) != http.StatusBadRequest || v.asked.force || !strings.Contains(err.Error(), "force=true") {
		return err
	}
	var stored struct {
		User       string `json:"expected_user"`
		DataCenter string `json:"expected_data_center"`
	}
	secret, failed := v.client.Logical().ReadWithContext(ctx, v.path("authorize"))
	if failed == nil {
		failed = decode(secret, &stored)
	}
	keeps := []string{"-force"}
	if failed == nil && stored.User != "" && v.asked.expectedUser == "" {
		keeps = append(keeps, "-expected-user="+stored.User)
	}
	if failed == nil && stored.DataCenter != "" && v.asked.expectedDataCenter == "" {
		keeps = append(keeps, "-expected-data-center="+stored.DataCenter)
	}
	how := "To replace it, run: " + v.again("-force")
	if len(keeps) > 1 {
		how = "To replace it and keep its conditions, run: " + v.again(keeps...) + "; to replace it and drop them, run: " + v.again("-force")
	}
	return &refusal{http.StatusBadRequest, strings.TrimSuffix(err.Error(), ".") + ". " + how}
}

// outlive returns a context that goes on for a while after ctx has ended.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

// decode takes the data of an answer.
func decode(secret *api.Secret, into any) error {
	if secret == nil || secret.Data == nil {
		return errNothing
	}
	encoded, err := json.Marshal(secret.Data)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(encoded, into); err != nil {
		return fmt.Errorf("the answer is not from vault-plugin-secrets-zoho, or from another release: %w", err)
	}
	return nil
}
