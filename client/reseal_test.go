package client_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// custodianOf returns a client that opens what is sealed at HospitalA.
func (c *consortium) custodianOf(t *testing.T) *client.Client {
	t.Helper()
	return c.with(t, c.world.As("HospitalA", "custodian", ledger.RoleCustodian), c.custodian)
}

func (c *consortium) found(t *testing.T, who *client.Client, query string) []client.Hit {
	t.Helper()
	q, err := index.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	r, err := who.Search(t.Context(), q, client.SearchOptions{Scope: "consortium"})
	if err != nil {
		t.Fatal(err)
	}
	return r.Hits
}

func TestReseal(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "a note", "asthma")
	neighbour := c.seal(t, "another note")
	before, payloads := c.world.GetEnvelope(sealed.ID, 1), len(c.blobs.Pinned(t))
	nurse := c.as(t, "HospitalB", "nurse", "nurse")
	doctor := c.as(t, "HospitalB", "doctor", "doctor")
	if _, _, err := open(t.Context(), nurse, sealed.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) {
		t.Fatalf("a nurse opens it already: %v", err)
	}
	done, err := c.custodianOf(t).Reseal(t.Context(), client.ResealRequest{IDs: []string{sealed.ID}, Policy: "HospitalB:role=nurse"})
	if err != nil {
		t.Fatal(err)
	}
	if len(done) != 1 || done[0].Seal != 1 || done[0].Former != doctors || done[0].Policy != "HospitalB:role=nurse" || done[0].CID != sealed.CID {
		t.Errorf("resealed %+v", done)
	}
	text, o, err := open(t.Context(), nurse, sealed.ID, client.OpenRequest{})
	if err != nil || text != "a note" || o.Author != "HospitalA/doctor" || !o.Signed {
		t.Errorf("the nurse opens %q, %+v, %v", text, o, err)
	}
	if _, _, err := open(t.Context(), doctor, sealed.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) {
		t.Errorf("a doctor still opens it: %v", err)
	}
	if n := len(c.blobs.Pinned(t)); n != payloads {
		t.Errorf("%d payloads, %d before", n, payloads)
	}
	if bytes.Equal(c.world.GetEnvelope(sealed.ID, 1), before) {
		t.Error("the wrapped key is the same")
	}
	// The neighbour, which was sealed to the same policy, is as before, and the nurse has
	// learnt nothing of it.
	if text, _, err := open(t.Context(), doctor, neighbour.ID, client.OpenRequest{}); err != nil || text != "another note" {
		t.Errorf("the neighbour: %q, %v", text, err)
	}
	if _, _, err := open(t.Context(), nurse, neighbour.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) {
		t.Errorf("the nurse opens the neighbour: %v", err)
	}
	if hits := c.found(t, doctor, "asthma"); len(hits) != 1 || hits[0].ID != sealed.ID {
		t.Errorf("found %+v", hits)
	}
	if h, err := c.custodianOf(t).History(t.Context(), sealed.ID, ""); err != nil || len(h.Versions) != 1 || !h.Versions[0].Verified ||
		h.Versions[0].Policy != "HospitalB:role=nurse" || h.Versions[0].SealedBy != "HospitalA/custodian" || len(h.Accesses) == 0 {
		t.Errorf("history %+v, %v", h, err)
	}
	if h, err := nurse.History(t.Context(), sealed.ID, ""); err != nil || !h.Partial || !h.Versions[0].Opens {
		t.Errorf("the nurse's history %+v, %v", h, err)
	}
}

// TestResealOld seals a version again that is from before sizes were on the ledger.
func TestResealOld(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "a note")
	c.world.ForgetSize(sealed.ID, 1)
	for _, r := range []client.ResealRequest{{Policy: "HospitalB:role=nurse"}, {NewPayload: true}} {
		r.IDs = []string{sealed.ID}
		if _, err := c.custodianOf(t).Reseal(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if text, _, err := open(t.Context(), c.as(t, "HospitalB", "nurse", "nurse"), sealed.ID, client.OpenRequest{}); err != nil || text != "a note" {
			t.Errorf("opened %q, %v", text, err)
		}
		c.world.ForgetSize(sealed.ID, 1)
	}
}

