// Redirect errors: the words that Zoho puts into a redirect instead of a code.

package zoho

import (
	"fmt"
	"strings"
)

// maxRedirectWord is longer than any error word of Zoho's.
const maxRedirectWord = 64

// CleanRedirectWord returns the error word of a redirect if it may be stored and shown:
// letters, digits, '_', '-' and '.', at most 64 bytes. Any other text becomes "unknown".
// The empty string, which is no error, stays empty. Anybody can write a redirect, so no
// other text of it may reach a log, a page or an error.
func CleanRedirectWord(word string) string {
	if strings.Trim(word, identifierCharacters) != "" || len(word) > maxRedirectWord {
		return "unknown"
	}
	return word
}

// ConsentErrorText says what the error word of a redirect means, and what to do next.
// Both are whole sentences, for a page, a terminal or an error. A word that is not known
// is quoted, after CleanRedirectWord.
func ConsentErrorText(word string) (problem, next string) {
	switch word {
	case "access_denied": // Zoho, "authorization" and "limits"
		return "Reject was chosen on Zoho's page, or Zoho's limit of ten authorization codes in ten minutes for this app was reached.",
			"Start the consent again and choose Accept. If Reject was not chosen, wait ten minutes first."
	case "no_org": // Zoho, 2025-02-10
		return "The Zoho account has no organization in the service whose scopes were asked for, so Zoho's page offered only \"Back to app\".",
			"Sign in to Zoho with an account that belongs to an organization in that service, or create an organization there. Then start the consent again."
	// The other words are from one public client; Zoho does not document them.
	case "access_denied_admin":
		return "Zoho refused the consent for this account (access_denied_admin). The word suggests that an administrator of its organization does not allow it.",
			"Ask an administrator of the Zoho organization to allow the app. Then start the consent again."
	case "inactive_client", "restricted_client":
		return fmt.Sprintf("Zoho refused the app itself (%s).", word),
			"Check the client in Zoho's API console: that it is active, and enabled for the data center of the account. Then start the consent again."
	case "restricted_scope":
		return "Zoho does not allow this app one of the scopes that were asked for (restricted_scope).",
			"Check the scopes. Then start the consent again."
	}
	return fmt.Sprintf("Zoho ended the consent with the error %q.", CleanRedirectWord(word)),
		"Start the consent again. If the error remains, check the scopes and the client in Zoho's API console."
}
