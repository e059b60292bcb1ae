// What can be said on the command line?

package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"vault-plugin-secrets-zoho/zohotest"
)

// options are what is not a knob of the simulator.
type options struct {
	host      string
	port      int
	readyFile string
	client    zohotest.Client
}

const usage = `zoho-sim is Zoho on this machine: accounts servers of all data centres and a few
APIs, with Zoho's limits, for trying a client without a Zoho account.

Usage: zoho-sim [flags]

It prints the addresses to point a client at and serves until it is interrupted.
Every data centre has a port of its own; so has the control API, which plays the
user, breaks things, moves the clock and tells what the client did wrong.
zoho-sim -version says which release this is.

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
	var redirects string
	flags.StringVar(&o.host, "listen", "127.0.0.1", "`host` to listen at")
	flags.IntVar(&o.port, "port", 0, "first of the consecutive `ports`, one per data centre and then the control API; 0 takes free ones")
	flags.StringVar(&o.readyFile, "ready-file", "", "`file` that appears, with everything a script needs as JSON, when all ports listen")
	flags.StringVar(&o.client.ID, "client-id", "", "`id` of the server-based client; made up if left out")
	flags.StringVar(&o.client.Secret, "client-secret", "", "`secret` of the server-based client; made up if left out")
	flags.StringVar(&redirects, "redirect-uri", strings.Join(made.RedirectURIs, ","), "redirect `URIs` of the server-based client, with commas between")
	flags.BoolVar(&knobs.AutoConsent, "auto-consent", knobs.AutoConsent, "redirect from the consent page at once")
	flags.DurationVar(&knobs.AccessTokenLifetime, "access-token-lifetime", knobs.AccessTokenLifetime, "`life` of an access token")
	flags.DurationVar(&knobs.CodeLifetime, "code-lifetime", knobs.CodeLifetime, "`life` of a code")
	flags.IntVar(&knobs.LiveAccessTokens, "live-tokens", knobs.LiveAccessTokens, "`number` of access tokens that one refresh token keeps alive; negative: no limit")
	flags.IntVar(&knobs.Mints, "mints", knobs.Mints, "`number` of access tokens per refresh token and mint window; negative: no limit")
	flags.DurationVar(&knobs.MintWindow, "mint-window", knobs.MintWindow, "`length` of the window of -mints")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: zoho-sim takes flags only", flags.Arg(0))
	}
	if redirects == "" {
		return o, fmt.Errorf("-redirect-uri is empty: a server-based client needs one; leave the flag out for the usual ones")
	}
	zoho.RemoveClient(made.ID)
	o.client.RedirectURIs = strings.Split(redirects, ",")
	o.client = zoho.AddClient(o.client)
	zoho.Knobs(func(k *zohotest.Knobs) { *k = knobs })
	return o, nil
}

// controlPort comes after those of the data centres.
func (o options) controlPort(zoho *zohotest.Simulator) int {
	if o.port == 0 {
		return 0
	}
	return o.port + len(zoho.DataCenters())
}
