// What can be said on the command line?

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
	device      bool
	paste       bool
	noBrowser   bool
	force       bool
	format      string
	timeout     time.Duration // 0: as long as the consent
	linger      time.Duration
}

// defaultPort is fixed, because redirect URIs are registered byte for byte.
const defaultPort = 8910

const usage = `zoho-login connects a Zoho account to Vault, as the credential NAME.

Usage: zoho-login [flags] NAME

It starts a consent in Vault, opens the browser, catches the browser when Zoho
sends it back to http://localhost:%d/callback, and hands that to Vault. This
address must be one of the redirect URIs of the client in Zoho's API console. The
token that comes of it stays in Vault.

Vault is found as the vault command does: VAULT_ADDR, VAULT_TOKEN or the token of
"vault login", VAULT_NAMESPACE, VAULT_CACERT and the other TLS variables,
VAULT_AGENT_ADDR. The token needs update on MOUNT/authorize/NAME, create and
update on MOUNT/creds/NAME (read for -device); with read on MOUNT/status/NAME the
account is shown, and with delete on MOUNT/authorize/NAME a consent is ended that
came to nothing.

Without a browser here: -no-browser to open the link on this machine some other
way, -paste to open it on another machine and paste the address it ends at,
-device to type a short code on a phone (clients of the type "non-browser
application").

Exit code: 0 connected, 1 failed, 2 wrong usage, 3 declined, 4 not in time,
130 interrupted.

zoho-login -version says which release this is.

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
	flags.IntVar(&port, "port", defaultPort, "`port` of http://localhost:PORT/callback")
	flags.StringVar(&redirect, "redirect-uri", "", "redirect `URI` exactly as registered, if it is not http://localhost:PORT/callback")
	flags.BoolVar(&o.device, "device", false, "consent on another device, by typing a short code there")
	flags.BoolVar(&o.paste, "paste", false, "consent in a browser on another machine, and paste the address that it ends at")
	flags.BoolVar(&o.noBrowser, "no-browser", false, "print the link and open nothing")
	flags.BoolVar(&o.force, "force", false, "replace a consent for NAME that somebody else has started and that still waits")
	flags.DurationVar(&o.timeout, "timeout", 0, "`duration` to wait for the person, such as 5m; otherwise as long as the consent is good")
	flags.DurationVar(&o.linger, "linger", 2*time.Second, "`duration` for which the page in the browser can be loaded again afterwards")
	flags.StringVar(&o.format, "format", "text", "`form` of the result: text, or json (one object on standard output, and all that is for people on standard error)")

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
		return o, fmt.Errorf("name one credential to connect, not %d", len(names))
	}
	o.name, o.mount = names[0], strings.Trim(o.mount, "/")
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
		return fmt.Errorf("%q is not the name of a credential; the mount is named with -mount", o.name)
	case o.mount == "" || strings.ContainsAny(o.mount, "?#%\\") || strings.Contains("/"+o.mount+"/", "/./") || strings.Contains("/"+o.mount+"/", "/../") || strings.Contains(o.mount, "//"):
		return fmt.Errorf("-mount=%q is not a path of Vault", o.mount)
	case o.format != "text" && o.format != "json":
		return fmt.Errorf("-format is text or json, not %q", o.format)
	case o.device && o.paste:
		return errors.New("-device and -paste are two ways to consent; take one")
	case o.device && (set["port"] || set["redirect-uri"]):
		return errors.New("-device needs no redirect URI; leave -port and -redirect-uri out")
	case o.device && o.addScopes != "":
		return errors.New("-add-scopes needs a browser; leave -device out")
	case o.scopes != "" && o.addScopes != "":
		return errors.New("-scopes asks for a new grant and -add-scopes extends the one there is; take one")
	case set["port"] && set["redirect-uri"]:
		return errors.New("-redirect-uri says the port; leave -port out")
	case o.timeout < 0 || set["timeout"] && o.timeout == 0:
		return errors.New("-timeout is not above zero")
	case o.linger < 0:
		return errors.New("-linger is below zero")
	case port < 1 || port > 65535:
		return fmt.Errorf("-port=%d is no port; take 1 to 65535", port)
	}
	if redirect == "" {
		redirect = fmt.Sprintf("http://localhost:%d/callback", port)
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("-redirect-uri=%q is not a whole address such as http://localhost:%d/callback", redirect, defaultPort)
	}
	if !o.paste && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return fmt.Errorf("-redirect-uri=%s leads elsewhere, where nothing can be caught; with -paste it can be used", redirect)
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
