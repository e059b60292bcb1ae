// How do figures look? As horizontal bars, in SVG that follows a reader's light or dark
// background.

package main

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
)

// bar is one line of a chart.
type bar struct {
	name  string
	value float64
	label string
	ours  bool
}

// chart draws bars below a title.
func chart(title string, bars []bar) string {
	const width, left, line, top = 720, 130, 30, 50
	most := 0.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="14">
<style>text { fill: #222 } .bar { fill: #8ba3bd } .ours { fill: #2f6fb0 } @media (prefers-color-scheme: dark) { text { fill: #ddd } .bar { fill: #5d7389 } .ours { fill: #5a9bdc } }</style>
<text x="0" y="24" font-size="16">%s</text>
`, width, top+len(bars)*line, html.EscapeString(title))
	for i, b := range bars {
		class := "bar"
		if b.ours {
			class = "ours"
		}
		y, length := top+i*line, 0.0
		if most > 0 {
			length = b.value / most * (width - left - 110)
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="20"/><text x="%.1f" y="%d">%s</text>
`, left-8, y+15, html.EscapeString(b.name), class, left, y, length, float64(left)+length+6, y+15, html.EscapeString(b.label))
	}
	return s.String() + "</svg>\n"
}

// charts draws what is compared, one chart for each number of connections, and
// returns their files by that number.
func (c *Comparison) charts(folder string) error {
	bars := map[int][]bar{}
	for _, f := range c.Figures {
		bars[f.Connections] = append(bars[f.Connections], bar{f.Subject, f.Ratio, fmt.Sprintf("%.2f", f.Ratio), f.Subject == engineName})
	}
	for connections, b := range bars {
		title := fmt.Sprintf("Reads a second over %d connections, the floor = 1", connections)
		if err := os.WriteFile(filepath.Join(folder, chartName(connections)), []byte(chart(title, b)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func chartName(connections int) string { return fmt.Sprintf("performance-%d.svg", connections) }
