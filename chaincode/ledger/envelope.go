package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"slices"
)

// Envelopes that were sealed together begin with the same bytes: the encapsulation of
// their policy, which is most of a small envelope. A transaction carries such a beginning
// once. The hospitals' private data has it once too, under a key that is its hash, and an
// envelope there is the hash of its beginning and the rest. Clients see whole age files
// only.

// Envelopes are the wrapped keys of one transaction, divided by [DivideEnvelopes].
type Envelopes struct {
	Beginnings [][]byte // each is shared by two or more envelopes
	Parts      []EnvelopePart
}

// An EnvelopePart is an envelope without its beginning, or a whole one.
type EnvelopePart struct {
	Beginning int // position in Beginnings; -1 for a whole envelope
	Rest      []byte
}

// partMark is the first byte of a divided envelope, in transit and in storage. No age
// file begins with it.
const partMark = 1

// The cost of dividing envelopes, in bytes. A beginning is one more private write, which
// has a key and two hashes in the block. Each of its envelopes has its hash.
const (
	costOfBeginning = 256
	costOfPart      = 1 + sha256.Size
)

// DivideEnvelopes divides envelopes so that they take the fewest bytes. It needs to know
// nothing about their policies: it sorts the envelopes by their bytes, so that those with
// the same beginning are neighbours, and finds the division into runs that saves most.
//
// The parts are in the order of the envelopes and share their memory. Every envelope must
// begin like an age file.
func DivideEnvelopes(envelopes [][]byte) Envelopes {
	n := len(envelopes)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare(envelopes[a], envelopes[b]) })
	near := make([]int, n) // bytes that each shares with the one before it in that order
	for i := 1; i < n; i++ {
		near[i] = alike(envelopes[order[i-1]], envelopes[order[i]])
	}

	// For the first i envelopes in that order: saved[i] is the largest possible saving,
	// run[i] the size of the last run of that division, and common[i] its shared bytes.
	saved, run, common := make([]int, n+1), make([]int, n+1), make([]int, n+1)
	for i := 1; i <= n; i++ {
		saved[i], run[i] = saved[i-1], 1
		shared := math.MaxInt
		for size := 2; size <= i; size++ {
			if shared = min(shared, near[i-size+1]); shared <= costOfPart {
				break
			}
			if gain := saved[i-size] + (size-1)*shared - size*costOfPart - costOfBeginning; gain > saved[i] {
				saved[i], run[i], common[i] = gain, size, shared
			}
		}
	}

	out := Envelopes{Parts: make([]EnvelopePart, n)}
	cut := make([]int, n) // of each envelope
	for i := n; i > 0; i -= run[i] {
		for _, e := range order[i-run[i] : i] {
			cut[e] = common[i]
		}
	}
	number := map[string]int{} // in the order in which beginnings are first met
	for i, e := range envelopes {
		if cut[i] == 0 {
			out.Parts[i] = EnvelopePart{-1, e}
			continue
		}
		beginning := e[:cut[i]]
		k, ok := number[string(beginning)]
		if !ok {
			k = len(out.Beginnings)
			number[string(beginning)], out.Beginnings = k, append(out.Beginnings, beginning)
		}
		out.Parts[i] = EnvelopePart{k, e[cut[i]:]}
	}
	return out
}

