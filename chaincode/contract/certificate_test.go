package contract

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// derOf gives the certificate of a creator.
func derOf(t testing.TB, creator []byte) []byte {
	t.Helper()
	var id msp.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(id.GetIdBytes())
	return block.Bytes
}

// TestCertificates deposits the caller's certificate under its hash, again without a
// change, and two at the same time.
func TestCertificates(t *testing.T) {
	c := newChannel(t)
	doctor, auditor := person(t, "HospitalA", "doctor", "doctor"), person(t, "Regulator", "auditor", "auditor")
	for range 2 {
		_, err := c.submit(doctor, nil, ledger.CertificateDeposit)
		ok(t, nil, err)
	}
	ids := []string{ledger.IDOfCertificate(derOf(t, auditor)).String(), ledger.IDOfCertificate(derOf(t, doctor)).String()}
	payload, err := c.evaluate("HospitalA", auditor, ledger.CertificateGet, ids)
	found := must[[]ledger.Certificate](t, payload, err)
	if len(found) != 1 || found[0].ID != ids[1] {
		t.Fatalf("found %+v", found)
	}
	if der, err := base64.StdEncoding.DecodeString(found[0].DER); err != nil || !bytes.Equal(der, derOf(t, doctor)) {
		t.Errorf("another certificate: %v", err)
	}
	for _, bad := range [][]string{{}, {"x"}, {ids[0][:63] + "F"}, make([]string, ledger.MaxCertificates+1)} {
		if _, err := c.evaluate("HospitalA", auditor, ledger.CertificateGet, bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%d ids: %v", len(bad), err)
		}
	}
}
