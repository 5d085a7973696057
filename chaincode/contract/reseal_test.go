package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// resealing is the transient map of a seal of version 1 of records.
func resealing(t testing.TB, seal int, records ...ledger.NewRecord) map[string][]byte {
	t.Helper()
	numbers := make([]ledger.SealNumber, len(records))
	for i := range records {
		numbers[i] = ledger.SealNumber{Version: 1, Seal: seal}
	}
	transient := sealing(t, records...)
	transient[ledger.TransientSeals] = ledger.PackSeals(numbers)
	return transient
}

func (c *channel) wrappedKeys(id string) (keys []string) {
	for key := range c.world.private {
		if strings.Contains(key, id) {
			keys = append(keys, strings.TrimPrefix(key, ledger.HospitalKeys+"\x00"))
		}
	}
	return keys
}

func TestReseal(t *testing.T) {
	c := newChannel(t)
	doctor, custodian := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "custodian", "custodian")
	id := c.seal(doctor, 1)
	for seal := 1; seal <= 3; seal++ { // the third has another payload
		r := newRecord(1)
		if seal == 3 {
			r.CID, r.Commitment = secondCID, strings.Repeat("7", 64)
		}
		s, _, err := c.simulate("HospitalA", custodian, resealing(t, seal, r), ledger.RecordReseal)
		ok(t, nil, err)
		if (s.event != "") != (seal == 3) {
			t.Errorf("seal %d: event %q", seal, s.event)
		}
		_, err = c.submit(custodian, resealing(t, seal, r), ledger.RecordReseal)
		ok(t, nil, err)
		if keys := c.wrappedKeys(id); len(keys) != 1 || keys[0] != ledger.SealedKey(id, 1, seal) {
			t.Errorf("seal %d: the wrapped keys are %q", seal, keys)
		}
		e := c.ask(doctor, id)
		payload, err := c.evaluate("HospitalB", doctor, ledger.RecordEnvelope, id, 1, e.ID)
		if got := must[ledger.Envelope](t, payload, err); got.Seal != seal {
			t.Errorf("the wrapped key is of seal %d, not %d", got.Seal, seal)
		}
		payload, err = c.evaluate("HospitalB", doctor, ledger.RecordGet, []string{id})
		got := must[[]ledger.Record](t, payload, err)[0].Current()
		if got.Seal != seal || got.SealedBy != "HospitalA/custodian" || got.Author != "HospitalA/doctor" || got.CID != r.CID || got.Commitment != r.Commitment {
			t.Errorf("seal %d: %+v", seal, got)
		}
	}
	payload, err := c.evaluate("HospitalB", custodian, ledger.AuditHistory, id)
	var events []string
	for _, e := range must[[]ledger.HistoryEvent](t, payload, err) {
		if e.Event != "accessed" {
			events = append(events, e.Event)
		}
	}
	if got := strings.Join(events, " "); got != "sealed resealed resealed revoked" {
		t.Errorf("history: %s", got)
	}
	refused(t, ledger.ErrExists, nil, second(c.submit(custodian, resealing(t, 3, newRecord(1)), ledger.RecordReseal)))
	refused(t, ledger.ErrInvalid, nil, second(c.submit(custodian, resealing(t, 5, newRecord(1)), ledger.RecordReseal)))
	lie := newRecord(1)
	lie.CID = secondCID // which it has, with another commitment
	refused(t, ledger.ErrInvalid, nil, second(c.submit(custodian, resealing(t, 4, lie), ledger.RecordReseal)))
	refused(t, ledger.ErrDenied, nil, second(c.submit(person(t, "HospitalA", "nurse", "nurse"), resealing(t, 4, newRecord(1)), ledger.RecordReseal)))
	refused(t, ledger.ErrDenied, nil, second(c.submit(person(t, "HospitalB", "custodian", "custodian"), resealing(t, 4, newRecord(1)), ledger.RecordReseal)))
	refused(t, ledger.ErrNotFound, nil, second(c.submit(custodian, resealing(t, 1, newRecord(9)), ledger.RecordReseal)))
	twice := resealing(t, 4, newRecord(1), newRecord(1))
	refused(t, ledger.ErrInvalid, nil, second(c.submit(custodian, twice, ledger.RecordReseal)))
	short := resealing(t, 4, newRecord(1))
	short[ledger.TransientSeals] = nil
	refused(t, ledger.ErrInvalid, nil, second(c.submit(custodian, short, ledger.RecordReseal)))
}

