package client_test

import (
	"testing"

	"github.com/chartseal/chartseal/client"
)

// TestSearchSeesWhatChanged: a client that has searched before reads the index with what it knew then, and must notice a new
// epoch all the same.
func TestSearchSeesWhatChanged(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	seal := func(cl *client.Client) {
		t.Helper()
		_, err := cl.Seal(t.Context(), client.SealRequest{
			Sources: []client.Source{text("n", "x")}, Policy: doctors, Scope: "consortium", Keywords: []string{"word"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		r, err := doctor.Search(t.Context(), "word", client.SearchOptions{Scope: "consortium"})
		if err != nil {
			t.Fatal(err)
		}
		return len(r.Hits)
	}
	seal(doctor)
	if n := count(); n != 1 {
		t.Fatalf("%d hits, want 1", n)
	}
	if _, _, err := c.as(t, "HospitalA", "custodian", "custodian").RollScope(t.Context(), "consortium", doctors); err != nil {
		t.Fatal(err)
	}
	seal(c.as(t, "HospitalB", "doctor", "doctor"))
	if n := count(); n != 2 {
		t.Errorf("%d hits after a roll, want 2", n)
	}
	seal(c.as(t, "HospitalA", "doctor", "doctor"))
	if n := count(); n != 3 {
		t.Errorf("%d hits, want 3", n)
	}
}
