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

// Buckets are the sizes to which transactions are padded.
var Buckets = []int{64, 128, 256, 512, 1024}

// MaxBatch is the largest bucket: the most entries that one transaction carries.
const MaxBatch = 1024

// Bucket returns the padded size of a transaction of n entries, n up to [MaxBatch].
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

// A Report counts the work of a write.
type Report struct {
	Entries      int // committed, without dummies
	Dummies      int
	Transactions int // committed
	Collisions   int // transactions that were repeated because a label was taken
	Reads        int // round trips to find the ends of chains
}

// A PutError lists the items that may not be written. They can be put again: a posting
// that is there twice counts once.
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
// concurrent use. Any number of writers, in any number of processes, may write the same
// terms at the same time.
type Writer struct {
	Store Store
	MSP   string // the caller's organisation
	Hints Hints  // may be nil

	// Attempts bounds the attempts at one transaction that collides. Zero means 12.
	Attempts int
	// Backoff is the mean wait after a collision. It doubles, up to 16 times, as long as
	// the caller's own peer does not show the other entry. Zero means 20 ms.
	Backoff time.Duration

	mu   sync.Mutex
	busy map[HintID]bool // chains that a transaction of this process is about to extend; nil before the first
	slot int             // of the chains that this writer extends: see chooseChain
}

// Put writes the items and returns when they are committed. All items of a call share
// transactions in random order, which hides the items that belong together. Duplicates
// are written once. A posting whose Written is zero gets the current time.
//
// Errors:
//   - [ErrInvalid] if an item cannot be written; then nothing was.
//   - [*PutError] for any other failure; it lists the items that may not be written, and
//     wraps the errors of [Writer.Write].
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
	extensions := extensionsOf(t.Items)
	if t.Places != nil {
		var err error
		if extensions, err = resume(t, w.MSP); err != nil {
			return err
		}
		done, err := w.checkCommitted(ctx, extensions, report)
		if err != nil {
			return err
		}
		if done {
			w.finish(extensions, len(t.Items), random, report)
			return nil
		}
	}
	defer w.release(extensions)
	attempts, backoff := w.Attempts, w.Backoff
	if attempts <= 0 {
		attempts = 12
	}
	if backoff <= 0 {
		backoff = 20 * time.Millisecond
	}
	var dummies []Entry
	for attempt := 0; ; attempt++ {
		if err := w.findPlaces(ctx, extensions, random, report); err != nil {
			return err
		}
		entries, err := seal(extensions, t.Size, &dummies, random)
		if err != nil {
			return err
		}
		if t.Journal != nil {
			if err := t.Journal(places(extensions, len(t.Items))); err != nil {
				return err
			}
		}
		if putErr := w.Store.PutEntries(ctx, entries); putErr != nil {
			// It may be committed all the same: this attempt's answer may be lost, or an
			// earlier attempt may have come in late.
			landed, err := w.checkCommitted(ctx, extensions, report)
			if err != nil || !landed && (!errors.Is(putErr, ErrExists) || attempt+1 >= attempts) {
				return errors.Join(putErr, err)
			}
			if !landed {
				report.Collisions++
				wait := backoff
				if !lostPlace(extensions) { // the place looks free: this peer is behind the endorsers
					wait <<= min(attempt, 4)
					dummies = nil // an attempt that came in late may have used them
				}
				if err := sleep(ctx, jitter(random, wait)); err != nil {
					return errors.Join(putErr, err)
				}
				continue
			}
		}
		report.Dummies += max(0, len(entries)-len(t.Items))
		w.finish(extensions, len(t.Items), random, report)
		return nil
	}
}

// finish accounts for a committed transaction.
func (w *Writer) finish(extensions []*extension, n int, random *mathrand.Rand, report *Report) {
	w.changeSlot(random)
	report.Transactions++
	report.Entries += n
	w.storeHints(extensions)
}

// seal makes the entries of an attempt in random order: those of all extensions that are
// not committed, and dummies up to the size or bucket. An extension that keeps its place
// keeps its entries, so that they are recognised whichever attempt wrote them.
//
// The dummies of the last attempt are kept too. A transaction that collided stays in its
// block without effect. New dummies would show: an observer who compares the two attempts
// could count the real entries. Once an extension is committed, so are its dummies.
func seal(extensions []*extension, size int, dummies *[]Entry, random *mathrand.Rand) ([]Entry, error) {
	if slices.ContainsFunc(extensions, func(x *extension) bool { return x.committed }) {
		*dummies = nil
	}
	var entries []Entry
	for _, x := range extensions {
		if x.committed {
			continue
		}
		if x.sealed == nil {
			for i, p := range x.postings {
				e, err := x.keys.seal(x.keys.labelAt(x.reader.chain, x.start+uint64(i)), p)
				if err != nil {
					return nil, err
				}
				x.sealed = append(x.sealed, e)
			}
		}
		entries = append(entries, x.sealed...)
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

// dummy returns random bytes. A label is the output of a PRF. A value is a synthetic IV,
// also the output of a PRF, and a ciphertext of AES-CTR under it. Without the keys,
// dummies and entries cannot be told apart.
func dummy() Entry {
	var e Entry
	rand.Read(e.Label[:])
	rand.Read(e.Value[:])
	return e
}

// newRandom returns a generator for shuffles and choices of slots. Observers must not be
// able to predict it.
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
