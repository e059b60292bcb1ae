// What is around a source in its tests? The real engine behind Vault's HTTP API, and
// Zoho simulated behind the engine, all in this process.

package tokensource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/tokensource"
	"vault-plugin-secrets-zoho/zohotest"
)

// world is a Vault with one connected credential, zoho/creds/crm.
type world struct {
	zoho   *zohotest.Simulator
	vault  *server
	client *api.Client
	source *tokensource.Source
}

// server is Vault's HTTP API over one mount, as an http.RoundTripper.
type server struct {
	engine  logical.Backend
	storage logical.Storage
	away    atomic.Bool            // nothing answers
	hangs   atomic.Bool            // it takes requests and answers none
	reads   atomic.Int64           // of credentials
	last    atomic.Pointer[string] // the query of the last read
	behind  time.Duration          // by how much its clock is behind the app's
}

func newWorld(settings map[string]any) (*world, error) {
	w := &world{zoho: zohotest.New(), vault: &server{storage: &logical.InmemStorage{}}}
	conf := logical.TestBackendConfig()
	conf.StorageView, conf.System, conf.Logger = w.vault.storage, logical.TestSystemView(), hclog.NewNullLogger()
	engine, err := backend.NewFactory(w.zoho.Transport())(context.Background(), conf)
	if err != nil {
		return nil, err
	}
	w.vault.engine = engine

	app := w.zoho.DefaultClient()
	if _, err := w.write("config", map[string]any{"client_id": app.ID, "client_secret": app.Secret, "redirect_uri": app.RedirectURIs[0], "scopes": "ZohoCRM.org.READ"}); err != nil {
		return nil, err
	}
	started, err := w.write("authorize/crm", nil)
	if err != nil {
		return nil, err
	}
	landed, err := w.zoho.Authorize(started.Data["authorization_url"].(string), zohotest.Consent{DataCenter: "eu"})
	if err != nil {
		return nil, err
	}
	settings["callback_url"] = landed
	if _, err := w.write("creds/crm", settings); err != nil {
		return nil, err
	}
	if w.client, err = api.NewClient(&api.Config{Address: "https://vault.example.com", HttpClient: &http.Client{Transport: w.vault}}); err != nil {
		return nil, err
	}
	w.source = tokensource.New(w.client, "zoho/creds/crm")
	return w, nil
}

func (w *world) write(path string, data map[string]any) (*logical.Response, error) {
	resp, err := w.vault.engine.HandleRequest(context.Background(), &logical.Request{
		Operation: logical.UpdateOperation, Path: path, Storage: w.vault.storage, Data: data, MountPoint: "zoho/",
	})
	if err == nil && resp.IsError() {
		err = resp.Error()
	}
	return resp, err
}

// crm is an app's HTTP client whose requests reach the simulated Zoho.
func (w *world) crm() *http.Client {
	return &http.Client{Transport: &tokensource.Transport{Source: w.source, Base: w.zoho.Transport()}}
}

func (v *server) RoundTrip(req *http.Request) (*http.Response, error) {
	path, found := strings.CutPrefix(req.URL.Path, "/v1/zoho/")
	switch {
	case v.away.Load():
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	case v.hangs.Load():
		<-req.Context().Done()
		return nil, req.Context().Err()
	case !found || req.Method != http.MethodGet:
		return answer(req, http.StatusNotFound, map[string]any{"errors": []string{"no handler for route"}}), nil
	}
	v.reads.Add(1)
	v.last.Store(&req.URL.RawQuery)
	data := map[string]any{}
	for name := range req.URL.Query() {
		data[name] = req.URL.Query().Get(name)
	}
	resp, err := v.engine.HandleRequest(req.Context(), &logical.Request{Operation: logical.ReadOperation, Path: path, Storage: v.storage, Data: data})
	if err == nil && resp.IsError() {
		err = logical.CodedError(http.StatusBadRequest, resp.Error().Error())
	}
	if err != nil {
		status := http.StatusInternalServerError
		if coded, ok := err.(logical.HTTPCodedError); ok {
			status = coded.Code()
		}
		return answer(req, status, map[string]any{"errors": []string{err.Error()}}), nil
	}
	if expires, err := time.Parse(time.RFC3339, fmt.Sprint(resp.Data["expire_time"])); err == nil {
		resp.Data["expire_time"] = expires.Add(-v.behind).Format(time.RFC3339)
	}
	got := answer(req, http.StatusOK, map[string]any{"data": resp.Data, "warnings": resp.Warnings})
	got.Header.Set("Date", time.Now().Add(-v.behind).UTC().Format(http.TimeFormat))
	return got, nil
}

func answer(req *http.Request, status int, body any) *http.Response {
	encoded, _ := json.Marshal(body)
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(encoded)), Request: req}
}

// inBubble runs a test in which an hour passes at once. At its end Zoho has nothing to
// complain about.
func inBubble(t *testing.T, settings map[string]any, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(settings)
		if err != nil {
			t.Fatal(err)
		}
		test(t, w)
		for _, v := range w.zoho.Violations() {
			t.Error(v)
		}
		w.vault.engine.Cleanup(context.Background())
	})
}

// token has to come, and to be alive at Zoho.
func (w *world) token(t *testing.T) string {
	t.Helper()
	token, err := w.source.Token()
	if err != nil {
		t.Fatal(err)
	}
	if !w.zoho.Alive(token.AccessToken) {
		t.Fatal("the source gave a dead token")
	}
	return token.AccessToken
}

// passes lets time go by: none at all, in the bubble that every caller is in.
func passes(d time.Duration) { time.Sleep(d) }

// exampleZoho is the way to Zoho in the examples.
type exampleZoho struct {
	http.RoundTripper
	kill func(accessToken string)
}

// exampleVault is a Vault that an app is logged in to.
func exampleVault() (*api.Client, exampleZoho) {
	w, err := newWorld(map[string]any{"max_age": "30m"})
	if err != nil {
		panic(err)
	}
	return w.client, exampleZoho{w.zoho.Transport(), w.zoho.RevokeAccessToken}
}
