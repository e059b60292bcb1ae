package release_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/internal/release"
)

func TestACommandThatIsAskedForItsReleaseSaysNothingElse(t *testing.T) {
	for line, want := range map[string]string{
		"zoho-sim -version":             release.Version + "\n",
		"zoho-sim --version":            release.Version + "\n",
		"zoho-sim":                      "",
		"zoho-sim -version -port=1":     "",
		"zoho-login -mount=zoho crm":    "",
		"zoho-login version":            "",
		"vault-plugin-secrets-zoho -v":  "",
		"vault-plugin-secrets-zoho -ca": "",
	} {
		var said strings.Builder
		if asked := release.Asked(strings.Fields(line), &said); said.String() != want || asked != (want != "") {
			t.Errorf("%s: %t, %q", line, asked, said.String())
		}
	}
}
