package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func items(n int) []Item {
	var out []Item
	for i := range n {
		out = append(out, Item{Term(fmt.Sprint("word:", i%50)), posting(i)})
	}
	return out
}

func count(t *testing.T, m *memory) int {
	t.Helper()
	s := &Searcher{Store: m.as("HospitalA"), MSPs: hospitals}
	session := s.Session([]ScopeKey{testKey})
	n := 0
	for i := range 50 {
		term := Term(fmt.Sprint("word:", i))
		if _, err := session.All(t.Context(), []Term{term}); err != nil {
			t.Fatal(err)
		}
		for _, c := range session.readings[term].readers {
			n += len(c.postings)
		}
	}
	return n
}

// The transaction is committed and its answer lost: the writer finds out and writes
// nothing twice.
func TestLostAnswer(t *testing.T) {
	for _, lost := range []error{ledger.ErrUnavailable, ErrExists, context.DeadlineExceeded} {
		m := newMemory()
		m.afterCommit = func() error { return lost }
		w := &Writer{Store: m.as("HospitalA"), MSP: "HospitalA"}
		report, err := w.Put(t.Context(), testKey, items(120))
		if err != nil || report.Entries != 120 || report.Transactions != 1 {
			t.Errorf("%v: %v, %+v", lost, err, report)
		}
		if n := count(t, m); n != 120 {
			t.Errorf("%v: %d postings, want 120", lost, n)
		}
	}
}

// failing puts fail before anything is committed, from the n-th on.
type failing struct {
	Store
	n   int
	err error
}

func (f *failing) PutEntries(ctx context.Context, e []Entry) error {
	if f.n--; f.n < 0 {
		return f.err
	}
	return f.Store.PutEntries(ctx, e)
}

// When a later transaction of a call fails, the error lists exactly what is not written,
// and putting that again completes it.
func TestHalfFailedPutNamesWhatIsPending(t *testing.T) {
	m := newMemory()
	w := &Writer{Store: &failing{m.as("HospitalA"), 2, ledger.ErrUnavailable}, MSP: "HospitalA"}
	report, err := w.Put(t.Context(), testKey, items(2500))
	var failed *PutError
	if !errors.As(err, &failed) || !errors.Is(err, ledger.ErrUnavailable) {
		t.Fatalf("error %v", err)
	}
	if len(failed.Pending) != 2500-2*MaxBatch || report.Entries != 2*MaxBatch {
		t.Errorf("%d pending, %d written", len(failed.Pending), report.Entries)
	}
	w.Store = m.as("HospitalA")
	if _, err := w.Put(t.Context(), testKey, failed.Pending); err != nil {
		t.Fatal(err)
	}
	if n := count(t, m); n != 2500 {
		t.Errorf("%d postings, want 2500", n)
	}
}

// Endorsers that refuse for ever end in an error, not in a loop; so does a context.
func TestAttemptsAreBounded(t *testing.T) {
	m := newMemory()
	w := &Writer{Store: &failing{m.as("HospitalA"), 0, ErrExists}, MSP: "HospitalA", Attempts: 5, Backoff: time.Microsecond}
	report, err := w.Put(t.Context(), testKey, items(10))
	if !errors.Is(err, ErrExists) || report.Collisions != 4 {
		t.Errorf("%v after %d collisions", err, report.Collisions)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	w.Attempts, w.Backoff = 1000, time.Second
	start := time.Now()
	if _, err := w.Put(ctx, testKey, items(10)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if len(w.busy) != 0 {
		t.Errorf("%d chains still marked", len(w.busy))
	}
}

func TestInvalidItemsAreRefusedWhole(t *testing.T) {
	good := posting(1)
	bad := map[string]Item{
		"no term":    {"", good},
		"no version": {"word:x", func() Posting { p := good; p.Version = 0; return p }()},
		"no op":      {"word:x", func() Posting { p := good; p.Op = 0; return p }()},
		"kind":       {"word:x", func() Posting { p := good; p.Kind = "a\x00b"; return p }()},
		"days":       {"word:x", func() Posting { p := good; p.First = 3; return p }()},
		"order":      {"word:x", func() Posting { p := good; p.First, p.Last = 3, 2; return p }()},
		"time":       {"word:x", func() Posting { p := good; p.Written = time.Unix(-1, 0); return p }()},
	}
	for name, item := range bad {
		m := newMemory()
		w := &Writer{Store: m.as("HospitalA"), MSP: "HospitalA"}
		if _, err := w.Put(t.Context(), testKey, []Item{{"word:y", good}, item}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if len(m.puts) > 0 {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestPutOfNothing(t *testing.T) {
	m := newMemory()
	w := &Writer{Store: m.as("HospitalA"), MSP: "HospitalA"}
	if report, err := w.Put(t.Context(), testKey, nil); err != nil || report != (Report{}) || len(m.gets) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// attempts are all transactions that were sent, committed or not.
type attempts struct {
	Store
	sent [][]Entry
}

func (a *attempts) PutEntries(ctx context.Context, e []Entry) error {
	a.sent = append(a.sent, append([]Entry(nil), e...))
	return a.Store.PutEntries(ctx, e)
}

// A transaction that collided is in a block for all to see, and so is the next attempt.
// They differ in the run that had to move, and in nothing else: dummies that changed
// would tell which entries are none.
func TestAttemptsDifferOnlyInWhatMoved(t *testing.T) {
	m := newMemory()
	writer := func(store Store) *Writer { // all at the same slot
		return &Writer{Store: store, MSP: "HospitalA", busy: make(map[HintID]bool)}
	}
	var other sync.Once
	m.beforeCommit = func(string) {
		other.Do(func() {
			m.beforeCommit = nil
			if _, err := writer(m.as("HospitalA")).Put(t.Context(), testKey, []Item{{"word:0", posting(999)}}); err != nil {
				t.Error(err)
			}
		})
	}
	all := &attempts{Store: m.as("HospitalA")}
	report, err := writer(all).Put(t.Context(), testKey, items(40))
	if err != nil || report.Collisions != 1 || len(all.sent) != 2 {
		t.Fatalf("%v, %+v, %d attempts", err, report, len(all.sent))
	}
	kept := 0
	for _, e := range all.sent[1] {
		if slices.Contains(all.sent[0], e) {
			kept++
		}
	}
	if len(all.sent[0]) != 64 || len(all.sent[1]) != 64 || kept != 63 {
		t.Errorf("of %d entries %d are among the %d of the next attempt, want 63 of 64", len(all.sent[0]), kept, len(all.sent[1]))
	}
}
