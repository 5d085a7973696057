package client_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/scope"
)

// search searches the consortium as doctor@HospitalB.
func (c *consortium) search(t *testing.T, query string) client.Results {
	t.Helper()
	found, err := c.as(t, "HospitalB", "doctor", "doctor").Search(t.Context(), index.MustParseQuery(query), client.SearchOptions{Scope: "consortium"})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBatched: entries wait for those of other records. Then they are written in
// transactions of one size.
func TestBatched(t *testing.T) {
	c := newConsortium(t)
	box, err := outbox.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	doctor, err := client.New(client.Config{Ledger: c.world.As("HospitalA", "doctor", "doctor"), Signer: c.world.As("HospitalA", "doctor", "doctor").Signer(), Blobs: c.blobs, Outbox: box,
		Batching: outbox.Policy{Records: 4}, Identities: ids(c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor"))})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(mode index.Mode) {
		t.Helper()
		sealed, err := doctor.Seal(t.Context(), client.SealRequest{
			Sources: []client.Source{text("n", "x")}, Policy: doctors, Scope: "consortium", Keywords: []string{"word"}, Index: mode})
		if err != nil || len(sealed[0].Warnings) > 0 {
			t.Fatalf("%+v, %v", sealed, err)
		}
	}
	for range 3 {
		seal("")
	}
	if n := len(c.search(t, "word").Hits); n != 0 || c.world.Entries("HospitalA") != 0 {
		t.Errorf("%d found, %d entries written before there were enough", n, c.world.Entries("HospitalA"))
	}
	seal(index.ModeNow) // does not write the waiting entries
	if n := len(c.search(t, "word").Hits); n != 1 || c.world.Entries("HospitalA") != 64 {
		t.Errorf("%d found, %d entries", n, c.world.Entries("HospitalA"))
	}
	seal(index.ModeBatched)
	if n := len(c.search(t, "word").Hits); n != 5 || c.world.Entries("HospitalA") != 64+outbox.DefaultSize {
		t.Errorf("%d found, %d entries", n, c.world.Entries("HospitalA"))
	}
	seal(index.ModeBatched)
	if r, err := doctor.FlushIndex(t.Context(), client.FlushOptions{}); err != nil || r.Entries != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := doctor.FlushIndex(t.Context(), client.FlushOptions{All: true}); err != nil || r.Records != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if n := len(c.search(t, "word").Hits); n != 6 {
		t.Errorf("%d found", n)
	}
}

// TestSearchThroughPatientRecords: a condition that was imported without its Patient has
// only the id of that resource. Its patient's number finds it through the Patient record,
// and opening that record leaves an access entry.
func TestSearchThroughPatientRecords(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	sealed, err := doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{
		text("p", `{"resourceType":"Patient","id":"p-1","identifier":[{"system":"urn:mrn","value":"MRN-1"}]}`),
		text("c", `{"resourceType":"Condition","subject":{"reference":"Patient/p-1"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I21.4"}]}}`),
		text("o", `{"resourceType":"Condition","subject":{"reference":"Patient/p-2"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I21.4"}]}}`),
	}, Policy: doctors, Scope: "consortium", Index: index.ModeNow})
	if err != nil {
		t.Fatal(err)
	}
	reader := c.as(t, "HospitalB", "doctor", "doctor")
	for query, want := range map[string][2]int{"patient:MRN-1": {1, 2}, "patient:MRN-1 and icd10:I21": {0, 1}, "patient:nobody": {0, 0}} {
		for n, through := range []bool{false, true} {
			found, err := reader.Search(t.Context(), index.MustParseQuery(query), client.SearchOptions{Scope: "consortium", Patients: through})
			if err != nil || len(found.Hits) != want[n] {
				t.Errorf("%s, %v: %+v, %v, want %d", query, through, found, err, want[n])
			}
		}
	}
	log, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditAccesses(t.Context(), ledger.AccessQuery{Record: sealed[0].ID})
	if err != nil || len(log.Entries) == 0 {
		t.Errorf("%+v, %v: no access entry for the Patient record", log, err)
	}
}

// TestAmendHidesTheVersionBefore: a search for keywords of only the former version finds
// nothing. If the former envelope had no room for all keywords, an amendment still hides
// the terms of the record's content, and it returns a warning.
func TestAmendHidesTheVersionBefore(t *testing.T) {
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("keyword %x", sha256.Sum256([]byte{byte(i), byte(i >> 8)})))
	}
	for name, words := range map[string][]string{"few": {"old-word", "icd10:I21.4"}, "many": append(many, "old-word", "icd10:I21.4")} {
		c := newConsortium(t)
		doctor := c.as(t, "HospitalA", "doctor", "doctor")
		first, err := doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{text("n", "Chest pain since 2019-03-02")},
			Policy: doctors, Scope: "consortium", Keywords: append(words, "both")})
		if err != nil {
			t.Fatal(err)
		}
		if name == "few" && len(c.search(t, "old-word and icd10:I21 and date:2019-03").Hits) != 1 {
			t.Fatal("the first version is not found")
		}
		second, err := doctor.Amend(t.Context(), client.AmendRequest{ID: first[0].ID, SealRequest: client.SealRequest{
			Sources: []client.Source{text("n", "No chest pain")}, Policy: doctors, Scope: "consortium", Keywords: []string{"new-word", "both"}}})
		if err != nil || (len(second.Warnings) > 0) != (name == "many") {
			t.Fatalf("%s: %q, %v", name, second.Warnings, err)
		}
		for query, want := range map[string]int{"icd10:I21.4": 0, "icd10:I20-I25": 0, "date:2019": 0, "both": 1, "new-word": 1} {
			if hits := c.search(t, query).Hits; len(hits) != want || want == 1 && hits[0].Version != 2 {
				t.Errorf("%s: %s: %+v", name, query, hits)
			}
		}
	}
}

