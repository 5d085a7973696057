package contract

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func TestCreate(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	records := make([]ledger.NewRecord, ledger.MaxNewRecords)
	for i := range records {
		records[i] = newRecord(i)
	}
	s, payload, err := c.simulate("HospitalA", doctor, sealing(t, records...), ledger.RecordCreate)
	if err != nil || len(payload) > 0 {
		t.Fatalf("got %q, %v", payload, err)
	}
	if err := c.world.commit(s); err != nil {
		t.Fatal(err)
	}
	want := ledger.RecordVersion{ID: recordID(7), Version: 1, Home: "HospitalA", CID: testCID, Commitment: records[7].Commitment, Size: 300,
		Author: "HospitalA/doctor", Time: ledger.FormatTime(start), Tx: s.tx}
	key := ledger.RecordKey(recordID(7), 1)
	if got, err := ledger.ReadVersion(key, s.writes[key]); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	registered := ledger.Payload{CID: testCID, Size: 300, Home: "HospitalA"}
	if all, err := ledger.UnpackPayloads(s.payload); s.event != ledger.EventRecords || err != nil || len(all) != len(records) || all[7] != registered {
		t.Errorf("event %q %x, %v", s.event, s.payload, err)
	}
	if got := c.world.private[ledger.HospitalKeys+"\x00"+ledger.EnvelopeKey(recordID(7), 1)].value; !strings.Contains(string(got), "ABE 7 wrapped") {
		t.Errorf("record 7 has the wrapped key %q", got)
	}

	payload, err = c.evaluate("Regulator", person(t, "Regulator", "auditor", "auditor"), ledger.RecordGet,
		[]string{recordID(7), recordID(999), recordID(3)})
	got := must[[]ledger.Record](t, payload, err)
	if len(got) != 2 || got[0].ID != recordID(7) || got[1].ID != recordID(3) || got[0].Home != "HospitalA" || got[0].Current() != want {
		t.Errorf("got %+v", got)
	}
}

func TestCreateIsAllOrNothing(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	c.seal(doctor, 1)
	_, err := c.submit(doctor, sealing(t, newRecord(2), newRecord(1)), ledger.RecordCreate)
	refused(t, ledger.ErrExists, nil, err)
	_, err = c.submit(person(t, "HospitalB", "doctor", "doctor"), sealing(t, newRecord(1)), ledger.RecordCreate)
	refused(t, ledger.ErrExists, nil, err)
	_, err = c.submit(doctor, sealing(t, newRecord(3), newRecord(3)), ledger.RecordCreate)
	refused(t, ledger.ErrInvalid, nil, err)
	if len(c.world.private) != 1 {
		t.Errorf("%d wrapped keys", len(c.world.private))
	}
}

func TestCreateInvalid(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	good := sealing(t, newRecord(1))[ledger.TransientRecords]
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, packed := range map[string][]byte{
		"none": {}, "a byte short": good[1:], "a byte more": append(bytes.Clone(good), 0), "JSON": []byte("[]"),
		"CIDv0": change(ledger.RecordIDSize, 0), "CID of another codec": change(ledger.RecordIDSize+1, 0x71),
		"CID with an identity hash": change(ledger.RecordIDSize+2, 0), "CID with a shorter hash": change(ledger.RecordIDSize+3, 20),
	} {
		transient := wrapped(t, 1)
		transient[ledger.TransientRecords] = packed
		if _, err := c.submit(doctor, transient, ledger.RecordCreate); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			refused(t, ledger.ErrInvalid, nil, err)
		}
	}
	for _, n := range []int{0, ledger.MaxNewRecords + 1} {
		records := make([]ledger.NewRecord, n)
		for i := range records {
			records[i] = newRecord(i)
		}
		_, err := c.submit(doctor, sealing(t, records...), ledger.RecordCreate)
		refused(t, ledger.ErrInvalid, nil, err)
	}
	_, err := c.submit(doctor, sealing(t, newRecord(1), newRecord(2)), ledger.RecordAmend, 2)
	refused(t, ledger.ErrInvalid, nil, err)
	if len(c.world.state)+len(c.world.private) > 0 {
		t.Error("something was written")
	}
}

func TestEnvelopesInvalid(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	good := []byte(ageHeader + "-> ABE\n")
	extra := carry(t, good)
	extra["record"] = []byte("{}")
	long := ledger.PackList([][]byte{good})
	long[0] = 0xff
	greatest := append([]byte(ageHeader), make([]byte, ledger.MaxEnvelope-len(ageHeader)-len(signatureStanza(doctor)))...)
	for name, transient := range map[string]map[string][]byte{
		"no transient map":  nil,
		"another name":      {"envelope": good},
		"a name beside":     extra,
		"not packed":        {ledger.TransientEnvelopes: good},
		"JSON":              {ledger.TransientEnvelopes: []byte(`["*"]`)},
		"cut off":           {ledger.TransientEnvelopes: ledger.PackList([][]byte{good})[:len(good)]},
		"longer than it is": {ledger.TransientEnvelopes: long},
		"half a length":     {ledger.TransientEnvelopes: []byte{0, 0}},
		"none":              carry(t),
		"too many":          carry(t, good, good),
		"empty":             carry(t, []byte{}),
		"a bare key":        carry(t, bytes.Repeat([]byte{7}, 32)),
		"armored":           carry(t, []byte("-----BEGIN AGE ENCRYPTED FILE-----\n")),
		"too long":          carry(t, append(greatest, 0)),
		"many empty ones":   {ledger.TransientEnvelopes: make([]byte, 200<<10)},
	} {
		if len(transient) > 0 {
			transient = with(t, transient, newRecord(1))
		}
		_, err := c.submit(doctor, transient, ledger.RecordCreate)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		refused(t, ledger.ErrInvalid, nil, err)
		if err != nil && strings.Contains(err.Error(), "ABE") {
			t.Errorf("%s: the error quotes a wrapped key: %v", name, err)
		}
	}
	_, err := c.submit(doctor, with(t, carry(t, greatest), newRecord(1)), ledger.RecordCreate)
	ok(t, nil, err)
}

