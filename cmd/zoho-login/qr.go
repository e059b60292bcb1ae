// qr.go: an address as a QR code on a terminal, two rows of it in each line.

package main

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the light border that readers need (ISO 18004).
const quiet = 4

// drawing is empty where the address is too long for a code. Its colours are given by
// number (xterm's 256): dark on light, whatever the terminal's theme is.
func drawing(address string) string {
	code, err := qr.Encode(address, qr.L)
	if err != nil {
		return ""
	}
	var out strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		out.WriteString("  \x1b[38;5;16;48;5;231m")
		for x := -quiet; x < code.Size+quiet; x++ {
			upper, lower := code.Black(x, y), code.Black(x, y+1)
			switch {
			case upper && lower:
				out.WriteRune('█')
			case upper:
				out.WriteRune('▀')
			case lower:
				out.WriteRune('▄')
			default:
				out.WriteRune(' ')
			}
		}
		out.WriteString("\x1b[0m\n")
	}
	return out.String()
}
