package client_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// TestOpenRange: a range has the record's bytes at that offset, cannot be taken for a
// whole record, and opens only for entitled people.
func TestOpenRange(t *testing.T) {
	c := newConsortium(t)
	content := strings.Repeat("0123456789abcdef", 20_000)
	sealed := c.seal(t, content)
	doctor := c.as(t, "HospitalB", "doctor", "doctor")
	for _, r := range []client.Part{{Offset: 0, Length: 1}, {Offset: 65530, Length: 70000}, {Offset: int64(len(content)) - 3, Length: 3}} {
		var out bytes.Buffer
		opened, err := doctor.OpenRange(t.Context(), sealed.ID, &out, r.Offset, r.Length, client.OpenRequest{})
		if err != nil || out.String() != content[r.Offset:r.Offset+r.Length] || opened.Part == nil || *opened.Part != r {
			t.Errorf("%v: %d bytes, %v, %v", r, out.Len(), opened.Part, err)
		}
	}
	var out bytes.Buffer
	opened, err := doctor.OpenRange(t.Context(), sealed.ID, &out, int64(len(content))-3, 1<<40, client.OpenRequest{})
	if err != nil || out.String() != "def" || opened.Part.Length != 3 {
		t.Errorf("beyond the end: %q, %v", out.String(), err)
	}
	for _, r := range []client.Part{{Offset: -1, Length: 1}, {Offset: 0, Length: 0}, {Offset: 0, Length: -1}, {Offset: int64(len(content)), Length: 1}} {
		out.Reset()
		if _, err := doctor.OpenRange(t.Context(), sealed.ID, &out, r.Offset, r.Length, client.OpenRequest{}); !errors.Is(err, client.ErrInvalid) || out.Len() > 0 {
			t.Errorf("%v: %v", r, err)
		}
	}
	if _, opened, err := open(t.Context(), doctor, sealed.ID, client.OpenRequest{}); err != nil || opened.Part != nil {
		t.Errorf("a whole record: %v, %v", opened.Part, err)
	}
	out.Reset()
	nurse := c.as(t, "HospitalC", "nurse", "nurse")
	if _, err := nurse.OpenRange(t.Context(), sealed.ID, &out, 0, 1, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) || out.Len() > 0 {
		t.Errorf("not entitled: %v", err)
	}
	c.blobs.Corrupt(t, sealed.CID)
	if _, err := doctor.OpenRange(t.Context(), sealed.ID, &out, 0, 1, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) || out.Len() > 0 {
		t.Errorf("altered: %v", err)
	}
}

// TestAccessEntryServesAgain: a Client that opens a record again for the same purpose
// reuses its access entry. Another purpose, user or Client needs a new entry. So does
// each failed attempt.
func TestAccessEntryServesAgain(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "record")
	auditor := c.world.As("Regulator", "auditor", ledger.RoleAuditor)
	entries := func() int {
		t.Helper()
		page, err := auditor.AuditAccesses(t.Context(), ledger.AccessQuery{Record: sealed.ID})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Entries)
	}
	doctor := c.as(t, "HospitalB", "doctor", "doctor")
	again := c.as(t, "HospitalB", "doctor", "doctor") // another run of the program
	for i, step := range []struct {
		who     *client.Client
		purpose string
		want    int
	}{{doctor, "", 1}, {doctor, "TREAT", 1}, {doctor, "ETREAT", 2}, {doctor, "TREAT", 2}, {again, "", 3}, {again, "", 3}, {doctor, "", 3}} {
		if content, _, err := open(t.Context(), step.who, sealed.ID, client.OpenRequest{Purpose: step.purpose}); err != nil || content != "record" {
			t.Fatalf("step %d: %q, %v", i, content, err)
		}
		if got := entries(); got != step.want {
			t.Errorf("step %d: %d access entries, want %d", i, got, step.want)
		}
	}
	nurse := c.as(t, "HospitalC", "nurse", "nurse")
	for range 2 {
		if _, _, err := open(t.Context(), nurse, sealed.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) {
			t.Errorf("not entitled: %v", err)
		}
	}
	if got := entries(); got != 5 {
		t.Errorf("%d access entries after two attempts in vain, want 5", got)
	}
}
