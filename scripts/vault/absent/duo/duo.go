// Package duoapi stands for a client of Duo, which login MFA by Duo needs: the
// names that Vault uses.
package duoapi

// DuoApi is a client.
type DuoApi struct{}

// NewDuoApi makes one that authapi refuses to use.
func NewDuoApi(_, _, _, _ string, _ ...func()) *DuoApi { return &DuoApi{} }

// StatResult is in each answer.
type StatResult struct {
	Stat                    string
	Message, Message_Detail *string
}
