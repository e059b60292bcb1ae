// Options of the command line.

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"vault-plugin-secrets-zoho/zohotest"
)

// options are the flags that set no knob of the simulator.
type options struct {
	host      string
	port      int
	url       *url.URL // what peers use, without a port; nil: where it listens
	tlsCert   string
	tlsKey    string
	caFile    string
	readyFile string
	client    zohotest.Client
}

const usage = `zoho-sim simulates Zoho: the accounts servers of all data centres and a few APIs,
with Zoho's limits. Use it to test a client without a Zoho account.

Usage: zoho-sim [flags]

zoho-sim prints the addresses to point a client at and serves until it is interrupted.
Each host of Zoho has its own port: accounts server, API gateway and Desk of each data
center. The control API has one more: with it a script acts
as the user, causes faults, moves the clock, and reads what the client did wrong.
zoho-sim -version prints the release.

To use zoho-sim from other containers, give it the name that they use for it. The secrets
engine takes https only, so zoho-sim makes a certificate, and the file with its authority
goes into the engine's ca_pem:

  zoho-sim -listen 0.0.0.0 -port 9000 -url https://zoho-sim -ca-file /shared/zoho-sim.pem

`

// readOptions parses the command line and turns the simulator's knobs.
func readOptions(args []string, zoho *zohotest.Simulator, stderr io.Writer) (options, error) {
	made := zoho.DefaultClient()
	o := options{client: zohotest.Client{Name: made.Name, DataCenter: made.DataCenter}}
	flags := flag.NewFlagSet("zoho-sim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	var knobs zohotest.Knobs
	zoho.Knobs(func(k *zohotest.Knobs) { knobs = *k })
	var redirects, base, origins string
	flags.StringVar(&o.host, "listen", "127.0.0.1", "`host` or IP address to listen at; 0.0.0.0 is all interfaces")
	flags.IntVar(&o.port, "port", 0, "first of the consecutive `ports`: the accounts servers, the API gateways and the hosts of Desk of all data centers, and the control API last; 0 takes free ones")
	flags.StringVar(&base, "url", "", "`address` at which other machines and containers reach zoho-sim, without a port: https://zoho-sim; https serves TLS and needs -ca-file, or -tls-cert and -tls-key")
	flags.StringVar(&o.caFile, "ca-file", "", "`file` that zoho-sim writes: the PEM certificate of an authority that it makes for -url; clients must trust it")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "PEM `file` with a certificate of your own for -url")
	flags.StringVar(&o.tlsKey, "tls-key", "", "PEM `file` with the key of -tls-cert")
	flags.StringVar(&o.readyFile, "ready-file", "", "`file` that zoho-sim writes when all ports listen: addresses and clients as JSON, for scripts")
	flags.StringVar(&o.client.ID, "client-id", "", "`id` of the server-based client; made up if left out")
	flags.StringVar(&o.client.Secret, "client-secret", "", "`secret` of the server-based client; made up if left out")
	flags.StringVar(&redirects, "redirect-uri", strings.Join(made.RedirectURIs, ","), "redirect `URIs` of the server-based client, separated by commas")
	flags.StringVar(&origins, "cors-origins", "", "`origins` of browser apps that may read answers (CORS), separated by commas, or *; not known from Zoho: an app that works with this may fail at Zoho")
	flags.BoolVar(&knobs.AutoConsent, "auto-consent", knobs.AutoConsent, "consent at once, without showing the consent page")
	flags.DurationVar(&knobs.AccessTokenLifetime, "access-token-lifetime", knobs.AccessTokenLifetime, "`life` of an access token")
	flags.DurationVar(&knobs.CodeLifetime, "code-lifetime", knobs.CodeLifetime, "`life` of a code")
	flags.IntVar(&knobs.LiveAccessTokens, "live-tokens", knobs.LiveAccessTokens, "`number` of access tokens that one refresh token keeps alive; negative: no limit")
	flags.IntVar(&knobs.Mints, "mints", knobs.Mints, "`number` of access tokens per refresh token and mint window; negative: no limit")
	flags.DurationVar(&knobs.MintWindow, "mint-window", knobs.MintWindow, "`length` of the window of -mints")
	err := flags.Parse(args)
	if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: zoho-sim takes flags only", flags.Arg(0))
	}
	if base != "" {
		u, err := readURL(base)
		if err != nil {
			return o, err
		}
		o.url = u
	}
	if err := o.checkURL(); err != nil {
		return o, err
	}
	if err := o.checkListen(zoho); err != nil {
		return o, err
	}
	if knobs.AccessTokenLifetime <= 0 || knobs.CodeLifetime <= 0 || knobs.MintWindow <= 0 {
		return o, errors.New("-access-token-lifetime, -code-lifetime and -mint-window are longer than 0: write them as 5m or 1h30m")
	}
	if origins != "" {
		if knobs.CORSOrigins, err = readOrigins(origins); err != nil {
			return o, err
		}
	}
	if redirects == "" {
		return o, fmt.Errorf("-redirect-uri is empty: a server-based client needs one; leave the flag out for the usual ones")
	}
	zoho.RemoveClient(made.ID)
	o.client.RedirectURIs = list(redirects)
	o.client = zoho.AddClient(o.client)
	zoho.Knobs(func(k *zohotest.Knobs) { *k = knobs })
	return o, nil
}

// list is a list that is separated by commas, and perhaps by spaces as well.
func list(text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		parts = append(parts, strings.TrimSpace(part))
	}
	return parts
}

// readOrigins checks -cors-origins. A browser sends a scheme, a host and perhaps a port, in
// lower case; an origin that is written otherwise would silently be none.
func readOrigins(text string) (origins []string, err error) {
	for _, origin := range list(text) {
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Host == "" || origin != strings.ToLower(u.Scheme+"://"+u.Host)) {
			return nil, fmt.Errorf("-cors-origins %q is no origin as browsers send it: write it as https://app.example.com or http://localhost:3000, without a slash at the end, or write *", origin)
		}
		origins = append(origins, origin)
	}
	return origins, nil
}

// checkListen checks -listen and -port. An IPv6 address may stand in brackets.
func (o *options) checkListen(zoho *zohotest.Simulator) error {
	if inner, found := strings.CutPrefix(o.host, "["); found && strings.HasSuffix(inner, "]") {
		o.host = strings.TrimSuffix(inner, "]")
	}
	if host, port, err := net.SplitHostPort(o.host); err == nil && net.ParseIP(o.host) == nil {
		return fmt.Errorf("-listen %q has a port: write it as -listen %s -port %s", o.host, host, port)
	}
	if last := 65535 - zoho.Ports(); o.port < 0 || o.port > last {
		return fmt.Errorf("-port %d: the first port is from 1 to %d, since those of all hosts of Zoho and that of the control API follow; 0 takes free ones", o.port, last)
	}
	return nil
}

// controlPort comes after those of the data centers.
func (o options) controlPort(zoho *zohotest.Simulator) int {
	if o.port == 0 {
		return 0
	}
	return o.port + zoho.Ports()
}
