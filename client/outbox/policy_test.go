package outbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client/index"
)

// registeredJobs returns the state of a box with registered jobs, each with a number of
// records, each with a number of terms.
func registeredJobs(created time.Time, jobs, records, terms int) *state {
	s := &state{jobs: make(map[ID]*jobState)}
	for i := range jobs {
		j := &jobState{Job: Job{ID: NewID(), Created: created, Records: make([]Record, records)}, serial: i, registered: true}
		for r := range records {
			for range terms {
				j.Entries = append(j.Entries, index.Pending{Posting: index.Posting{Record: [16]byte{byte(i), byte(r)}}})
			}
		}
		s.jobs[j.ID] = j
	}
	return s
}

// TestFewDummies: of many waiting records, as many are written as fill transactions. The
// rest is written with later ones.
func TestFewDummies(t *testing.T) {
	now := time.Now()
	for _, c := range []struct{ records, terms, want int }{
		{7, 100, 0},   // too few
		{8, 16, 8},    // as few as may be
		{20, 16, 16},  // 256 entries
		{40, 16, 32},  // 512
		{70, 16, 64},  // 1024
		{30, 20, 25},  // 500 of 512
		{9, 300, 9},   // 2700 of 2816 (two of 1024, one of 512 and one of 256)
		{100, 1, 100}, // less than one transaction
	} {
		s := registeredJobs(now, c.records, 1, c.terms)
		f := Flush{Now: now}.withDefaults()
		due := s.due(f)
		if len(due) != c.want {
			t.Errorf("of %d records with %d terms, %d are due, want %d", c.records, c.terms, len(due), c.want)
		}
		for id := range due { // the oldest
			if s.jobs[id].serial >= c.want {
				t.Errorf("record %d is due before %d", s.jobs[id].serial, c.want)
			}
		}
		f.Now = now.Add(f.Policy.Age)
		if n := len(s.due(f)); n != c.records {
			t.Errorf("%d are due after %v, want all %d", n, f.Policy.Age, c.records)
		}
		f.Now, f.All = now, true
		if n := len(s.due(f)); n != c.records {
			t.Errorf("%d are due when all are to be written, want %d", n, c.records)
		}
	}
}

// TestIdle: a box knows whether a flush has something to do.
func TestIdle(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	b := open(t, dir)
	now := time.Now()
	idle := func(b *Box, want bool, when string) {
		t.Helper()
		if got := b.Idle(Flush{Now: now}); got != want {
			t.Errorf("%s: idle is %v", when, got)
		}
	}
	idle(b, false, "before the log was read")
	var jobs []*Job
	for n := range DefaultRecords {
		j := job(t, n, 1)
		if err := b.Prepare(j); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
		idle(b, true, "while records are being registered")
	}
	for n, j := range jobs {
		w.register(j)
		if err := b.Registered(j.ID); err != nil {
			t.Fatal(err)
		}
		idle(b, n < DefaultRecords-1, fmt.Sprint("with ", n+1, " records registered"))
	}
	if _, err := b.Flush(t.Context(), w.flush()); err != nil {
		t.Fatal(err)
	}
	idle(b, true, "after a flush")
	late := job(t, 100, 1)
	if err := b.Prepare(late); err != nil {
		t.Fatal(err)
	}
	b.Unknown(late.ID)
	idle(b, false, "with a record whose registration nobody knows")
	if err := b.Registered(late.ID); err != nil {
		t.Fatal(err)
	}
	idle(b, true, "with one record")
	now = now.Add(DefaultAge + time.Minute)
	idle(b, false, "with one that has waited long")
}