// TestAmendAfterAGap: versions without index entries lie between. The keywords of the
// last indexed version are hidden all the same.
func TestAmendAfterAGap(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	id := c.seal(t, "x", "first-word").ID
	for i, r := range []client.SealRequest{
		{Policy: doctors},
		{Policy: doctors},
		{Policy: doctors, Scope: "consortium", Keywords: []string{"last-word"}},
	} {
		r.Sources = []client.Source{text("n", "y")}
		s, err := doctor.Amend(t.Context(), client.AmendRequest{ID: id, SealRequest: r})
		if err != nil || (len(s.Warnings) == 0) != (r.Scope != "") {
			t.Fatalf("version %d: %q, %v", i+2, s.Warnings, err)
		}
	}
	if hits := c.search(t, "first-word").Hits; len(hits) != 0 {
		t.Errorf("still found: %+v", hits)
	}
	if hits := c.search(t, "last-word").Hits; len(hits) != 1 || hits[0].Version != 4 {
		t.Errorf("found: %+v", hits)
	}
}

// TestAmendByAnother: a user who can amend a record but not open the former version gets
// a warning.
func TestAmendByAnother(t *testing.T) {
	c := newConsortium(t)
	first, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
		Sources: []client.Source{text("n", "x")}, Policy: "HospitalC:role=doctor", Scope: "consortium", Keywords: []string{"word"}})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.as(t, "HospitalA", "colleague", "doctor").Amend(t.Context(), client.AmendRequest{ID: first[0].ID, SealRequest: client.SealRequest{
		Sources: []client.Source{text("n", "y")}, Policy: doctors, Scope: "consortium"}})
	if err != nil || len(second.Warnings) != 1 || !strings.Contains(second.Warnings[0], "version 1 may still be found") {
		t.Errorf("%+v, %v", second, err)
	}
}

