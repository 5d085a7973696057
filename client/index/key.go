package index

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	siv "github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// Suite separates the derivations of this version of the protocol from all others.
const Suite = "chartseal/index/v2"

// Slots is the number of chains that one hospital has for one term. Writers that index
// the same term at once need different chains; readers ask for all of them. It belongs to
// the suite: another number needs a new suite.
const Slots = 8

// ScopeKeySize is the size of a scope key in bytes.
const ScopeKeySize = 32

// A ScopeKey is the secret of one epoch of a scope. Its holder can search that epoch.
type ScopeKey [ScopeKeySize]byte

// NewScopeKey makes a random key.
func NewScopeKey() ScopeKey {
	var k ScopeKey
	rand.Read(k[:]) // never fails, see crypto/rand
	return k
}

// ParseScopeKey copies a key from b.
//
// Errors:
//   - [ErrInvalid] if b is not [ScopeKeySize] bytes.
func ParseScopeKey(b []byte) (ScopeKey, error) {
	var k ScopeKey
	if len(b) != ScopeKeySize {
		return k, fmt.Errorf("scope key: %d bytes, want %d: %w", len(b), ScopeKeySize, ErrInvalid)
	}
	copy(k[:], b)
	return k, nil
}

// String keeps keys out of logs.
func (ScopeKey) String() string { return "scope key (secret)" }

// GoString keeps keys out of logs.
func (k ScopeKey) GoString() string { return k.String() }

// A TermKey is K_w, the key of one term in one epoch of a scope. Its holder can find,
// read and extend the term's chains and no others. The term cannot be computed from it,
// but a holder of the scope key can test terms against it.
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

// termKeys are the keys derived from a TermKey. They are not safe for concurrent use: the
// MACs are reused.
type termKeys struct {
	label hash.Hash
	hint  hash.Hash
	value *siv.AESSIV

	input, sum []byte // of the MACs
}

func deriveTermKeys(kw TermKey) *termKeys {
	value, err := siv.NewAESSIV(expand(kw[:], "/value", siv.AESSIVKeySize))
	if err != nil {
		panic(err) // the key has the right size
	}
	return &termKeys{
		label: hmac.New(sha256.New, expand(kw[:], "/label", 32)),
		hint:  hmac.New(sha256.New, expand(kw[:], "/hint", 32)),
		value: value,
	}
}

func expand(key []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, key, Suite+info, size)
	if err != nil {
		panic(err) // some bytes are within HKDF's bound
	}
	return out
}

// chainName is u16(len MSP) || MSP || u16(slot): the length makes it unambiguous.
func chainName(msp string, slot int) []byte {
	b := make([]byte, 0, 2+len(msp)+2)
	b = binary.BigEndian.AppendUint16(b, uint16(len(msp)))
	b = append(b, msp...)
	return binary.BigEndian.AppendUint16(b, uint16(slot))
}

// labelAt is PRF(K_label, chain || counter), cut to 16 bytes.
func (k *termKeys) labelAt(chain []byte, counter uint64) Label {
	k.input = binary.BigEndian.AppendUint64(append(k.input[:0], chain...), counter)
	k.label.Reset()
	k.label.Write(k.input)
	k.sum = k.label.Sum(k.sum[:0])
	return Label(k.sum[:LabelSize])
}

// hintID names a chain in the local cache.
func (k *termKeys) hintID(chain []byte) HintID {
	k.hint.Reset()
	k.hint.Write(chain)
	k.sum = k.hint.Sum(k.sum[:0])
	return HintID(k.sum[:len(HintID{})])
}

// seal makes the entry of a posting under a label. It is deterministic.
func (k *termKeys) seal(label Label, p Posting) (Entry, error) {
	plain, err := p.encode()
	if err != nil {
		return Entry{}, err
	}
	value, err := k.value.EncryptDeterministically(plain[:], label[:])
	if err != nil {
		panic(err) // a posting is not too long
	}
	return Entry{Label: label, Value: [ValueSize]byte(value)}, nil
}

// open authenticates and decrypts the ledger's value for a label.
func (k *termKeys) open(label Label, value []byte) (Posting, error) {
	if len(value) != ValueSize {
		return Posting{}, fmt.Errorf("index value of %d bytes: %w", len(value), ErrTampered)
	}
	plain, err := k.value.DecryptDeterministically(value, label[:])
	if err != nil {
		return Posting{}, fmt.Errorf("index value: %w", ErrTampered)
	}
	return decodePosting([PlaintextSize]byte(plain))
}
