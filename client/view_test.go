package client_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/index"
)

// TestSearchSeesWhatChanged: a client that has searched before reads the index from its
// cached view. It still notices a new epoch.
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
		r, err := doctor.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
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

// TestSearchTakesTwoCalls: a user's second search, even in another process, reads only
// labels and records. If something has changed meanwhile, the search takes one more call
// and finds it.
func TestSearchTakesTwoCalls(t *testing.T) {
	c := newConsortium(t)
	memory := &recallingMemory{}
	process := func() *client.Client {
		t.Helper()
		cl, err := client.New(client.Config{Ledger: c.world.As("HospitalB", "doctor", "doctor"), Signer: c.world.As("HospitalB", "doctor", "doctor").Signer(), Blobs: c.blobs, Memory: memory,
			Identities: ids(c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor"))})
		if err != nil {
			t.Fatal(err)
		}
		return cl
	}
	search := func(cl *client.Client, hits int) (calls []string) {
		t.Helper()
		c.world.Fail = func(name string) error { calls = append(calls, name); return nil }
		defer func() { c.world.Fail = nil }()
		r, err := cl.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
		if err != nil || len(r.Hits) != hits || len(r.Problems)+len(r.Warnings) > 0 {
			t.Fatalf("%d hits, want %d: %+v, %v", len(r.Hits), hits, r, err)
		}
		return calls
	}
	c.seal(t, "x", "word")
	first := process()
	search(first, 1)
	usual := []string{ledger.IndexSearch, ledger.RecordGet}
	if got := search(first, 1); !slices.Equal(got, usual) {
		t.Errorf("the same process again: %q", got)
	}
	if got := search(process(), 1); !slices.Equal(got, usual) {
		t.Errorf("another process: %q", got)
	}
	if _, _, err := c.as(t, "HospitalA", "custodian", "custodian").RollScope(t.Context(), "consortium", doctors); err != nil {
		t.Fatal(err)
	}
	c.seal(t, "y", "word")
	for _, cl := range []*client.Client{first, process()} {
		search(cl, 2)
		if got := search(cl, 2); !slices.Equal(got, usual) {
			t.Errorf("after a roll: %q", got)
		}
	}
	// A process that was started before the roll may store the new key only.
	kept, err := memory.Load("scope/consortium.json")
	if err != nil {
		t.Fatal(err)
	}
	var keys struct {
		Epoch int               `json:"epoch"`
		Time  string            `json:"time"`
		Keys  map[string][]byte `json:"keys"`
	}
	if err := json.Unmarshal(kept, &keys); err != nil || len(keys.Keys) != 2 {
		t.Fatalf("%d keys remembered, %v", len(keys.Keys), err)
	}
	delete(keys.Keys, "1")
	if kept, err = json.Marshal(keys); err != nil {
		t.Fatal(err)
	}
	if err := memory.Store("scope/consortium.json", kept); err != nil {
		t.Fatal(err)
	}
	search(process(), 2)
	if err := memory.Store("view/consortium.json", []byte(`{"hospitals":["Nowhere"]}`)); err != nil {
		t.Fatal(err)
	}
	search(process(), 2)
	if err := memory.Store("view/consortium.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	search(process(), 2)
}

// An insider amends a record until its page of hits has too many versions for one answer.
// The search still finds all hits of the page, in their own versions.
func TestPoisonedRecord(t *testing.T) {
	c := newConsortium(t)
	c.seal(t, "x", "word")
	c.seal(t, "y", "word")
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	search := func() client.Results {
		t.Helper()
		r, err := doctor.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := search()
	insider, poisoned := c.world.As("HospitalA", "colleague", "doctor"), before.Hits[0].ID
	records, err := insider.Records(t.Context(), []string{poisoned})
	if err != nil {
		t.Fatal(err)
	}
	v := records[0].Current()
	data := clienttest.NewEnvelope(t, insider)
	for version := 2; version <= ledger.MaxVersions; version++ {
		again := ledger.NewVersion{ID: v.ID, Version: version, CID: v.CID, Commitment: v.Commitment}
		if _, err := insider.AmendRecord(t.Context(), again, data); err != nil {
			t.Fatal(err)
		}
	}
	after := search()
	if len(before.Hits) != 2 || !slices.Equal(after.Hits, before.Hits) || after.Dangling != 0 {
		t.Errorf("found %+v, %d dangling; before %+v", after.Hits, after.Dangling, before.Hits)
	}
}

// A custodian made more scopes than a list has. The scopes of others are still sealed
// into and searched, by a client that knew its scope before and by a new one.
func TestFloodedScopes(t *testing.T) {
	c := newConsortium(t)
	c.seal(t, "x", "word")
	known := c.as(t, "HospitalB", "doctor", "doctor")
	search := func(cl *client.Client, hits int) {
		t.Helper()
		r, err := cl.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
		if err != nil || len(r.Hits) != hits || len(r.Problems)+len(r.Warnings) > 0 {
			t.Fatalf("%d hits, want %d: %+v, %v", len(r.Hits), hits, r, err)
		}
	}
	search(known, 1)
	c.world.Fail = func(transaction string) error {
		if transaction == ledger.ScopeList || transaction == ledger.IndexSearch {
			return ledger.Errorf(ledger.ErrUnavailable, "the ledger has more than 50000 scopes")
		}
		return nil
	}
	search(known, 1)
	c.seal(t, "y", "word")
	search(known, 2)
	search(c.as(t, "HospitalB", "nurse", "doctor"), 2)
}
