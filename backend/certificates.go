// Certificates in ca_pem: nothing else of a PEM file is stored or shown.

package backend

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
)

// knownBlocks are types of PEM blocks that an error may name. Any other type may contain
// pasted secrets.
var knownBlocks = []string{
	"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY",
	"PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "TRUSTED CERTIFICATE", "X509 CRL",
	"EC PARAMETERS", "DH PARAMETERS", "PKCS7", "CMS", "PGP PRIVATE KEY BLOCK", "PGP PUBLIC KEY BLOCK",
}

// certificates sets dst to the PEM blocks of the certificates that were sent. Text
// outside blocks and headers inside them are dropped; any other block is refused.
func (f *fields) certificates(name string, dst *string) {
	if !f.present(name) {
		return
	}
	var text string
	if f.freeText(name, &text); !f.given(name) {
		*dst = ""
		return
	}
	var clean strings.Builder
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			kind := "another type"
			if slices.Contains(knownBlocks, block.Type) {
				kind = "the type " + block.Type
			}
			f.fail(refuse("field %q has a PEM block of %s, and takes only certificates; leave that block out", name, kind))
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			f.fail(refuse("field %q has a certificate that is not well formed; copy it again", name))
			return
		}
		_ = pem.Encode(&clean, &pem.Block{Type: block.Type, Bytes: block.Bytes}) // a Builder never fails
	}
	if clean.Len() == 0 {
		f.fail(refuse("ca_pem holds no certificate; give one or more PEM blocks that begin with -----BEGIN CERTIFICATE-----"))
		return
	}
	*dst = strings.TrimSpace(clean.String())
}
