// OpenID Connect: the discovery document, the keys, userinfo and the ID token of an exchange.

package zohotest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"sync"
)

// Zoho has the first two of these paths (zoho-oauth 13). Where its keys are is not known here;
// a client finds them by the discovery document.
const (
	discoveryPath = "/.well-known/openid-configuration"
	userinfoPath  = "/oauth/v2/userinfo"
	keysPath      = "/oauth/v2/keys"
)

// signingKey signs ID tokens. All simulators of a process share it, since making one takes
// longer than most tests.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("zohotest: " + err.Error())
	}
	return key
})

const signingKeyID = "simulated"

// discovery is GET /.well-known/openid-configuration. Which fields Zoho sends is not known
// here: these are the ones that OpenID Connect Discovery 1.0 requires, with revocation and
// userinfo.
func (s *Simulator) discovery(c *call) answer {
	at := c.site.accountsURL()
	return jsonAnswer(200, map[string]any{
		"issuer":                                at,
		"authorization_endpoint":                at + authPath,
		"token_endpoint":                        at + tokenPath,
		"revocation_endpoint":                   at + "/oauth/v2/token/revoke",
		"userinfo_endpoint":                     at + userinfoPath,
		"jwks_uri":                              at + keysPath,
		"scopes_supported":                      []string{"openid", "email", "profile"},
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported":                      []string{"sub", "email", "name", "given_name", "family_name"},
	})
}

// keys is the JWK set of the discovery document.
func (s *Simulator) keys(*call) answer {
	public := signingKey().PublicKey
	return jsonAnswer(200, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": signingKeyID,
		"n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
	}}})
}

// userinfo is GET /oauth/v2/userinfo. Without the scope openid it is a page with status 400,
// as captured for a token with the scope profile.
func (s *Simulator) userinfo(c *call) answer {
	at, v := s.judgeToken(c)
	switch {
	case v != accepted:
		a := jsonAnswer(s.deadStatus(v), map[string]string{"error": "invalid_token"})
		a.header.Set("Www-Authenticate", `Bearer error="invalid_token"`)
		return a
	case !slices.ContainsFunc(at.scopes, func(scope string) bool { return scope == "openid" }) || !s.named(at):
		s.counts.APIRefused++
		return page(http.StatusBadRequest, "Invalid Request", "The access token is not one of OpenID Connect.")
	}
	return jsonAnswer(200, s.claims(at))
}

// claims say who the user of a token is, as far as its scopes go.
func (s *Simulator) claims(at *accessToken) map[string]any {
	user := s.userOf(at)
	claims := map[string]any{"sub": user.ZUID}
	for _, scope := range at.scopes {
		switch scope {
		case "email":
			claims["email"] = user.Email
		case "profile":
			claims["name"] = user.Name
			claims["given_name"], claims["family_name"] = namesOf(user)
		}
	}
	return claims
}

// idToken is the JWT of an exchange, signed with the key of the JWK set. It carries the nonce of
// the consent if there was one (OpenID Connect Core 1.0, section 2).
func (s *Simulator) idToken(at *site, of *accessToken, nonce string) string {
	claims := s.claims(of)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	claims["iss"], claims["aud"], claims["iat"], claims["exp"] = at.accountsURL(), of.client, of.issued.Unix(), of.expires.Unix()
	part := func(v any) string {
		encoded, err := json.Marshal(v)
		if err != nil {
			panic("zohotest: " + err.Error())
		}
		return base64.RawURLEncoding.EncodeToString(encoded)
	}
	signed := part(map[string]string{"alg": "RS256", "typ": "JWT", "kid": signingKeyID}) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, signingKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic("zohotest: " + err.Error())
	}
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	s.remember(token)
	return token
}
