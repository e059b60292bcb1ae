// Inner parts of the package for its tests.

package zoho

import "net/http"

// Parts returns the transport of shared connections and that of single ones.
func (t *Transport) Parts() []*http.Transport { return []*http.Transport{t.shared, t.single} }

// UnstoredLen is how many grants only memory knows something of.
func (k *Keeper) UnstoredLen() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.unstored)
}