func second(_ []byte, err error) error { return err }

func TestErase(t *testing.T) {
	c := newChannel(t)
	doctor, custodian := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "custodian", "custodian")
	id, other := c.seal(doctor, 1), c.seal(doctor, 2)
	for version := 2; version <= 5; version++ {
		_, err := c.submit(doctor, sealing(t, ledger.NewRecord{ID: id, CID: testCID, Commitment: fmt.Sprintf("%064x", version), Size: 300}), ledger.RecordAmend, version)
		ok(t, nil, err)
	}
	_, err := c.submit(custodian, resealing(t, 1, newRecord(1)), ledger.RecordReseal)
	ok(t, nil, err)
	e := c.ask(doctor, id)
	if n := len(c.wrappedKeys(id)); n != 5 {
		t.Fatalf("%d wrapped keys", n)
	}
	_, err = c.submit(custodian, nil, ledger.RecordErase, "CONSENT", []ledger.NewErasure{{ID: id}})
	ok(t, nil, err)
	if keys := c.wrappedKeys(id); len(keys) > 0 || len(c.wrappedKeys(other)) != 1 {
		t.Errorf("left: %q", keys)
	}
	for what, err := range map[string]error{
		"envelope": second(c.evaluate("HospitalA", doctor, ledger.RecordEnvelope, id, 5, e.ID)),
		"access":   second(c.submit(doctor, nil, ledger.AccessRequest, []string{other, id}, "TREAT")),
		"amend":    second(c.submit(doctor, sealing(t, newRecord(1)), ledger.RecordAmend, 6)),
		"reseal":   second(c.submit(custodian, resealing(t, 2, newRecord(1)), ledger.RecordReseal)),
		"erase":    second(c.submit(custodian, nil, ledger.RecordErase, "CONSENT", []ledger.NewErasure{{ID: id}})),
	} {
		t.Log(what)
		refused(t, ledger.ErrErased, nil, err)
	}
	refused(t, ledger.ErrExists, nil, second(c.submit(doctor, sealing(t, newRecord(1)), ledger.RecordCreate)))
	payload, err := c.evaluate("HospitalB", doctor, ledger.RecordVersions, []ledger.VersionName{{ID: id, Version: 2}, {ID: other, Version: 1}})
	if got := must[[]ledger.RecordVersion](t, payload, err); len(got) != 1 || got[0].ID != other {
		t.Errorf("versions %+v", got)
	}
	payload, err = c.evaluate("Regulator", person(t, "Regulator", "auditor", "auditor"), ledger.AuditErasures, ledger.ErasureQuery{})
	if got := must[ledger.ErasurePage](t, payload, err); len(got.Erasures) != 1 || got.Erasures[0].ID != id || got.Erasures[0].Reason != "CONSENT" {
		t.Errorf("erasures %+v", got)
	}
	keeper := person(t, "HospitalB", "authority", "authority")
	payload, err = c.evaluate("HospitalB", keeper, ledger.ReplicaPurged, []string{other, id, recordID(77)})
	if got := must[[]string](t, payload, err); len(got) != 1 || got[0] != id {
		t.Errorf("purged are %v", got)
	}
	for _, state := range []string{ledger.ReceiptUnpinned, ledger.ReceiptGone} {
		_, err = c.submit(keeper, nil, ledger.ReplicaConfirm, []ledger.NewReceipt{{Record: id, Keys: ledger.ReceiptGone, Payloads: state}})
		ok(t, nil, err)
		payload, err = c.evaluate("HospitalA", doctor, ledger.ReplicaReceipts, []string{other, id})
		if got := must[[]ledger.Receipt](t, payload, err); len(got) != 1 || got[0].Keeper != "HospitalB" || got[0].Payloads != state {
			t.Errorf("receipts %+v", got)
		}
	}
	refused(t, ledger.ErrNotFound, nil, second(c.submit(keeper, nil, ledger.ReplicaConfirm, []ledger.NewReceipt{{Record: other, Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptGone}})))
	for _, bad := range []ledger.NewReceipt{{Record: id}, {Record: "x", Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptGone},
		{Record: id, Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptGone, Signature: signatureOf(t, doctor, 1)}} {
		refused(t, ledger.ErrInvalid, nil, second(c.submit(keeper, nil, ledger.ReplicaConfirm, []ledger.NewReceipt{bad})))
	}
	for what, err := range map[string]error{
		"reason":    second(c.submit(custodian, nil, ledger.RecordErase, "WHIM", []ledger.NewErasure{{ID: other}})),
		"none":      second(c.submit(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{})),
		"twice":     second(c.submit(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{{ID: other}, {ID: other}})),
		"signature": second(c.submit(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{{ID: other, Signature: signatureOf(t, doctor, 1)}})),
	} {
		t.Log(what)
		refused(t, ledger.ErrInvalid, nil, err)
	}
	refused(t, ledger.ErrNotFound, nil, second(c.submit(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{{ID: recordID(77)}})))
}