func TestRevoke(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "a note", "asthma")
	doctor := c.as(t, "HospitalB", "doctor", "doctor")
	// A doctor keeps the wrapped key, with which they open the former payload.
	kept := c.world.GetEnvelope(sealed.ID, 1)
	for range 2 { // also what was revoked before
		done, err := c.custodianOf(t).Revoke(t.Context(), client.ResealRequest{IDs: []string{sealed.ID}, Policy: "HospitalB:role=nurse"})
		if err != nil || len(done) != 1 || done[0].CID == sealed.CID {
			t.Fatalf("revoked %+v, %v", done, err)
		}
	}
	nurse := c.as(t, "HospitalB", "nurse", "nurse")
	text, o, err := open(t.Context(), nurse, sealed.ID, client.OpenRequest{})
	if err != nil || text != "a note" || o.Author != "HospitalA/doctor" || !o.Signed {
		t.Errorf("the nurse opens %q, %+v, %v", text, o, err)
	}
	if _, _, err := open(t.Context(), doctor, sealed.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) {
		t.Errorf("a doctor still opens it: %v", err)
	}
	records, err := c.world.As("HospitalB", "doctor", "doctor").Records(t.Context(), []string{sealed.ID})
	if err != nil || records[0].Current().Seal != 2 {
		t.Fatalf("%+v, %v", records, err)
	}
	was := records[0].Current()
	was.CID = sealed.CID
	m, err := envelope.Open(kept, was, c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor"))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := c.blobs.Open(t.Context(), records[0].Current().CID)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := envelope.OpenPayload(&out, blob, m, records[0].Current().Commitment); !errors.Is(err, client.ErrTampered) || out.Len() > 0 {
		t.Errorf("the former key opens the new payload: %q, %v", out.String(), err)
	}
	if hits := c.found(t, doctor, "asthma"); len(hits) != 1 {
		t.Errorf("found %+v", hits)
	}
}

