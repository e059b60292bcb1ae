// What can be made wrong in a file? Small edits of its text, each of which a test
// should notice.

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// A mutant is one edit of one file.
type mutant struct {
	file       string // path
	line, col  int
	start, end int // bytes that are replaced
	text       string
	what       string // for people
}

// apply returns the file with the mistake in it.
func (m mutant) apply(source []byte) []byte {
	return []byte(string(source[:m.start]) + m.text + string(source[m.end:]))
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.file, m.line, m.col, m.what)
}

// swapped operators: each is wrong in a way that compiles.
var swapped = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

// mutants finds every edit of a file, in the order of its text.
func mutants(file string, source []byte) ([]mutant, error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, file, source, 0)
	if err != nil {
		return nil, err
	}
	var found []mutant
	add := func(from, to token.Pos, text, what string) {
		at := files.Position(from)
		found = append(found, mutant{file, at.Line, at.Column, at.Offset, files.Position(to).Offset, text, what})
	}
	of := func(n ast.Node) string {
		return string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	// Statements in the head of another one, where no block can stand.
	heads := map[ast.Stmt]bool{}
	// never keeps what a statement uses in use, so that the rest compiles.
	never := func(s ast.Stmt, what string) {
		if heads[s] {
			return
		}
		first, _, _ := strings.Cut(of(s), "\n")
		add(s.Pos(), s.End(), "if false { "+of(s)+" }", what+" "+first)
	}
	condition := func(e ast.Expr) {
		if e != nil {
			add(e.Pos(), e.End(), "!("+of(e)+")", "negated "+of(e))
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.VAR // in constants and types everything is a definition
		case *ast.IfStmt:
			heads[n.Init] = true
			condition(n.Cond)
		case *ast.ForStmt:
			heads[n.Init], heads[n.Post] = true, true
		case *ast.SwitchStmt:
			heads[n.Init] = true
		case *ast.TypeSwitchStmt:
			heads[n.Init], heads[n.Assign] = true, true
		case *ast.CommClause:
			heads[n.Comm] = true
		case *ast.BinaryExpr:
			if other, known := swapped[n.Op]; known && !isText(n.X) && !isText(n.Y) {
				add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String(), fmt.Sprintf("%s for %s in %s", other, n.Op, of(n)))
			}
		case *ast.ExprStmt:
			never(n, "no call")
		case *ast.DeferStmt:
			never(n, "no")
		case *ast.IncDecStmt, *ast.SendStmt:
			never(n.(ast.Stmt), "no")
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				never(n, "no")
			}
		case *ast.CaseClause:
			if len(n.List) == 1 && len(n.Body) > 0 {
				first, last := n.Body[0], n.Body[len(n.Body)-1]
				if _, ends := last.(*ast.ReturnStmt); !ends {
					add(first.Pos(), first.Pos(), "if true { break }; ", "nothing done in case "+of(n.List[0]))
				}
			}
		case *ast.Ident:
			if n.Name == "true" || n.Name == "false" {
				other := map[string]string{"true": "false", "false": "true"}[n.Name]
				add(n.Pos(), n.End(), other, other+" for "+n.Name)
			}
		}
		return true
	})
	return found, nil
}

// isText says of an operand that + joins it.
func isText(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING
}
