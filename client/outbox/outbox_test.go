package outbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client/index"
)

// TestPolicy: entries wait for those of enough records, or until the oldest has waited
// long enough. Transactions have fixed sizes.
func TestPolicy(t *testing.T) {
	w, b := newWorld(), Memory()
	f := w.flush()
	flush := func(after time.Duration) Report {
		t.Helper()
		f.Now = time.Now().Add(after)
		report, err := b.Flush(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	put := func(n, records int) {
		t.Helper()
		j := job(t, n, records)
		w.registered(t, b, j)
	}
	put(1, 4)
	put(2, 3)
	if r := flush(0); r.Entries != 0 {
		t.Errorf("7 records did not wait: %+v", r)
	}
	put(3, 1)
	if r := flush(0); r.Entries != 8*4 || r.Records != 8 || r.Transactions != 1 || r.Entries+r.Dummies != DefaultSize {
		t.Errorf("8 records: %+v", r)
	}
	put(4, 1)
	if r := flush(DefaultAge - time.Minute); r.Entries != 0 {
		t.Errorf("one record did not wait: %+v", r)
	}
	if r := flush(DefaultAge); r.Entries != 4 || r.Entries+r.Dummies != DefaultSize {
		t.Errorf("one record that waited long: %+v", r)
	}
	put(5, 1)
	f.All = true
	if r := flush(0); r.Entries != 4 {
		t.Errorf("all: %+v", r)
	}
	put(6, 60)
	put(7, 60)
	if r := flush(0); r.Entries != 480 || r.Transactions != 1 || r.Dummies != 2*DefaultSize-480 {
		t.Errorf("120 records: %+v", r)
	}
	if len(w.entries)%DefaultSize != 0 {
		t.Errorf("%d entries on the ledger", len(w.entries))
	}
}

// TestOneFlushAtATime: a flush that does not wait leaves the work to a running one.
func TestOneFlushAtATime(t *testing.T) {
	for name, boxes := range map[string]func(t *testing.T) (*Box, *Box){
		"memory": func(*testing.T) (*Box, *Box) { b := Memory(); return b, b },
		"disk": func(t *testing.T) (*Box, *Box) {
			dir := t.TempDir()
			return open(t, dir), open(t, dir)
		},
	} {
		first, second := boxes(t)
		done, err := first.medium.flushing(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		f := newWorld().flush()
		f.Wait = false
		if r, err := second.Flush(t.Context(), f); err != nil || !r.Busy {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		f.Wait = true
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		if _, err := second.Flush(ctx, f); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		done()
		if r, err := second.Flush(t.Context(), f); err != nil || r.Busy {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestNothingReadable: the file holds no keyword, and only its owner may read it.
func TestNothingReadable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	b := open(t, dir)
	j := &Job{Records: []Record{{ID: "00", Version: 1}}}
	var err error
	if j.Entries, err = testKey.Pend([]index.Item{{Term: index.WordTerm("Quetzalcoatlus"), Posting: index.Posting{
		Version: 1, Op: index.Add, First: index.NoDay, Last: index.NoDay}}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Prepare(j); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	key := testKey.Key(index.WordTerm("Quetzalcoatlus"))
	if !bytes.Contains(log, key[:]) {
		t.Error("the entry is not in the file: the test looks in the wrong place")
	}
	for _, secret := range [][]byte{[]byte("uetzalcoatlus"), testKey[:]} {
		if bytes.Contains(bytes.ToLower(log), secret) {
			t.Errorf("the file holds %q", secret)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, entryOf(t, dir)) {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func entryOf(t *testing.T, dir string) os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return all[slices.IndexFunc(all, func(e os.DirEntry) bool { return e.Name() == filepath.Base(dir) })]
}

// TestDamaged: a log with a flipped byte, in a length too, is set aside. The next record
// is sealed all the same, also by a process that had read the log before.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	for n := range 3 {
		if err := b.Prepare(job(t, n, 1)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "log")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := len(log) - (len(log)-headerSize)/3 // a damaged last frame looks like one that a crash tore
	step := 5
	if testing.Short() {
		step = 35
	}
	for at := 0; at < last; at += step {
		if bytes.HasPrefix([]byte(magic), log[:at]) && at >= len(magicKind) && at < len(magic) || at >= len(magic) && at < headerSize {
			continue // another format; another generation
		}
		bad := slices.Clone(log)
		bad[at] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		other := open(t, dir)
		if at%2 == 0 {
			other = b
		}
		j := job(t, 9, 1)
		if err := errors.Join(other.Prepare(j), other.Registered(j.ID)); err != nil {
			t.Fatalf("byte %d of %d: %v", at, len(log), err)
		}
		status, err := open(t, dir).Status()
		if err != nil || status.Records != 1 || status.Pending != 0 {
			t.Fatalf("byte %d of %d: %+v, %v", at, len(log), status, err)
		}
		aside, err := b.Damaged()
		if err != nil || len(aside) != 1 {
			t.Fatalf("byte %d of %d: set aside %v, %v", at, len(log), aside, err)
		}
		if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, bad) {
			t.Fatalf("byte %d of %d: the damaged log is not kept: %v", at, len(log), err)
		}
		if err := b.Rebuilt(aside); err != nil {
			t.Fatal(err)
		}
		if aside, err := open(t, dir).Damaged(); err != nil || len(aside) != 0 {
			t.Fatalf("rebuilt, and still set aside: %v, %v", aside, err)
		}
	}
	for cut := 0; cut < len(log); cut += step { // a crash in the last write
		if err := os.WriteFile(path, log[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		status, err := open(t, dir).Status()
		if err != nil || status.Pending > 2 {
			t.Fatalf("cut at %d of %d: %+v, %v", cut, len(log), status, err)
		}
	}
}

// TestCompact: the log does not grow for ever. Rewriting it keeps the waiting entries,
// also for another process that had read the old one.
func TestCompact(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	b, other := open(t, dir), open(t, dir)
	waiting := job(t, 250, 1)
	if err := b.Prepare(waiting); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Status(); err != nil {
		t.Fatal(err)
	}
	var largest int64
	jobs := []*Job{waiting}
	for n := range 60 {
		j := job(t, n, 8)
		if err := seal(t.Context(), b, w, j, false); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
		info, err := os.Stat(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > 128<<10 {
		t.Errorf("the log grew to %d bytes", largest)
	}
	w.register(waiting)
	f := w.flush()
	f.All = true
	if r, err := other.Flush(t.Context(), f); err != nil || r.Records != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	w.once(t, "compacted", jobs...)
}

// TestOtherFormat: a log that another version wrote is not called damaged.
func TestOtherFormat(t *testing.T) {
	head := append([]byte(magic), make([]byte, 16)...)
	head[len(magicKind)] = '1'
	if _, err := parseHeader(head); err == nil || strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), `format "1"`) {
		t.Errorf("got %v", err)
	}
	head[0] = 'C'
	if _, err := parseHeader(head); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

// FuzzLog reads damaged logs.
func FuzzLog(f *testing.F) {
	j := &Job{ID: NewID(), Records: []Record{{ID: "x"}}, Entries: []index.Pending{{Posting: index.Posting{
		Version: 1, Op: index.Add, First: index.NoDay, Last: index.NoDay, Written: time.Unix(1, 0)}}}}
	frame, err := prepareFrame(j)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(frame, idFrames(frameRegistered, []ID{j.ID})...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newState()
		if _, err := s.read(b); err != nil {
			return
		}
		again, err := s.frames()
		if err != nil {
			t.Fatal(err)
		}
		copied := newState()
		if torn, err := copied.read(again); err != nil || torn || len(copied.jobs) != len(s.jobs) {
			t.Errorf("%d jobs became %d, %v, %v", len(s.jobs), len(copied.jobs), torn, err)
		}
	})
}
