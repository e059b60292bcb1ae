// options.go: the flags of the command line, and which of them go together.

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type options struct {
	name        string
	mount       string
	redirectURI string   // where Zoho sends the browser, byte for byte
	redirect    *url.URL // the same
	scopes      string
	addScopes   string
	dataCenter  string
	// The account that must consent.
	expectedUser       string
	expectedDataCenter string
	// organization asks an administrator for a grant of the organization soid.
	organization  bool
	soid          string
	ttl           string   // how long the link works, as Vault reads durations
	redirectGiven bool     // by -redirect-uri
	typed         []string // the arguments, for remedies
	device        bool
	paste         bool
	noBrowser     bool
	force         bool
	format        string
	timeout       time.Duration // 0: as long as the consent
	linger        time.Duration
}

// defaultPort is fixed, because redirect URIs are registered byte for byte.
const (
	defaultPort = 8910
	maxPort     = 65535
)

const usage = `zoho-login connects a Zoho account to Vault, as the credential NAME.

Usage: zoho-login [flags] NAME

It starts a consent in Vault and opens Zoho's page in your browser. After you
accept, Zoho sends the browser to http://localhost:%d/callback, where zoho-login
receives it and hands the answer to Vault. Register this address as a redirect URI
of the client in Zoho's API console. The tokens stay in Vault.

Vault is found as the vault command finds it: VAULT_ADDR, VAULT_TOKEN or the token of
"vault login", VAULT_NAMESPACE, VAULT_CACERT and the other TLS variables,
VAULT_AGENT_ADDR.

Policy of the token (checked before Zoho's page is opened, if the token may call
sys/capabilities-self):
  update            on MOUNT/authorize/NAME   start and withdraw the consent
  create and update on MOUNT/creds/NAME       connect (read for -device)
  read              on MOUNT/status/NAME      optional: show whose account it is
  read              on MOUNT/authorize/NAME   optional: see whether a consent still waits

Without a browser on this machine: -no-browser prints the link. -paste is for a
browser on another machine: paste the address that it ends at. -device shows a short
code to type on a phone, for clients of the type "non-browser application".

A consent for NAME that already waits, such as an invitation that an operator sent, is
not replaced if somebody else started it, or if it is for one account and the new
consent is not. Use -expected-user and -expected-data-center to keep its account, and
-force to replace it.

Fields of authorize/NAME that have no flag: return_url and return_state, because the
browser comes back to zoho-login and not to another application; withdraw and
if_state, which zoho-login uses when a consent fails or you stop it.

Output: NO_COLOR (any value) prints no colors, and so no QR code, with -device.

Exit code: 0 connected, 1 failed, 2 wrong usage, 3 declined, 4 not in time,
130 interrupted.

zoho-login -version prints the release.

`

func readOptions(args []string, t terminal) (options, error) {
	var o options
	var port int
	var redirect string
	flags := flag.NewFlagSet("zoho-login", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are told once, by run
	flags.StringVar(&o.mount, "mount", "zoho", "`path` where the secrets engine is mounted")
	flags.StringVar(&o.scopes, "scopes", "", "`scopes` to ask for, with commas between; otherwise those of the mount's config")
	flags.StringVar(&o.addScopes, "add-scopes", "", "`scopes` that the connected credential is to gain")
	flags.StringVar(&o.dataCenter, "data-center", "", "`name` of the data center at which the consent starts; otherwise that of the mount's config")
	flags.StringVar(&o.expectedUser, "expected-user", "", "e-mail `address` or Zoho user id of the account that must consent; any other account is refused. Needs the scope AaaServer.profile.READ")
	flags.StringVar(&o.expectedDataCenter, "expected-data-center", "", "`name` of the data center that the account must be in, such as eu")
	flags.BoolVar(&o.organization, "organization", false, "ask an administrator for a grant of the whole organization, which outlives the person (flow=organization)")
	flags.StringVar(&o.soid, "soid", "", "with -organization: the `organization`, SERVICE.ID such as ZohoCRM.600000434")
	flags.StringVar(&o.ttl, "ttl", "", "`duration` for which the link works, 1m to 7d; otherwise 10m")
	flags.IntVar(&port, "port", defaultPort, "`port` of http://localhost:PORT/callback")
	flags.StringVar(&redirect, "redirect-uri", "", "redirect `URI` exactly as registered, if it is not http://localhost:PORT/callback")
	flags.BoolVar(&o.device, "device", false, "consent on another device, by typing a short code there (flow=device)")
	flags.BoolVar(&o.paste, "paste", false, "consent in a browser on another machine, and paste the address that it ends at")
	flags.BoolVar(&o.noBrowser, "no-browser", false, "print the link and open nothing")
	flags.BoolVar(&o.force, "force", false, "replace a consent for NAME that still waits, although somebody else started it or it is for an account that -expected-user or -expected-data-center does not name")
	flags.DurationVar(&o.timeout, "timeout", 0, "`duration` to wait for the person, such as 5m; otherwise as long as the link works")
	flags.DurationVar(&o.linger, "linger", 2*time.Second, "`duration` for which the page in the browser can be loaded again afterwards")
	flags.StringVar(&o.format, "format", "text", "`form` of the result: text, or json (one object on standard output; messages for people go to standard error)")

	names, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(t.stdout)
		fmt.Fprintf(t.stdout, usage, defaultPort)
		flags.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, err
	}
	if len(names) != 1 {
		return o, fmt.Errorf("name one credential to connect, such as crm; the command line names %d", len(names))
	}
	o.name, o.mount, o.typed = names[0], strings.Trim(o.mount, "/"), args
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return o, o.complete(set, port, redirect)
}

