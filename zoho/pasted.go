// pasted.go: text from outside. It removes characters around a pasted secret, code or
// address, and finds characters that must not reach a terminal or a page.

package zoho

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// TrimPasted returns s without the white space and the invisible characters that
// surround it. Terminals, chat programs and text files add them: U+FEFF (byte-order
// mark), U+200B to U+200F (zero-width characters and direction marks) and U+2060 (word
// joiner). Nothing inside s is changed.
func TrimPasted(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\uFEFF' || r >= '\u200B' && r <= '\u200F' || r == '\u2060'
	})
}

// Invisible reports whether a character changes how a terminal or an editor shows the
// text around it: control characters, and those that change the direction of text.
func Invisible(r rune) bool {
	switch r {
	case '\u061c', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069':
		return true
	}
	return unicode.IsControl(r)
}

// identifierCharacters are those of client ids, scopes, organizations and error words of Zoho.
const identifierCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// Identifier reports whether a text can stand in a printed command: letters, digits,
// '_', '-' and '.', the first of them a letter or digit. Vault's command line reads a
// file for a value that begins with @, and the terminal for one that is a dash.
func Identifier(s string) bool {
	return s != "" && !strings.ContainsRune("._-", rune(s[0])) && strings.Trim(s, identifierCharacters) == ""
}

// Printable returns s with a question mark in place of each Invisible character, and of
// what is not UTF-8. It is for texts of Zoho and others that are shown to people.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if Invisible(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
