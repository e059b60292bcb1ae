// How does a request's field get into a struct? Only if the caller sent it; JSON
// null or an empty text restores the default. Lists and maps are read as people paste
// them. Every value is checked for characters that a terminal does not show as they are.

package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// present reports whether a field is in the request, JSON null included.
func (f *fields) present(name string) bool {
	_, present := f.Raw[name]
	return present
}

// sent reports whether a field is in the request with a value. JSON null counts as left
// out, except that it restores the default of a stored setting.
func (f *fields) sent(name string) bool { return f.Raw[name] != nil }

// given reports whether a field has a value that is not empty. An empty text means what
// JSON null means: Vault's command line cannot send null.
func (f *fields) given(name string) bool {
	return f.sent(name) && !isEmpty(f.Raw[name])
}

// withoutEmpty returns the request without those of the named fields that are empty, so
// that their defaults apply. It leaves out JSON null for every field.
func (f *fields) withoutEmpty(names ...string) *fields {
	filled := &framework.FieldData{Raw: maps.Clone(f.Raw), Schema: f.Schema}
	maps.DeleteFunc(filled.Raw, func(name string, _ any) bool {
		return !f.sent(name) || slices.Contains(names, name) && !f.given(name)
	})
	return &fields{FieldData: filled, merge: f.merge, err: f.err}
}

// only refuses a field that the path has for another of its operations.
func (f *fields) only(operation string, names ...string) error {
	takes := "none"
	if len(names) > 0 {
		takes = strings.Join(names[:len(names)-1], ", ") + map[bool]string{true: " and "}[len(names) > 1] + names[len(names)-1]
	}
	for _, name := range slices.Sorted(maps.Keys(f.Schema)) {
		if name != "name" && name != "id" && f.sent(name) && !slices.Contains(names, name) {
			return refuse("field %q does not belong to a %s; it takes %s", name, operation, takes)
		}
	}
	return nil
}

// text sets dst if the field was sent, without surrounding space.
func (f *fields) text(name string, dst *string) {
	if !f.present(name) {
		return
	}
	*dst = ""
	if f.given(name) {
		*dst = zoho.TrimPasted(f.Get(name).(string))
	}
	f.readable(name, *dst)
}

// freeText sets dst if the field was sent, to any text without surrounding space. It is
// for values that are never shown to a person or that are checked elsewhere.
func (f *fields) freeText(name string, dst *string) {
	if f.present(name) {
		*dst = strings.TrimSpace(f.Get(name).(string))
	}
}

func (f *fields) secret(name string, dst *zoho.Secret) {
	var s string
	if f.text(name, &s); f.present(name) {
		*dst = zoho.Secret(s)
	}
}

// bool sets dst if the field was sent; its default is that of the schema.
func (f *fields) bool(name string, dst *bool) {
	if f.present(name) {
		*dst = f.GetDefaultOrZero(name).(bool)
		if f.given(name) {
			*dst = f.Get(name).(bool)
		}
	}
}

func (f *fields) int(name string, dst *int, fallback int) {
	if f.present(name) {
		*dst = fallback
		if f.given(name) {
			*dst = f.Get(name).(int)
		}
	}
}

func (f *fields) duration(name string, dst *time.Duration, fallback time.Duration) {
	if f.present(name) {
		*dst = fallback
		if f.given(name) {
			*dst = time.Duration(f.Get(name).(int)) * time.Second
		}
	}
}

// ownDuration sets a setting that may also be left to the mount's default.
func (f *fields) ownDuration(name string, dst **time.Duration) {
	if !f.present(name) {
		return
	}
	*dst = nil
	if f.given(name) {
		var d time.Duration
		f.duration(name, &d, 0)
		*dst = &d
	}
}

// scopes reads a list with commas, spaces or both.
func (f *fields) scopes(name string, dst *[]string) {
	if !f.present(name) {
		return
	}
	*dst = nil
	for _, scope := range zoho.ParseScopes(strings.Join(f.Get(name).([]string), ",")) {
		if scope = zoho.TrimPasted(scope); scope != "" && !slices.Contains(*dst, scope) {
			*dst = append(*dst, scope)
		}
	}
	if err := zoho.CheckScopes(*dst); err != nil {
		f.fail(refuse("field %q: %s", name, err))
	}
}

