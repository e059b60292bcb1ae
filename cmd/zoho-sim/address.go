// Address of the simulator: the one that peers use, which differs from where it listens.

package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"vault-plugin-secrets-zoho/zohotest"
)

// readURL checks -url: a scheme and a host, since each host of Zoho has its own port.
func readURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("-url %q is no address: write it as https://zoho-sim", address)
	}
	if u.Port() != "" {
		return nil, fmt.Errorf("-url %q has a port, and each host of Zoho has its own: leave it out, and set the first port with -port", address)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("-url %q has more than a scheme and a host: write it as %s://%s", address, u.Scheme, u.Host)
	}
	return u, nil
}

// checkURL refuses flags of TLS that do not fit.
func (o options) checkURL() error {
	https := o.url != nil && o.url.Scheme == "https"
	switch {
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return errors.New("-tls-cert and -tls-key belong together: set both, or neither")
	case !https && (o.tlsCert != "" || o.caFile != ""):
		return errors.New("-tls-cert, -tls-key and -ca-file need a -url that begins with https://")
	case https && (o.tlsCert == "") == (o.caFile == ""):
		return errors.New("a -url with https needs either -ca-file, which names the file for the certificate authority that zoho-sim makes, or -tls-cert and -tls-key")
	}
	return nil
}

// address is where peers reach a listener.
func (o options) address(listener net.Addr) string {
	tcp, ok := listener.(*net.TCPAddr)
	if o.url == nil || !ok {
		return zohotest.LocalURL("http", listener)
	}
	return o.url.Scheme + "://" + net.JoinHostPort(o.url.Hostname(), strconv.Itoa(tcp.Port))
}

// advice says what to do if the addresses are of no use to other machines; empty if
// nobody needs advice.
func (o options) advice(listener net.Addr) string {
	tcp, ok := listener.(*net.TCPAddr)
	switch {
	case !ok || tcp.IP.IsLoopback():
		return ""
	case o.url == nil && tcp.IP.IsUnspecified():
		return "These addresses work on this machine only. For other machines and containers, set -url https://<name of this host> and -ca-file."
	case o.url == nil || o.url.Scheme == "http" && !loopback(o.url.Hostname()):
		return "The secrets engine takes plain http for loopback addresses only. For the engine, set -url https://<name of this host> and -ca-file."
	}
	return ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
