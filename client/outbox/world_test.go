package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// errCrash marks the point where a process dies: it does nothing after that.
var errCrash = errors.New("crash")

// world is a ledger that outlives crashes.
type world struct {
	mu      sync.Mutex
	entries map[index.Label][]byte
	records map[string][]ledger.RecordVersion
	puts    int

	beforePut func() error // nothing was written
	afterPut  func() error // it was written, and the answer is lost
}

func newWorld() *world {
	return &world{entries: make(map[index.Label][]byte), records: make(map[string][]ledger.RecordVersion)}
}

func (w *world) GetEntries(ctx context.Context, batches []index.Batch) ([][][]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([][][]byte, len(batches))
	for i, b := range batches {
		for _, l := range b.Labels {
			out[i] = append(out[i], w.entries[l])
		}
	}
	return out, ctx.Err()
}

func (w *world) PutEntries(ctx context.Context, entries []index.Entry) error {
	if w.beforePut != nil {
		if err := w.beforePut(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		if w.entries[e.Label] != nil {
			return fmt.Errorf("label taken: %w", index.ErrExists)
		}
	}
	for _, e := range entries {
		w.entries[e.Label] = slices.Clone(e.Value[:])
	}
	w.puts++
	if w.afterPut != nil {
		return w.afterPut()
	}
	return nil
}

func (w *world) Records(_ context.Context, ids []string) ([]ledger.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []ledger.Record
	for _, id := range ids {
		if v := w.records[id]; v != nil {
			out = append(out, ledger.Record{ID: id, Home: "HospitalA", Versions: v})
		}
	}
	return out, nil
}

// register puts the records of a job on the ledger.
func (w *world) register(j *Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range j.Records {
		w.records[r.ID] = append(w.records[r.ID], ledger.RecordVersion{ID: r.ID, Version: r.Version, CID: r.CID, Commitment: r.Commitment})
	}
}

// registered prepares a job whose records are on the ledger.
func (w *world) registered(t *testing.T, b *Box, j *Job) {
	t.Helper()
	w.register(j)
	if err := errors.Join(b.Prepare(j), b.Registered(j.ID)); err != nil {
		t.Fatal(err)
	}
}

var testKey = index.ScopeKey{1, 2, 3}

// job makes a job of records, each with terms of its own and two that all have.
func job(t *testing.T, n, records int) *Job {
	t.Helper()
	j := &Job{}
	for i := range records {
		id := [16]byte{byte(n), byte(i), 1}
		r := Record{ID: fmt.Sprintf("%x", id), Version: 1, CID: fmt.Sprint("cid", n, i), Commitment: "c"}
		j.Records = append(j.Records, r)
		var items []index.Item
		for _, term := range []string{"all", "some", fmt.Sprint("own", n, "-", i), fmt.Sprint("more", n, "-", i)} {
			items = append(items, index.Item{Term: index.WordTerm(term), Posting: index.Posting{
				Record: id, Version: 1, Op: index.Add, Kind: "text", First: index.NoDay, Last: index.NoDay}})
		}
		entries, err := testKey.Pend(items)
		if err != nil {
			t.Fatal(err)
		}
		j.Entries = append(j.Entries, entries...)
	}
	return j
}

func (w *world) flush() Flush {
	return Flush{Writer: &index.Writer{Store: w, MSP: "HospitalA"}, Records: w.Records, Wait: true}
}

// once requires that every entry of the jobs is in the index exactly once, and that no
// chain has a hole.
func (w *world) once(t *testing.T, what string, jobs ...*Job) {
	t.Helper()
	want := make(map[index.Term]int)
	records := make(map[index.Term]map[[16]byte]bool)
	for _, j := range jobs {
		for i := range j.Records {
			e := j.Entries[4*i].Posting.Record
			for _, term := range []index.Term{index.WordTerm("all"), index.WordTerm("some"),
				index.WordTerm(fmt.Sprint("own", e[0], "-", e[1])), index.WordTerm(fmt.Sprint("more", e[0], "-", e[1]))} {
				want[term]++
				if records[term] == nil {
					records[term] = make(map[[16]byte]bool)
				}
				records[term][e] = true
			}
		}
	}
	s := (&index.Searcher{Store: w, MSPs: []string{"HospitalA"}}).Session([]index.ScopeKey{testKey})
	for term, n := range want {
		hits, err := s.All(t.Context(), []index.Term{term})
		if err != nil {
			t.Fatal(err)
		}
		sizes, err := s.Peek(t.Context(), []index.Term{term}) // of the entries that All has read
		if err != nil {
			t.Fatal(err)
		}
		if sizes[0].AtLeast != n {
			t.Errorf("%s: %d postings of %q, want %d", what, sizes[0].AtLeast, term, n)
		}
		for _, h := range hits[0] {
			delete(records[term], h.Record)
		}
		if len(records[term]) > 0 {
			t.Errorf("%s: %d records are not found by %q", what, len(records[term]), term)
		}
	}
	for _, p := range s.Problems() {
		t.Errorf("%s: %v", what, p)
	}
}

// dying counts down the writes of a medium and crashes at one: before it, in the middle
// of it, or after it.
type dying struct {
	medium
	left int
	how  string
}

func (d *dying) append(b []byte) error {
	switch d.left--; {
	case d.left > 0:
		return d.medium.append(b)
	case d.left < 0 || d.how == "before":
		return errCrash
	case d.how == "torn":
		d.medium.append(b[:len(b)*2/3])
		return errCrash
	}
	d.medium.append(b)
	return errCrash
}

func (d *dying) replace(b []byte) error {
	switch d.left--; {
	case d.left > 0:
		return d.medium.replace(b)
	case d.left < 0 || d.how != "after":
		return errCrash
	}
	d.medium.replace(b)
	return errCrash
}
