// What may a stranger bring to the callback, which takes no Vault token? Whatever it is,
// no code goes to a host that the operator never named, nothing that was sent comes
// back as markup or as a header, and only a genuine state does anything.

package backend_test

import (
	"context"
	"testing"
)

func TestNodeKnowsTheStatesOfAConfigThatAnotherNodeMadeAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		old := m.write("authorize/crm", nil).Data["state"].(string)
		standby := m.backend
		m.initialize()
		m.backend = m.another()
		m.delete("authorize/crm")
		m.delete("config")
		m.behindVault(nil)
		state := m.write("authorize/crm", nil).Data["state"].(string)
		m.backend.Cleanup(context.Background())
		m.backend = standby
		for _, key := range []string{"pending/crm", "config"} {
			m.backend.(interface {
				InvalidateKey(context.Context, string)
			}).InvalidateKey(context.Background(), key)
		}
		m.land(callbackAddress+"?state="+state).shows(t, 400, "crm", "nothing was done")
		m.land(callbackAddress+"?state="+old).shows(t, 400, "does not work")
	})
}
