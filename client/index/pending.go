package index

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// A TermKey is K_w: it stands for one term in one epoch of a scope. It finds, reads and
// extends the term's chains and no others. The term cannot be computed from it, but who
// also holds the scope key can try terms until one gives it.
type TermKey [32]byte

// Key derives the key of a term.
func (k ScopeKey) Key(term Term) TermKey {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(Suite + "/term\x00" + string(term)))
	return TermKey(mac.Sum(nil))
}

// String keeps keys out of logs.
func (TermKey) String() string { return "term key (secret)" }

// GoString keeps keys out of logs.
func (k TermKey) GoString() string { return k.String() }

// A Pending is a posting that waits to be written, in the form that an outbox keeps: its
// term is not in it.
type Pending struct {
	Key     TermKey
	Posting Posting
}

// Pend turns items into what an outbox keeps: times are set, kinds are clipped, and what
// is there twice is left out. It fails with [ErrInvalid] for a posting that cannot be
// written.
func (k ScopeKey) Pend(items []Item) ([]Pending, error) {
	items, err := normalItems(items)
	if err != nil {
		return nil, err
	}
	return k.pend(items), nil
}

// pend derives the key of each term once.
func (k ScopeKey) pend(items []Item) []Pending {
	keys := make(map[Term]TermKey)
	out := make([]Pending, len(items))
	for i, item := range items {
		key, ok := keys[item.Term]
		if !ok {
			key = k.Key(item.Term)
			keys[item.Term] = key
		}
		out[i] = Pending{Key: key, Posting: item.Posting}
	}
	return out
}

// normalItems checks items, and leaves out what is there twice.
func normalItems(items []Item) ([]Item, error) {
	out := make([]Item, 0, len(items))
	seen := make(map[Item]bool, len(items))
	now := time.Now()
	for _, item := range items {
		if item.Posting.Written.IsZero() {
			item.Posting.Written = now
		}
		item.Posting.Written = item.Posting.Written.UTC().Truncate(time.Second)
		if _, err := item.Posting.encode(); err != nil {
			return nil, err
		}
		item.Posting.Kind = ClipKind(item.Posting.Kind)
		if item.Term == "" {
			return nil, fmt.Errorf("posting of record %x: empty term: %w", item.Posting.Record, ErrInvalid)
		}
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out, nil
}

// PendingSize is the size of an encoded [Pending]: the term's key and the plaintext of
// the posting.
const PendingSize = 32 + PlaintextSize

// AppendBinary implements [encoding.BinaryAppender].
func (p Pending) AppendBinary(b []byte) ([]byte, error) {
	plain, err := p.Posting.encode()
	if err != nil {
		return nil, err
	}
	return append(append(b, p.Key[:]...), plain[:]...), nil
}

// ParsePending reads what [Pending.AppendBinary] wrote. It fails with [ErrInvalid].
func ParsePending(b []byte) (Pending, error) {
	if len(b) != PendingSize {
		return Pending{}, fmt.Errorf("pending entry of %d bytes: %w", len(b), ErrInvalid)
	}
	posting, err := decodePosting([PlaintextSize]byte(b[32:]))
	return Pending{Key: TermKey(b[:32]), Posting: posting}, err
}

// A Place is where a transaction put a posting. It gives the entry's bytes too, as they
// follow from posting and place. Who keeps it can tell afterwards whether the transaction
// was committed, and repeat it without writing anything twice.
type Place struct {
	Slot    int
	Counter uint64
}

// PlaceSize is the size of an encoded [Place].
const PlaceSize = 2 + 8

// AppendBinary implements [encoding.BinaryAppender].
func (p Place) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, uint16(p.Slot))
	return binary.BigEndian.AppendUint64(b, p.Counter), nil
}

