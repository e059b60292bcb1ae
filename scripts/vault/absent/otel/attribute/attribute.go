// Package attribute stands for attributes of traces: the names that Vault uses.
package attribute

// Key is a name.
type Key string

// Value is a value.
type Value struct{}

// KeyValue is a name with its value.
type KeyValue struct {
	Key   Key
	Value Value
}

// String makes an attribute.
func (k Key) String(string) KeyValue { return KeyValue{Key: k} }

// AsString is nothing.
func (Value) AsString() string { return "" }
