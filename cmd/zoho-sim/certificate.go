// Certificate of the simulator: read from files, or made for this run together with an
// authority that signs it.

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// tlsConfig is what the simulator serves with, and the PEM certificate of the authority
// that it made for this run, if it made one. nil: plain HTTP.
func (o options) tlsConfig() (secure *tls.Config, authority []byte, err error) {
	switch {
	case o.url == nil || o.url.Scheme != "https":
		return nil, nil, nil
	case o.tlsCert != "":
		pair, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		if err != nil {
			return nil, nil, fmt.Errorf("reading -tls-cert and -tls-key: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}}, nil, nil
	}
	authority, pair, err := newCertificate(o.url.Hostname())
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate for %s: %w", o.url.Hostname(), err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, authority, nil
}

// certificateLife is longer than any test runs.
const certificateLife = 365 * 24 * time.Hour

// newCertificate makes a server's certificate for a host and for this machine, and the
// PEM certificate of the authority that signed it. The authority's key is not kept.
func newCertificate(host string) (authorityPEM []byte, pair tls.Certificate, err error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, pair, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, pair, err
	}
	from := time.Now().Add(-time.Hour) // the clocks of two machines differ
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "zoho-sim authority"},
		NotBefore: from, NotAfter: from.Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "zoho-sim"},
		NotBefore: from, NotAfter: from.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		server.IPAddresses = append(server.IPAddresses, ip)
	} else {
		server.DNSNames = append(server.DNSNames, host)
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return nil, pair, err
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, key.Public(), authorityKey)
	if err != nil {
		return nil, pair, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}), tls.Certificate{Certificate: [][]byte{serverDER}, PrivateKey: key}, nil
}
