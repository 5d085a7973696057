package trust_test

import (
	"errors"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

// TestScopeKey confirms keys of a scope of HospitalA, at a peer whose only witness tells
// the same lies.
func TestScopeKey(t *testing.T) {
	world := &clienttest.World{}
	reader := world.As("HospitalB", "doctor", "doctor")
	d := &trust.Directory{Ledger: reader, Memory: trust.NewMemory()}
	key := func(epoch int, signer *clienttest.Person) trust.ScopeKey {
		k := trust.ScopeKey{Scope: "consortium", Epoch: epoch, Owner: "HospitalA", Digest: [32]byte{byte(epoch)}, Policy: role}
		if signer == nil {
			return k
		}
		if err := trust.Deposit(t.Context(), signer, trust.NewMemory(), signer.Signer()); err != nil {
			t.Fatal(err)
		}
		s, err := signer.Signer().Sign(trust.ScopeKeyStatement(reader.Channel(), k.Scope, epoch, k.Digest, k.Policy))
		if err != nil {
			t.Fatal(err)
		}
		k.Signature = &s
		return k
	}
	custodian := world.As("HospitalA", "custodian", ledger.RoleCustodian)
	taken, rewrapped, moved := key(3, custodian), key(3, custodian), key(3, world.As("HospitalB", "custodian", ledger.RoleCustodian))
	taken.Digest[0]++
	rewrapped.Policy = "HospitalC:role=doctor"
	moved.Owner = "HospitalB"
	for _, step := range []struct {
		name string
		key  trust.ScopeKey
		want error
	}{
		{"of an earlier release", key(1, nil), nil},
		{"by a doctor", key(2, world.As("HospitalA", "doctor", "doctor")), ledger.ErrTampered},
		{"by another hospital's custodian", key(2, world.As("HospitalB", "custodian", ledger.RoleCustodian)), ledger.ErrTampered},
		{"by the custodian", key(2, custodian), nil},
		{"an earlier one again", key(1, nil), nil},
		{"a signed one without its signature", key(2, nil), ledger.ErrTampered},
		{"a later one without a signature", key(3, nil), ledger.ErrTampered},
		{"a signature of another key", taken, ledger.ErrTampered},
		{"a signature of another policy", rewrapped, ledger.ErrTampered},
		{"another owner", moved, ledger.ErrTampered},
		{"by an administrator", key(3, world.As("HospitalA", "admin", ledger.RoleAdmin)), nil},
	} {
		if err := d.ConfirmScopeKey(t.Context(), step.key, "access", nil); !errors.Is(err, step.want) {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	for epoch, want := range map[int]bool{1: false, 2: true, 3: true} {
		if signed, err := d.ScopeSigned("consortium", epoch); err != nil || signed != want {
			t.Errorf("epoch %d: signed %v, %v", epoch, signed, err)
		}
	}
}
