package contract

import (
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// enrollmentAttribute is Fabric CA's certificate attribute for the enrolment id.
const enrollmentAttribute = "hf.EnrollmentID"

// A caller is the person or service that signed the proposal.
type caller struct {
	msp  string
	id   string // enrolment id
	role string // may be empty

	certificate []byte // DER
}

func (c caller) actor() string { return ledger.Actor(c.msp, c.id) }

// A consortium is what every contract knows about the members of the channel. [Config]
// has the meaning of its fields.
type consortium struct {
	msp       string
	hospitals []string
	amenders  []string // roles
	resealers []string // roles
	erasers   []string // roles
	clock     func() time.Time

	erasePersons int
	copies       ledger.CopyRules
}

// A rule selects the callers of a transaction.
type rule struct {
	hospital bool                   // members of hospitals only
	role     func(role string) bool // tells whether a role is allowed
	who      string                 // the rule in words
}

var (
	// keepers run a hospital's attribute authority.
	keepers = rule{true, oneOf(ledger.RoleAdmin, ledger.RoleAuthority), "an admin or authority of a hospital"}
	// custodians keep a hospital's records and search domains.
	custodians = rule{true, oneOf(ledger.RoleAdmin, ledger.RoleCustodian), "an admin or custodian of a hospital"}
	// clinicians seal, search and open.
	clinicians = rule{true, ledger.Clinical, "a clinical user or custodian of a hospital"}
	// confirmers also look for what they have to confirm.
	confirmers = rule{false, oneOf(ledger.RoleAuditor, ledger.RoleCustodian, ledger.RoleAdmin, ledger.RoleAuthority), "an auditor, custodian, admin or authority"}
	// auditors read the whole log. Every member of the channel may have them.
	auditors = rule{false, oneOf(ledger.RoleAuditor, ledger.RoleCustodian, ledger.RoleAdmin), "an auditor, custodian or admin"}
)

func oneOf(roles ...string) func(string) bool {
	return func(role string) bool { return slices.Contains(roles, role) }
}

// admit gives the caller if the rule allows them. Otherwise the error is ErrDenied.
func (c consortium) admit(ctx *Context, r rule) (caller, error) {
	who, err := ctx.caller()
	if err != nil {
		return caller{}, err
	}
	if r.hospital && !slices.Contains(c.hospitals, who.msp) {
		return caller{}, refuse(ledger.ErrDenied, "%s does not belong to a hospital: needs %s", who.actor(), r.who)
	}
	if !r.role(who.role) {
		return caller{}, refuse(ledger.ErrDenied, "%s has the role %.64q: needs %s", who.actor(), who.role, r.who)
	}
	return who, nil
}

// caller reads the creator's certificate. Its attribute for the enrolment id and its
// common name must agree, so that both name the same person. Idemix credentials are
// refused: they have no certificate, and their "role" is one of Fabric's.
func (ctx *Context) caller() (caller, error) {
	id, ok := ctx.GetClientIdentity().(*cid.ClientID)
	if !ok || id == nil {
		return caller{}, refuse(ledger.ErrDenied, "the caller's certificate cannot be read")
	}
	cert, err := id.GetX509Certificate()
	if err != nil || cert == nil {
		return caller{}, refuse(ledger.ErrDenied, "the caller has no X.509 certificate")
	}
	msp, err := id.GetMSPID()
	if err != nil || !isWord(msp) {
		return caller{}, refuse(ledger.ErrDenied, "the caller has no MSP ID")
	}
	enrolled, found, err := id.GetAttributeValue(enrollmentAttribute)
	if err != nil || !found {
		return caller{}, refuse(ledger.ErrDenied, "the caller's certificate has no attribute %s: enrol with it", enrollmentAttribute)
	}
	if !isPerson(enrolled) {
		return caller{}, refuse(ledger.ErrDenied, "the enrolment id %.64q is empty, too long or not printable", enrolled)
	}
	if cert.Subject.CommonName != enrolled {
		return caller{}, refuse(ledger.ErrDenied, "the certificate's common name %.64q is not its enrolment id %.64q",
			cert.Subject.CommonName, enrolled)
	}
	role, _, err := id.GetAttributeValue(ledger.RoleAttribute)
	if err != nil {
		return caller{}, refuse(ledger.ErrDenied, "the role in the caller's certificate cannot be read")
	}
	return caller{msp: msp, id: enrolled, role: role, certificate: cert.Raw}, nil
}

// owns tells whether an attribute's name is in an MSP's namespace.
func owns(msp, attribute string) bool { return strings.HasPrefix(attribute, msp+":") }
