package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"slices"
)

// Envelopes that were sealed together begin with the same bytes, where their policy's
// encapsulation stands (the first, of a policy that takes several stanzas): most of a
// small one. A transaction carries such a beginning once, and so do the hospitals'
// private data, under a key of its own that names it by its hash; an envelope there is
// the name of its beginning and the rest. Nobody above this sees that: what the chaincode
// takes and hands out are whole age files.

// Envelopes are the wrapped keys of one transaction, taken apart. See [DivideEnvelopes].
type Envelopes struct {
	Beginnings [][]byte // each is that of two envelopes at least
	Parts      []EnvelopePart
}

// An EnvelopePart is an envelope without its beginning, or all of it.
type EnvelopePart struct {
	Beginning int // position in Beginnings; -1 for an envelope that is whole
	Rest      []byte
}

// partMark is the first byte of an envelope that is not whole, where it travels and where
// it is stored. An age file has another.
const partMark = 1

// What taking envelopes apart costs, in bytes: a private write of its own for a
// beginning, which has a key and two hashes in the block, and the name of the beginning
// in each envelope.
const (
	costOfBeginning = 256
	costOfPart      = 1 + sha256.Size
)

// DivideEnvelopes takes envelopes apart so that they take few bytes. The order of the
// parts is that of the envelopes. It needs no knowledge of what they were sealed to: in
// the order of their bytes, those that begin alike are neighbours, and of all ways to cut
// that order into runs it finds the one that saves most. The parts share memory with the
// envelopes, which begin like age files.
func DivideEnvelopes(envelopes [][]byte) Envelopes {
	n := len(envelopes)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare(envelopes[a], envelopes[b]) })
	near := make([]int, n) // how much each in the order has in common with the one before
	for i := 1; i < n; i++ {
		near[i] = alike(envelopes[order[i-1]], envelopes[order[i]])
	}

	// saved[i] is the most that can be saved in the first i of the order, run[i] the size
	// of the last run then, and common[i] what is common to that.
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

// alike tells with how many bytes both begin: fewer than either has, so that something is
// left.
func alike(a, b []byte) int {
	n := min(len(a), len(b)) - 1
	for i := range max(n, 0) {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Pack is what [TransientEnvelopes] holds: as [PackList] has it, the beginnings and then
// the envelopes, of which one that is not whole is the mark 01, the position of its
// beginning in a byte, and the rest.
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

// UnpackEnvelopes reads n envelopes from what [Envelopes.Pack] made of those of
// [DivideEnvelopes], without copying. Other bytes are
// [ErrInvalid]: beginnings that are given twice, or are not those of two envelopes at
// least, or are not in the order in which the envelopes name them. Errors quote nothing.
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

// Size is how many bytes the i-th envelope has when it is whole.
func (e Envelopes) Size(i int) int {
	p := e.Parts[i]
	if p.Beginning < 0 {
		return len(p.Rest)
	}
	return len(e.Beginnings[p.Beginning]) + len(p.Rest)
}

// Begins is how the i-th envelope begins: all of it, or its beginning.
func (e Envelopes) Begins(i int) []byte {
	if p := e.Parts[i]; p.Beginning >= 0 {
		return e.Beginnings[p.Beginning]
	}
	return e.Parts[i].Rest
}

// Value is what is stored under the key of the i-th envelope: all of it; or the mark 01,
// the SHA-256 of its beginning, and the rest.
func (e Envelopes) Value(i int) []byte {
	p := e.Parts[i]
	if p.Beginning < 0 {
		return p.Rest
	}
	name := sha256.Sum256(e.Beginnings[p.Beginning])
	return slices.Concat([]byte{partMark}, name[:], p.Rest)
}

// BeginningKey is the key under which a beginning is stored, once.
func BeginningKey(beginning []byte) string {
	name := sha256.Sum256(beginning)
	return beginningKey(name[:])
}

func beginningKey(name []byte) string {
	return "beginning/" + base64.RawURLEncoding.EncodeToString(name)
}

// JoinEnvelope makes an envelope whole again from its [Envelopes.Value]. read gives what
// is stored under a [BeginningKey]; its error is returned as it is. A beginning that is
// not the one which the value names is [ErrTampered], and so is a value that has none.
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