// TestEraseTogether: in a consortium that wants two persons, one alone erases nothing.
func TestEraseTogether(t *testing.T) {
	c := newChannel(t)
	c.servers = map[string]*Chaincode{}
	for _, m := range members {
		cc, err := New(Config{MSP: m, Hospitals: members[:3], Erasers: []string{"custodian", "head"}, ErasePersons: 2})
		ok(t, nil, err)
		c.servers[m] = cc
	}
	doctor := person(t, "HospitalA", "doctor", "doctor")
	custodian, head := person(t, "HospitalA", "custodian", "custodian"), person(t, "HospitalA", "head", "head")
	id := c.seal(doctor, 1)
	erase := func(who []byte, reason string) error {
		_, err := c.submit(who, nil, ledger.RecordErase, reason, []ledger.NewErasure{{ID: id}})
		return err
	}
	waiting := func() []ledger.Erasure {
		payload, err := c.evaluate("HospitalA", doctor, ledger.RecordErasing, []string{id})
		return must[[]ledger.Erasure](t, payload, err)
	}
	ok(t, nil, erase(custodian, "ERROR"))
	ok(t, nil, erase(custodian, "CONSENT")) // the same person, for another reason
	if w := waiting(); len(c.wrappedKeys(id)) != 1 || len(w) != 1 || w[0].Reason != "CONSENT" || w[0].Actor != "HospitalA/custodian" {
		t.Fatalf("one person alone: %+v", w)
	}
	refused(t, ledger.ErrInvalid, nil, erase(head, "ERROR"))
	refused(t, ledger.ErrDenied, nil, erase(doctor, "CONSENT"))
	ok(t, nil, erase(head, "CONSENT"))
	if w := waiting(); len(c.wrappedKeys(id)) != 0 || len(w) != 0 {
		t.Errorf("two persons: %+v", w)
	}
	payload, err := c.evaluate("HospitalA", doctor, ledger.RecordGet, []string{id})
	got := must[[]ledger.Record](t, payload, err)[0].Erasure
	if got == nil || got.Actor != "HospitalA/head" || got.First == nil || got.First.Actor != "HospitalA/custodian" || got.First.Signature == "" {
		t.Errorf("tombstone %+v", got)
	}
	for _, bad := range []Config{{ErasePersons: 3}, {Erasers: []string{"auditor"}}, {Resealers: []string{"admin"}}} {
		bad.MSP, bad.Hospitals = "HospitalA", []string{"HospitalA"}
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// secondCID is another payload than that of testCID.
const secondCID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
