// When does a grant outlive the person who gave it? When an administrator
// consents for the organization (Zoho calls that instance-level): an endpoint of
// its own, scopes of one Zoho app, and tokens that stay when the administrator goes.

package zohotest

import (
	"fmt"
	"slices"
	"strings"
)

// orgAuthPath is where a browser starts for an organization.
const orgAuthPath = "/oauth/v2/org/auth"

// An organization is whose a grant is, if it is no user's.
type organization struct {
	soid          string // <service>.<id>; empty where none was asked for
	administrator User   // who consented, as they were then
}

// holder is what earlier consents are remembered by.
func holder(user string, org *organization) string {
	if org != nil {
		return "organization " + org.soid
	}
	return user
}

// commonServices may be asked for beside one app (Zoho, instance-level-oauth).
var commonServices = []string{"ZohoContacts", "ZohoProfile", "ZohoFiles", "AaaServer"}

// ofOneApp says whether scopes are those of one Zoho app at most, common services aside, and
// of which. OpenID's scopes are no common service, so they count.
func ofOneApp(scopes []string) (app string, one bool) {
	for _, scope := range scopes {
		service, _, _ := strings.Cut(scope, ".")
		switch {
		case ofService(scope, commonServices):
		case app == "":
			app = service
		case !strings.EqualFold(app, service):
			return "", false
		}
	}
	return app, true
}

func oneApp(scopes []string) bool {
	_, one := ofOneApp(scopes)
	return one
}

// soidServices are what a soid begins with, where that is not the first part of the scopes
// (Zoho, client-credentials-flow).
var soidServices = map[string]string{"desk": "ZohoDesk"}

// namesService says whether a soid is one of the service whose scopes begin with app:
// ZohoCRM.<id>, ZohoDesk.<id>, zohopay.<id>.
func namesService(soid, app string) bool {
	named, id, _ := strings.Cut(soid, ".")
	return id != "" && strings.EqualFold(named, or(soidServices[strings.ToLower(app)], app))
}

// checkOrganization is what an organization's request must have besides; empty
// if it has it. Only the words about scopes are Zoho's.
func (s *Simulator) checkOrganization(req consentRequest) (title, text string) {
	app, one := ofOneApp(req.scopes)
	service, id, _ := strings.Cut(req.soid, ".")
	switch {
	case !one:
		return "Invalid OAuth Scope", "The scopes of an organization's consent must be those of one Zoho app, common services aside."
	case req.soid == "" && s.knobs.OrganizationNeedsSoid && !s.soidless(req.scopes):
		return "Invalid Organization", "The soid is missing."
	case req.soid != "" && (service == "" || id == ""):
		return "Invalid Organization", "The soid is not of the form <service>.<id>."
	case req.soid != "" && app != "" && !namesService(req.soid, app):
		return "Invalid Organization", "The soid names another service than the scopes."
	}
	return "", ""
}

// soidless says whether scopes are of a service that takes no soid, common ones aside.
func (s *Simulator) soidless(scopes []string) bool {
	found := false
	for _, scope := range scopes {
		if ofService(scope, commonServices) {
			continue
		}
		if !ofService(scope, s.knobs.SoidlessServices) {
			return false
		}
		found = true
	}
	return found
}

// mayConsentFor says why a user cannot consent for the organization that a
// request names; empty if nothing stands against it.
func (s *Simulator) mayConsentFor(req consentRequest, user *User) (title, text string) {
	_, id, _ := strings.Cut(req.soid, ".")
	switch {
	case user.Member && s.knobs.OrganizationNeedsAdmin:
		return "Invalid User", user.Email + " is no administrator of the organization."
	case id != "" && id != user.OrgID && s.knobs.KnownOrganizations:
		return "Invalid Organization", user.Email + " belongs to another organization than " + req.soid + "."
	}
	return "", ""
}

// An OrganizationUser says whom /oauth/user/info names to the holder of an
// organization's token; no page of Zoho does.
type OrganizationUser string

const (
	Administrator        OrganizationUser = "administrator"         // who consented, also after they left
	PresentAdministrator OrganizationUser = "present_administrator" // who consented; after they left it refuses
	Nobody               OrganizationUser = "nobody"                // it refuses, as APIs do that need a user
)

// named says whether there is somebody to name for a token.
func (s *Simulator) named(at *accessToken) bool {
	switch {
	case at.org == nil || s.knobs.OrganizationUser == Administrator:
		return true
	case s.knobs.OrganizationUser == Nobody:
		return false
	}
	return s.userByEmail(at.user) != nil
}

// checkOrganization refuses what could only be misspelt.
func (k *Knobs) checkOrganization() error {
	if !slices.Contains([]OrganizationUser{Administrator, PresentAdministrator, Nobody}, k.OrganizationUser) {
		return fmt.Errorf("unknown organization user %q: use %q, %q or %q", k.OrganizationUser, Administrator, PresentAdministrator, Nobody)
	}
	for _, kind := range k.OrganizationClients {
		if !slices.Contains([]ClientType{ServerBased, Mobile, Organization}, kind) {
			return fmt.Errorf("clients of type %q have no code to exchange", kind)
		}
	}
	return nil
}
