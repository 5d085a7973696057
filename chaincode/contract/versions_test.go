package contract

import (
	"fmt"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// lengthen writes versions of a record up to last, as that many calls of Amend would.
func (c *channel) lengthen(id string, last int) {
	for v := 2; v <= last; v++ {
		c.world.state[ledger.RecordKey(id, v)] = cell{ledger.VersionValue(ledger.RecordVersion{CID: testCID,
			Commitment: fmt.Sprintf("%064x", v), Author: "HospitalA/doctor", Time: ledger.FormatTime(start), Tx: "t"}), 1}
	}
}

// An insider amends the records of a page so often that their versions together are too
// many for one answer. The page still has all records, with their newest versions.
func TestPoisonedPage(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	reader := person(t, "HospitalB", "doctor", "doctor")
	records := make([]ledger.NewRecord, ledger.MaxRecordsPerCall)
	ids := make([]string, len(records))
	for i := range records {
		records[i], ids[i] = newRecord(i), recordID(i)
	}
	_, err := c.submit(doctor, sealing(t, records...), ledger.RecordCreate)
	ok(t, nil, err)
	share := ledger.MaxHistory / len(ids)
	get := func(ids ...string) []ledger.Record {
		t.Helper()
		payload, err := c.evaluate("HospitalB", reader, ledger.RecordGet, ids)
		got := must[[]ledger.Record](t, payload, err)
		if len(got) != len(ids) {
			t.Fatalf("%d records of %d", len(got), len(ids))
		}
		total := 0
		for i, r := range got {
			for j, v := range r.Versions {
				if v.Version != r.Earlier+j+1 {
					t.Fatalf("record %d has version %d at %d, %d left out", i, v.Version, j, r.Earlier)
				}
			}
			total += len(r.Versions)
		}
		if total > ledger.MaxHistory {
			t.Errorf("%d versions in one answer", total)
		}
		return got
	}

	// 100 records with 101 versions each, but for two honest ones.
	for _, id := range ids[2:] {
		c.lengthen(id, share+1)
	}
	c.lengthen(ids[1], 3)
	got := get(ids...)
	if len(got[0].Versions) != 1 || len(got[1].Versions) != 3 || got[1].Earlier != 0 || got[2].Current().Version != share+1 || got[2].Earlier != 0 {
		t.Errorf("fewer versions than fit: %d, %d, %d", len(got[0].Versions), len(got[1].Versions), len(got[2].Versions))
	}
	c.lengthen(ids[0], 2*share+1)
	c.lengthen(ids[1], share)
	for i, r := range get(ids...) {
		want := share + 1
		if i == 0 {
			want = 2*share + 1
		} else if i == 1 {
			want = share
		}
		if r.Current().Version != want || r.Earlier != want-share || r.Home != "HospitalA" {
			t.Errorf("record %d: current %d, %d left out, home %s", i, r.Current().Version, r.Earlier, r.Home)
		}
	}

	// A record with as many versions as there can be is whole when it is alone.
	c.lengthen(ids[7], ledger.MaxVersions)
	if alone := get(ids[7]); len(alone[0].Versions) != ledger.MaxVersions {
		t.Errorf("%d versions", len(alone[0].Versions))
	}
	pair := get(ids[7], ids[1])
	if pair[0].Current().Version != ledger.MaxVersions || pair[0].Earlier != ledger.MaxVersions/2 || len(pair[1].Versions) != share {
		t.Errorf("beside another: %d versions, %d left out", len(pair[0].Versions), pair[0].Earlier)
	}

	// Any version is found by its name.
	payload, err := c.evaluate("HospitalB", reader, ledger.RecordVersions, []ledger.VersionName{
		{ID: ids[7], Version: 1}, {ID: recordID(999), Version: 1}, {ID: ids[0], Version: 2*share + 2}, {ID: ids[0], Version: 2}})
	named := must[[]ledger.RecordVersion](t, payload, err)
	if len(named) != 2 || named[0].ID != ids[7] || named[0].Version != 1 || named[1].ID != ids[0] || named[1].Version != 2 {
		t.Errorf("named versions %+v", named)
	}
	for _, bad := range [][]ledger.VersionName{nil, {{ID: ids[0]}}, {{ID: "x", Version: 1}}, {{ID: ids[0], Version: ledger.MaxVersions + 1}},
		make([]ledger.VersionName, ledger.MaxRecordsPerCall+1)} {
		_, err := c.evaluate("HospitalB", reader, ledger.RecordVersions, bad)
		refused(t, ledger.ErrInvalid, nil, err)
	}
}