// parse takes flags before and after names.
func parse(flags *flag.FlagSet, args []string) (names []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return names, nil
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
}

// complete checks what goes together. Names and scopes are Vault's to judge; here
// they only must not lead elsewhere.
func (o *options) complete(set map[string]bool, port int, redirect string) error {
	switch {
	case strings.ContainsAny(o.name, "/\\?#%") || strings.Trim(o.name, ".") == "":
		return fmt.Errorf("%q is not the name of a credential; write the last part of its path alone, such as crm, and the mount as -mount=zoho", o.name)
	case o.mount == "" || strings.ContainsAny(o.mount, "?#%\\") || strings.Contains("/"+o.mount+"/", "/./") || strings.Contains("/"+o.mount+"/", "/../") || strings.Contains(o.mount, "//"):
		return fmt.Errorf("-mount=%q is not a path of a mount; run vault secrets list to see the mounts", o.mount)
	case o.format != "text" && o.format != "json":
		return fmt.Errorf("-format is text or json, not %q", o.format)
	case o.device && o.paste:
		return errors.New("-device and -paste are two ways to consent; use one of them")
	case o.device && (set["port"] || set["redirect-uri"]):
		return errors.New("-device needs no redirect URI; leave -port and -redirect-uri out")
	case o.device && o.addScopes != "":
		return errors.New("-add-scopes needs a browser; leave -device out")
	case o.organization && o.device:
		return errors.New("-organization needs a browser; leave -device out")
	case o.organization && o.addScopes != "":
		return errors.New("-organization asks for a new grant and -add-scopes extends the present one; use one of them")
	case o.soid != "" && !o.organization:
		return errors.New("-soid goes with -organization; add that")
	case o.device && o.ttl != "":
		return errors.New("-ttl does not go with -device, because Zoho decides how long its code works; leave -ttl out")
	case o.addScopes != "" && (o.expectedUser != "" || o.expectedDataCenter != ""):
		return errors.New("-expected-user and -expected-data-center do not go with -add-scopes, which extends the present grant; leave them out")
	case set["expected-user"] && o.expectedUser == "", set["expected-data-center"] && o.expectedDataCenter == "":
		return errors.New("-expected-user or -expected-data-center is empty; name the account that must consent, or leave the flag out")
	case o.scopes != "" && o.addScopes != "":
		return errors.New("-scopes asks for a new grant and -add-scopes extends the present one; use one of them")
	case set["port"] && set["redirect-uri"]:
		return errors.New("-redirect-uri has a port of its own; leave -port out")
	case o.timeout < 0 || set["timeout"] && o.timeout == 0:
		return errors.New("-timeout must be more than 0, such as 5m")
	case o.linger < 0:
		return errors.New("-linger must be 0 or more, such as 2s")
	case port < 1 || port > maxPort:
		return fmt.Errorf("-port=%d is no port; use 1 to %d", port, maxPort)
	}
	if o.redirectGiven = redirect != ""; !o.redirectGiven {
		redirect = fmt.Sprintf("http://localhost:%d/callback", port)
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("-redirect-uri=%q is not a whole address such as http://localhost:%d/callback", redirect, defaultPort)
	}
	if !o.paste && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return fmt.Errorf("-redirect-uri=%s is not an http address of this machine, so zoho-login cannot receive the browser there; add -paste to paste the address instead", redirect)
	}
	o.redirectURI, o.redirect = redirect, u
	return nil
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// port is where to listen for the redirect.
func (o *options) port() string {
	if p := o.redirect.Port(); p != "" {
		return p
	}
	return strconv.Itoa(80)
}
