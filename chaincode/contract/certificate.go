package contract

import (
	"encoding/base64"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Certificate keeps the enrolment certificates of those who sign what they say. A
// certificate on the ledger proves nothing by itself: readers check it against the roots
// of its member.
type Certificate struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Certificate) GetEvaluateTransactions() []string { return []string{"Get"} }

// Deposit writes the caller's own certificate under its hash. It reads nothing, so
// deposits never conflict. Another deposit of the certificate writes the same bytes.
//
// Errors:
//   - ErrDenied if the caller has no enrolment certificate.
func (c *Certificate) Deposit(ctx *Context) error {
	who, err := ctx.caller()
	if err != nil {
		return err
	}
	var b batch
	b.raw(ledger.CertificateKey(ledger.IDOfCertificate(who.certificate)), who.certificate)
	return c.write(ctx, &b)
}

// Get gives certificates in the order of the ids. It leaves out unknown ones.
//
// Errors:
//   - ErrInvalid if an id is malformed, or there are none or too many.
func (c *Certificate) Get(ctx *Context, ids []string) ([]ledger.Certificate, error) {
	if err := count("certificates", len(ids), ledger.MaxCertificates); err != nil {
		return nil, err
	}
	at := make([]string, len(ids))
	for i, text := range ids {
		id, err := ledger.ParseCertificateID(text)
		if err != nil {
			return nil, refuse(ledger.ErrInvalid, "%v", err)
		}
		at[i] = ledger.CertificateKey(id)
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	found := make([]ledger.Certificate, 0, len(ids))
	for i, der := range values {
		if len(der) > 0 {
			found = append(found, ledger.Certificate{ID: ids[i], DER: base64.StdEncoding.EncodeToString(der)})
		}
	}
	return found, nil
}
