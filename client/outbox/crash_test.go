package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// seal uses a box like a client: it prepares, registers, notes and flushes, up to the
// first error.
func seal(ctx context.Context, b *Box, w *world, j *Job, now bool) error {
	j.Now = now
	if err := b.Prepare(j); err != nil {
		return err
	}
	w.register(j)
	if err := b.Registered(j.ID); err != nil {
		return err
	}
	_, err := b.Flush(ctx, w.flush())
	return err
}

// TestCrashAtEveryWrite crashes at every write to the disk, before it, in the middle of
// it, and after it. Then another process takes over: every record on the ledger is in the
// index exactly once.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, now := range []bool{true, false} {
		for _, how := range []string{"before", "torn", "after"} {
			for at := 1; ; at++ {
				what := fmt.Sprintf("now %v, %s write %d", now, how, at)
				w, dir := newWorld(), t.TempDir()
				healthy, err := openDirectory(dir)
				if err != nil {
					t.Fatal(err)
				}
				fatal := &dying{medium: healthy, left: at, how: how}
				b := &Box{medium: fatal}
				var sealed []*Job
				var crashed error
				for n := range 3 {
					j := job(t, n, 4)
					crashed = seal(t.Context(), b, w, j, now)
					if _, on := w.records[j.Records[0].ID]; on {
						sealed = append(sealed, j)
					}
					if crashed != nil {
						break
					}
				}
				takeOver(t, what, dir, w, sealed)
				if crashed == nil {
					if at < 8 {
						t.Errorf("only %d writes", at)
					}
					break
				}
			}
		}
	}
}

// TestCrashAroundTransactions does the same around the transactions.
func TestCrashAroundTransactions(t *testing.T) {
	for _, written := range []bool{true, false} {
		for _, err := range []error{errCrash, ledger.ErrUnavailable, context.DeadlineExceeded} {
			w, dir := newWorld(), t.TempDir()
			fail := func() error { return err }
			if written {
				w.afterPut = fail
			} else {
				w.beforePut = fail
			}
			b := open(t, dir)
			j := job(t, 1, 9)
			w.register(j)
			if err := errors.Join(b.Prepare(j), b.Registered(j.ID)); err != nil {
				t.Fatal(err)
			}
			_, got := b.Flush(t.Context(), w.flush())
			if written != (got == nil) { // reading back makes up for a lost answer
				t.Errorf("written %v: %v", written, got)
			}
			w.afterPut, w.beforePut = nil, nil
			takeOver(t, fmt.Sprint("written ", written), dir, w, []*Job{j})
		}
	}
}

// TestLateCommit: a transaction with an unknown outcome is committed just before the
// retry. No entry is there twice.
func TestLateCommit(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	b := open(t, dir)
	j := job(t, 1, 9)
	w.registered(t, b, j)
	late := &lateStore{world: w}
	f := w.flush()
	f.Writer.Store = late
	if _, err := b.Flush(t.Context(), f); err == nil {
		t.Fatal("the first attempt should have failed")
	}
	w.beforePut = func() error { // the retry finds its labels free, and then they are not
		w.beforePut = nil
		return w.PutEntries(t.Context(), late.kept)
	}
	takeOver(t, "late", dir, w, []*Job{j})
	if w.puts != 1 {
		t.Errorf("%d transactions", w.puts)
	}
}

// lateStore loses a transaction for a while.
type lateStore struct {
	*world
	kept []index.Entry
}

func (l *lateStore) PutEntries(_ context.Context, entries []index.Entry) error {
	l.kept = entries
	return ledger.ErrUnavailable
}

// TestTakenMeanwhile: while the outcome of a transaction is unknown, another client takes
// one of its places. Only the entries of that chain move.
func TestTakenMeanwhile(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	b := open(t, dir)
	j := job(t, 1, 9)
	w.registered(t, b, j)
	lost := &lateStore{world: w}
	f := w.flush()
	f.Writer.Store = lost
	if _, err := b.Flush(t.Context(), f); err == nil {
		t.Fatal("the first attempt should have failed")
	}
	first := make(map[index.Label]bool)
	for _, e := range lost.kept {
		first[e.Label] = true
	}
	other := job(t, 2, 1)
	for range 40 { // until it has met the same chains
		other.Entries[0].Posting.Version++
		if _, err := f2(w).Write(t.Context(), index.Transaction{Items: other.Entries[:2]}); err != nil {
			t.Fatal(err)
		}
	}
	takenOver := open(t, dir)
	if _, err := takenOver.Flush(t.Context(), w.flush()); err != nil {
		t.Fatal(err)
	}
	same := 0
	for l := range w.entries {
		if first[l] {
			same++
		}
	}
	if same < 2*9 || same > len(j.Entries) { // terms of these records alone keep their places
		t.Errorf("%d of %d entries are where they were first to go", same, len(j.Entries))
	}
	if _, err := takenOver.Flush(t.Context(), w.flush()); err != nil {
		t.Fatal(err)
	}
	s := (&index.Searcher{Store: w, MSPs: []string{"HospitalA"}}).Session([]index.ScopeKey{testKey})
	hits, err := s.All(t.Context(), []index.Term{index.WordTerm("all")})
	if err != nil || len(hits[0]) != 10 || len(s.Problems()) > 0 {
		t.Errorf("%d records found, %v, %v", len(hits[0]), s.Problems(), err)
	}
}