// TestResealForged has a custodian pass off another text as the author's.
func TestResealForged(t *testing.T) {
	c := newConsortium(t)
	mallory := c.world.As("HospitalA", "custodian", ledger.RoleCustodian)
	other := c.seal(t, "a forged note")
	sealed := c.seal(t, "a note")
	open := func(id string) (*envelope.Metadata, ledger.RecordVersion, *envelope.Header) {
		data := c.world.GetEnvelope(id, 1)
		records, err := mallory.Records(t.Context(), []string{id})
		if err != nil {
			t.Fatal(err)
		}
		m, err := envelope.Open(data, records[0].Current(), c.custodian)
		if err != nil {
			t.Fatal(err)
		}
		header, err := envelope.ReadHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		return m, records[0].Current(), header
	}
	m, v, header := open(sealed.ID)
	forged, from, _ := open(other.ID)
	author := envelope.Author{Policy: doctors, Signature: *header.Signature}
	for name, origin := range map[string]*envelope.Origin{
		"without what the author signed": nil,
		"with the author's own salt":     {CID: v.CID, Commitment: v.Commitment, Metadata: m.Digest[:], Salt: m.Salt},
		"with the forged commitment":     {CID: v.CID, Commitment: from.Commitment, Metadata: m.Digest[:], Salt: forged.Salt},
	} {
		lie := *forged
		lie.Record, lie.Version, lie.CID, lie.Origin = v.ID, v.Version, from.CID, origin
		draft, err := lie.Draft()
		if err != nil {
			t.Fatal(err)
		}
		records, err := mallory.Records(t.Context(), []string{sealed.ID})
		if err != nil {
			t.Fatal(err)
		}
		next := records[0].Current()
		next.Seal, next.CID, next.Commitment, next.Size = next.Seal+1, from.CID, from.Commitment, from.Size
		signature := c.world.SignerOf(mallory.Actor())
		signed, err := signature.Sign(resealStatement(next, draft.Digest(), doctors))
		if err != nil {
			t.Fatal(err)
		}
		data, err := draft.Seal(c.recipient(t, doctors), envelope.Authored(author), envelope.Signed(signed))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mallory.Reseal(t.Context(), []ledger.RecordVersion{next}, [][]byte{data}); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err = c.as(t, "HospitalB", "doctor", "doctor").Open(t.Context(), sealed.ID, &out, client.OpenRequest{})
		if !errors.Is(err, client.ErrTampered) {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
}

// resealStatement is what a person signs who seals a version again.
func resealStatement(v ledger.RecordVersion, metadata [32]byte, policy string) trust.Statement {
	return trust.Version{Record: v.ID, Version: v.Version, Seal: v.Seal, CID: v.CID, Commitment: v.Commitment, Metadata: metadata, Policy: policy}.Statement("channel")
}

func TestErase(t *testing.T) {
	c := newConsortium(t)
	sealed, other := c.seal(t, "a note", "asthma"), c.seal(t, "another", "asthma")
	doctor := c.as(t, "HospitalB", "doctor", "doctor")
	if hits := c.found(t, doctor, "asthma"); len(hits) != 2 {
		t.Fatalf("found %+v", hits)
	}
	custodian := c.custodianOf(t)
	if _, err := c.as(t, "HospitalA", "doctor", "doctor").Erase(t.Context(), client.EraseRequest{IDs: []string{sealed.ID}, Reason: "ERROR"}); !errors.Is(err, client.ErrDenied) {
		t.Errorf("a doctor erases: %v", err)
	}
	if _, err := custodian.Erase(t.Context(), client.EraseRequest{IDs: []string{sealed.ID}, Reason: "because"}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("a reason that is none: %v", err)
	}
	done, err := custodian.Erase(t.Context(), client.EraseRequest{IDs: []string{sealed.ID}, Reason: "CONSENT"})
	if err != nil || len(done) != 1 || done[0].Erasure == nil || done[0].Erasure.Actor != "HospitalA/custodian" {
		t.Fatalf("erased %+v, %v", done, err)
	}
	if c.world.GetEnvelope(sealed.ID, 1) != nil {
		t.Error("its wrapped key is still there")
	}
	_, _, err = open(t.Context(), doctor, sealed.ID, client.OpenRequest{})
	if !errors.Is(err, client.ErrErased) || !strings.Contains(err.Error(), "HospitalA/custodian") {
		t.Errorf("open: %v", err)
	}
	if hits := c.found(t, doctor, "asthma"); len(hits) != 1 || hits[0].ID != other.ID {
		t.Errorf("found %+v", hits)
	}
	for what, err := range map[string]error{
		"erase": func() error {
			_, err := custodian.Erase(t.Context(), client.EraseRequest{IDs: []string{sealed.ID}, Reason: "CONSENT"})
			return err
		}(),
		"reseal": func() error {
			_, err := custodian.Reseal(t.Context(), client.ResealRequest{IDs: []string{sealed.ID}, Policy: doctors})
			return err
		}(),
		"amend": func() error {
			_, err := custodian.Amend(t.Context(), client.AmendRequest{ID: sealed.ID, SealRequest: client.SealRequest{
				Sources: []client.Source{text("n.txt", "x")}, Policy: doctors}})
			return err
		}(),
		"export": func() error {
			var a, b bytes.Buffer
			_, err := custodian.Export(t.Context(), sealed.ID, &a, &b, client.ExportRequest{})
			return err
		}(),
	} {
		if !errors.Is(err, client.ErrErased) {
			t.Errorf("%s of an erased record: %v", what, err)
		}
	}
	h, err := doctor.History(t.Context(), sealed.ID, "")
	if err != nil || h.Erasure == nil || h.Erasure.Reason != "CONSENT" {
		t.Errorf("history %+v, %v", h, err)
	}
}

func TestResealPatient(t *testing.T) {
	c := newConsortium(t)
	patient, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
		Sources: []client.Source{text("note.txt", "a note")}, Policy: doctors, PatientRecipient: patient.Recipient().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := sealed[0].ID
	opens := func() error {
		records, err := c.world.As("HospitalA", "doctor", "doctor").Records(t.Context(), []string{id})
		if err != nil {
			t.Fatal(err)
		}
		_, err = envelope.Open(c.world.GetEnvelope(id, 1), records[0].Current(), patient)
		return err
	}
	custodian := c.custodianOf(t)
	for name, r := range map[string]client.ResealRequest{"kept": {Policy: "HospitalB:role=nurse"}, "kept by a revocation": {NewPayload: true}} {
		r.IDs = []string{id}
		if _, err := custodian.Reseal(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := opens(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := custodian.Reseal(t.Context(), client.ResealRequest{IDs: []string{id}, DropPatient: true}); err != nil {
		t.Fatal(err)
	}
	if opens() == nil {
		t.Error("the patient's key was dropped and still opens")
	}
	if text, o, err := open(t.Context(), c.as(t, "HospitalB", "nurse", "nurse"), id, client.OpenRequest{}); err != nil || text != "a note" || !o.Signed {
		t.Errorf("opened %q, %+v, %v", text, o, err)
	}
}
