package contract

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// encapsulation is the shared beginning of envelopes of one policy.
func encapsulation(policy string) string {
	return ageHeader + "-> ABE\n" + strings.Repeat(policy+" ABE rows ", 60)
}

// together makes the transient map of new records whose envelopes were sealed together.
// It also gives the envelopes.
func together(t testing.TB, policies []string, records ...ledger.NewRecord) (map[string][]byte, [][]byte) {
	t.Helper()
	envelopes := make([][]byte, len(records))
	for i, r := range records {
		envelopes[i] = fmt.Appendf(nil, "%s salt and ABE %s wrapped key\n", encapsulation(policies[i%len(policies)]), r.ID)
	}
	e := ledger.DivideEnvelopes(envelopes)
	if len(records) > len(policies) && len(e.Beginnings) != len(policies) {
		t.Fatalf("%d beginnings of %d policies", len(e.Beginnings), len(policies))
	}
	return with(t, map[string][]byte{ledger.TransientEnvelopes: e.Pack()}, records...), envelopes
}

// handedOut asks for a wrapped key with an access entry.
func (c *channel) handedOut(who []byte, id string, entry ledger.AccessEntry) ([]byte, error) {
	c.t.Helper()
	payload, err := c.evaluate("HospitalB", who, ledger.RecordEnvelope, id, 1, entry.ID)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(must[ledger.Envelope](c.t, payload, err).Data)
	ok(c.t, nil, err)
	return data, nil
}

func TestBeginnings(t *testing.T) {
	c := newChannel(t)
	records := make([]ledger.NewRecord, ledger.MaxNewRecords)
	for i := range records {
		records[i] = newRecord(i)
	}
	transient, envelopes := together(t, []string{"A:x", "B:y"}, records...)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	s, _, err := c.simulate("HospitalA", doctor, transient, ledger.RecordCreate)
	ok(t, nil, err)
	ok(t, nil, c.world.commit(s))
	if n := len(s.privateWrites); n != len(records)+2 {
		t.Errorf("%d private writes of %d records of two policies", n, len(records))
	}
	stored := 0
	for key, value := range s.privateWrites {
		if stored += len(value); strings.Contains(key, "envelope/") && bytes.Contains(value, []byte("ABE rows")) {
			t.Errorf("%s has its beginning", key)
		}
	}
	reader := person(t, "HospitalB", "doctor", "doctor")
	for i := range 3 {
		id := recordID(i)
		if got, err := c.handedOut(reader, id, c.ask(reader, id)); err != nil || !bytes.Equal(got, slices.Concat(envelopes[i], signatureStanza(doctor))) {
			t.Errorf("record %d: %d bytes, %v", i, len(got), err)
		}
	}
	// A single record, and a single new version, is stored whole.
	alone, _ := together(t, []string{"A:x"}, newRecord(ledger.MaxNewRecords))
	s, _, err = c.simulate("HospitalA", person(t, "HospitalA", "doctor", "doctor"), alone, ledger.RecordCreate)
	ok(t, nil, err)
	for key, value := range s.privateWrites {
		if !strings.Contains(key, "envelope/") || !bytes.HasPrefix(value, []byte(ageHeader)) {
			t.Errorf("%q has %d bytes that are no age file", key, len(value))
		}
	}
}

// A reader of one record knows the shared beginning, and the secret in it, of all records
// that were sealed together with it. The rest of each other envelope still takes an
// access entry.
func TestNeighbourNeedsOwnEntry(t *testing.T) {
	c := newChannel(t)
	transient, envelopes := together(t, []string{"A:x"}, newRecord(1), newRecord(2))
	doctor := person(t, "HospitalA", "doctor", "doctor")
	_, err := c.submit(doctor, transient, ledger.RecordCreate)
	ok(t, nil, err)
	reader := person(t, "HospitalB", "doctor", "doctor")
	entry := c.ask(reader, recordID(1))
	if got, err := c.handedOut(reader, recordID(1), entry); err != nil || !bytes.Equal(got, slices.Concat(envelopes[0], signatureStanza(doctor))) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	_, err = c.handedOut(reader, recordID(2), entry)
	refused(t, ledger.ErrDenied, nil, err)
	// The name of the beginning is no record and no scope.
	name := strings.TrimPrefix(ledger.BeginningKey(ledger.DivideEnvelopes(envelopes).Beginnings[0]), "beginning/")
	for _, id := range []string{name, "../beginning/" + name, "beginning/" + name} {
		_, err = c.handedOut(reader, id, entry)
		refused(t, ledger.ErrInvalid, nil, err)
		_, err = c.evaluate("HospitalB", reader, ledger.ScopeKey, id, 1, entry.ID)
		if err == nil {
			t.Errorf("%s is a scope", id)
		}
	}
}

