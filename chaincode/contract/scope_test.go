package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func TestScope(t *testing.T) {
	c := newChannel(t)
	custodian, doctor := person(t, "HospitalA", "custodian", "custodian"), person(t, "HospitalB", "doctor", "doctor")
	_, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
	ok(t, nil, err)
	_, err = c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
	refused(t, ledger.ErrExists, nil, err)
	_, err = c.submit(custodian, wrapped(t, 2), ledger.ScopeCreate, "cardiology")
	refused(t, ledger.ErrInvalid, nil, err)

	roll := func(who []byte, name string, epoch int) error {
		t.Helper()
		_, err := c.submit(who, carry(t, fmt.Appendf(nil, "%sepoch %d", ageHeader, epoch)), ledger.ScopeRoll, name, epoch)
		return err
	}
	refused(t, ledger.ErrDenied, nil, roll(person(t, "HospitalC", "admin", "admin"), "consortium", 2))
	ok(t, nil, roll(custodian, "consortium", 2))
	refused(t, ledger.ErrExists, nil, roll(custodian, "consortium", 2))
	refused(t, ledger.ErrInvalid, nil, roll(custodian, "consortium", 4))
	refused(t, ledger.ErrInvalid, nil, roll(custodian, "consortium", 0))
	refused(t, ledger.ErrNotFound, nil, roll(custodian, "cardiology", 2))

	payload, err := c.evaluate("Regulator", person(t, "Regulator", "auditor", "auditor"), ledger.ScopeList)
	got := must[[]ledger.Scope](t, payload, err)
	if len(got) != 1 || got[0].Epoch != 2 || got[0].Owner != "HospitalA" || got[0].Time <= ledger.FormatTime(start) {
		t.Errorf("got %+v", got)
	}

	entry := c.ask(doctor, ledger.ScopeTarget("consortium"))
	for epoch := 1; epoch <= 2; epoch++ {
		payload, err := c.evaluate("HospitalB", doctor, ledger.ScopeKey, "consortium", epoch, entry.ID)
		if e := must[ledger.Envelope](t, payload, err); e.Data == "" || e.ServedBy != "HospitalB" {
			t.Errorf("epoch %d: %+v", epoch, e)
		}
	}
	_, err = c.evaluate("HospitalB", doctor, ledger.ScopeKey, "consortium", 3, entry.ID)
	refused(t, ledger.ErrNotFound, nil, err)

	// An entry for one target opens no other.
	_, err = c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "cardiology")
	ok(t, nil, err)
	_, err = c.evaluate("HospitalB", doctor, ledger.ScopeKey, "cardiology", 1, entry.ID)
	refused(t, ledger.ErrDenied, nil, err)
}

// TestScopeRetire: a hospital retires past epochs of its own entries, and of no others.
func TestScopeRetire(t *testing.T) {
	c := newChannel(t)
	custodian, other := person(t, "HospitalA", "custodian", "custodian"), person(t, "HospitalB", "admin", "admin")
	_, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
	ok(t, nil, err)
	retire := func(who []byte, name string, epoch int) error {
		_, err := c.submit(who, nil, ledger.ScopeRetire, name, epoch, "")
		return err
	}
	refused(t, ledger.ErrInvalid, nil, retire(custodian, "consortium", 1)) // the current one
	for epoch := 2; epoch <= 4; epoch++ {
		_, err = c.submit(custodian, wrapped(t, 1), ledger.ScopeRoll, "consortium", epoch)
		ok(t, nil, err)
	}
	ok(t, nil, retire(other, "consortium", 2))
	ok(t, nil, retire(custodian, "consortium", 3))
	refused(t, ledger.ErrExists, nil, retire(custodian, "consortium", 3))
	refused(t, ledger.ErrExists, nil, retire(custodian, "consortium", 1)) // there is no way back
	refused(t, ledger.ErrInvalid, nil, retire(other, "consortium", 4))
	refused(t, ledger.ErrInvalid, nil, retire(other, "consortium", 0))
	refused(t, ledger.ErrNotFound, nil, retire(other, "cardiology", 1))
	refused(t, ledger.ErrDenied, nil, retire(person(t, "Regulator", "admin", "admin"), "consortium", 3))

	payload, err := c.evaluate("Regulator", person(t, "Regulator", "auditor", "auditor"), ledger.ScopeRetired, "consortium")
	got := must[[]ledger.Retirement](t, payload, err)
	if len(got) != 2 || got[0].MSP != "HospitalA" || got[0].Epoch != 3 || got[1].MSP != "HospitalB" || got[1].Epoch != 2 ||
		got[1].Actor != "HospitalB/admin" || got[1].Scope != "consortium" {
		t.Errorf("got %+v", got)
	}
}

func TestScopeNames(t *testing.T) {
	for _, good := range []string{"a", "consortium", "cardio-2.east_wing", strings.Repeat("x", ledger.MaxScopeName)} {
		if err := checkScopeName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "Consortium", "a b", "a/b", "a%2Fb", "a\x00", "a\n", "\u00e4", "a:b", strings.Repeat("x", ledger.MaxScopeName+1)} {
		if checkScopeName(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