// TestPages: pages neither overlap nor leave gaps when records are added meanwhile.
// Dangling entries do not shorten them.
func TestPages(t *testing.T) {
	c := newConsortium(t)
	want := make(map[string]bool)
	for i := range 7 {
		want[c.seal(t, "x", "word", fmt.Sprintf("date:2020-03-%02d", i+1)).ID] = true
	}
	doctor := c.as(t, "HospitalB", "doctor", "doctor")
	after, pages := "", 0
	for {
		found, err := doctor.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium", Limit: 3, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range found.Hits {
			if !want[h.ID] {
				t.Errorf("%s is shown twice, or should not be", h.ID)
			}
			delete(want, h.ID)
		}
		pages++
		if after = found.Next; after == "" {
			break
		}
		c.seal(t, "newer", "word", "date:2021-01-01")
	}
	if pages != 3 || len(want) != 0 {
		t.Errorf("%d pages, %d left out", pages, len(want))
	}
	_, err := doctor.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium", After: "nonsense"})
	if !errors.Is(err, client.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// lying is a peer that alters its answers.
type lying struct {
	client.Ledger
	answer  func(values [][]byte)
	retired []ledger.Retirement
}

func (l *lying) GetEntries(ctx context.Context, batches []index.Batch) ([][][]byte, error) {
	got, err := l.Ledger.GetEntries(ctx, batches)
	for _, values := range got {
		l.answer(values)
	}
	return got, err
}

func (l *lying) SearchEntries(ctx context.Context, known string, batches []index.Batch) ([][][]byte, ledger.Searchable, error) {
	got, s, err := l.Ledger.SearchEntries(ctx, known, batches)
	for _, values := range got {
		l.answer(values)
	}
	s.Retirements = append(slices.Clone(s.Retirements), l.retired...)
	return got, s, err
}

func (l *lying) Retirements(ctx context.Context, scope string) ([]ledger.Retirement, error) {
	got, err := l.Ledger.Retirements(ctx, scope)
	return append(got, l.retired...), err
}

// TestLyingPeer: an altered entry becomes a problem in the result, beside the verified
// hits. A second peer reveals entries that the first withholds at the end of a chain.
func TestLyingPeer(t *testing.T) {
	c := newConsortium(t)
	for range 5 {
		c.seal(t, "x", "word")
	}
	admin := c.as(t, "HospitalA", "custodian", ledger.RoleCustodian)
	if _, _, err := admin.RollScope(t.Context(), "consortium", doctors); err != nil {
		t.Fatal(err)
	}
	honest := c.world.As("HospitalB", "doctor", "doctor")
	identity := c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor")
	search := func(l *lying, verify scope.Verifier) client.Results {
		t.Helper()
		l.Ledger = honest
		found, err := c.with(t, l, identity).Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium", Verify: verify})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found.Problems {
			if !errors.Is(p, client.ErrTampered) {
				t.Errorf("%v", p)
			}
		}
		return found
	}
	truthful := func([][]byte) {}
	withhold := func(values [][]byte) { clear(values) }
	alter := func(values [][]byte) {
		if i := slices.IndexFunc(values, func(v []byte) bool { return v != nil }); i >= 0 {
			values[i] = append([]byte{values[i][0] ^ 1}, values[i][1:]...)
		}
	}
	if found := search(&lying{answer: truthful}, nil); len(found.Hits) != 5 || len(found.Problems) != 0 {
		t.Errorf("an honest peer: %+v", found)
	}
	if found := search(&lying{answer: truthful}, honest); len(found.Hits) != 5 || len(found.Problems) != 0 {
		t.Errorf("two honest peers: %+v", found)
	}
	if found := search(&lying{answer: alter}, nil); len(found.Problems) == 0 {
		t.Errorf("altered: %+v", found)
	}
	if found := search(&lying{answer: withhold}, nil); len(found.Hits) != 0 || len(found.Problems) != 0 {
		t.Errorf("all withheld, which one peer alone can do: %+v", found)
	}
	if found := search(&lying{answer: withhold}, honest); len(found.Hits) != 5 || len(found.Problems) == 0 {
		t.Errorf("all withheld, with a second peer: %+v", found)
	}
	invented := []ledger.Retirement{{Scope: "consortium", MSP: "HospitalA", Epoch: 1}}
	if found := search(&lying{answer: truthful, retired: invented}, honest); len(found.Hits) != 5 || len(found.Problems) != 1 {
		t.Errorf("an epoch that nobody retired: %+v", found)
	}
	// Two peers that lie alike hide nothing without the signature of the hospital's
	// custodian.
	sign := func(msp, id, role string) []ledger.Retirement {
		return []ledger.Retirement{c.world.As(msp, id, role).SignedRetirement(invented[0])}
	}
	for name, tc := range map[string]struct {
		retired  []ledger.Retirement
		hits     int
		problems int
		warnings int
	}{
		"unsigned":              {invented, 5, 0, 1},
		"signed by a doctor":    {sign("HospitalA", "doctor", "doctor"), 5, 1, 0},
		"by another hospital":   {sign("HospitalB", "custodian", ledger.RoleCustodian), 5, 1, 0},
		"signed by a custodian": {sign("HospitalA", "custodian", ledger.RoleCustodian), 0, 0, 0},
	} {
		l := &lying{Ledger: honest, answer: truthful, retired: tc.retired}
		found := search(l, l)
		if len(found.Hits) != tc.hits || len(found.Problems) != tc.problems || len(found.Warnings) != tc.warnings {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// TestCompact: after a compaction, a search of the current epoch finds everything, also
// for new members. An interrupted run can be resumed.
func TestCompact(t *testing.T) {
	c := newConsortium(t)
	for i := range 5 {
		c.seal(t, fmt.Sprint("record ", i), "word", "icd10:I21.4")
	}
	gone := c.seal(t, "erased before the compaction", "word")
	memory := &recallingMemory{}
	custodian, err := client.New(client.Config{Ledger: c.world.As("HospitalA", "custodian", ledger.RoleCustodian), Signer: c.world.As("HospitalA", "custodian", ledger.RoleCustodian).Signer(), Blobs: c.blobs,
		Memory: memory, Identities: ids(c.custodian)})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := custodian.CompactScope(t.Context(), "consortium", client.CompactOptions{}); err != nil || done.Records != 0 || done.Epoch != 1 {
		t.Errorf("with one epoch: %+v, %v", done, err)
	}
	if _, _, err := custodian.RollScope(t.Context(), "consortium", "HospitalA:role=doctor or HospitalC:role=nurse"); err != nil {
		t.Fatal(err)
	}
	if _, err := custodian.Erase(t.Context(), client.EraseRequest{IDs: []string{gone.ID}, Reason: "ERROR"}); err != nil {
		t.Fatal(err)
	}
	c.seal(t, "after the roll", "word")
	nurse := c.as(t, "HospitalC", "nurse", "nurse")
	finds := func() int {
		t.Helper()
		found, err := nurse.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
		if err != nil {
			t.Fatal(err)
		}
		return len(found.Hits)
	}
	if n := finds(); n != 1 {
		t.Errorf("the newcomer found %d before the compaction", n)
	}
	for _, step := range []string{ledger.AuditRecords, ledger.RecordEnvelope, ledger.IndexPut, ledger.ScopeRetire} {
		c.world.Fail = func(name string) error {
			if name == step {
				return ledger.ErrUnavailable
			}
			return nil
		}
		if _, err := custodian.CompactScope(t.Context(), "consortium", client.CompactOptions{}); !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("%s: %v", step, err)
		}
		c.world.Fail = nil
	}
	done, err := custodian.CompactScope(t.Context(), "consortium", client.CompactOptions{Settle: time.Hour})
	if err != nil || done.Retired != 0 {
		t.Errorf("retired although somebody may still seal in the former epoch: %+v, %v", done, err)
	}
	done, err = custodian.CompactScope(t.Context(), "consortium", client.CompactOptions{})
	if err != nil || done.Retired != 1 || len(done.Unopened) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if n := finds(); n != 6 {
		t.Errorf("the newcomer found %d afterwards", n)
	}
	found, err := nurse.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
	if err != nil || len(found.Warnings) != 1 { // HospitalB and HospitalC have not retired epoch 1
		t.Errorf("%+v, %v", found.Warnings, err)
	}
	log, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditAccesses(t.Context(), ledger.AccessQuery{Actor: "HospitalA/custodian"})
	if err != nil || !slices.ContainsFunc(log.Entries, func(e ledger.AccessEntry) bool { return e.Purpose == "RECORDMGT" }) {
		t.Errorf("access log %+v, %v", log.Entries, err)
	}
}

// TestKindsThatPeopleGive: the index shows the beginning of a kind that no format
// defines. A search for the full kind finds the record.
func TestKindsThatPeopleGive(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	for kind, want := range map[string]struct{ query, shown string }{
		"Discharge letter": {`kind:"discharge letter"`, "Disc…"},
		"hl7v2:MDM^T02":    {"kind:mdm^t02", "hl7v2:MDM^T02"},
	} {
		sealed, err := doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{text("n", "x")}, Policy: doctors,
			Scope: "consortium", Index: index.ModeNow, Kind: kind, Keywords: []string{"both"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{want.query, "both and " + want.query} {
			hits := c.search(t, query).Hits
			if len(hits) != 1 || hits[0].ID != sealed[0].ID || hits[0].Kind != want.shown {
				t.Errorf("%s: %+v", query, hits)
			}
		}
		opened, err := doctor.Open(t.Context(), sealed[0].ID, io.Discard, client.OpenRequest{})
		if err != nil || opened.Kind != kind {
			t.Errorf("opened as %q, %v", opened.Kind, err)
		}
	}
}
