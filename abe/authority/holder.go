package authority

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Holder is a person as a verified certificate describes them.
type Holder struct {
	MSP          string
	EnrollmentID string
	Attributes   map[string]string // certificate attributes by name, fabric-ca's own (hf.*) included
	Serial       string            // of the certificate, hexadecimal; for logs
	NotAfter     time.Time
}

// GID is the global identifier that keys are bound to.
func (h *Holder) GID() string { return h.MSP + "/" + h.EnrollmentID }

// attributesOID is where fabric-ca puts the certificate attributes, as JSON.
var attributesOID = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

const enrollmentIDAttribute = "hf.EnrollmentID"

// Limits on what a certificate says. A CA of the consortium is trusted to identify its
// people, not to be free of bugs.
const (
	maxExtension    = 16 << 10
	maxEnrollmentID = 256
)

// Fabric's CA writes the kind of identity into the organisational units (NodeOUs).
const clientUnit = "client"

var otherUnits = []string{"peer", "orderer", "admin"}

func isNode(unit string) bool {
	unit = strings.ToLower(unit)
	return unit == "peer" || unit == "orderer"
}

// checkUnits accepts clients, and certificates without any unit, which MSPs without
// NodeOUs have.
func checkUnits(units []string) error {
	client := len(units) == 0
	for _, unit := range units {
		unit = strings.ToLower(unit)
		if slices.Contains(otherUnits, unit) {
			return denied(CodeNotClient, "the certificate has the organisational unit "+unit+"; keys are for clients")
		}
		client = client || unit == clientUnit
	}
	if !client {
		return denied(CodeNotClient, "the certificate lacks the organisational unit client; keys are for clients")
	}
	return nil
}

// readHolder takes the identity out of a certificate of the given MSP. It does not verify
// the certificate.
func readHolder(msp string, cert *x509.Certificate) (*Holder, error) {
	if strings.Contains(msp, "/") { // the first slash of a GID ends the MSP ID
		return nil, denied(CodeUnknownMember, "the MSP ID "+msp+" has a slash, so that it could pass for people of another member")
	}
	if cert.IsCA {
		return nil, denied(CodeNotClient, "the certificate is a CA's")
	}
	if slices.ContainsFunc(cert.Subject.OrganizationalUnit, isNode) {
		return nil, denied(CodeNotClient, "the certificate is a node's")
	}
	attributes, err := readAttributes(cert)
	if err != nil {
		return nil, err
	}
	id := attributes[enrollmentIDAttribute]
	if id == "" || id != cert.Subject.CommonName {
		return nil, denied(CodeMalformed, "the certificate's enrolment id and its common name differ")
	}
	if len(id) > maxEnrollmentID || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil, denied(CodeMalformed, "the certificate's enrolment id is not usable")
	}
	return &Holder{
		MSP:          msp,
		EnrollmentID: id,
		Attributes:   attributes,
		Serial:       cert.SerialNumber.Text(16),
		NotAfter:     cert.NotAfter,
	}, nil
}

func readAttributes(cert *x509.Certificate) (map[string]string, error) {
	var found []byte
	for _, e := range cert.Extensions {
		if !e.Id.Equal(attributesOID) {
			continue
		}
		if found != nil {
			return nil, denied(CodeMalformed, "the certificate has its attributes twice")
		}
		found = e.Value
	}
	if found == nil {
		return nil, denied(CodeMalformed, "the certificate has no fabric-ca attributes: enrol again with attributes")
	}
	if len(found) > maxExtension {
		return nil, denied(CodeMalformed, "the certificate's attributes are too long")
	}
	var parsed struct {
		Attrs map[string]string `json:"attrs"`
	}
	if err := json.Unmarshal(found, &parsed); err != nil {
		return nil, denied(CodeMalformed, "the certificate's attributes are not JSON of fabric-ca")
	}
	return parsed.Attrs, nil
}
