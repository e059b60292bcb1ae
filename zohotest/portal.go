// Portals: consents and tokens of the customers of a Zoho portal, at addresses that have the
// portal's id in their path.

package zohotest

import "strings"

// portalPrefix begins a portal's paths: /clientoauth/v2/<id>/auth, /token and /token/revoke
// (Zoho, vertical solutions and Commerce).
const portalPrefix = "/clientoauth/v2/"

// portalPath splits a portal's path into its id and the path below it.
func portalPath(path string) (id, rest string, found bool) {
	rest, found = strings.CutPrefix(path, portalPrefix)
	if !found {
		return "", "", false
	}
	id, rest, found = strings.Cut(rest, "/")
	return id, "/" + rest, found && id != ""
}

// inPortal says whether a client belongs to the portal whose path a call has, or to none if
// the path is no portal's.
func (c *call) inPortal(client *Client) bool {
	id, _, _ := portalPath(c.r.URL.Path)
	return client.Portal == id
}
