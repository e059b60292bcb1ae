// When does an error become Vault's answer? Here, once, at the outermost edge: the
// bridge to Vault looks at the outer error only. And nothing that no handler knows
// gets past this door.

package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/zoho"
)

// answer is an error that already is an answer: a status and a text for a person.
type answer struct {
	status     int
	text       string
	retryAfter time.Duration
	// result is what a consent came to by it, where that is not Failed.
	result consent.Result
	// waits: another attempt can complete the consent.
	waits bool
	// public is the text for callers that only start consents, where that is another one.
	public string
	// word is the error word of Zoho's redirect, checked.
	word string
	// browser is the status for a person's browser, where that is another one.
	browser int
	// problem is what that person reads first, where more is known than that it failed.
	problem string
}

func (a *answer) Error() string { return a.text }

// refuse makes an error that a person has to mend.
func refuse(format string, args ...any) error {
	return &answer{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// absent makes an error for what does not exist.
func absent(format string, args ...any) error {
	return &answer{status: http.StatusNotFound, text: fmt.Sprintf(format, args...)}
}

// HandleRequest answers a request. It refuses unknown and unusable fields before
// any handler runs: Vault would drop the former silently, and quote the latter,
// secrets included.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	// One process serves every mount: a panic here must not take the others with it.
	defer func() {
		if p := recover(); p != nil {
			resp, err = b.respond(ctx, parallel.Fault(p))
		}
	}()
	if req.Path == callbackPath && req.Operation == logical.ReadOperation {
		return b.callback(ctx, req)
	}
	if name, ok := plainRead(req); ok {
		resp, err = b.serve(ctx, req.Storage, name, nil)
		if err != nil {
			return b.respond(ctx, err)
		}
		return resp, nil
	}
	// With the end of a lease comes the answer that it was given with, no fields.
	lease := req.Operation == logical.RevokeOperation || req.Operation == logical.RenewOperation
	if len(req.Data) > 0 && !lease {
		if path := b.Route(req.Path); path != nil {
			if err := usable(req, path.Fields); err != nil {
				return b.respond(ctx, err)
			}
			req = normalize(req, path.Fields)
		}
	}
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.DeleteOperation:
		if !b.WriteSafeReplicationState() {
			// Before anything is done: what is done at Zoho can't be undone.
			return nil, logical.ErrReadOnly
		}
	}
	resp, err = b.Backend.HandleRequest(ctx, req)
	if err != nil {
		return b.respond(ctx, err)
	}
	if req.Operation == logical.HelpOperation {
		tidyOpenAPI(resp)
	}
	return resp, nil
}

// HandleExistenceCheck decides between create and update by the path alone: what
// the fields hold is HandleRequest's matter.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checked, exists bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			_, err = b.respond(ctx, parallel.Fault(p))
		}
	}()
	bare := *req
	bare.Data = nil
	return b.Backend.HandleExistenceCheck(ctx, &bare)
}

// told is what a caller may be told of an error in a list of results.
func (b *backend) told(err error) string {
	var a *answer
	if errors.As(err, &a) {
		return a.text
	}
	b.Logger().Error("request failed in part", "error", err)
	return "internal error; the cause is in Vault's log"
}

func (b *backend) respond(ctx context.Context, err error) (*logical.Response, error) {
	var a *answer
	switch {
	case errors.Is(err, zoho.ErrReadOnly), errors.Is(err, logical.ErrReadOnly):
		// The bare sentinel makes Vault forward the request to a node that can write.
		return nil, logical.ErrReadOnly
	case errors.Is(err, logical.ErrUnsupportedPath), errors.Is(err, logical.ErrUnsupportedOperation):
		return nil, err
	case errors.As(err, &a):
	case ctx.Err() != nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// Over the bridge storage fails with a status of its own when the caller leaves.
		return nil, logical.CodedError(http.StatusServiceUnavailable, "the request ended before Zoho answered; read again, nothing is lost")
	}
	if a == nil {
		b.Logger().Error("request failed", "error", err)
		text := "internal error; the cause is in Vault's log"
		if errors.Is(err, zoho.ErrNewerFormat) {
			text = err.Error()
		}
		return nil, logical.CodedError(http.StatusInternalServerError, text)
	}
	if a.status == http.StatusBadRequest {
		return logical.ErrorResponse(a.text), nil
	}
	var resp *logical.Response
	if a.retryAfter > 0 {
		// Reaches the client where the mount's allowed_response_headers names it.
		resp = &logical.Response{Headers: map[string][]string{"Retry-After": {strconv.Itoa(seconds(a.retryAfter))}}}
	}
	return resp, logical.CodedError(a.status, a.text)
}