// alike counts the bytes with which both begin. The count is less than either length, so
// that the rest is never empty.
func alike(a, b []byte) int {
	n := min(len(a), len(b)) - 1
	for i := range max(n, 0) {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Pack gives the bytes of [TransientEnvelopes]: a list of [PackList] with the beginnings
// and then the envelopes. A divided envelope is the mark 01, the position of its
// beginning in one byte, and the rest.
func (e Envelopes) Pack() []byte {
	items := slices.Clone(e.Beginnings)
	for _, p := range e.Parts {
		item := p.Rest
		if p.Beginning >= 0 {
			item = slices.Concat([]byte{partMark, byte(p.Beginning)}, p.Rest)
		}
		items = append(items, item)
	}
	return PackList(items)
}

// UnpackEnvelopes reads n envelopes from the bytes of [Envelopes.Pack], and shares their
// memory. Errors quote nothing of an envelope.
//
// Errors:
//   - ErrInvalid if there are fewer than n envelopes, or one names no beginning or has
//     nothing after it.
//   - ErrInvalid if a beginning is empty, given twice, used by fewer than two envelopes,
//     or not in the order in which the envelopes use beginnings.
func UnpackEnvelopes(packed []byte, n int) (Envelopes, error) {
	items, err := UnpackList(packed)
	if err != nil {
		return Envelopes{}, err
	}
	if len(items) < n {
		return Envelopes{}, Errorf(ErrInvalid, "%d wrapped keys for %d records or scopes", len(items), n)
	}
	e := Envelopes{Parts: make([]EnvelopePart, n)}
	if given := len(items) - n; given > 0 { // none is nil, as DivideEnvelopes has it
		e.Beginnings = items[:given:given]
	}
	uses := make([]int, len(e.Beginnings))
	next := 0 // the beginning that has not been named yet
	for i, item := range items[len(e.Beginnings):] {
		if len(item) == 0 || item[0] != partMark {
			e.Parts[i] = EnvelopePart{-1, item}
			continue
		}
		if len(item) < 3 || int(item[1]) > next || int(item[1]) >= len(uses) {
			return Envelopes{}, Errorf(ErrInvalid, "wrapped key %d has no beginning, or nothing after it", i+1)
		}
		k := int(item[1])
		if uses[k]++; k == next {
			next++
		}
		e.Parts[i] = EnvelopePart{k, item[2:]}
	}
	seen := make(map[string]bool, len(uses))
	for k, b := range e.Beginnings {
		if uses[k] < 2 || len(b) == 0 || seen[string(b)] {
			return Envelopes{}, Errorf(ErrInvalid, "%d wrapped keys for %d records or scopes: item %d is not the beginning of two, or is empty, or is given twice",
				len(items), n, k+1)
		}
		seen[string(b)] = true
	}
	return e, nil
}

// Size gives the bytes of the whole i-th envelope.
func (e Envelopes) Size(i int) int {
	p := e.Parts[i]
	if p.Beginning < 0 {
		return len(p.Rest)
	}
	return len(e.Beginnings[p.Beginning]) + len(p.Rest)
}

// Begins gives the beginning of the i-th envelope, or all of it if it is whole.
func (e Envelopes) Begins(i int) []byte {
	if p := e.Parts[i]; p.Beginning >= 0 {
		return e.Beginnings[p.Beginning]
	}
	return e.Parts[i].Rest
}

// Value gives the stored form of the i-th envelope: a whole one as it is, a divided one
// as the mark 01, the SHA-256 of its beginning, and the rest.
func (e Envelopes) Value(i int) []byte {
	p := e.Parts[i]
	if p.Beginning < 0 {
		return p.Rest
	}
	name := sha256.Sum256(e.Beginnings[p.Beginning])
	return slices.Concat([]byte{partMark}, name[:], p.Rest)
}

// BeginningKey is the key of a stored beginning.
func BeginningKey(beginning []byte) string {
	name := sha256.Sum256(beginning)
	return beginningKey(name[:])
}

func beginningKey(name []byte) string {
	return "beginning/" + base64.RawURLEncoding.EncodeToString(name)
}

// JoinEnvelope gives the whole envelope from its [Envelopes.Value]. The function read
// reads the value of a [BeginningKey].
//
// Errors:
//   - ErrTampered if the beginning does not have the hash in the value, or the value is
//     cut short.
//   - Any error of read.
func JoinEnvelope(value []byte, read func(key string) ([]byte, error)) ([]byte, error) {
	if len(value) == 0 || value[0] != partMark {
		return value, nil
	}
	if len(value) <= costOfPart {
		return nil, Errorf(ErrTampered, "a wrapped key of %d bytes has no beginning, or nothing after it", len(value))
	}
	name, rest := value[1:costOfPart], value[costOfPart:]
	beginning, err := read(beginningKey(name))
	if err != nil {
		return nil, err
	}
	if is := sha256.Sum256(beginning); !bytes.Equal(is[:], name) {
		return nil, Errorf(ErrTampered, "the beginning of a wrapped key is not the one that it was stored with")
	}
	return slices.Concat(beginning, rest), nil
}
