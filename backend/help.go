// What does the OpenAPI document say of parameters? The SDK gives every query
// parameter of a path to each of its operations, and to the body of its writes; here
// each is left where it belongs.

package backend

import (
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// onlyIn says which query parameters belong to one operation alone.
var onlyIn = map[string]logical.Operation{"revoke": logical.DeleteOperation, "rejected": logical.ReadOperation}

// belongs reports whether a field that can be a query parameter belongs to op.
func belongs(name string, op logical.Operation) bool {
	if only, found := onlyIn[name]; found {
		return op == only
	}
	return op != logical.DeleteOperation
}

// tidyOpenAPI takes parameters away from operations that refuse them.
func tidyOpenAPI(resp *logical.Response) {
	if resp == nil {
		return
	}
	doc, ok := resp.Data["openapi"].(*framework.OASDocument)
	if !ok {
		return
	}
	trim := func(operation *framework.OASOperation, op logical.Operation) {
		if operation != nil {
			operation.Parameters = slices.DeleteFunc(operation.Parameters, func(p framework.OASParameter) bool { return !belongs(p.Name, op) })
		}
	}
	for _, path := range doc.Paths {
		trim(path.Get, logical.ReadOperation)
		trim(path.Delete, logical.DeleteOperation)
	}
	for _, schema := range doc.Components.Schemas {
		// Answers have no such fields.
		for name := range onlyIn {
			delete(schema.Properties, name)
		}
	}
}
