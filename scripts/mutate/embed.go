// How are all mutants of a package built at once? Each is put into the text behind a
// condition that asks at run time which of them this process is. To build the tests
// for each of some thousands would take days.

package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed support.go.txt
var support string

// place is where a mutant's edit stands in the text with all mutants.
type place struct {
	*mutant
	from, to int
}

// embed puts mutants into a file; those without a number are left out.
func embed(source []byte, found []*mutant) (text []byte, places []place) {
	type wrap struct {
		edit
		of        *mutant
		order, at int // at: where it begins in the text
	}
	var begin, end []*wrap
	for _, m := range found {
		if m.number == 0 {
			continue
		}
		number := strconv.Itoa(m.number)
		for _, e := range m.edits {
			e.before, e.after = strings.ReplaceAll(e.before, "#", number), strings.ReplaceAll(e.after, "#", number)
			w := &wrap{edit: e, of: m, order: len(begin)}
			begin, end = append(begin, w), append(end, w)
		}
	}
	// The outer ones open first and close last; of two around the same bytes the first found is the outer one.
	slices.SortStableFunc(begin, func(a, b *wrap) int {
		return cmp.Or(a.from-b.from, b.to-a.to, a.order-b.order)
	})
	slices.SortStableFunc(end, func(a, b *wrap) int {
		return cmp.Or(a.to-b.to, b.from-a.from, b.order-a.order)
	})
	for i := 0; i <= len(source); i++ {
		for ; len(end) > 0 && end[0].to == i; end = end[1:] {
			text = append(text, end[0].after...)
			places = append(places, place{end[0].of, end[0].at, len(text)})
		}
		instead := ""
		for ; len(begin) > 0 && begin[0].from == i; begin = begin[1:] {
			begin[0].at = len(text)
			text = append(text, begin[0].before...)
			if w := begin[0]; w.instead != "" {
				instead = w.instead
				i += w.to - w.from - 1 // nothing else stands in an operator
			}
		}
		switch {
		case instead != "":
			text = append(text, instead...)
		case i < len(source):
			text = append(text, source[i])
		}
	}
	return text, places
}

// at returns which mutant stands around a position: of several the innermost; nil: none.
func at(places []place, position int) (found *mutant) {
	var size int
	for _, p := range places {
		if p.from <= position && position <= p.to && (found == nil || p.to-p.from < size) {
			found, size = p.mutant, p.to-p.from
		}
	}
	return found
}

// overlay writes a package with all of its mutants into a folder and returns the
// file that go's -overlay takes. The mutants get numbers; those that do not compile are
// left out.
func overlay(ctx context.Context, info goPackage, found map[string][]*mutant, folder string) (path string, err error) {
	all := 0
	for _, of := range found {
		for _, m := range of {
			all++
			m.number = all
		}
	}
	path = filepath.Join(folder, "overlay.json")
	helper := filepath.Join(folder, "mutants.go")
	replace := map[string]string{filepath.Join(info.Dir, "mutants_of_this_package.go"): helper}
	if err := os.WriteFile(helper, []byte(strings.Replace(support, "package support", "package "+info.Name, 1)), 0o600); err != nil {
		return "", err
	}
	for {
		texts, places := map[string][]byte{}, map[string][]place{}
		for _, name := range info.GoFiles {
			source, err := os.ReadFile(filepath.Join(info.Dir, name))
			if err != nil {
				return "", err
			}
			texts[name], places[name] = embed(source, found[name])
			with := filepath.Join(folder, "with-"+name)
			replace[filepath.Join(info.Dir, name)] = with
			if err := os.WriteFile(with, texts[name], 0o600); err != nil {
				return "", err
			}
		}
		encoded, err := json.Marshal(map[string]any{"Replace": replace})
		if err := errors.Join(err, os.WriteFile(path, encoded, 0o600)); err != nil {
			return "", err
		}
		screen, err := command(ctx, "build", "-gcflags=-e", "-overlay="+path, info.ImportPath)
		if err == nil {
			return path, nil
		}
		again := false
		for _, message := range compileError.FindAllSubmatch(screen, -1) {
			name := strings.TrimPrefix(filepath.Base(string(message[1])), "with-")
			line, _ := strconv.Atoi(string(message[2]))
			column, _ := strconv.Atoi(string(message[3]))
			if m := at(places[name], position(texts[name], line, column)); m != nil {
				m.number, again = 0, true
			}
		}
		if !again {
			return "", fmt.Errorf("it does not compile with mistakes in it: %w\n%s", err, screen)
		}
	}
}

var compileError = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):(\d+): `)

// position returns the offset of a line and a column, which count bytes from 1.
func position(text []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			return len(text)
		}
		at += next + 1
	}
	return at + column - 1
}
