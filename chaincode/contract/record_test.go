package contract

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	cidlib "github.com/ipfs/go-cid"
	"github.com/multiformats/go-multibase"
	mh "github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func TestCreate(t *testing.T) {
	c := newConsortium(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	records := make([]ledger.NewRecord, ledger.MaxRecordsPerCall)
	for i := range records {
		records[i] = newRecord(i)
	}
	s, payload, err := c.simulate("HospitalA", doctor, wrapped(t, len(records)), ledger.RecordCreate, records)
	versions := must[[]ledger.RecordVersion](t, payload, err)
	if err := c.world.commit(s); err != nil {
		t.Fatal(err)
	}
	want := ledger.RecordVersion{ID: recordID(7), Version: 1, Home: "HospitalA", CID: testCID, Commitment: records[7].Commitment,
		Author: "HospitalA/doctor", Time: ledger.FormatTime(start), Tx: s.tx}
	if len(versions) != len(records) || versions[7] != want {
		t.Errorf("got %+v, want %+v", versions[7], want)
	}
	if s.event != ledger.EventRecords || !bytes.Equal(s.payload, payload) {
		t.Errorf("event %q %.100s", s.event, s.payload)
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
	c := newConsortium(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	c.seal(doctor, 1)
	_, err := c.submit(doctor, wrapped(t, 2), ledger.RecordCreate, []ledger.NewRecord{newRecord(2), newRecord(1)})
	refused(t, ledger.ErrExists, nil, err)
	_, err = c.submit(person(t, "HospitalB", "doctor", "doctor"), wrapped(t, 1), ledger.RecordCreate, []ledger.NewRecord{newRecord(1)})
	refused(t, ledger.ErrExists, nil, err)
	_, err = c.submit(doctor, wrapped(t, 2), ledger.RecordCreate, []ledger.NewRecord{newRecord(3), newRecord(3)})
	refused(t, ledger.ErrInvalid, nil, err)
	if len(c.world.private) != 1 {
		t.Errorf("%d wrapped keys", len(c.world.private))
	}
}

func TestCreateInvalid(t *testing.T) {
	c := newConsortium(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	for name, change := range map[string]func(*ledger.NewRecord){
		"no id":                 func(n *ledger.NewRecord) { n.ID = "" },
		"short id":              func(n *ledger.NewRecord) { n.ID = n.ID[2:] },
		"upper-case id":         func(n *ledger.NewRecord) { n.ID = strings.Repeat("AB", 16) },
		"id with a separator":   func(n *ledger.NewRecord) { n.ID = "../" + n.ID[3:] },
		"id not hexadecimal":    func(n *ledger.NewRecord) { n.ID = strings.Repeat("g", 32) },
		"no CID":                func(n *ledger.NewRecord) { n.CID = "" },
		"CID with a path":       func(n *ledger.NewRecord) { n.CID = "/ipfs/" + testCID },
		"no commitment":         func(n *ledger.NewRecord) { n.Commitment = "" },
		"upper-case commitment": func(n *ledger.NewRecord) { n.Commitment = strings.Repeat("AB", 32) },
		"long commitment":       func(n *ledger.NewRecord) { n.Commitment += "00" },
	} {
		n := newRecord(1)
		change(&n)
		if _, err := c.submit(doctor, wrapped(t, 1), ledger.RecordCreate, []ledger.NewRecord{n}); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			refused(t, ledger.ErrInvalid, nil, err)
		}
	}
	for _, n := range []int{0, ledger.MaxRecordsPerCall + 1} {
		records := make([]ledger.NewRecord, n)
		for i := range records {
			records[i] = newRecord(i)
		}
		_, err := c.submit(doctor, wrapped(t, n), ledger.RecordCreate, records)
		refused(t, ledger.ErrInvalid, nil, err)
	}
	if len(c.world.state)+len(c.world.private) > 0 {
		t.Error("something was written")
	}
}

func TestEnvelopesInvalid(t *testing.T) {
	c := newConsortium(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	good := []byte(ageHeader + "-> ABE\n")
	extra := carry(t, good)
	extra["record"] = []byte("{}")
	greatest := append([]byte(ageHeader), make([]byte, ledger.MaxEnvelope-len(ageHeader))...)
	for name, transient := range map[string]map[string][]byte{
		"no transient map":      nil,
		"another name":          {"envelope": good},
		"a name beside":         extra,
		"not JSON":              {ledger.TransientEnvelopes: good},
		"not base64":            {ledger.TransientEnvelopes: []byte(`["*"]`)},
		"null":                  {ledger.TransientEnvelopes: []byte(`[null]`)},
		"none":                  carry(t),
		"too many":              carry(t, good, good),
		"empty":                 carry(t, []byte{}),
		"a bare key":            carry(t, bytes.Repeat([]byte{7}, 32)),
		"armored":               carry(t, []byte("-----BEGIN AGE ENCRYPTED FILE-----\n")),
		"too long":              carry(t, append(greatest, 0)),
		"far too long to parse": {ledger.TransientEnvelopes: bytes.Repeat([]byte{' '}, 200<<10)},
	} {
		_, err := c.submit(doctor, transient, ledger.RecordCreate, []ledger.NewRecord{newRecord(1)})
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		refused(t, ledger.ErrInvalid, nil, err)
		if err != nil && strings.Contains(err.Error(), "ABE") {
			t.Errorf("%s: the error quotes a wrapped key: %v", name, err)
		}
	}
	_, err := c.submit(doctor, carry(t, greatest), ledger.RecordCreate, []ledger.NewRecord{newRecord(1)})
	ok(t, nil, err)
}

func TestCID(t *testing.T) {
	of := func(codec, hash uint64) cidlib.Cid {
		t.Helper()
		sum, err := mh.Sum([]byte("sealed"), hash, -1)
		if err != nil {
			t.Fatal(err)
		}
		return cidlib.NewCidV1(codec, sum)
	}
	raw := of(cidlib.Raw, mh.SHA2_256)
	base58, err := raw.StringOfBase(multibase.Base58BTC)
	if err != nil {
		t.Fatal(err)
	}
	short, err := mh.Sum([]byte("sealed"), mh.SHA2_256, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{testCID, raw.String(), of(cidlib.DagProtobuf, mh.SHA2_256).String()} {
		if err := checkCID(good); err != nil {
			t.Error(err)
		}
	}
	for name, bad := range map[string]string{
		"CIDv0":          cidlib.NewCidV0(raw.Hash()).String(),
		"base58":         base58,
		"upper case":     strings.ToUpper(raw.String()),
		"identity hash":  of(cidlib.Raw, mh.IDENTITY).String(),
		"sha2-512":       of(cidlib.Raw, mh.SHA2_512).String(),
		"sha3-256":       of(cidlib.Raw, mh.SHA3_256).String(),
		"truncated hash": cidlib.NewCidV1(cidlib.Raw, short).String(),
		"dag-cbor":       of(cidlib.DagCBOR, mh.SHA2_256).String(),
		"truncated":      testCID[:len(testCID)-1],
		"trailing":       testCID + "a",
		"a space":        " " + testCID,
		"spare bits":     raw.String()[:58] + "z",
		"long":           strings.Repeat("b", 4096),
		"empty":          "",
	} {
		if checkCID(bad) == nil {
			t.Errorf("%s: %s is taken", name, bad)
		}
	}
}

func TestAmend(t *testing.T) {
	c := newConsortium(t)
	doctor, colleague := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalA", "nurse", "nurse")
	id := c.seal(doctor, 1)
	amend := func(who []byte, id string, version int) error {
		t.Helper()
		_, err := c.submit(who, wrapped(t, 1), ledger.RecordAmend,
			ledger.NewVersion{ID: id, Version: version, CID: testCID, Commitment: fmt.Sprintf("%064x", 100+version)})
		return err
	}
	ok(t, nil, amend(colleague, id, 2))
	refused(t, ledger.ErrDenied, nil, amend(person(t, "HospitalB", "doctor", "doctor"), id, 3))
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
	if len(versions) != 20 || versions[1].Author != "HospitalA/nurse" {
		t.Errorf("got %d versions", len(versions))
	}
}

// An answer that would not fit into a message is refused, and so is the next version of a record that has too many.
func TestManyVersions(t *testing.T) {
	c := newConsortium(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	for n := range 2 {
		id := c.seal(doctor, n)
		for v := 2; v <= ledger.MaxVersions-n; v++ {
			value := fmt.Sprintf(`{"id":"%s","version":%d,"home":"HospitalA"}`, id, v)
			c.world.state[ledger.RecordKey(id, v)] = cell{[]byte(value), 1}
		}
	}
	payload, err := c.evaluate("HospitalA", doctor, ledger.RecordGet, []string{recordID(0)})
	if got := must[[]ledger.Record](t, payload, err); got[0].Current().Version != ledger.MaxVersions || len(got[0].Versions) != ledger.MaxVersions {
		t.Errorf("got %d versions", len(got[0].Versions))
	}
	_, err = c.evaluate("HospitalA", doctor, ledger.RecordGet, []string{recordID(0), recordID(1)})
	refused(t, ledger.ErrInvalid, nil, err)
	_, err = c.submit(doctor, wrapped(t, 1), ledger.RecordAmend,
		ledger.NewVersion{ID: recordID(0), Version: ledger.MaxVersions + 1, CID: testCID, Commitment: newRecord(1).Commitment})
	refused(t, ledger.ErrInvalid, nil, err)
}

func TestEnvelope(t *testing.T) {
	c := newConsortium(t)
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

	// A peer that the private data has not reached says so.
	delete(c.world.private, ledger.HospitalKeys+"\x00"+ledger.EnvelopeKey(id, 1))
	_, err = c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	refused(t, ledger.ErrUnavailable, nil, err)

	// Endorsements of two organisations never agree, so the answer cannot become a valid transaction.
	id = c.seal(person(t, "HospitalA", "doctor", "doctor"), 2)
	entry = c.ask(reader, id)
	a, errA := c.evaluate("HospitalA", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	b, errB := c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("%s, %v; %s, %v", a, errA, b, errB)
	}
}

func BenchmarkCreate100(b *testing.B) {
	c := newConsortium(b)
	doctor := person(b, "HospitalA", "doctor", "doctor")
	records := make([]ledger.NewRecord, 100)
	for i := range records {
		records[i] = newRecord(i)
	}
	text, err := json.Marshal(records)
	if err != nil {
		b.Fatal(err)
	}
	transient := wrapped(b, len(records))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.simulate("HospitalA", doctor, transient, ledger.RecordCreate, string(text)); err != nil {
			b.Fatal(err)
		}
	}
}
