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
	number   int
	from, to int
}

// embed puts mutants into a file; numbers are theirs, and those without one are left out.
func embed(source []byte, found []*mutant, numbers map[*mutant]int) (text []byte, places []place) {
	type wrap struct {
		edit
		number, order int
		at            int // where it begins in the text
	}
	var begin, end []*wrap
	for _, m := range found {
		number, in := numbers[m]
		if !in {
			continue
		}
		for _, e := range m.edits {
			w := &wrap{edit: e, number: number, order: len(begin)}
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
	for i := 0; i <= len(source); {
		for ; len(end) > 0 && end[0].to == i; end = end[1:] {
			text = append(text, strings.ReplaceAll(end[0].after, "#", strconv.Itoa(end[0].number))...)
			places = append(places, place{end[0].number, end[0].at, len(text)})
		}
		skip := 0
		for ; len(begin) > 0 && begin[0].from == i; begin = begin[1:] {
			begin[0].at = len(text)
			text = append(text, strings.ReplaceAll(begin[0].before, "#", strconv.Itoa(begin[0].number))...)
			if begin[0].instead != "" {
				text = append(text, begin[0].instead...)
				skip = begin[0].to - begin[0].from
			}
		}
		switch {
		case skip > 0:
			i += skip
		case i < len(source):
			text = append(text, source[i])
			i++
		default:
			i++
		}
	}
	return text, places
}

// at returns which mutant stands around a position: of several the innermost.
func at(places []place, position int) (number int, found bool) {
	size := -1
	for _, p := range places {
		if p.from <= position && position <= p.to && (size < 0 || p.to-p.from < size) {
			number, size, found = p.number, p.to-p.from, true
		}
	}
	return number, found
}

// overlay writes a package with all of its mutants into a folder and returns the
// file that go's -overlay takes, and the mutants by number: those that do not compile
// are left out.
func overlay(ctx context.Context, info goPackage, found map[string][]*mutant, folder string) (path string, in map[int]*mutant, err error) {
	numbers, in := map[*mutant]int{}, map[int]*mutant{}
	for _, name := range info.GoFiles {
		for _, m := range found[name] {
			numbers[m] = len(numbers) + 1
			in[numbers[m]] = m
		}
	}
	path = filepath.Join(folder, "overlay.json")
	helper := filepath.Join(folder, "mutants.go")
	replace := map[string]string{filepath.Join(info.Dir, "mutants_of_this_package.go"): helper}
	if err := os.WriteFile(helper, []byte(strings.Replace(support, "package support", "package "+info.Name, 1)), 0o600); err != nil {
		return "", nil, err
	}
	for {
		texts, places := map[string][]byte{}, map[string][]place{}
		for _, name := range info.GoFiles {
			source, err := os.ReadFile(filepath.Join(info.Dir, name))
			if err != nil {
				return "", nil, err
			}
			texts[name], places[name] = embed(source, found[name], numbers)
			with := filepath.Join(folder, "with-"+name)
			replace[filepath.Join(info.Dir, name)] = with
			if err := os.WriteFile(with, texts[name], 0o600); err != nil {
				return "", nil, err
			}
		}
		encoded, err := json.Marshal(map[string]any{"Replace": replace})
		if err := errors.Join(err, os.WriteFile(path, encoded, 0o600)); err != nil {
			return "", nil, err
		}
		screen, err := command(ctx, "build", "-gcflags=-e", "-overlay="+path, info.ImportPath)
		if err == nil {
			return path, in, nil
		}
		left := len(numbers)
		for _, message := range compileError.FindAllSubmatch(screen, -1) {
			name := filepath.Base(string(message[1]))
			name = strings.TrimPrefix(name, "with-")
			line, _ := strconv.Atoi(string(message[2]))
			column, _ := strconv.Atoi(string(message[3]))
			if number, known := at(places[name], position(texts[name], line, column)); known && in[number] != nil {
				delete(numbers, in[number])
				delete(in, number)
			}
		}
		if len(numbers) == left {
			return "", nil, fmt.Errorf("it does not compile with mistakes in it: %w\n%s", err, screen)
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
