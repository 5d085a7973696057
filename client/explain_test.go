package client_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/envelope"
)

func TestExplain(t *testing.T) {
	ctx, c := t.Context(), newConsortium(t)
	sealed := c.seal(t, "a note")
	explain := func(cl *client.Client) client.Explanation {
		t.Helper()
		e, err := cl.Explain(ctx, sealed.ID, client.ExplainRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if e.Policy != doctors || e.Recipients != 1 || len(e.Keys) != 2 || e.Access.Purpose != "TREAT" || e.Access.Target != sealed.ID {
			t.Errorf("explanation %+v", e)
		}
		return e
	}
	if e := explain(c.as(t, "HospitalB", "jones", "doctor")); !e.Entitled || !e.ByPolicy || e.Missing != nil {
		t.Errorf("a doctor: %+v", e)
	}
	custodian := c.with(t, c.world.As("HospitalA", "custodian", ledger.RoleCustodian), c.identity(t, "HospitalA/custodian"), c.custodian)
	if e := explain(custodian); !e.Entitled || e.ByPolicy {
		t.Errorf("the custodian: %+v", e)
	}
	e := explain(c.as(t, "HospitalC", "smith", "nurse"))
	want := [][]string{{"HospitalA:role=doctor"}, {"HospitalB:role=doctor"}}
	if e.Entitled || !slices.EqualFunc(e.Missing, want, slices.Equal) || e.Stale != nil || len(e.Held) != 1 {
		t.Errorf("a nurse: %+v", e)
	}

	// Each question is on the ledger before it is answered.
	page, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditAccesses(ctx, ledger.AccessQuery{Record: sealed.ID})
	if err != nil || len(page.Entries) != 3 {
		t.Errorf("%d access entries, %v", len(page.Entries), err)
	}
	c.world.Fail = func(transaction string) error {
		if transaction == ledger.AccessRequest {
			return ledger.Errorf(ledger.ErrUnavailable, "down")
		}
		return nil
	}
	if e, err := custodian.Explain(ctx, sealed.ID, client.ExplainRequest{}); !errors.Is(err, client.ErrUnavailable) || e.Policy != "" {
		t.Errorf("without an access entry: %+v, %v", e, err)
	}
	c.world.Fail = nil

	if _, err := custodian.Explain(ctx, clienttest.NewID(), client.ExplainRequest{}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("an unknown record: %v", err)
	}
	if _, err := custodian.Explain(ctx, sealed.ID, client.ExplainRequest{Purpose: "CURIOSITY"}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("an unknown purpose: %v", err)
	}
	forged := c.world.GetEnvelope(sealed.ID, 1)
	mac := bytes.Index(forged, []byte("\n--- ")) + len("\n--- ")
	forged[mac] = "AB"[forged[mac]&1] // another letter: A has an odd code, B an even one
	for _, bad := range [][]byte{forged, []byte("nothing"), forged[:100]} {
		c.world.SetEnvelope(sealed.ID, 1, bad)
		if e, err := custodian.Explain(ctx, sealed.ID, client.ExplainRequest{}); !errors.Is(err, client.ErrTampered) {
			t.Errorf("a changed envelope: %+v, %v", e, err)
		}
	}
}

// TestExplainStale: a person who missed a rotation learns which version is needed.
func TestExplainStale(t *testing.T) {
	c := newConsortium(t)
	jones := c.as(t, "HospitalB", "jones", "doctor")
	l := c.world.As("HospitalB", "authority", ledger.RoleAuthority)
	if err := l.PublishKeys(t.Context(), l.Signed(c.key(t, "HospitalB:role=doctor", 2))); err != nil {
		t.Fatal(err)
	}
	sealed := c.seal(t, "sealed after the rotation")
	e, err := jones.Explain(t.Context(), sealed.ID, client.ExplainRequest{})
	if err != nil || e.Entitled || len(e.Stale) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if s := e.Stale[0]; s.Attribute != "HospitalB:role=doctor" || s.Sealed != 2 || !slices.Equal(s.Held, []int{1}) {
		t.Errorf("stale %+v", s)
	}
	if len(e.Missing) != 2 || !slices.Contains(e.Keys, abe.KeyVersion{Attribute: "HospitalB:role=doctor", Version: 2}) {
		t.Errorf("%+v", e)
	}
}

// TestExport: a patient can read the exported record with age and their own key. The
// export needs no key.
func TestExport(t *testing.T) {
	ctx, c := t.Context(), newConsortium(t)
	patient, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(ctx, client.SealRequest{
		Sources: []client.Source{text("note.txt", "for the patient")}, Policy: doctors, PatientRecipient: patient.Recipient().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := all[0].ID
	clerk := c.with(t, c.world.As("HospitalB", "clerk", "clerk"))
	var sealedKey, payload bytes.Buffer
	e, err := clerk.Export(ctx, id, &sealedKey, &payload, client.ExportRequest{Purpose: "PATRQT"})
	if err != nil {
		t.Fatal(err)
	}
	if e.CID != all[0].CID || e.Policies != 1 || e.Recipients != 2 || e.Access.Purpose != "PATRQT" || e.Payload != int64(payload.Len()) || e.Envelope != sealedKey.Len() {
		t.Errorf("exported %+v", e)
	}
	r, err := age.Decrypt(&sealedKey, patient)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := envelope.ParseMetadata(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := envelope.PayloadIdentity(m.Key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(&payload, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(plain); err != nil || string(got[:m.Size]) != "for the patient" {
		t.Errorf("the payload: %q, %v", got, err)
	}

	// Export needs an access entry, and a payload that matches its CID.
	c.world.Fail = func(transaction string) error {
		if transaction == ledger.AccessRequest {
			return ledger.Errorf(ledger.ErrUnavailable, "down")
		}
		return nil
	}
	var out bytes.Buffer
	if _, err := clerk.Export(ctx, id, &out, &out, client.ExportRequest{}); !errors.Is(err, client.ErrUnavailable) || out.Len() > 0 {
		t.Errorf("without an access entry: %v, %d bytes", err, out.Len())
	}
	c.world.Fail = nil
	c.blobs.Corrupt(t, all[0].CID)
	if _, err := clerk.Export(ctx, id, io.Discard, io.Discard, client.ExportRequest{}); !errors.Is(err, client.ErrTampered) {
		t.Errorf("a corrupt payload: %v", err)
	}
	auditor := c.with(t, c.world.As("Regulator", "auditor", ledger.RoleAuditor))
	if _, err := auditor.Export(ctx, id, io.Discard, io.Discard, client.ExportRequest{}); !errors.Is(err, client.ErrDenied) {
		t.Errorf("an auditor: %v", err)
	}
}