// TestWholeRecords: of a job of many records, as many are written as fill transactions,
// none in part. The rest is written later.
func TestWholeRecords(t *testing.T) {
	now := time.Now()
	s := registeredJobs(now, 2, 30, 12)
	f := Flush{Now: now}.withDefaults()
	jobs := s.ordered()
	if due := s.due(f); due[jobs[0].ID] != 360 || due[jobs[1].ID] != 12*12 { // 504 of 512
		t.Fatalf("%v are due", due)
	}
	batch := NewID()
	jobs[0].written, jobs[1].sent = make(map[int]bool), make(map[int]ID)
	for n := range 360 {
		jobs[0].written[n] = true
	}
	for n := range 12 * 12 {
		jobs[1].sent[n] = batch
	}
	if due := s.due(f); len(due) != 1 || due[jobs[1].ID] != 360 { // 216 of 256
		t.Errorf("then %v are due", due)
	}
	for n := 12 * 12; n < 353; n++ {
		jobs[1].sent[n] = batch
	}
	if due := s.due(f); len(due) != 0 {
		t.Errorf("of one record, in part sent, %v are due", due)
	}
	f.All = true
	if due := s.due(f); due[jobs[1].ID] != 360 {
		t.Errorf("when all are to be written, %v are due", due)
	}
}

// TestSizes: large transactions need no more dummies than those of the default size, and
// so reveal no more.
func TestSizes(t *testing.T) {
	p := Policy{}.withDefaults()
	for n := 1; n <= 3*index.MaxBatch; n++ {
		total, transactions := 0, 0
		for left := n; left > 0; transactions++ {
			size := p.size(left)
			if index.Bucket(size) != size {
				t.Fatalf("a transaction of %d entries", size)
			}
			total += size
			left -= size
		}
		if want := (n + DefaultSize - 1) / DefaultSize * DefaultSize; total != want || transactions > n/index.MaxBatch+3 {
			t.Fatalf("%d entries in %d transactions of %d together, want %d", n, transactions, total, want)
		}
	}
	if p.Size = 64; p.size(1000) != 64 || p.size(1) != 64 {
		t.Error("a size that was asked for is not kept to")
	}
}

// TestMoreToCome: while more entries are coming, only full transactions are written,
// until the oldest entries have waited for a while.
func TestMoreToCome(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		records int // of 12 terms
		after   time.Duration
		want    int // entries
	}{
		{50, 0, 0},
		{85, 0, 0},       // 1020
		{86, 0, 85 * 12}, // 1032
		{100, 0, 85 * 12},
		{256, 0, 256 * 12}, // 3072, three full ones
		{50, DefaultPace - time.Second, 0},
		{50, DefaultPace, 42 * 12}, // 504 of 512
		{7, DefaultPace, 0},        // too few to hide each other
		{7, DefaultAge, 7 * 12},
	} {
		s := registeredJobs(now, c.records, 1, 12)
		entries := 0
		for _, n := range s.due(Flush{More: true, Now: now.Add(c.after)}.withDefaults()) {
			entries += n
		}
		if entries != c.want {
			t.Errorf("%d records after %v: %d entries are due, want %d", c.records, c.after, entries, c.want)
		}
		if due := s.due(Flush{More: true, All: true, Now: now}.withDefaults()); len(due) != c.records {
			t.Errorf("%d records: %d are due when all are to be written", c.records, len(due))
		}
	}
}

// TestReportOfParts: when several flushes write the records of a job, each counts its
// own.
func TestReportOfParts(t *testing.T) {
	w, b := newWorld(), Memory()
	f := w.flush()
	j := job(t, 1, 70) // of 4 entries each, of which 64 records fill a transaction
	w.registered(t, b, j)
	first, err := b.Flush(t.Context(), f)
	if err != nil || first.Entries != 4*first.Records || first.Records == 0 || first.Records == 70 {
		t.Errorf("first %+v, %v", first, err)
	}
	f.All = true
	rest, err := b.Flush(t.Context(), f)
	if err != nil || rest.Entries != 4*rest.Records || first.Records+rest.Records != 70 {
		t.Errorf("first %+v, then %+v, %v", first, rest, err)
	}
}
