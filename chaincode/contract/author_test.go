package contract

import (
	"slices"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestUnsigned registers records that their author has not signed, as a program of an
// insider would, to pass them off as ones from before there were signatures.
func TestUnsigned(t *testing.T) {
	c := newChannel(t)
	doctor, other := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "other", "doctor")
	plain := []byte(ageHeader + "-> ABE wrapped key\n")
	for name, envelope := range map[string][]byte{
		"unsigned":              plain,
		"signed by another":     slices.Concat(plain, signatureStanza(other)),
		"signed in the payload": slices.Concat(plain, []byte("--- MAC\n"), signatureStanza(doctor)),
	} {
		for fn, args := range map[string][]any{ledger.RecordCreate: nil, ledger.RecordAmend: {2}} {
			_, _, err := c.simulateAs("HospitalA", doctor, with(t, carry(t, envelope), newRecord(1)), fn, args...)
			if err == nil {
				t.Errorf("%s: %s takes it", name, fn)
			}
			refused(t, ledger.ErrInvalid, nil, err)
		}
	}
	_, _, err := c.simulateAs("HospitalA", doctor, with(t, carry(t, slices.Concat(plain, signatureStanza(doctor), []byte("--- MAC\n"))), newRecord(1)), ledger.RecordCreate)
	ok(t, nil, err)
}

// TestAmenders: a consortium chooses the roles that may amend other people's records.
func TestAmenders(t *testing.T) {
	if _, err := New(Config{MSP: "HospitalA", Hospitals: []string{"HospitalA"}, Amenders: []string{"auditor"}}); err == nil {
		t.Error("auditors amend")
	}
}
