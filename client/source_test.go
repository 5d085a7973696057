package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client"
)

// TestSourceID: a caller may choose a record id once. A second attempt does not change
// the record.
func TestSourceID(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	id := strings.Repeat("0f", 16)
	seal := func(id, content string) ([]client.Sealed, error) {
		s := text("note.txt", content)
		s.ID = id
		return doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{s}, Policy: doctors, Scope: "consortium", Keywords: []string{"word"}})
	}
	sealed, err := seal(id, "first")
	if err != nil || sealed[0].ID != id {
		t.Fatalf("%+v, %v", sealed, err)
	}
	if _, err := seal(id, "second"); !errors.Is(err, client.ErrExists) {
		t.Errorf("the same id again: %v", err)
	}
	if content, _, err := open(t.Context(), doctor, id, client.OpenRequest{}); err != nil || content != "first" {
		t.Errorf("%q, %v", content, err)
	}
	for _, bad := range []string{"x", id[1:], strings.ToUpper(id), id + "00"} {
		if _, err := seal(bad, "third"); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("id %q: %v", bad, err)
		}
	}
}
