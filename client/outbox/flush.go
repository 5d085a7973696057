package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// The defaults of a [Policy].
const (
	DefaultRecords = 8
	DefaultAge     = 15 * time.Minute
	DefaultSize    = 256
	DefaultPace    = 5 * time.Second
)

// A Policy says when entries have waited long enough. The zero value is ready.
//
// Whole records are written, so that no record is found by some of its words and not by
// others: when enough wait, the entries of the oldest go, shuffled together, in
// transactions of a few fixed sizes, of which dummies fill the last. Of how many is
// chosen so that an entry costs the network least: there are few dummies, and few
// transactions.
type Policy struct {
	Records int           // entries of so many records hide each other; zero means DefaultRecords
	Age     time.Duration // or the oldest has waited so long; zero means DefaultAge
	Size    int           // entries of a transaction; zero means DefaultSize, or twice or four times that where it takes no more dummies
	Pace    time.Duration // how long entries wait for a full transaction while more are coming; zero means DefaultPace
}

func (p Policy) withDefaults() Policy {
	if p.Records <= 0 {
		p.Records = DefaultRecords
	}
	if p.Age <= 0 {
		p.Age = DefaultAge
	}
	if p.Pace <= 0 {
		p.Pace = DefaultPace
	}
	return p
}

// size is that of the next transaction when n entries are left. An entry costs the peers
// less in a larger one; how many entries there are altogether shows the number of real
// ones as if all transactions were of DefaultSize.
func (p Policy) size(n int) int {
	size := p.full()
	for p.Size <= 0 && size > DefaultSize && n <= size-DefaultSize {
		size /= 2
	}
	return size
}

// full is the size of the largest transactions.
func (p Policy) full() int {
	if p.Size > 0 {
		return min(p.Size, index.MaxBatch)
	}
	return index.MaxBatch
}

// A Flush asks to write what is due: whatever was sent and has no known outcome, the
// entries of registered Now jobs, and the others when the Policy says so.
type Flush struct {
	Writer  *index.Writer
	Records func(ctx context.Context, ids []string) ([]ledger.Record, error) // as client.Ledger has it

	Policy Policy
	All    bool // everything that is registered, however little
	More   bool // more entries are about to come: what is due waits for a full transaction, at most for the Policy's Pace
	Job    *ID  // also this job, registered or not: its records are being registered at the same time
	Wait   bool // when another flush is on its way wait for it; otherwise leave it all to that one
	Now    time.Time
}

// A Report says what a flush did.
type Report struct {
	index.Report
	Records int  // registered with all their entries written now
	Dropped int  // records that never came on the ledger
	Busy    bool // another flush is on its way
}

// flights bounds the transactions that are sent at once: fewer than a term has chains.
const flights = 4

// Flush writes what is due. What could not be written stays in the box.
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
	if report.Dropped, err = b.clarify(ctx, f); err != nil {
		return report, err
	}
	w, err := b.compose(f)
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
				report.Records += waited - j.waiting()
			}
		}
		return nil
	}), b.compact())
}

// Idle tells that a flush of what is due would do nothing, by what this process knows of
// the box. What other processes have added is theirs to flush.
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

// clarify asks the ledger what became of the jobs whose registration was not heard of.
func (b *Box) clarify(ctx context.Context, f Flush) (dropped int, err error) {
	jobs, err := b.unregistered()
	if err != nil {
		return 0, err
	}
	jobs = slices.DeleteFunc(jobs, func(j Job) bool { return f.Job != nil && j.ID == *f.Job || len(j.Records) == 0 })
	if len(jobs) == 0 {
		return 0, nil
	}
	ids := make([]string, len(jobs))
	for i, j := range jobs { // one transaction registers all records of a job: the first speaks for all
		ids[i] = j.Records[0].ID
	}
	found, err := f.Records(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return 0, err
	}
	versions := make(map[string][]ledger.RecordVersion)
	for _, r := range found {
		versions[r.ID] = r.Versions
	}
	var registered, dead []ID
	for _, j := range jobs {
		want := j.Records[0]
		i := slices.IndexFunc(versions[want.ID], func(v ledger.RecordVersion) bool { return v.Version == want.Version })
		switch {
		case i >= 0 && versions[want.ID][i].CID == want.CID && versions[want.ID][i].Commitment == want.Commitment:
			registered = append(registered, j.ID)
		case i >= 0, f.Now.Sub(j.Created) > Settle:
			dead = append(dead, j.ID)
			dropped += len(j.Records)
		}
	}
	return dropped, b.append(append(idFrames(frameRegistered, registered), idFrames(frameDropped, dead)...))
}

// work is what one flush writes.
type work struct {
	batches []*batch
	entries map[ref]index.Pending
	jobs    map[ID]int // of the jobs that it touches: how many records had entries that were not written
}

// compose gives the transactions to send: those that were sent before, and new ones out
// of what is due.
func (b *Box) compose(f Flush) (*work, error) {
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
		w.jobs[j.ID] = j.waiting()
	}
}

// due gives how many entries, the first ones, of which jobs have waited for company
// enough: all when the oldest has waited too long; and when there are enough records,
// those of as many records, the oldest first, as cost the least for each. The others have
// company the next time.
func (s *state) due(f Flush) map[ID]int {
	due := make(map[ID]int)
	all := f.All
	var shares []share
	entries := 0
	oldest := f.Now
	for _, j := range s.ordered() {
		if !j.registered || j.Now || j.dropped {
			continue
		}
		all = all || f.Now.Sub(j.Created) >= f.Policy.Age
		for _, r := range j.shares() {
			shares = append(shares, r)
			entries += r.left
		}
		if j.Created.Before(oldest) {
			oldest = j.Created
		}
	}
	if f.More && !all && entries < f.Policy.full() && f.Now.Sub(oldest) < f.Policy.Pace {
		return due
	}
	best, least := 0, math.Inf(1)
	entries = 0
	for i, r := range shares {
		entries += r.left
		if i+1 < f.Policy.Records {
			continue
		}
		if cost := f.Policy.cost(entries) / float64(entries); cost <= least {
			best, least = i+1, cost
		}
	}
	if all {
		best = len(shares)
	}
	for _, r := range shares[:best] {
		due[r.job] = r.end
	}
	return due
}

// cost is that of writing n entries, where that of an entry, or a dummy, is one.
func (p Policy) cost(n int) float64 {
	const transaction = 64 // signatures, a proposal to several peers, consensus
	total := 0
	for n > 0 {
		size := p.size(n)
		total += size + transaction
		n -= size
	}
	return float64(total)
}

// cut makes transactions of entries in random order. Size gives that of the next one when
// so many are left.
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

// send writes transactions. One that fails does not keep the others from being written.
func (b *Box) send(ctx context.Context, f Flush, w *work, report *Report) error {
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group
	g.SetLimit(flights)
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

// newRandom is a generator for shuffles, which an observer must not predict.
func newRandom() *mathrand.Rand {
	var seed [32]byte
	rand.Read(seed[:])
	return mathrand.New(mathrand.NewChaCha8(seed))
}