func f2(w *world) *index.Writer { return &index.Writer{Store: w, MSP: "HospitalA"} }

func open(t *testing.T, dir string) *Box {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// takeOver is the next process: it flushes the box and checks the outcome.
func takeOver(t *testing.T, what, dir string, w *world, sealed []*Job) {
	t.Helper()
	b := open(t, dir)
	f := w.flush()
	f.All = true
	if _, err := b.Flush(t.Context(), f); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	w.once(t, what, sealed...)
	status, err := b.Status()
	if err != nil || status.Records != 0 || status.Entries != 0 || status.Sent != 0 {
		t.Errorf("%s: the box still holds %+v, %v", what, status, err)
	}
	// Jobs that were never registered are dropped once that is certain.
	f.Now = time.Now().Add(Settle + time.Minute)
	if _, err := b.Flush(t.Context(), f); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if status, err := b.Status(); err != nil || status != (Status{}) {
		t.Errorf("%s: an hour later the box holds %+v, %v", what, status, err)
	}
}

// TestNeverRegistered: a record that is not on the ledger is dropped once that is certain
// and not before, and at once if another payload has its version.
func TestNeverRegistered(t *testing.T) {
	w, b := newWorld(), Memory()
	lost, rival := job(t, 1, 1), job(t, 2, 1)
	taken := *rival
	taken.Records = []Record{rival.Records[0]}
	taken.Records[0].CID = "another payload"
	w.register(&taken)
	if err := errors.Join(b.Prepare(lost), b.Prepare(rival)); err != nil {
		t.Fatal(err)
	}
	f := w.flush()
	f.All = true
	asked := 0
	records := f.Records
	f.Records = func(ctx context.Context, ids []string) ([]ledger.Record, error) {
		asked++
		return records(ctx, ids)
	}
	if r, err := b.Flush(t.Context(), f); err != nil || r.Dropped != 0 || asked != 0 {
		t.Errorf("%+v, %v, asked %d times about records that are being registered", r, err, asked)
	}
	b.Unknown(lost.ID, rival.ID)
	if report, err := b.Flush(t.Context(), f); err != nil || report.Dropped != 1 || report.Entries != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if status, _ := b.Status(); status.Pending != 1 {
		t.Errorf("%+v", status)
	}
	f.Now = time.Now().Add(Settle + time.Second)
	if report, err := b.Flush(t.Context(), f); err != nil || report.Dropped != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if len(w.entries) != 0 {
		t.Errorf("%d entries were written", len(w.entries))
	}
}

// TestSharedBox: several boxes of one directory, like those of several processes, seal
// and flush at once.
func TestSharedBox(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	const workers, each = 6, 5
	jobs := make([]*Job, workers*each)
	var wg sync.WaitGroup
	for k := range workers {
		b := open(t, dir)
		wg.Go(func() {
			for i := range each {
				n := k*each + i
				jobs[n] = job(t, n, 2)
				if err := seal(t.Context(), b, w, jobs[n], n%2 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	takeOver(t, "shared", dir, w, jobs)
}

// TestKilled kills real processes that seal without end. They run TestKilledHelper.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for n := range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledHelper$")
		cmd.Env = append(os.Environ(), "OUTBOX_DIRECTORY="+dir, fmt.Sprint("OUTBOX_ROUND=", n))
		if _, err := cmd.StdinPipe(); err != nil { // which tells the helper that we live
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if n%2 == 1 { // in the middle of its work; every other time at any moment, perhaps before its first write
			awaitFile(t, filepath.Join(dir, fmt.Sprintf("prepared-%d-%d", n, 3*n)))
		} else {
			time.Sleep(time.Duration(60+37*n) * time.Millisecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	b := open(t, filepath.Join(dir, "box"))
	w := newWorld()
	var jobs []*Job
	if err := b.locked(func(s *state) error {
		for _, j := range s.ordered() {
			copied := j.Job
			jobs = append(jobs, &copied)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(jobs) == 0 {
		t.Fatal("the helpers did nothing")
	}
	for _, j := range jobs {
		w.register(j)
	}
	takeOver(t, "killed", filepath.Join(dir, "box"), w, jobs)
	prepared, err := filepath.Glob(filepath.Join(dir, "prepared-*"))
	if err != nil || len(prepared) == 0 || len(prepared) > len(jobs) {
		t.Errorf("%d jobs were prepared and %d are in the box, %v", len(prepared), len(jobs), err)
	}
}

// awaitFile waits for a file that another process makes, as long as the test may run.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline, limited := t.Deadline()
	for ; ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if limited && time.Until(deadline) < time.Second {
			t.Fatalf("waited in vain for %s", filepath.Base(path))
		}
	}
}

func TestKilledHelper(t *testing.T) {
	dir := os.Getenv("OUTBOX_DIRECTORY")
	if dir == "" {
		t.Skip("TestKilled runs and kills this")
	}
	var round int
	fmt.Sscan(os.Getenv("OUTBOX_ROUND"), &round)
	b := open(t, filepath.Join(dir, "box"))
	for i := range 40 {
		j := job(t, round*40+i, 1)
		if err := b.Prepare(j); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("prepared-", round, "-", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	io.Copy(io.Discard, os.Stdin) // until we are killed, or TestKilled has ended
}
