// Pasted text: what surrounds a secret, a code or an address after copy and paste.

package zoho

import (
	"strings"
	"unicode"
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