// The administrator of a peer replaces or loses a stored beginning.
func TestBeginningsOnPeer(t *testing.T) {
	c := newChannel(t)
	records := []ledger.NewRecord{newRecord(1), newRecord(2), newRecord(3), newRecord(4)}
	transient, envelopes := together(t, []string{"A:x", "B:y"}, records...)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	_, err := c.submit(doctor, transient, ledger.RecordCreate)
	ok(t, nil, err)
	reader := person(t, "HospitalB", "doctor", "doctor")
	entry := c.ask(reader, recordID(1))
	at := func(e ledger.Envelopes, k int) string {
		return ledger.HospitalKeys + "\x00" + ledger.BeginningKey(e.Beginnings[k])
	}
	e := ledger.DivideEnvelopes(envelopes)
	first, second := c.world.private[at(e, 0)], c.world.private[at(e, 1)]
	for name, value := range map[string][]byte{
		"another's": second.value, "cut off": first.value[:len(first.value)-1], "longer": append(bytes.Clone(first.value), 'x'),
		"an age file": []byte(ageHeader),
	} {
		c.world.private[at(e, 0)] = cell{value, first.version}
		if got, err := c.handedOut(reader, recordID(1), entry); err == nil {
			t.Errorf("%s: %d bytes", name, len(got))
		} else {
			refused(t, ledger.ErrTampered, nil, err)
			if strings.Contains(err.Error(), "ABE") {
				t.Errorf("%s: the error quotes a wrapped key: %v", name, err)
			}
		}
	}
	delete(c.world.private, at(e, 0)) // it has yet to arrive
	_, err = c.handedOut(reader, recordID(1), entry)
	refused(t, ledger.ErrUnavailable, nil, err)
	c.world.private[at(e, 0)] = first
	if got, err := c.handedOut(reader, recordID(1), entry); err != nil || !bytes.Equal(got, slices.Concat(envelopes[0], signatureStanza(doctor))) {
		t.Errorf("put right: %d bytes, %v", len(got), err)
	}
	// A record's own part is purged, as an erasure would: it no longer opens, and its
	// neighbour does.
	gone := ledger.HospitalKeys + "\x00" + ledger.EnvelopeKey(recordID(1), 1)
	delete(c.world.private, gone)
	delete(c.world.hashes, gone)
	_, err = c.handedOut(reader, recordID(1), entry)
	refused(t, ledger.ErrNotFound, nil, err)
	if got, err := c.handedOut(reader, recordID(3), c.ask(reader, recordID(3))); err != nil || !bytes.Equal(got, slices.Concat(envelopes[2], signatureStanza(doctor))) {
		t.Errorf("the neighbour: %d bytes, %v", len(got), err)
	}
}

