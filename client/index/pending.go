package index

import (
	"fmt"
	"time"
)

// A Pending is a posting that waits in an outbox. It holds the key of its term, and not
// the term.
type Pending struct {
	Key     TermKey
	Posting Posting
}

// Pend prepares items for an outbox. It sets missing times, clips kinds, and drops
// duplicates.
//
// Errors:
//   - [ErrInvalid] if a posting cannot be written.
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

// normalItems checks items, brings them into the form that is written, and drops
// duplicates.
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

// ParsePending reads the bytes of [Pending.AppendBinary].
//
// Errors:
//   - [ErrInvalid] if the bytes are malformed.
//   - [ErrLayout] if a newer version wrote the posting.
func ParsePending(b []byte) (Pending, error) {
	if len(b) != PendingSize {
		return Pending{}, fmt.Errorf("pending entry of %d bytes: %w", len(b), ErrInvalid)
	}
	posting, err := decodePosting([PlaintextSize]byte(b[32:]))
	return Pending{Key: TermKey(b[:32]), Posting: posting}, err
}
