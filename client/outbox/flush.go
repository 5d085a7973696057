package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// A Flush asks to write the entries that are due: those of transactions whose outcome is
// unknown, those of registered jobs with Now set, and others as the Policy decides.
type Flush struct {
	Writer  *index.Writer
	Records func(ctx context.Context, ids []string) ([]ledger.Record, error) // as client.Ledger has it

	Policy Policy
	All    bool // write every registered job, however little waits
	More   bool // more entries are coming: wait for a full transaction, at most for the Policy's Pace
	Job    *ID  // also write this job, which is being registered at the same time
	Wait   bool // wait for another flush that is running; otherwise leave the work to that one
	Now    time.Time
}

// A Report counts what a flush did.
type Report struct {
	index.Report
	Records int  // registered records whose last entries were written
	Dropped int  // records that were never registered
	Busy    bool // another flush is running, so this one did nothing
}

// parallel bounds the transactions that are sent at once. A term has more chains than
// that.
const parallel = 4

// Flush writes the entries that are due. Entries that could not be written stay in the
// box.
//
// Errors:
//   - ledger.ErrInvalid if the log is of another version, or was damaged meanwhile.
//   - the errors of the Flush's Writer and Records, joined, as they are.
//   - the error of ctx, once it has ended.
//   - errors of the file system.
func (b *Box) Flush(ctx context.Context, f Flush) (Report, error) {
	var report Report
	done, err := b.medium.flushing(ctx, f.Wait)
	if err != nil {
		return report, err
	}
	if done == nil {
		report.Busy = true
		return report, nil
	}
	defer done()
	f = f.withDefaults()
	if report.Dropped, err = b.resolve(ctx, f); err != nil {
		return report, err
	}
	w, err := b.plan(f)
	if err != nil || len(w.batches) == 0 {
		return report, err
	}
	err = b.send(ctx, f, w, &report)
	return report, errors.Join(err, b.locked(func(s *state) error {
		for id, waited := range w.jobs {
			switch j := s.jobs[id]; {
			case j == nil:
				report.Records += waited
			case j.registered:
				report.Records += waited - j.unwritten()
			}
		}
		return nil
	}), b.compact())
}

// Idle reports whether Flush would have nothing to do, by this process's knowledge of the
// box. Other processes flush what they have added.
func (b *Box) Idle(f Flush) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == nil || len(b.state.batches) > 0 {
		return false
	}
	for _, j := range b.state.jobs {
		unknown := !j.registered && !b.registering[j.ID]
		if !j.dropped && (unknown || j.registered && j.Now) {
			return false
		}
	}
	return len(b.state.due(f.withDefaults())) == 0
}

func (f Flush) withDefaults() Flush {
	f.Policy = f.Policy.withDefaults()
	if f.Now.IsZero() {
		f.Now = time.Now()
	}
	return f
}

// resolve asks the ledger for the outcome of jobs whose registration is unknown.
func (b *Box) resolve(ctx context.Context, f Flush) (dropped int, err error) {
	jobs, err := b.unregistered()
	if err != nil {
		return 0, err
	}
	jobs = slices.DeleteFunc(jobs, func(j Job) bool { return f.Job != nil && j.ID == *f.Job || len(j.Records) == 0 })
	if len(jobs) == 0 {
		return 0, nil
	}
	ids := make([]string, len(jobs))
	for i, j := range jobs { // one transaction registers all records of a job, so the first one tells
		ids[i] = j.Records[0].ID
	}
	found, err := f.Records(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return 0, err
	}
	records := make(map[string]ledger.Record)
	for _, r := range found {
		if r.Earlier > 0 { // alone it has all of them
			whole, err := f.Records(ctx, []string{r.ID})
			if err != nil {
				return 0, err
			}
			if len(whole) != 1 || whole[0].Earlier > 0 {
				return 0, ledger.Errorf(ledger.ErrUnavailable, "the peer does not give all versions of record %s", r.ID)
			}
			r = whole[0]
		}
		records[r.ID] = r
	}
	var registered, dead []ID
	for _, j := range jobs {
		switch stands, over := j.Records[0].stands(records[j.Records[0].ID]); {
		case stands:
			registered = append(registered, j.ID)
		case over, f.Now.Sub(j.Created) > Settle:
			dead = append(dead, j.ID)
			dropped += len(j.Records)
		}
	}
	return dropped, b.append(append(idFrames(frameRegistered, registered), idFrames(frameDropped, dead)...))
}

