package fabric

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// attributeExtension is where Fabric CA puts attributes: JSON {"attrs": {"name":
// "value"}}.
var attributeExtension = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

const enrolmentAttribute = "hf.EnrollmentID"

// EnrolmentID reads the enrolment id of a certificate. As in the chaincode, attribute and
// common name must agree.
func EnrolmentID(c *x509.Certificate) (string, error) {
	for _, e := range c.Extensions {
		if !e.Id.Equal(attributeExtension) {
			continue
		}
		var body struct {
			Attrs map[string]string `json:"attrs"`
		}
		if err := json.Unmarshal(e.Value, &body); err != nil {
			return "", ledger.Errorf(ledger.ErrInvalid, "the certificate's attributes cannot be read: %v", err)
		}
		id := body.Attrs[enrolmentAttribute]
		if id == "" || id != c.Subject.CommonName {
			return "", ledger.Errorf(ledger.ErrInvalid, "the certificate's enrolment id %q is not its common name %q", id, c.Subject.CommonName)
		}
		return id, nil
	}
	return "", ledger.Errorf(ledger.ErrInvalid, "the certificate has no attributes; was it issued by a Fabric CA?")
}
