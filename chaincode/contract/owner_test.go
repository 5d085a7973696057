package contract

import (
	"bytes"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestOwners: each hospital's own keys are given to it when they are written, with the
// same bytes by every endorser, whatever the order in which it lists the hospitals. Keys
// that all write belong to nobody.
func TestOwners(t *testing.T) {
	c := newChannel(t)
	keeper, custodian := person(t, "HospitalA", "authority", "authority"), person(t, "HospitalA", "custodian", "custodian")
	const doctor = "HospitalA:role=doctor"
	check := func(s *stub, err error, keys ...string) {
		t.Helper()
		ok(t, nil, err)
		ok(t, nil, c.world.commit(s))
		want, err := consortium{hospitals: []string{"HospitalC", "HospitalB", "HospitalA"}}.ownerPolicy("HospitalA")
		ok(t, nil, err)
		if len(s.policies) != len(keys) {
			t.Errorf("%d keys have a policy, want %q", len(s.policies), keys)
		}
		for _, key := range keys {
			if !bytes.Equal(s.policies[key], want) {
				t.Errorf("%s has the policy %x", key, s.policies[key])
			}
			if _, written := s.writes[key]; !written {
				t.Errorf("%s has a policy and no value", key)
			}
		}
	}
	key := ledger.AttributeKey{Name: doctor, Version: 1, Key: publicKey("doctor")}
	s, _, err := c.simulate("HospitalA", keeper, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example"})
	check(s, err, ledger.AuthorityKey("HospitalA"))
	s, _, err = c.simulate("HospitalB", keeper, nil, ledger.AuthorityPublishKeys, []ledger.AttributeKey{key})
	check(s, err, ledger.AttributeCurrentKey(doctor), ledger.AttributeVersionKey(doctor, 1))
	key.Signature = signatureOf(t, keeper, 1) // a key of an earlier release gets its owner by this
	s, _, err = c.simulate("HospitalB", keeper, nil, ledger.AuthorityPublishKeys, []ledger.AttributeKey{key})
	check(s, err, ledger.AttributeCurrentKey(doctor), ledger.AttributeVersionKey(doctor, 1))
	s, _, err = c.simulate("HospitalC", custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
	check(s, err, ledger.ScopeStateKey("consortium"), ledger.ScopeEpochKey("consortium", 1))
	s, _, err = c.simulate("HospitalA", custodian, wrapped(t, 1), ledger.ScopeRoll, "consortium", 2)
	check(s, err, ledger.ScopeStateKey("consortium"), ledger.ScopeEpochKey("consortium", 2))
	s, _, err = c.simulate("HospitalA", custodian, nil, ledger.ScopeRetire, "consortium", 1, "")
	check(s, err, ledger.ScopeRetiredKey("consortium", "HospitalA"))
	s, _, err = c.simulate("HospitalA", person(t, "HospitalA", "doctor", "doctor"), sealing(t, newRecord(1)), ledger.RecordCreate)
	check(s, err)
}
