package index

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
)

// A Place is the slot and counter at which a transaction put a posting. Posting and place
// determine the bytes of the entry. So a writer that kept the places can find out later
// whether the transaction was committed, and can repeat it without writing an entry
// twice.
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

// ParsePlace reads the bytes of [Place.AppendBinary].
//
// Errors:
//   - [ErrInvalid] if the bytes are malformed.
func ParsePlace(b []byte) (Place, error) {
	if len(b) != PlaceSize || binary.BigEndian.Uint16(b) >= Slots {
		return Place{}, fmt.Errorf("place of an entry: %w", ErrInvalid)
	}
	return Place{Slot: int(binary.BigEndian.Uint16(b)), Counter: binary.BigEndian.Uint64(b[2:])}, nil
}

// A Transaction is one write of up to [MaxBatch] postings. It can be repeated after a
// crash or an unknown outcome.
type Transaction struct {
	Items []Pending

	// Places are those of the last attempt, aligned with Items; nil for a first attempt.
	// They are read back first. An item that is at its place is done. An item whose place
	// is free is sent again as the same bytes: of a late commit of the last attempt and
	// this one, only one can succeed. An item whose place another entry took gets a new
	// place: then the last attempt, which is written whole or not at all, can never be
	// committed.
	Places []Place

	// Size pads the transaction to a fixed number of entries. Zero pads to the next
	// [Bucket].
	Size int

	// Journal, if set, stores the places of each attempt before it is sent. Its error
	// ends the write before anything is sent.
	Journal func([]Place) error
}

// Write writes a transaction and returns when it is committed. After an error it may be
// committed or not: write it again with the places that Journal got last.
//
// Errors:
//   - [ErrInvalid] if the transaction is too large, or its places do not fit its items.
//   - [ErrExists] if every attempt collided with other writers.
//   - [ErrTampered] if every chain of a term ends in a damaged entry.
//   - the error of Journal or of the store.
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
//
// Errors:
//   - the error of the store.
func (w *Writer) Dummy(ctx context.Context, size int) error {
	entries := make([]Entry, size)
	for i := range entries {
		entries[i] = dummy()
	}
	return w.Store.PutEntries(ctx, entries)
}

// resume gives the extensions of the last attempt their places back.
func resume(t Transaction, msp string) ([]*extension, error) {
	type chain struct {
		key  TermKey
		slot int
	}
	byChain := make(map[chain]*extension)
	var extensions []*extension
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
		x, ok := byChain[c]
		if !ok {
			x = &extension{keys: deriveTermKeys(item.Key), slot: place.Slot, start: place.Counter, uncertain: true}
			x.reader = newChainReader(x.keys, msp, place.Slot, false)
			x.id = x.keys.hintID(x.reader.chain)
			byChain[c] = x
			extensions = append(extensions, x)
		}
		if place.Counter != x.start+uint64(len(x.postings)) {
			return nil, fmt.Errorf("places of a chain have holes: %w", ErrInvalid)
		}
		entry, err := x.keys.seal(x.keys.labelAt(x.reader.chain, place.Counter), item.Posting)
		if err != nil {
			return nil, err
		}
		x.items = append(x.items, i)
		x.postings = append(x.postings, item.Posting)
		x.sealed = append(x.sealed, entry)
	}
	return extensions, nil
}

// places returns the places of all extensions, aligned with the transaction's items.
func places(extensions []*extension, n int) []Place {
	out := make([]Place, n)
	for _, x := range extensions {
		for j, i := range x.items {
			out[i] = Place{Slot: x.slot, Counter: x.start + uint64(j)}
		}
	}
	return out
}
