// What can be made wrong in a file? Small changes, each of which a test should notice.

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// A mutant is one change of one file.
type mutant struct {
	file      string // path
	line, col int
	what      string // for people
	edits     []edit
	number    int // in the text of its package; 0: it is left out
}

// An edit puts text before and after some bytes of a file, or in their place. In its
// text, # is the number of the mutant.
type edit struct {
	from, to      int
	before, after string
	instead       string // of the bytes
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.file, m.line, m.col, m.what)
}

// swapped operators: each is wrong in a way that compiles.
var swapped = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

// either are the functions of support.go that do what an operator does, or what its
// other one does.
var either = map[token.Token]string{
	token.LSS: "mutantLess", token.LEQ: "mutantLessOrEqual", token.GTR: "mutantMore", token.GEQ: "mutantMoreOrEqual",
	token.ADD: "mutantPlus", token.SUB: "mutantMinus", token.MUL: "mutantTimes", token.QUO: "mutantOver",
}

// mutants finds every change of a file, in the order of its text.
func mutants(file string, source []byte) ([]*mutant, error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, file, source, 0)
	if err != nil {
		return nil, err
	}
	var found []*mutant
	offset := func(p token.Pos) int { return files.Position(p).Offset }
	of := func(n ast.Node) string { return string(source[offset(n.Pos()):offset(n.End())]) }
	add := func(at token.Pos, what string, edits ...edit) {
		position := files.Position(at)
		found = append(found, &mutant{file: file, line: position.Line, col: position.Column, what: what, edits: edits})
	}
	around := func(n ast.Node, before, after string) edit {
		return edit{from: offset(n.Pos()), to: offset(n.End()), before: before, after: after}
	}
	negated := func(n ast.Node) edit { return around(n, "(mutantIs(#) != (", "))") }
	// Statements in the head of another one, where no block can stand.
	heads := map[ast.Stmt]bool{}
	never := func(s ast.Stmt, what string) {
		if heads[s] {
			return
		}
		first, _, _ := strings.Cut(of(s), "\n")
		add(s.Pos(), what+" "+first, around(s, "if !mutantIs(#) { ", " }"))
	}
	// A condition that is an equality becomes its opposite but once.
	conditions := map[ast.Expr]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.VAR // in constants and types everything is a definition
		case *ast.IfStmt:
			heads[n.Init] = true
			conditions[n.Cond] = true
			add(n.Cond.Pos(), "negated "+of(n.Cond), negated(n.Cond))
		case *ast.ForStmt:
			heads[n.Init], heads[n.Post] = true, true
		case *ast.SwitchStmt:
			heads[n.Init] = true
		case *ast.TypeSwitchStmt:
			heads[n.Init], heads[n.Assign] = true, true
		case *ast.CommClause:
			heads[n.Comm] = true
		case *ast.BinaryExpr:
			other, known := swapped[n.Op]
			if !known || isText(n.X) || isText(n.Y) {
				break
			}
			what := fmt.Sprintf("%s for %s in %s", other, n.Op, of(n))
			switch {
			case n.Op == token.EQL, n.Op == token.NEQ:
				if !conditions[n] {
					add(n.OpPos, what, negated(n))
				}
			case n.Op == token.LAND, n.Op == token.LOR:
				add(n.OpPos, what, negated(n), negated(n.X), negated(n.Y))
			default:
				operator := edit{from: offset(n.OpPos), to: offset(n.OpPos) + len(n.Op.String()), instead: ","}
				add(n.OpPos, what, around(n, either[n.Op]+"(#, ", ")"), operator)
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok && of(call.Fun) == "panic" {
				break // a function may end there
			}
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
					add(first.Pos(), "nothing done in case "+of(n.List[0]), around(first, "if mutantIs(#) { break }; ", ""))
				}
			}
		case *ast.Ident:
			if n.Name == "true" || n.Name == "false" {
				other := map[string]string{"true": "false", "false": "true"}[n.Name]
				add(n.Pos(), other+" for "+n.Name, negated(n))
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
