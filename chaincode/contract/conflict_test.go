package contract

import (
	"errors"
	"fmt"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestNoHotKeys is promise 5: any two of these, by two clients, endorsed on the same state, are both valid in whichever
// order they are committed. Each is simulated, with every other, on one snapshot.
func TestNoHotKeys(t *testing.T) {
	prepare := func() (*consortium, map[string]func() *stub, []string) {
		c := newConsortium(t)
		a, b := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalB", "doctor", "doctor")
		custodian := person(t, "HospitalA", "custodian", "custodian")
		c.seal(a, 1)
		_, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
		ok(t, nil, err)
		do := func(who []byte, transient int, fn string, args ...any) func() *stub {
			return func() *stub {
				t.Helper()
				var m map[string][]byte
				if transient > 0 {
					m = wrapped(t, transient)
				}
				s, _, err := c.simulate("HospitalA", who, m, fn, args...)
				ok(t, nil, err)
				return s
			}
		}
		version := ledger.NewVersion{ID: recordID(1), Version: 2, CID: testCID, Commitment: newRecord(9).Commitment}
		names := []string{"seal", "another seal", "amend", "access", "the same access", "access by another", "access to the scope", "entries",
			"entries by another", "the same labels of another hospital", "keys", "keys of another authority", "announce", "roll the scope", "new scope"}
		return c, map[string]func() *stub{
			"seal":                                do(a, 2, ledger.RecordCreate, []ledger.NewRecord{newRecord(10), newRecord(11)}),
			"another seal":                        do(b, 1, ledger.RecordCreate, []ledger.NewRecord{newRecord(12)}),
			"amend":                               do(a, 1, ledger.RecordAmend, version),
			"access":                              do(a, 0, ledger.AccessRequest, []string{recordID(1)}, "TREAT"),
			"the same access":                     do(a, 0, ledger.AccessRequest, []string{recordID(1)}, "TREAT"),
			"access by another":                   do(b, 0, ledger.AccessRequest, []string{recordID(1)}, "TREAT"),
			"access to the scope":                 do(b, 0, ledger.AccessRequest, []string{"scope:consortium"}, "TREAT"),
			"entries":                             do(a, 0, ledger.IndexPut, pack(1, 2, 3)),
			"entries by another":                  do(person(t, "HospitalA", "nurse", "nurse"), 0, ledger.IndexPut, pack(4)),
			"the same labels of another hospital": do(b, 0, ledger.IndexPut, pack(1, 2, 3)),
			"keys": do(person(t, "HospitalA", "authority", "authority"), 0, ledger.AuthorityPublishKeys,
				[]ledger.AttributeKey{{Name: "HospitalA:role=doctor", Version: 1, Key: publicKey("k")}}),
			"keys of another authority": do(person(t, "HospitalB", "authority", "authority"), 0, ledger.AuthorityPublishKeys,
				[]ledger.AttributeKey{{Name: "HospitalB:role=doctor", Version: 1, Key: publicKey("k")}}),
			"announce":       do(person(t, "HospitalA", "admin", "admin"), 0, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example"}),
			"roll the scope": do(custodian, 1, ledger.ScopeRoll, "consortium", 2),
			"new scope":      do(custodian, 1, ledger.ScopeCreate, "cardiology"),
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

// Two clients that change the same thing do conflict, and one of them loses: this shows that the test above can fail.
func TestSameThingConflicts(t *testing.T) {
	c := newConsortium(t)
	a, b := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "nurse", "nurse")
	id := c.seal(a, 1)
	custodian := person(t, "HospitalA", "custodian", "custodian")
	version := func(n int) ledger.NewVersion {
		return ledger.NewVersion{ID: id, Version: 2, CID: testCID, Commitment: fmt.Sprintf("%064x", n)}
	}
	for name, call := range map[string]func(who []byte, n int) (*stub, []byte, error){
		"one record id": func(who []byte, n int) (*stub, []byte, error) {
			return c.simulate("HospitalA", who, wrapped(t, 1), ledger.RecordCreate, []ledger.NewRecord{newRecord(2)})
		},
		"one version": func(who []byte, n int) (*stub, []byte, error) {
			return c.simulate("HospitalA", who, wrapped(t, 1), ledger.RecordAmend, version(n))
		},
		"one label": func(who []byte, n int) (*stub, []byte, error) {
			return c.simulate("HospitalA", who, nil, ledger.IndexPut, pack(7, 8+n))
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
