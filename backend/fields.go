// How does a request's field get into a struct? Only if the caller sent it; JSON
// null puts the default back. Lists and maps are read as people paste them.

package backend

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// fields reads a request; its first error stays in err.
type fields struct {
	*framework.FieldData
	// merge makes a map that was sent change single names, as a PATCH does.
	merge bool
	err   error
}

func newFields(req *logical.Request, d *framework.FieldData) *fields {
	return &fields{FieldData: d, merge: req.Operation == logical.PatchOperation}
}

func (f *fields) sent(name string) bool {
	_, sent := f.Raw[name]
	return sent
}

// only refuses a field that the path has for another of its operations.
func (f *fields) only(operation string, names ...string) error {
	takes := "none"
	if len(names) > 0 {
		takes = strings.Join(names[:len(names)-1], ", ") + map[bool]string{true: " and "}[len(names) > 1] + names[len(names)-1]
	}
	for _, name := range slices.Sorted(maps.Keys(f.Schema)) {
		if name != "name" && f.sent(name) && !slices.Contains(names, name) {
			return refuse("field %q does not belong to a %s; it takes %s", name, operation, takes)
		}
	}
	return nil
}

// text sets dst if the field was sent; surrounding space is never meant.
func (f *fields) text(name string, dst *string) {
	if f.sent(name) {
		*dst = strings.TrimSpace(f.Get(name).(string))
	}
}

func (f *fields) secret(name string, dst *zoho.Secret) {
	var s string
	if f.text(name, &s); f.sent(name) {
		*dst = zoho.Secret(s)
	}
}

func (f *fields) bool(name string, dst *bool) {
	if f.sent(name) {
		*dst = f.Raw[name] != nil && f.Get(name).(bool)
	}
}

func (f *fields) int(name string, dst *int, fallback int) {
	if f.sent(name) {
		*dst = fallback
		if f.Raw[name] != nil {
			*dst = f.Get(name).(int)
		}
	}
}

func (f *fields) duration(name string, dst *time.Duration, fallback time.Duration) {
	if f.sent(name) {
		*dst = fallback
		if f.Raw[name] != nil {
			*dst = time.Duration(f.Get(name).(int)) * time.Second
		}
	}
}

// ownDuration sets a setting that may also be left to the mount's default.
func (f *fields) ownDuration(name string, dst **time.Duration) {
	if !f.sent(name) {
		return
	}
	*dst = nil
	if f.Raw[name] != nil {
		var d time.Duration
		f.duration(name, &d, 0)
		*dst = &d
	}
}

// scopes reads a list with commas, spaces or both.
func (f *fields) scopes(name string, dst *[]string) {
	if f.sent(name) {
		*dst = zoho.ParseScopes(strings.Join(f.Get(name).([]string), ","))
	}
}

// texts reads a list with commas, spaces or line ends between.
func (f *fields) texts(name string, dst *[]string) {
	if f.sent(name) {
		*dst = strings.FieldsFunc(strings.Join(f.Get(name).([]string), "\n"), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	}
}

// pairs reads name=value pairs: a JSON object, a list of pairs, or a text with
// commas or line ends between pairs.
func (f *fields) pairs(name string, dst *map[string]string) {
	if !f.sent(name) {
		return
	}
	pairs := map[string]string{}
	if f.merge && f.Raw[name] != nil {
		maps.Copy(pairs, *dst)
	}
	switch v := f.Raw[name].(type) {
	case nil:
	case map[string]any:
		for key, value := range v {
			if key = strings.TrimSpace(key); value == nil {
				delete(pairs, key) // JSON null takes a name away
			} else {
				pairs[key] = strings.TrimSpace(fmt.Sprint(value))
			}
		}
	case string:
		f.split(name, v, pairs)
	case []string:
		f.split(name, strings.Join(v, "\n"), pairs)
	case []any:
		for _, item := range v {
			f.split(name, fmt.Sprint(item), pairs)
		}
	default:
		f.fail(refuse("field %q is not a list of name=value pairs; separate with commas", name))
	}
	*dst = pairs
}

func (f *fields) split(name, text string, pairs map[string]string) {
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		if !found {
			f.fail(refuse("field %q is not a list of name=value pairs; separate with commas", name))
			return
		}
		pairs[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// validName refuses names that Vault's policies or storage would trip over.
func validName(name string) error {
	letter := func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	runes := []rune(name)
	odd := slices.ContainsFunc(runes, func(r rune) bool { return !letter(r) && r != '-' && r != '.' })
	odd = odd || strings.Contains(name, "..") // storage takes no such key
	if len(runes) == 0 || len(runes) > 128 || odd || !letter(runes[0]) || !letter(runes[len(runes)-1]) {
		return refuse("%q is not a usable name; take up to 128 letters, digits, '_', '-' and '.', beginning and ending with a letter or digit", shorten(name))
	}
	return nil
}

// nameField is the last part of a path.
func nameField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Description: description, Required: true}
}

// nameRegex takes any name, so that an odd one is answered with what is wrong
// with it rather than with "unsupported path".
const nameRegex = `/(?P<name>.+)`