// ParsePlace reads what [Place.AppendBinary] wrote. It fails with [ErrInvalid].
func ParsePlace(b []byte) (Place, error) {
	if len(b) != PlaceSize || binary.BigEndian.Uint16(b) >= Slots {
		return Place{}, fmt.Errorf("place of an entry: %w", ErrInvalid)
	}
	return Place{Slot: int(binary.BigEndian.Uint16(b)), Counter: binary.BigEndian.Uint64(b[2:])}, nil
}

// A Transaction is one index write of up to [MaxBatch] postings that may be tried again
// after a crash, or after an outcome that nobody could tell.
type Transaction struct {
	Items []Pending

	// Places are those of the last attempt, aligned with Items; nil when there was none.
	// They are read back first: an item that is at its place is done; one whose place is
	// free is sent again as the same bytes, which a late commit of the former attempt and
	// this one cannot both write; only one whose place somebody else took gets another,
	// for then the former attempt, which is written whole or not at all, can never be
	// committed.
	Places []Place

	// Size pads the transaction to a fixed number of entries. Zero pads to the next
	// [Bucket].
	Size int

	// Journal, if set, keeps the places before each attempt is sent. Its error ends the
	// write, and nothing was sent.
	Journal func([]Place) error
}

// Write writes a transaction and returns when it is committed. After an error it may or
// may not be: write it again with the places that went to Journal last.
func (w *Writer) Write(ctx context.Context, t Transaction) (Report, error) {
	var report Report
	if len(t.Items) > MaxBatch || t.Size > MaxBatch {
		return report, fmt.Errorf("%d entries in a transaction: %w", max(len(t.Items), t.Size), ErrInvalid)
	}
	if t.Places != nil && len(t.Places) != len(t.Items) {
		return report, fmt.Errorf("%d places for %d entries: %w", len(t.Places), len(t.Items), ErrInvalid)
	}
	err := w.commit(ctx, t, newRandom(), &report)
	return report, err
}

// Dummy writes a transaction of dummies, which looks like any other of its size.
func (w *Writer) Dummy(ctx context.Context, size int) error {
	entries := make([]Entry, size)
	for i := range entries {
		entries[i] = dummy()
	}
	return w.Store.PutEntries(ctx, entries)
}

// resume gives the runs of a former attempt their places back. The postings of a run were
// at consecutive counters of one chain.
func resume(t Transaction, msp string) ([]*run, error) {
	type chain struct {
		key  TermKey
		slot int
	}
	byChain := make(map[chain]*run)
	var runs []*run
	order := make([]int, len(t.Items))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := t.Places[i], t.Places[j]
		return cmp.Or(bytes.Compare(t.Items[i].Key[:], t.Items[j].Key[:]), a.Slot-b.Slot, cmp.Compare(a.Counter, b.Counter))
	})
	for _, i := range order {
		item, place := t.Items[i], t.Places[i]
		c := chain{item.Key, place.Slot}
		r, ok := byChain[c]
		if !ok {
			r = &run{keys: deriveTermKeys(item.Key), slot: place.Slot, start: place.Counter, doubt: true}
			r.cursor = newCursor(r.keys, msp, place.Slot, false)
			r.id = r.keys.hintID(r.cursor.chain)
			byChain[c] = r
			runs = append(runs, r)
		}
		if place.Counter != r.start+uint64(len(r.postings)) {
			return nil, fmt.Errorf("places of a chain have holes: %w", ErrInvalid)
		}
		entry, err := r.keys.seal(r.keys.labelAt(r.cursor.chain, place.Counter), item.Posting)
		if err != nil {
			return nil, err
		}
		r.items = append(r.items, i)
		r.postings = append(r.postings, item.Posting)
		r.sealed = append(r.sealed, entry)
	}
	return runs, nil
}

// places are those of all runs, aligned with the transaction's items.
func places(runs []*run, n int) []Place {
	out := make([]Place, n)
	for _, r := range runs {
		for j, i := range r.items {
			out[i] = Place{Slot: r.slot, Counter: r.start + uint64(j)}
		}
	}
	return out
}