// work is everything that one flush writes.
type work struct {
	batches []*batch
	entries map[ref]index.Pending
	jobs    map[ID]int // records with unwritten entries before the flush, by job
}

// plan returns the transactions to send: those that were sent before, and new ones of the
// entries that are due.
func (b *Box) plan(f Flush) (*work, error) {
	w := &work{entries: make(map[ref]index.Pending), jobs: make(map[ID]int)}
	return w, b.locked(func(s *state) error {
		for _, t := range s.batches {
			again := &batch{id: t.id, refs: slices.Clone(t.refs), places: slices.Clone(t.places)}
			for _, r := range again.refs {
				w.take(s.jobs[r.job], r.n)
			}
			w.batches = append(w.batches, again)
		}
		due := s.due(f)
		var now, waiting []ref
		for _, j := range s.ordered() {
			mine := f.Job != nil && j.ID == *f.Job
			end := len(j.Entries)
			switch {
			case j.dropped:
				continue
			case mine || j.registered && j.Now:
			default:
				end = due[j.ID]
			}
			for n := range end {
				if !j.waits(n) {
					continue
				}
				w.take(j, n)
				if mine || j.Now {
					now = append(now, ref{j.ID, n})
				} else {
					waiting = append(waiting, ref{j.ID, n})
				}
			}
		}
		w.cut(now, index.Bucket)
		w.cut(waiting, f.Policy.size)
		return nil
	})
}

func (w *work) take(j *jobState, n int) {
	w.entries[ref{j.ID, n}] = j.Entries[n]
	if _, known := w.jobs[j.ID]; !known {
		w.jobs[j.ID] = j.unwritten()
	}
}

// cut shuffles entries and divides them into transactions. Size returns the size of the
// next one, given the number of entries that are left.
func (w *work) cut(entries []ref, size func(left int) int) {
	random := newRandom()
	random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for len(entries) > 0 {
		n := size(len(entries))
		part := entries[:min(n, len(entries))]
		w.batches = append(w.batches, &batch{id: NewID(), refs: part, size: n})
		entries = entries[len(part):]
	}
}

// send writes transactions. It goes on after one that fails.
func (b *Box) send(ctx context.Context, f Flush, w *work, report *Report) error {
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, t := range w.batches {
		g.Go(func() error {
			wrote, err := b.sendOne(ctx, f, t, w.entries)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
			}
			report.Add(wrote)
			return nil
		})
	}
	g.Wait()
	return errors.Join(failed...)
}

func (b *Box) sendOne(ctx context.Context, f Flush, t *batch, entries map[ref]index.Pending) (index.Report, error) {
	if err := ctx.Err(); err != nil {
		return index.Report{}, err
	}
	tx := index.Transaction{Places: t.places, Size: t.size}
	if t.size == 0 {
		tx.Size = f.Policy.size(len(t.refs))
	}
	for _, r := range t.refs {
		tx.Items = append(tx.Items, entries[r])
	}
	tx.Journal = func(places []index.Place) error {
		t.places = places
		frame, err := t.frame()
		if err != nil {
			return err
		}
		return b.append(frame)
	}
	report, err := f.Writer.Write(ctx, tx)
	if err != nil {
		return report, err
	}
	return report, b.append(appendFrame(nil, frameWritten, t.id[:]))
}

// newRandom returns a generator for shuffles that an observer cannot predict.
func newRandom() *mathrand.Rand {
	var seed [32]byte
	rand.Read(seed[:])
	return mathrand.New(mathrand.NewChaCha8(seed))
}
