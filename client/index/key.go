package index

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// Suite separates the derivations of this protocol from all others, and its versions from each other.
const Suite = "chartseal/index/v1"

// Slots is the number of chains that one hospital has for one term. Writers that index the same term at once
// need different chains; readers ask all of them. It is part of the suite: changing it needs a new one.
const Slots = 8

// ScopeKeySize is the size of a scope key in bytes.
const ScopeKeySize = 32

// A ScopeKey is the secret of one epoch of a scope. Whoever holds it can search that epoch.
type ScopeKey [ScopeKeySize]byte

// NewScopeKey makes a random key.
func NewScopeKey() ScopeKey {
	var k ScopeKey
	rand.Read(k[:]) // never fails, see crypto/rand
	return k
}

// ParseScopeKey copies a key from b. It fails with [ErrInvalid] when b has not the right size.
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

// termKeys holds what one term needs under one scope key. It is not safe for concurrent use: the MACs are reused.
type termKeys struct {
	label hash.Hash
	hint  hash.Hash
	value cipher.AEAD

	input, sum []byte // of the MACs
}

func deriveTermKeys(kw TermKey) *termKeys {
	aead, err := chacha20poly1305.NewX(expand(kw[:], "/value"))
	if err != nil {
		panic(err) // the key has the right size
	}
	return &termKeys{
		label: hmac.New(sha256.New, expand(kw[:], "/label")),
		hint:  hmac.New(sha256.New, expand(kw[:], "/hint")),
		value: aead,
	}
}

func expand(key []byte, info string) []byte {
	out, err := hkdf.Expand(sha256.New, key, Suite+info, 32)
	if err != nil {
		panic(err) // 32 bytes are within HKDF's bound
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

// seal makes the value that goes under label.
func (k *termKeys) seal(label Label, p Posting) (Entry, error) {
	plain, err := p.encode()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Label: label}
	nonce := e.Value[:chacha20poly1305.NonceSizeX]
	rand.Read(nonce)
	k.value.Seal(nonce, nonce, plain[:], label[:])
	return e, nil
}

// open authenticates a value that the ledger gave for label, and reads it.
func (k *termKeys) open(label Label, value []byte) (Posting, error) {
	if len(value) != ValueSize {
		return Posting{}, fmt.Errorf("index value of %d bytes: %w", len(value), ErrTampered)
	}
	const n = chacha20poly1305.NonceSizeX
	plain, err := k.value.Open(nil, value[:n], value[n:], label[:])
	if err != nil {
		return Posting{}, fmt.Errorf("index value: %w", ErrTampered)
	}
	return decodePosting([PlaintextSize]byte(plain))
}
