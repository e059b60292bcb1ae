// Which statements are a way to fail? Those that return something else than nil as an
// error, and those that make an error.

package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"slices"
	"strings"
)

// failure is a statement that makes or returns an error.
type failure struct {
	file, function string
	text           string
	line, column   int
}

// makers make errors: functions of this module and of the standard library.
var makers = []string{"refuse", "absent", "refuseLink", "fmt.Errorf", "errors.New", "logical.CodedError", "logical.ErrorResponse"}

// errorTypes are what a function returns last that can fail.
var errorTypes = []string{"error", "*Error", "*zoho.Error"}

// failuresIn finds those of a file, in order. Panics are not errors.
func failuresIn(root, file string) ([]failure, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, join(root, file), nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	source := func(n ast.Node) string {
		var b bytes.Buffer
		if printer.Fprint(&b, set, n) != nil {
			return "?"
		}
		return b.String()
	}
	canFail := func(t *ast.FuncType) bool {
		if t.Results == nil || len(t.Results.List) == 0 {
			return false
		}
		last := t.Results.List[len(t.Results.List)-1]
		return slices.Contains(errorTypes, source(last.Type))
	}
	var found []failure
	var walk func(n ast.Node, function string, fails bool)
	walk = func(n ast.Node, function string, fails bool) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				walk(n.Body, function, canFail(n.Type))
				return false
			case *ast.ReturnStmt:
				if !isFailure(n, fails, source) {
					return true // an error may be made on the way
				}
				found = append(found, at(set, file, function, n, source))
				walkLiterals(n, func(f *ast.FuncLit) { walk(f.Body, function, canFail(f.Type)) })
				return false
			case *ast.AssignStmt:
				if slices.ContainsFunc(n.Rhs, func(e ast.Expr) bool { return makesError(e, source) }) {
					found = append(found, at(set, file, function, n, source))
				}
			}
			return true
		})
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			name := f.Name.Name
			if f.Recv != nil {
				name = "(" + source(f.Recv.List[0].Type) + ")." + name
			}
			walk(f.Body, name, canFail(f.Type))
		}
	}
	return found, nil
}

func at(set *token.FileSet, file, function string, n ast.Node, source func(ast.Node) string) failure {
	p := set.Position(n.Pos())
	return failure{file, function, quoted(source(n)), p.Line, p.Column}
}

// isFailure reports whether a return gives an error, or calls what may.
func isFailure(r *ast.ReturnStmt, fails bool, source func(ast.Node) string) bool {
	if len(r.Results) == 0 {
		return false
	}
	last := r.Results[len(r.Results)-1]
	if id, ok := last.(*ast.Ident); fails && !(ok && id.Name == "nil") {
		return true
	}
	return slices.ContainsFunc(r.Results, func(e ast.Expr) bool { return makesError(e, source) })
}

// makesError reports whether an expression itself is the making of an error.
func makesError(e ast.Expr, source func(ast.Node) string) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		return slices.Contains(makers, source(e.Fun))
	case *ast.UnaryExpr:
		literal, ok := e.X.(*ast.CompositeLit)
		if !ok || literal.Type == nil {
			return false
		}
		name := source(literal.Type)
		return name == "answer" || strings.HasSuffix(name, "Error")
	}
	return false
}

// walkLiterals calls f for each function in a statement that no other contains.
func walkLiterals(n ast.Node, f func(*ast.FuncLit)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if literal, ok := n.(*ast.FuncLit); ok {
			f(literal)
			return false
		}
		return true
	})
}