func TestAmend(t *testing.T) {
	c := newChannel(t)
	doctor, colleague := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "colleague", "doctor")
	id := c.seal(doctor, 1)
	amend := func(who []byte, id string, version int) error {
		t.Helper()
		_, err := c.submit(who, sealing(t, ledger.NewRecord{ID: id, CID: testCID, Commitment: fmt.Sprintf("%064x", 100+version), Size: 300}), ledger.RecordAmend, version)
		return err
	}
	ok(t, nil, amend(colleague, id, 2))
	refused(t, ledger.ErrDenied, nil, amend(person(t, "HospitalB", "doctor", "doctor"), id, 3))
	// A nurse amends the records that they have sealed, and no others.
	nurse := person(t, "HospitalA", "nurse", "nurse")
	refused(t, ledger.ErrDenied, nil, amend(nurse, id, 3))
	own := c.seal(nurse, 500)
	ok(t, nil, amend(nurse, own, 2))
	ok(t, nil, amend(person(t, "HospitalA", "custodian", "custodian"), own, 3))
	refused(t, ledger.ErrDenied, nil, amend(nurse, own, 4))
	refused(t, ledger.ErrExists, nil, amend(doctor, id, 2))
	refused(t, ledger.ErrExists, nil, amend(doctor, id, 1))
	refused(t, ledger.ErrInvalid, nil, amend(doctor, id, 4))
	refused(t, ledger.ErrInvalid, nil, amend(doctor, id, 0))
	refused(t, ledger.ErrInvalid, nil, amend(doctor, id, ledger.MaxVersions+1))
	refused(t, ledger.ErrNotFound, nil, amend(doctor, recordID(2), 2))
	for v := 3; v <= 20; v++ {
		ok(t, nil, amend(doctor, id, v))
	}
	payload, err := c.evaluate("HospitalB", doctor, ledger.RecordGet, []string{id})
	versions := must[[]ledger.Record](t, payload, err)[0].Versions
	for i, v := range versions {
		if v.Version != i+1 || v.Home != "HospitalA" {
			t.Errorf("version %d: %+v", i+1, v)
		}
	}
	if len(versions) != 20 || versions[1].Author != "HospitalA/colleague" {
		t.Errorf("got %d versions", len(versions))
	}
}

// An answer that does not fit into a message has the newest versions only. One more
// version of a record with too many is refused.
func TestManyVersions(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	for n := range 2 {
		id := c.seal(doctor, n)
		for v := 2; v <= ledger.MaxVersions-n; v++ {
			value := ledger.VersionValue(ledger.RecordVersion{Author: "HospitalA/doctor"})
			c.world.state[ledger.RecordKey(id, v)] = cell{value, 1}
		}
	}
	payload, err := c.evaluate("HospitalA", doctor, ledger.RecordGet, []string{recordID(0)})
	if got := must[[]ledger.Record](t, payload, err); got[0].Current().Version != ledger.MaxVersions || len(got[0].Versions) != ledger.MaxVersions {
		t.Errorf("got %d versions", len(got[0].Versions))
	}
	payload, err = c.evaluate("HospitalA", doctor, ledger.RecordGet, []string{recordID(0), recordID(1)})
	for n, r := range must[[]ledger.Record](t, payload, err) {
		if half := ledger.MaxHistory / 2; len(r.Versions) != half || r.Earlier != half-n || r.Current().Version != ledger.MaxVersions-n {
			t.Errorf("got %d versions up to %d, %d left out", len(r.Versions), r.Current().Version, r.Earlier)
		}
	}
	_, err = c.submit(doctor, sealing(t, newRecord(0)), ledger.RecordAmend, ledger.MaxVersions+1)
	refused(t, ledger.ErrInvalid, nil, err)
}

func TestEnvelope(t *testing.T) {
	c := newChannel(t)
	id := c.seal(person(t, "HospitalA", "doctor", "doctor"), 1)
	reader := person(t, "HospitalB", "doctor", "doctor")
	entry := c.ask(reader, id)

	payload, err := c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	got := must[ledger.Envelope](t, payload, err)
	data, err := base64.StdEncoding.DecodeString(got.Data)
	if err != nil || !strings.HasPrefix(string(data), ageHeader) || got.ServedBy != "HospitalB" {
		t.Errorf("got %+v", got)
	}
	_, err = c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 2, entry.ID)
	refused(t, ledger.ErrNotFound, nil, err)

	// A peer without the private data says so.
	delete(c.world.private, ledger.HospitalKeys+"\x00"+ledger.EnvelopeKey(id, 1))
	_, err = c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	refused(t, ledger.ErrUnavailable, nil, err)

	// Endorsements of two organisations never agree, so the answer cannot become a valid
	// transaction.
	id = c.seal(person(t, "HospitalA", "doctor", "doctor"), 2)
	entry = c.ask(reader, id)
	a, errA := c.evaluate("HospitalA", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	b, errB := c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("%s, %v; %s, %v", a, errA, b, errB)
	}
}

func BenchmarkCreate100(b *testing.B) {
	c := newChannel(b)
	doctor := person(b, "HospitalA", "doctor", "doctor")
	records := make([]ledger.NewRecord, 100)
	for i := range records {
		records[i] = newRecord(i)
	}
	transient := sealing(b, records...)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.simulate("HospitalA", doctor, transient, ledger.RecordCreate); err != nil {
			b.Fatal(err)
		}
	}
}
