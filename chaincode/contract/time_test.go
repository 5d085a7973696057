package contract

import (
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Clients date what they write by minutes, hours and years, back and forth. Servers with
// a clock endorse none of it, whichever transaction it is. Reads have no time.
func TestFalseTimes(t *testing.T) {
	doctor, nurse := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "nurse", "nurse")
	custodian, keeper := person(t, "HospitalA", "custodian", "custodian"), person(t, "HospitalA", "authority", "authority")
	type call struct {
		who       []byte
		transient map[string][]byte
		args      []any
	}
	calls := map[string]call{
		ledger.AuthorityAnnounce: {keeper, nil, []any{ledger.Announcement{URL: "https://a.example"}}},
		ledger.AuthorityPublishKeys: {keeper, nil, []any{
			[]ledger.AttributeKey{{Name: "HospitalA:role=doctor", Version: 1, Key: publicKey("k")}}}},
		ledger.ScopeCreate:        {custodian, wrapped(t, 1), []any{"cardiology"}},
		ledger.ScopeRoll:          {custodian, wrapped(t, 1), []any{"consortium", 3}},
		ledger.ScopeRetire:        {custodian, nil, []any{"consortium", 1, ""}},
		ledger.RecordCreate:       {doctor, sealing(t, newRecord(2)), nil},
		ledger.RecordAmend:        {doctor, sealing(t, newRecord(1)), []any{2}},
		ledger.RecordReseal:       {doctor, resealing(t, 1, newRecord(1)), nil},
		ledger.RecordErase:        {custodian, nil, []any{"ERROR", []ledger.NewErasure{{ID: recordID(1)}}}},
		ledger.CertificateDeposit: {nurse, nil, nil},
		ledger.ReplicaReport:      {keeper, nil, []any{ledger.Keeping{Home: "HospitalB", Newest: []ledger.Refusal{}}}},
		ledger.ReplicaConfirm:     {keeper, nil, []any{[]ledger.NewReceipt{{Record: recordID(5), Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptGone}}}},
		ledger.ReplicaKeep:        {keeper, nil, []any{ledger.Presence{Pins: []ledger.PinReceipt{}}}},
		ledger.IndexPut:           {nurse, indexing(1, 2), nil},
		ledger.AccessRequest:      {nurse, nil, []any{[]string{recordID(1)}, "TREAT"}},
	}
	reads := []string{getMetadata}
	for _, contract := range []interface{ GetEvaluateTransactions() []string }{&Record{}, &Authority{}, &Scope{}, &Certificate{}, &Replica{}, &Index{}, &Audit{}} {
		reads = append(reads, contract.GetEvaluateTransactions()...)
	}
	if len(calls)+len(reads) != len(arity) {
		t.Errorf("%d transactions write and %d read, of %d: one that writes is not tried", len(calls), len(reads), len(arity))
	}
	clocked := newServers(func() time.Time { return start })
	for name, call := range calls {
		c := newChannel(t)
		c.seal(doctor, 1)
		_, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
		ok(t, nil, err)
		_, err = c.submit(custodian, wrapped(t, 1), ledger.ScopeRoll, "consortium", 2)
		ok(t, nil, err)
		c.seal(doctor, 5)
		_, err = c.submit(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{{ID: recordID(5)}})
		ok(t, nil, err)
		c.servers = clocked
		for _, off := range []time.Duration{-ledger.MaxClockSkew - time.Second, ledger.MaxClockSkew + time.Second, -48 * time.Hour, 5 * 365 * 24 * time.Hour, -200 * 365 * 24 * time.Hour} {
			c.now = start.Add(off)
			s, _, err := c.simulate("HospitalA", call.who, call.transient, name, call.args...)
			if refused(t, ledger.ErrUnavailable, nil, err); err == nil || len(s.writes)+len(s.privateWrites) > 0 {
				t.Errorf("%s %v off: endorsed %d writes", name, off, len(s.writes))
			}
			_, err = c.evaluate("HospitalA", doctor, ledger.RecordGet, []string{recordID(1)})
			ok(t, nil, err)
		}
		c.now = start.Add(ledger.MaxClockSkew - time.Minute)
		if _, err = c.submit(call.who, call.transient, name, call.args...); err != nil {
			t.Errorf("%s in time: %v", name, err)
		}
	}
}
