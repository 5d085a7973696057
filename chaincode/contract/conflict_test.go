package contract

import (
	"errors"
	"fmt"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestNoHotKeys checks promise 5: any two of these transactions, by two clients and
// endorsed on the same state, are valid in both orders.
func TestNoHotKeys(t *testing.T) {
	prepare := func() (*channel, map[string]func() *stub, []string) {
		c := newChannel(t)
		a, b := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalB", "doctor", "doctor")
		custodian := person(t, "HospitalA", "custodian", "custodian")
		c.seal(a, 1)
		c.seal(a, 2)
		_, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
		ok(t, nil, err)
		do := func(who []byte, transient map[string][]byte, fn string, args ...any) func() *stub {
			return func() *stub {
				t.Helper()
				s, _, err := c.simulate("HospitalA", who, transient, fn, args...)
				ok(t, nil, err)
				return s
			}
		}
		shared, _ := together(t, []string{"A:x, encapsulated"}, newRecord(13), newRecord(14))
		same, _ := together(t, []string{"A:x, encapsulated anew"}, newRecord(15), newRecord(16))
		names := []string{"seal", "another seal", "seal together", "seal together under the same policy", "amend", "reseal", "erase another record", "access", "the same access", "access by another", "access to the scope", "entries",
			"entries by another", "the same labels of another hospital", "keys", "keys of another authority", "announce", "roll the scope", "new scope"}
		return c, map[string]func() *stub{
			"seal":                                do(a, sealing(t, newRecord(10), newRecord(11)), ledger.RecordCreate),
			"another seal":                        do(b, sealing(t, newRecord(12)), ledger.RecordCreate),
			"seal together":                       do(a, shared, ledger.RecordCreate),
			"seal together under the same policy": do(b, same, ledger.RecordCreate),
			"amend":                               do(a, sealing(t, newRecord(1)), ledger.RecordAmend, 2),
			"reseal":                              do(a, resealing(t, 1, newRecord(1)), ledger.RecordReseal),
			"erase another record":                do(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{{ID: recordID(2)}}),
			"access":                              do(a, nil, ledger.AccessRequest, []string{recordID(1)}, "TREAT"),
			"the same access":                     do(a, nil, ledger.AccessRequest, []string{recordID(1)}, "TREAT"),
			"access by another":                   do(b, nil, ledger.AccessRequest, []string{recordID(1)}, "TREAT"),
			"access to the scope":                 do(b, nil, ledger.AccessRequest, []string{"scope:consortium"}, "TREAT"),
			"entries":                             do(a, indexing(1, 2, 3), ledger.IndexPut),
			"entries by another":                  do(person(t, "HospitalA", "nurse", "nurse"), indexing(4), ledger.IndexPut),
			"the same labels of another hospital": do(b, indexing(1, 2, 3), ledger.IndexPut),
			"keys": do(person(t, "HospitalA", "authority", "authority"), nil, ledger.AuthorityPublishKeys,
				[]ledger.AttributeKey{{Name: "HospitalA:role=doctor", Version: 1, Key: publicKey("k")}}),
			"keys of another authority": do(person(t, "HospitalB", "authority", "authority"), nil, ledger.AuthorityPublishKeys,
				[]ledger.AttributeKey{{Name: "HospitalB:role=doctor", Version: 1, Key: publicKey("k")}}),
			"announce":       do(person(t, "HospitalA", "admin", "admin"), nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example"}),
			"roll the scope": do(custodian, wrapped(t, 1), ledger.ScopeRoll, "consortium", 2),
			"new scope":      do(custodian, wrapped(t, 1), ledger.ScopeCreate, "cardiology"),
		}, names
	}
	_, _, names := prepare()
	for i, first := range names {
		c, simulate, _ := prepare()
		before := c.world
		for _, second := range names {
			if first == second {
				continue
			}
			c.world = clone(before)
			one, two := simulate[first](), simulate[second]()
			if err := errors.Join(c.world.commit(one), c.world.commit(two)); err != nil {
				t.Errorf("%s (%d), then %s: %v", first, i, second, err)
			}
		}
	}
}

func clone(w *world) *world {
	return w.begin(nil, "", start, nil).world
}

// Two clients that change the same thing conflict, and one of them loses. So the test
// above can fail.
func TestSameThingConflicts(t *testing.T) {
	c := newChannel(t)
	a, b := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "colleague", "doctor")
	id := c.seal(a, 1)
	custodian := person(t, "HospitalA", "custodian", "custodian")
	version := func(n int) ledger.NewRecord {
		return ledger.NewRecord{ID: id, CID: testCID, Commitment: fmt.Sprintf("%064x", n), Size: 300}
	}
	for name, call := range map[string]func(who []byte, n int) (*stub, []byte, error){
		"one record id": func(who []byte, n int) (*stub, []byte, error) {
			return c.simulate("HospitalA", who, sealing(t, newRecord(2)), ledger.RecordCreate)
		},
		"one version": func(who []byte, n int) (*stub, []byte, error) {
			return c.simulate("HospitalA", who, sealing(t, version(n)), ledger.RecordAmend, 2)
		},
		"one label": func(who []byte, n int) (*stub, []byte, error) {
			return c.simulate("HospitalA", who, indexing(7, 8+n), ledger.IndexPut)
		},
		"one scope": func([]byte, int) (*stub, []byte, error) {
			return c.simulate("HospitalA", custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
		},
	} {
		one, _, errOne := call(a, 1)
		two, _, errTwo := call(b, 2)
		ok(t, nil, errors.Join(errOne, errTwo))
		ok(t, nil, c.world.commit(one))
		if err := c.world.commit(two); !errors.Is(err, errConflict) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
