// Package sprig stands for the functions sprig_... of templates. A template that
// calls one is refused: the function is not defined.
package sprig

import "text/template"

// TxtFuncMap is empty.
func TxtFuncMap() template.FuncMap { return nil }

// HermeticTxtFuncMap is empty.
func HermeticTxtFuncMap() template.FuncMap { return nil }