// Sizes of values; what is real stays far below.
const (
	maxText = 4 << 10
	maxLong = 64 << 10
)

// usable refuses unknown fields, values of the wrong type and oversized ones,
// naming the field and never its value.
func usable(req *logical.Request, fields map[string]*framework.FieldSchema) error {
	data := req.Data
	d := framework.FieldData{Raw: data, Schema: fields}
	names := make([]string, 0, len(data))
	for name := range data {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		schema := fields[name]
		if schema == nil || name == "name" || name == "id" { // they are in the path alone
			return refuse("unknown field %q; %s takes %s", shorten(name), verb(req.Operation), fieldNames(req.Operation, fields))
		}
		if data[name] == nil || isEmpty(data[name]) {
			continue // the default
		}
		limit := maxText
		if name == "ca_pem" || name == "custom_metadata" {
			limit = maxLong
		}
		if size(data[name]) > limit {
			return refuse("field %q is longer than %d bytes; check what was pasted", name, limit)
		}
		if _, _, err := d.GetOkErr(name); err != nil {
			return refuse("field %q is not %s", name, kindOf(schema.Type))
		}
	}
	return nil
}

// isEmpty reports whether a value is a text with nothing in it.
func isEmpty(v any) bool {
	text, isText := v.(string)
	return isText && zoho.TrimPasted(text) == ""
}

// normalize writes the empty values of fields that hold no text in a way that the SDK
// takes: an empty list, or JSON null. Where nothing is stored, null is as if the field
// had been left out.
func normalize(req *logical.Request, fields map[string]*framework.FieldSchema) *logical.Request {
	changed := *req
	changed.Data = maps.Clone(req.Data)
	for name, value := range req.Data {
		switch kind := fields[name].Type; {
		case kind == framework.TypeString || !isEmpty(value):
		case kind == framework.TypeCommaStringSlice:
			changed.Data[name] = ""
		default:
			changed.Data[name] = nil
		}
	}
	if verb(req.Operation) != "a write" {
		maps.DeleteFunc(changed.Data, func(_ string, value any) bool { return value == nil })
	}
	return &changed
}

func size(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		n = len(v)
	case []any:
		for _, item := range v {
			n += size(item) + 1
		}
	case []string:
		for _, item := range v {
			n += len(item) + 1
		}
	case map[string]any:
		for key, item := range v {
			n += len(key) + size(item) + 2
		}
	}
	return n
}

func kindOf(t framework.FieldType) string {
	switch t {
	case framework.TypeDurationSecond:
		return "a duration; write seconds (600) or a unit (10m)"
	case framework.TypeInt:
		return "a whole number"
	case framework.TypeBool:
		return "true or false"
	case framework.TypeCommaStringSlice:
		return "a list; separate with commas or spaces"
	case framework.TypeKVPairs:
		return "a list of name=value pairs; separate with commas"
	}
	return "a text"
}

func verb(op logical.Operation) string {
	switch op {
	case logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
		return "a " + string(op)
	}
	return "a write"
}

// fieldNames returns what an operation takes: reads, lists and deletes take query
// parameters alone.
func fieldNames(op logical.Operation, fields map[string]*framework.FieldSchema) string {
	var names []string
	for name, schema := range fields {
		if name == "name" || name == "id" || schema.Query && !belongs(name, op) {
			continue
		}
		if schema.Query || verb(op) == "a write" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// shorten makes a caller's own text fit for an error.
func shorten(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}
