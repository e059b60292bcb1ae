// ready.go: the checks before a consent is started. Is the server Vault, is the mount one of
// this engine, and may the token do everything that the command needs? Nothing is written.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-zoho/internal/page"
)

// readyTime is for all checks together.
const readyTime = 10 * time.Second

// ready reports what would make the command fail later. Warnings are about what may fail.
func (v *vault) ready(ctx context.Context, o options, t terminal) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := v.identify(ctx); err != nil {
		return err
	}
	warning, err := v.permitted(ctx, o)
	if warning != "" {
		fmt.Fprintf(t.stderr, "zoho-login: warning: %s\n", plain(warning))
	}
	return err
}

// identify reads the mount's callback, which needs no token: this engine alone answers it
// with one of its pages. If it does not, the error says what is there instead.
func (v *vault) identify(ctx context.Context) error {
	doing := "looking for the Zoho secrets engine at " + v.mount + "/"
	visitor, err := v.client.Clone()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	setRetries(visitor, 0)
	visitor.SetWrappingLookupFunc(func(string, string) string { return "" })
	visitor.ClearToken()
	visitor.SetNamespace(v.client.Namespace())
	resp, err := visitor.Logical().ReadRawWithContext(ctx, v.mount+"/callback")
	got := answered{err: err}
	if resp != nil {
		defer resp.Body.Close()
		got.status, got.contentType = resp.StatusCode, resp.Header.Get("Content-Type")
		got.body, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	}
	var refused *api.ResponseError
	switch {
	case page.Made(got.body):
		return nil
	case err != nil && !errors.As(err, &refused):
		return v.explain(err, doing, "", "")
	case strings.Contains(string(got.body), "HTTP request to an HTTPS server"):
		return fmt.Errorf("%s: the server at %s speaks TLS, and VAULT_ADDR begins with http://; run: %s", doing, v.client.Address(), v.exportAddress("https"))
	}
	visitor.ClearNamespace() // the health of a server is asked for outside namespaces
	return v.foundInstead(ctx, doing, got, visitor)
}

// answered is an answer of a server that is not one of this engine's pages.
type answered struct {
	status      int
	contentType string
	body        []byte
	err         error
}

// foundInstead says what is at the mount's path, or returns nil if Vault says that it is this
// engine and something between answered in its place.
func (v *vault) foundInstead(ctx context.Context, doing string, got answered, visitor *api.Client) error {
	health, err := visitor.Sys().HealthWithContext(ctx)
	isVault := err == nil && health.Version != ""
	switch {
	case isVault && !health.Initialized:
		return fmt.Errorf("%s: Vault at %s is not initialized; its operator runs: %s", doing, v.client.Address(), command("vault", "operator", "init"))
	case isVault && health.Sealed:
		return fmt.Errorf("%s: Vault at %s is sealed; its operator runs: %s", doing, v.client.Address(), command("vault", "operator", "unseal"))
	}
	mount, err := v.mountedAt(ctx)
	var refused *api.ResponseError
	switch {
	case err == nil && mount.path == v.mount+"/" && mount.engine == page.Generator:
		if isVault && got.err != nil && strings.HasPrefix(got.contentType, "application/json") {
			return v.explain(got.err, doing, "", "") // such as a plugin that does not start
		}
		return nil
	case err == nil && mount.path != v.mount+"/" && mount.engine == page.Generator:
		return fmt.Errorf("%s: the path is inside the mount %s; run: %s", doing, mount.path, v.again("-mount="+strings.TrimSuffix(mount.path, "/")))
	case err == nil:
		return fmt.Errorf("%s: the mount %s is a secrets engine of the type %q, not %s; nothing was written to it. To see all mounts, run: %s. Then name the mount with -mount", doing, mount.path, mount.engine, page.Generator, command("vault", "secrets", "list"))
	case isVault || errors.As(err, &refused) && len(refused.Errors) > 0 && !refused.RawError:
		return fmt.Errorf("%s: no Zoho secrets engine is mounted there%s, or the token may not use it. To see all mounts, run: %s. Then name the mount with -mount, and a namespace with VAULT_NAMESPACE", doing, v.inNamespace(), command("vault", "secrets", "list"))
	}
	return fmt.Errorf("%s: the server at %s does not answer as Vault does: GET /v1/%s/callback got %d %s (%s). Set VAULT_ADDR to the address of Vault. If a proxy is in between, it must let GET /v1/%s/callback pass",
		doing, v.client.Address(), v.mount, got.status, http.StatusText(got.status), firstNonEmpty(got.contentType, "no content type"), v.mount)
}