// texts reads a list with commas, spaces or line ends between.
func (f *fields) texts(name string, dst *[]string) {
	if !f.present(name) {
		return
	}
	*dst = nil
	for item := range strings.FieldsFuncSeq(strings.Join(f.Get(name).([]string), "\n"), func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if item = zoho.TrimPasted(item); item != "" {
			f.readable(name, item)
			*dst = append(*dst, item)
		}
	}
}

// pairs reads name=value pairs: a JSON object, a list of pairs, or a text with
// commas or line ends between pairs.
func (f *fields) pairs(name string, dst *map[string]string) {
	f.pairsBy(name, dst, func(key string) string { return key })
}

// dataCenterPairs reads pairs with names of data centers, which are lower case.
func (f *fields) dataCenterPairs(name string, dst *map[string]string) {
	f.pairsBy(name, dst, strings.ToLower)
}

// pairsBy reads pairs. normal makes one name of all its spellings, before anything
// is merged.
func (f *fields) pairsBy(name string, dst *map[string]string, normal func(string) string) {
	if !f.present(name) {
		return
	}
	pairs := map[string]string{}
	if f.merge && f.given(name) {
		maps.Copy(pairs, *dst)
	}
	set := map[string]bool{}
	// add takes the value that the request has for a name, nil to remove the name.
	add := func(key string, value any) {
		if key = normal(zoho.TrimPasted(key)); set[key] {
			f.fail(refuse("field %q has two values for one name; give each name once", name))
		}
		set[key] = true
		if value == nil {
			delete(pairs, key)
			return
		}
		text, err := scalar(value)
		if err != nil {
			f.fail(refuse("field %q has a value that %s", name, err))
		}
		pairs[key] = zoho.TrimPasted(text)
		f.readable(name, key, pairs[key])
	}
	switch v := f.Raw[name].(type) {
	case nil:
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			add(key, v[key])
		}
	case string:
		f.split(name, zoho.TrimPasted(v), add)
	case []string:
		f.split(name, strings.Join(v, "\n"), add)
	case []any:
		for _, item := range v {
			text, isText := item.(string)
			if !isText {
				f.fail(notPairs(name))
			}
			f.split(name, text, add)
		}
	default:
		f.fail(notPairs(name))
	}
	*dst = pairs
}

func notPairs(name string) error {
	return refuse("field %q is not a list of name=value pairs; separate with commas", name)
}

// exactIntegers is the number up to which JSON readers keep every digit: 2^53.
const exactIntegers = 1 << 53

// scalar writes a JSON value as it was written. Over the plugin bridge numbers arrive as
// float64.
func scalar(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case float64:
		if math.Abs(v) >= exactIntegers {
			return "", fmt.Errorf("is a number with too many digits; write it in quotes")
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int, int32, int64, uint, uint32, uint64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("is a list or an object; a value is a text, a number, true or false")
}

func (f *fields) split(name, text string, add func(key string, value any)) {
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if zoho.TrimPasted(pair) == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		if !found {
			f.fail(notPairs(name))
			return
		}
		add(key, value)
	}
}

// readable refuses texts with characters that a terminal or an editor hides or reorders.
func (f *fields) readable(name string, texts ...string) {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			f.fail(refuse("field %q is not a text in UTF-8", name))
		}
		if strings.ContainsFunc(text, zoho.Invisible) {
			f.fail(refuse("field %q has a line break, another control character or a character that changes the direction of text; write it again by hand", name))
		}
	}
}

// maxIdentifier is longer than any identifier that Zoho makes.
const maxIdentifier = 128

// organization reads an organization, <service>.<id>.
func (f *fields) organization(name string, dst *string) {
	f.text(name, dst)
	service, id, found := strings.Cut(*dst, ".")
	if *dst != "" && (len(*dst) > maxIdentifier || !found || !zoho.Identifier(service) || !zoho.Identifier(id)) {
		f.fail(refuse("field %q is not an organization; write <service>.<id>, such as ZohoCRM.600000434, with letters, digits, '_', '-' and '.'", name))
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
