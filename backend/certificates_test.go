// Certificates in ca_pem: they are stored and shown, and nothing else is.

package backend_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// authority is a certificate, authorityKey its private key.
var authority, authorityKey = makeAuthority()

func makeAuthority() (certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8)
}

func block(kind string, der []byte) string {
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func TestCertificatesAreStoredAndNothingElseOfAPEMFile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		secret := m.zoho.DefaultClient().Secret
		body := strings.Split(authorityKey, "\n")[1]
		m.canaries = append(m.canaries, body, "SECRET NOTE", "REALLY")
		for kind, text := range map[string]string{
			"the type PRIVATE KEY": authority + "\n" + authorityKey, "the type RSA PRIVATE KEY": block("RSA PRIVATE KEY", []byte("SECRET NOTE")) + "\n" + authority,
			"the type EC PRIVATE KEY": block("EC PRIVATE KEY", []byte("x")), "the type CERTIFICATE REQUEST": block("CERTIFICATE REQUEST", []byte("x")),
			"another type": block("REALLY SECRET", []byte("x")), "not well formed": block("CERTIFICATE", []byte("x")), "no certificate": "SECRET NOTE",
		} {
			m.refused(logical.UpdateOperation, "config", data{"ca_pem": text, "client_secret": secret}, 400, kind)
		}
		half := authorityKey[:len(authorityKey)/2] // no block, and so text between blocks
		m.write("config", data{"ca_pem": "\ufeffSECRET NOTE\n" + authority + "\r\n" + half + "\n" + authority + "\nSECRET NOTE", "client_secret": secret})
		want := authority + "\n" + authority
		if got := m.read("config")["ca_pem"]; got != want {
			t.Errorf("ca_pem is %q", got)
		}
		if stored := m.storage.contents(t)["config"]; strings.Contains(stored, body[:20]) || strings.Contains(stored, "NOTE") {
			t.Error("what is no certificate is stored")
		}
		// The same certificates again are no change that needs the secret.
		m.write("config", data{"ca_pem": want + "\n"})
	})
}
