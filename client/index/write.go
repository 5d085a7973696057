package index

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Buckets are the sizes that transactions are padded to.
var Buckets = []int{64, 128, 256, 512, 1024}

// MaxBatch is the largest bucket: what one transaction carries at most.
const MaxBatch = 1024

// Bucket returns the padded size for n entries, n up to [MaxBatch].
func Bucket(n int) int {
	for _, size := range Buckets {
		if n <= size {
			return size
		}
	}
	return MaxBatch
}

// An Item is one posting to write under one term.
type Item struct {
	Term    Term
	Posting Posting
}

// A Report counts what a write took.
type Report struct {
	Entries      int // real ones that are committed
	Dummies      int
	Transactions int // committed
	Collisions   int // transactions that met a label already taken and were made anew
	Reads        int // round trips to find the ends of chains
}

// A PutError says what is not known to be written. Items may be put again: a posting that
// is there twice counts once.
type PutError struct {
	Pending []Item
	Err     error
}

func (e *PutError) Error() string {
	return fmt.Sprintf("write the index: %d entries not written: %v", len(e.Pending), e.Err)
}

// Unwrap gives the reason.
func (e *PutError) Unwrap() error { return e.Err }

// A Writer adds postings to the index under one hospital's name. It is safe for
// concurrent use, and any number of writers, in any number of processes, may write the
// same terms at the same time.
type Writer struct {
	Store Store
	MSP   string // the caller's organisation
	Hints Hints  // may be nil

	// Attempts bounds how often one transaction is tried anew after a collision. Zero
	// means 12.
	Attempts int
	// Backoff is the mean wait after a collision. It doubles, up to 16 times that, while
	// the caller's own peer does not show what it collided with. Zero means 20 ms.
	Backoff time.Duration

	mu   sync.Mutex
	busy map[HintID]bool // chains that a transaction of this process is about to extend; nil before the first
	slot int             // of the chains that this writer extends, see choose
}

// Put writes the items and returns when they are committed. Items of many records in one
// call share transactions, in random order, which is what hides which belong together.
// Items that are there twice are written once. A posting whose Written is the zero time
// gets the current one.
//
// An error is a [*PutError] that lists what is not known to be written, or is
// [ErrInvalid] and nothing was.
func (w *Writer) Put(ctx context.Context, key ScopeKey, items []Item) (Report, error) {
	var report Report
	pending, err := normalItems(items)
	if err != nil {
		return report, err
	}
	random := newRandom()
	random.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	for len(pending) > 0 {
		n := min(len(pending), MaxBatch)
		if err := w.commit(ctx, Transaction{Items: key.pend(pending[:n])}, random, &report); err != nil {
			return report, &PutError{Pending: pending, Err: err}
		}
		pending = pending[n:]
	}
	return report, nil
}

// commit writes a transaction.
func (w *Writer) commit(ctx context.Context, t Transaction, random *mathrand.Rand, report *Report) error {
	runs := groupRuns(t.Items)
	if t.Places != nil {
		var err error
		if runs, err = resume(t, w.MSP); err != nil {
			return err
		}
		done, err := w.landed(ctx, runs, report)
		if err != nil {
			return err
		}
		if done {
			w.committed(runs, len(t.Items), random, report)
			return nil
		}
	}
	defer w.release(runs)
	attempts, backoff := w.Attempts, w.Backoff
	if attempts <= 0 {
		attempts = 12
	}
	if backoff <= 0 {
		backoff = 20 * time.Millisecond
	}
	var dummies []Entry
	for attempt := 0; ; attempt++ {
		if err := w.position(ctx, runs, random, report); err != nil {
			return err
		}
		entries, err := seal(runs, t.Size, &dummies, random)
		if err != nil {
			return err
		}
		if t.Journal != nil {
			if err := t.Journal(places(runs, len(t.Items))); err != nil {
				return err
			}
		}
		if putErr := w.Store.PutEntries(ctx, entries); putErr != nil {
			// Even now it may be committed: by this attempt, whose answer was lost, or by
			// an earlier one that came in late.
			landed, err := w.landed(ctx, runs, report)
			if err != nil || !landed && (!errors.Is(putErr, ErrExists) || attempt+1 >= attempts) {
				return errors.Join(putErr, err)
			}
			if !landed {
				report.Collisions++
				wait := backoff
				if !moved(runs) { // refused, though the place looks free: this peer is behind the endorsers
					wait <<= min(attempt, 4)
					dummies = nil // if an attempt that is given up for lost came in late, they are taken
				}
				if err := sleep(ctx, jitter(random, wait)); err != nil {
					return errors.Join(putErr, err)
				}
				continue
			}
		}
		report.Dummies += max(0, len(entries)-len(t.Items))
		w.committed(runs, len(t.Items), random, report)
		return nil
	}
}

func (w *Writer) committed(runs []*run, n int, random *mathrand.Rand, report *Report) {
	w.wander(random)
	report.Transactions++
	report.Entries += n
	w.remember(runs)
}

// seal makes the entries of a transaction: those of all runs that are not committed,
// dummies up to the size or bucket, in random order. A run that keeps its place keeps its
// entries, so that they are recognised whichever attempt wrote them.
//
// The dummies of the attempt before are kept too, for one that collided may be in a
// block, though it has no effect: whoever compares it with the next would take what
// changes for dummies, and count the others. When runs have landed so have their dummies.
func seal(runs []*run, size int, dummies *[]Entry, random *mathrand.Rand) ([]Entry, error) {
	if slices.ContainsFunc(runs, func(r *run) bool { return r.landed }) {
		*dummies = nil
	}
	var entries []Entry
	for _, r := range runs {
		if r.landed {
			continue
		}
		if r.sealed == nil {
			for i, p := range r.postings {
				e, err := r.keys.seal(r.keys.labelAt(r.cursor.chain, r.start+uint64(i)), p)
				if err != nil {
					return nil, err
				}
				r.sealed = append(r.sealed, e)
			}
		}
		entries = append(entries, r.sealed...)
	}
	size = max(size, Bucket(len(entries)))
	for n := 0; len(entries) < size; n++ {
		if n == len(*dummies) {
			*dummies = append(*dummies, dummy())
		}
		entries = append(entries, (*dummies)[n])
	}
	random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	return entries, nil
}

// dummy is random bytes: a label is a PRF's output, and a value is a synthetic IV, a
// PRF's output as well, and what AES-CTR makes under it, so without the keys nothing
// tells them apart.
func dummy() Entry {
	var e Entry
	rand.Read(e.Label[:])
	rand.Read(e.Value[:])
	return e
}

// newRandom is a generator for shuffles and choices of slots, which an observer must not
// predict.
func newRandom() *mathrand.Rand {
	var seed [32]byte
	rand.Read(seed[:])
	return mathrand.New(mathrand.NewChaCha8(seed))
}

func jitter(random *mathrand.Rand, mean time.Duration) time.Duration {
	return mean/2 + time.Duration(random.Int64N(int64(mean)+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Add adds another report's counts.
func (r *Report) Add(other Report) {
	r.Entries += other.Entries
	r.Dummies += other.Dummies
	r.Transactions += other.Transactions
	r.Collisions += other.Collisions
	r.Reads += other.Reads
}
