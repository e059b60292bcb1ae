// Does anything say what the documents quote? Messages in docs/troubleshooting.md and log
// lines in docs/operations.md must be in the code, or in a story that sees them.

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// verb is where a message has something that varies.
var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

const varies = "..."

// texts are the string literals of the program, concatenated where the program does so,
// and the lines of stories as they are matched.
func texts(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"../backend", "../zoho", "../cmd", "../internal"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if text, found := literal(e); found {
						all = append(all, verb.ReplaceAllString(text, varies))
						_, joined := e.(*ast.BinaryExpr)
						return joined // parts are texts of their own, too
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stories, err := filepath.Glob("../acceptance/testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatal("no stories", err)
	}
	for _, story := range stories {
		content, err := os.ReadFile(story)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if strings.HasPrefix(line, "stdout ") || strings.HasPrefix(line, "stderr ") {
				all = append(all, strings.ReplaceAll(line, `\`, ""))
			}
		}
	}
	return all
}

// literal is a string of the program; what is not constant in it varies.
func literal(e ast.Expr) (text string, found bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		left, inLeft := literal(e.X)
		right, inRight := literal(e.Y)
		if e.Op == token.ADD && (inLeft || inRight) {
			if !inLeft {
				left = varies
			}
			if !inRight {
				right = varies
			}
			return left + right, true
		}
	}
	return "", false
}

// said reports whether a text has the parts of a message in their order.
func said(message string, all []string) bool {
	for _, text := range all {
		rest, found := text, true
		for part := range strings.SplitSeq(message, varies) {
			if _, rest, found = strings.Cut(rest, strings.TrimSpace(part)); !found {
				break
			}
		}
		if found {
			return true
		}
	}
	return false
}

// quoted are the quotations in the columns of a document's tables that are headed so.
func quoted(t *testing.T, document, heading string) []string {
	t.Helper()
	var messages []string
	column := -1
	for line := range strings.Lines(read(t, document)) {
		cells := strings.Split(line, "|")
		if len(cells) == 1 {
			column = -1
			continue
		}
		if at := slices.Index(cells, " "+heading+" "); at >= 0 {
			column = at
			continue
		}
		if column < 0 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[column], -1) {
			messages = append(messages, m[1])
		}
	}
	return messages
}

func TestQuotedMessagesAreSaid(t *testing.T) {
	all := texts(t)
	for document, heading := range map[string]string{"docs/troubleshooting.md": "message", "docs/operations.md": "line"} {
		messages := quoted(t, document, heading)
		if len(messages) < 20 {
			t.Errorf("%s quotes only %d messages", document, len(messages))
		}
		for _, message := range messages {
			if !said(message, all) {
				t.Errorf("%s: nothing says %q", document, message)
			}
		}
	}
}

func TestEveryLogLineIsDocumented(t *testing.T) {
	logs := regexp.MustCompile(`(?:Logger\(\)|log\(\)|\blog)\.(?:Info|Warn|Error)\("([^"]+)"`)
	operations := read(t, "docs/operations.md")
	found := 0
	err := filepath.WalkDir("../backend", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		for _, m := range logs.FindAllStringSubmatch(string(content), -1) {
			if found++; !strings.Contains(operations, "`"+m[1]+"`") {
				t.Errorf("docs/operations.md does not say what %q means (%s)", m[1], path)
			}
		}
		return err
	})
	if err != nil || found < 25 {
		t.Errorf("%d log lines found, %v", found, err)
	}
}
