package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// many seals n records at HospitalA, and one at HospitalB, and returns the ids of the
// former.
func (c *consortium) many(t *testing.T, n int, patient string) (ids []string) {
	t.Helper()
	var sources []client.Source
	for i := range n {
		sources = append(sources, text(fmt.Sprint(i, ".txt"), fmt.Sprint("record ", i)))
	}
	for part := range slices.Chunk(sources, ledger.MaxNewRecords) {
		sealed, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
			Sources: part, Policy: doctors, Patient: patient, Scope: "consortium"})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sealed {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// seals returns how often each record was sealed again.
func (c *consortium) seals(t *testing.T, ids []string) map[int]int {
	t.Helper()
	records, err := c.world.As("HospitalA", "doctor", "doctor").Records(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	n := make(map[int]int)
	for _, r := range records {
		n[r.Current().Seal]++
	}
	return n
}

// TestJob interrupts a job at every transaction, and runs it again until it ends. Nothing
// is done twice, and nothing is forgotten.
func TestJob(t *testing.T) {
	t.Run("bubble", inBubble(func(t *testing.T) {
		c := newConsortium(t)
		ids := c.many(t, 230, "")
		other, err := c.as(t, "HospitalB", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
			Sources: []client.Source{text("b.txt", "of another hospital")}, Policy: doctors})
		if err != nil {
			t.Fatal(err)
		}
		// The authority takes the attribute away from somebody.
		authority := c.world.As("HospitalA", "authority", ledger.RoleAuthority)
		if err := authority.PublishKeys(t.Context(), authority.Signed(c.key(t, "HospitalA:role=doctor", 2))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(believed)
		j := &client.Job{ID: "a", Kind: client.JobRevoke, Select: client.Selection{Attribute: "HospitalA:role=doctor"}}
		custodian := c.custodianOf(t)
		if due, err := custodian.Due(t.Context(), *j); err != nil || len(due) != len(ids) {
			t.Fatalf("%d due, %v", len(due), err)
		}
		stopped := errors.New("killed")
		runs := 0
		for after := 1; ; after++ {
			calls := 0
			c.world.Fail = func(name string) error {
				if name == ledger.RecordReseal {
					if calls++; calls > 1 {
						return stopped
					}
				}
				return nil
			}
			err := custodian.RunJob(context.Background(), j, nil)
			c.world.Fail = nil
			runs++
			if err == nil {
				break
			}
			if !errors.Is(err, stopped) || runs > 10 {
				t.Fatal(err)
			}
			if j, err = custodian.LoadJob("a"); err != nil { // as after kill -9
				t.Fatal(err)
			}
		}
		if got := c.seals(t, ids); got[1] != len(ids) {
			t.Errorf("seals of the records: %v", got)
		}
		if runs < 3 || j.Ended.IsZero() || len(j.Unopened) > 0 {
			t.Errorf("%d runs, job %+v", runs, j)
		}
		if got := c.seals(t, []string{other[0].ID}); got[0] != 1 {
			t.Error("the record of another hospital was sealed again")
		}
		if err := custodian.RunJob(t.Context(), j, nil); err != nil {
			t.Fatal(err)
		}
		if got := c.seals(t, ids); got[1] != len(ids) {
			t.Errorf("after another run: %v", got)
		}
	}))
}

func TestJobErase(t *testing.T) {
	c := newConsortium(t)
	hers, his := c.many(t, 5, "MRN|1"), c.many(t, 3, "MRN|2")
	custodian := c.custodianOf(t)
	j := &client.Job{ID: "gone", Kind: client.JobErase, Select: client.Selection{Patient: "MRN|1"}, Reason: "REQUEST"}
	due, err := custodian.Due(t.Context(), *j)
	if slices.Sort(hers); err != nil || !slices.Equal(due, hers) {
		t.Fatalf("due %v, %v", due, err)
	}
	if err := custodian.RunJob(t.Context(), j, nil); err != nil || j.Changed != 5 || j.Ended.IsZero() {
		t.Fatalf("%+v, %v", j, err)
	}
	records, err := c.world.As("HospitalA", "doctor", "doctor").Records(t.Context(), append(hers, his...))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if gone := r.Erasure != nil; gone != slices.Contains(hers, r.ID) {
			t.Errorf("record %s: erased %v", r.ID, gone)
		}
	}
	if hits := c.found(t, c.as(t, "HospitalB", "doctor", "doctor"), "patient:1"); len(hits) != 0 {
		t.Errorf("found %v", hits)
	}
	for name, bad := range map[string]client.Job{
		"no selection": {Kind: client.JobErase, Reason: "ERROR"},
		"two":          {Kind: client.JobErase, Reason: "ERROR", Select: client.Selection{Patient: "1", Attribute: "A:x"}},
		"no reason":    {Kind: client.JobErase, Select: client.Selection{Patient: "1"}},
		"no kind":      {Select: client.Selection{Patient: "1"}},
		"rate":         {Kind: client.JobErase, Reason: "ERROR", Select: client.Selection{Patient: "1"}, Rate: -1},
		"years":        {Kind: client.JobErase, Reason: "ERROR", Select: client.Selection{Retention: []client.Retention{{Kind: "*"}}}},
	} {
		if _, err := custodian.Due(t.Context(), bad); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJobRetention(t *testing.T) {
	c := newConsortium(t)
	old := c.seal(t, "an old note", "date:2001-03-04")
	c.seal(t, "a younger note", "date:2022-03-04")
	due, err := c.custodianOf(t).Due(t.Context(), client.Job{Kind: client.JobErase, Reason: "RETENTION",
		Select: client.Selection{Retention: []client.Retention{{Kind: "dicom", Years: 1}, {Kind: "*", Years: 10}}}})
	if err != nil || !slices.Equal(due, []string{old.ID}) {
		t.Errorf("due %v, %v", due, err)
	}
}