func TestBeginningsInvalid(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	begin := []byte(encapsulation("A:x"))
	part := func(k byte, rest string) []byte { return append([]byte{1, k}, rest...) }
	greatest := strings.Repeat("x", ledger.MaxEnvelope-len(begin)-len(signatureStanza(doctor)))
	send := func(items ...[]byte) error {
		t.Helper()
		_, err := c.submit(doctor, with(t, map[string][]byte{ledger.TransientEnvelopes: ledger.PackList(items)}, newRecord(1), newRecord(2)), ledger.RecordCreate)
		return err
	}
	for name, items := range map[string][][]byte{
		"of nobody":            {begin, begin, begin},
		"of one":               {begin, part(0, "ABE"), begin},
		"of none that is":      {part(0, "ABE"), part(0, "ABE")},
		"one too far":          {begin, part(1, "ABE"), part(1, "ABE")},
		"twice":                {begin, begin, part(0, "ABE"), part(1, "ABE")},
		"no age file":          {[]byte("ABE"), part(0, "ABE"), part(0, "ABE")},
		"a part of the header": {[]byte(ageHeader[:10]), part(0, ageHeader[10:]+"ABE"), part(0, ageHeader[10:]+"ABE")},
		"a part":               {part(0, "ABE"), part(0, "ABE"), part(0, "ABE")},
		"of a bare key":        {bytes.Repeat([]byte{7}, 32), part(0, "ABE"), part(0, "ABE")},
		"too long":             {begin, part(0, "ABE"), part(0, greatest+"x")},
		"nothing after it":     {begin, part(0, ""), part(0, "ABE")},
	} {
		err := send(items...)
		refused(t, ledger.ErrInvalid, nil, err)
		if err != nil && strings.Contains(err.Error(), "ABE") {
			t.Errorf("%s: the error quotes a wrapped key: %v", name, err)
		}
	}
	if len(c.world.private) > 0 {
		t.Error("something was written")
	}
	ok(t, nil, send(begin, part(0, "ABE"), part(0, greatest)))

	// The wrapped key of a scope is alone, so it has no shared beginning.
	for _, items := range [][][]byte{{part(0, "ABE")}, {begin, part(0, "ABE")}, {begin, part(0, "ABE"), part(0, "ABE")}} {
		_, err := c.submit(person(t, "HospitalA", "custodian", "custodian"), map[string][]byte{ledger.TransientEnvelopes: ledger.PackList(items)}, ledger.ScopeCreate, "consortium")
		refused(t, ledger.ErrInvalid, nil, err)
	}
	_, err := c.submit(doctor, with(t, map[string][]byte{ledger.TransientEnvelopes: ledger.PackList([][]byte{begin, part(0, "ABE")})}, newRecord(1)), ledger.RecordAmend, 2)
	refused(t, ledger.ErrInvalid, nil, err)
}

// A reader of a beginning sends it again, with envelopes of their own. Accepting it would
// change the version of the stored value, and a peer that waits for the new value could
// no longer hand out earlier envelopes.
func TestSameBeginningAgain(t *testing.T) {
	c := newChannel(t)
	doctor, other := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalC", "nurse", "nurse")
	transient, envelopes := together(t, []string{"A:x"}, newRecord(1), newRecord(2))
	copied := slices.Clone(envelopes)
	for i := range copied {
		copied[i] = append(bytes.Clone(copied[i]), "of a copy"...)
	}
	again := with(t, map[string][]byte{ledger.TransientEnvelopes: ledger.DivideEnvelopes(copied).Pack()}, newRecord(3), newRecord(4))
	one, _, err := c.simulate("HospitalA", doctor, transient, ledger.RecordCreate)
	ok(t, nil, err)
	two, _, err := c.simulate("HospitalA", other, again, ledger.RecordCreate)
	ok(t, nil, err)
	shared := ledger.HospitalKeys + "\x00" + ledger.BeginningKey(ledger.DivideEnvelopes(envelopes).Beginnings[0])
	if one.privateWrites[shared] == nil || !bytes.Equal(one.privateWrites[shared], two.privateWrites[shared]) {
		t.Fatal("the beginnings differ: the attack is no attack")
	}
	ok(t, nil, c.world.commit(one))
	if err := c.world.commit(two); !errors.Is(err, errConflict) {
		t.Errorf("both at once: %v", err)
	}
	_, err = c.submit(other, again, ledger.RecordCreate)
	refused(t, ledger.ErrExists, nil, err)
	reader := person(t, "HospitalB", "doctor", "doctor")
	if got, err := c.handedOut(reader, recordID(1), c.ask(reader, recordID(1))); err != nil || !bytes.Equal(got, slices.Concat(envelopes[0], signatureStanza(doctor))) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
