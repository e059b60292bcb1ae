// Which reads does memory alone answer? Those of a credential whose token is at hand
// and young enough, without a lease or a warning: what this engine does all day. Their
// answer is encoded once for each token.

package backend

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// WarmRead appends the data of a read to room, as JSON, if it is no more than that and
// needs neither storage nor Zoho. Otherwise HandleRequest answers.
func (b *backend) WarmRead(path string, room []byte) (data []byte, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			data, ok = nil, false // HandleRequest will meet it as well, and say so
		}
	}()
	name, found := strings.CutPrefix(path, credsPrefix)
	if !found {
		return nil, false
	}
	k, found := b.memory.creds.Get(name)
	if !found || k.Disabled || k.Leased || k.device.Load() != nil {
		return nil, false
	}
	d := k.derived.Load()
	if d == nil || d.client != b.memory.client.Load() || !b.memory.epochs.known.Load() {
		return nil, false
	}
	served, warm := b.keeper.Warm(&d.account, d.want)
	if !warm || served.Warning != "" {
		return nil, false
	}
	r := d.renderedFor(k, served.Token)
	if r.json == nil {
		return nil, false
	}
	b.metrics.reads.Add(1)
	b.metrics.served(served)
	data = append(room, r.json...)
	data = strconv.AppendInt(data, int64(ttl(served, d.want, time.Now())), 10)
	return append(data, '}'), true
}

// encode makes the JSON of an answer up to the value of ttl, its last field.
func encode(data map[string]any) []byte {
	rest := make(map[string]any, len(data))
	for field, value := range data {
		if field != "ttl" {
			rest[field] = value
		}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		return nil // never: these are texts and numbers
	}
	return append(text[:len(text)-1], `,"ttl":`...)
}