func (v *vault) inNamespace() string {
	if ns := strings.Trim(v.client.Namespace(), "/"); ns != "" {
		return fmt.Sprintf(" (namespace %s)", ns)
	}
	return ""
}

func firstNonEmpty(texts ...string) string {
	i := slices.IndexFunc(texts, func(text string) bool { return text != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}

// mounted is a mount as Vault describes it.
type mounted struct{ path, engine string }

// mountedAt asks Vault for the mount that a path belongs to. Every token that may use a path
// of the mount may ask.
func (v *vault) mountedAt(ctx context.Context) (mounted, error) {
	secret, err := v.client.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/"+v.mount)
	var m struct {
		Path   string `json:"path"`
		Engine string `json:"type"`
	}
	if err == nil {
		err = decode(secret, &m)
	}
	if err == nil && m.Path == "" {
		err = errNothing
	}
	return mounted{m.Path, m.Engine}, err
}

// permitted asks Vault what the token may do on each path that the command needs. A token
// that may not ask is not refused here: what it may not do shows later.
func (v *vault) permitted(ctx context.Context, o options) (warning string, err error) {
	authorize, creds := v.path("authorize"), v.path("creds")
	secret, err := v.client.Logical().WriteWithContext(ctx, "sys/capabilities-self", map[string]any{"paths": []string{authorize, creds}})
	var has map[string]any
	if err != nil || decode(secret, &has) != nil {
		return "", nil
	}
	may := func(path, capability string) bool {
		listed, known := has[path].([]any)
		return !known || slices.ContainsFunc(listed, func(c any) bool { return c == capability || c == "root" })
	}
	var lacks []need
	if !may(authorize, "update") {
		lacks = append(lacks, need{"update", authorize})
	}
	switch {
	case o.device && !may(creds, "read"):
		lacks = append(lacks, need{"read", creds})
	case o.device || may(creds, "create") && may(creds, "update"):
	case !may(creds, "create") && !may(creds, "update"):
		lacks = append(lacks, need{"create and update", creds})
	default:
		// One is enough: create for a new credential, update for one that is connected.
		missing, works := "create", "is connected already"
		if may(creds, "create") {
			missing, works = "update", "is not connected yet"
		}
		switch exists, known := v.exists(ctx); {
		case !known:
			warning = fmt.Sprintf("the token has no %s on %s, which works only if %q %s", missing, creds, v.name, works)
		case exists == (missing == "update"):
			lacks = append(lacks, need{missing, creds})
		}
	}
	if len(lacks) == 0 {
		return warning, nil
	}
	return warning, &refusal{http.StatusForbidden, lacking(lacks)}
}

// exists reports whether the credential is stored, if the token may know.
func (v *vault) exists(ctx context.Context) (exists, known bool) {
	s, err := v.status(ctx)
	return err == nil && s.Connected != "", err == nil || statusOf(err) == http.StatusNotFound
}

// need is a capability on a path.
type need struct{ capability, path string }

// lacking is the error for a token that lacks capabilities.
func lacking(lacks []need) string {
	var what, look []string
	for _, n := range lacks {
		what = append(what, n.capability+" on "+n.path)
		look = append(look, command("vault", "token", "capabilities", n.path))
	}
	return "Vault's policies do not let the token connect this credential, so nothing was started: it lacks " + strings.Join(what, ", and ") +
		". Ask the operator of Vault for that. To see what the token may do, run: " + strings.Join(look, "; ")
}
