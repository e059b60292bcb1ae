// Proxies between Vault and Zoho: which one a request takes, and what a failure on the way
// through it means. No text has the user name or password of a proxy's address.

package zoho

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// errProxyAddress stands in for net/http's error, which repeats the address with its
// password.
var errProxyAddress = errors.New("HTTPS_PROXY in the environment of the plugin process is not the address of a proxy; write it as http://host:port or http://user:password@host:port, with special characters of the password percent-encoded")

// proxyFromEnvironment returns the proxy that HTTPS_PROXY and NO_PROXY name for a request. A
// password with a slash in it would leave its beginning in the place of the host, so an
// address with an @ behind the host is refused.
func proxyFromEnvironment(req *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil || proxy != nil && strings.Contains(proxy.Path+proxy.RawQuery+proxy.Fragment, "@") {
		return nil, errProxyAddress
	}
	return proxy, nil
}

// proxyRefusal is a proxy's refusal to connect to a server.
type proxyRefusal struct {
	proxy, server string
	status        int
}

// proxyAnswered is called with a proxy's answer to CONNECT.
func proxyAnswered(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{proxy: proxy.Host, server: req.Host, status: resp.StatusCode}
}

// Error says which proxy refused what, and what to do.
func (r *proxyRefusal) Error() string {
	advice := "allow this host in the proxy, or name the host in NO_PROXY if Vault can reach it without the proxy"
	switch {
	case r.status == http.StatusProxyAuthRequired:
		advice = "the proxy demands a user name and a password; put the right ones into HTTPS_PROXY of the plugin process (http://user:password@host:port)"
	case r.status >= 500:
		advice = "check whether the proxy itself can resolve and reach this host"
	}
	return fmt.Sprintf("the proxy %s refused the connection to %s with HTTP %d: %s", r.proxy, r.server, r.status, advice)
}

// withProxy adds the proxy to the cause of a failure. err is what net/http returned, cause
// what of it may be shown.
func (t *Transport) withProxy(req *http.Request, err, cause error, connected bool) error {
	if cause == nil {
		return nil
	}
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		cause = fmt.Errorf("%w; if a proxy or a firewall inspects TLS, set ca_pem in config to the certificates of its authority", cause)
	}
	proxy, _ := t.shared.Proxy(req)
	if proxy == nil {
		return cause
	}
	var refusal *proxyRefusal
	var op *net.OpError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &op) && op.Op == "proxyconnect":
		if inner := op.Err; !errors.As(cause, new(timedOut)) {
			cause = inner
		}
		return fmt.Errorf("the proxy %s cannot be reached: %w; check HTTPS_PROXY of the plugin process", proxy.Host, cause)
	case !connected:
		return fmt.Errorf("no connection through the proxy %s: %w", proxy.Host, cause)
	}
	return fmt.Errorf("%w, through the proxy %s", cause, proxy.Host)
}
