// Package pairing is the seam between the encryption scheme (package abe) and the pairing
// groups that it computes in. A [Suite] is one choice of groups: curve, group operations,
// hash to the group, encodings, and the name that stanzas and keys carry.
//
// Add a suite in three steps: write a package beside bn256 that implements [Suite], add a
// line to the table in abe/suite.go, and describe the encodings in FORMAT.md.
//
// # Which group is which
//
// The names are the scheme's. G1 holds H(GID) and the user keys, G2 holds most of a
// ciphertext, and e: G1 × G2 → GT pairs them. A suite may let either group of its curve
// play either part. On BLS12-381, say, the smaller and faster group of the curve may be
// this package's G2, because sealing works in G2 and ciphertexts carry two elements of
// it a row.
//
// # More than one curve
//
// Elements and exponents are opaque enough for a product of two suites, which is as hard
// to break as the harder of them: elements are pairs, encodings are concatenated, and the
// order is the product r·r' of both primes, because the integers modulo r·r' are pairs of
// integers modulo r and modulo r'. Span programs need nothing of the modulus but that
// integers up to policy.MaxAttributes are invertible.
//
// # Errors
//
// Suites refuse bytes with [ErrElement]. They panic on elements of another suite, which
// package abe never hands them.
package pairing

import (
	"errors"
	"math/big"
)

// ErrElement is matched by all errors of decoders.
var ErrElement = errors.New("not an element of the group")

// Parameters are the fixed values of a suite.
type Parameters struct {
	Name         string   // lower-case letters, digits and dashes, for example bn256
	Order        *big.Int // order of the three groups: a prime, or a product of large primes
	SizeG1       int      // bytes of an encoded element
	SizeG2       int
	SizeGT       int
	SizeExponent int // bytes of Alpha and of Y in [Exponents]
}

// A Suite is a pairing e: G1 × G2 → GT of groups of one order, with generators g1, g2 and
// e(g1,g2). It is safe for concurrent use. Its operations are whole ones, so that a suite
// can share work inside them (multi-exponentiation, one final exponentiation, all
// processors).
type Suite interface {
	Parameters() Parameters

	// HashToG1 is the function H of eprint 2010/351: a random oracle from global
	// identifiers, which are public, to G1.
	HashToG1(gid string) (G1, error)

	// The decoders accept one encoding for each element, and only points of the curve or
	// non-zero elements of the field. They need not check the order: see Valid.
	DecodeG1(b []byte) (G1, error)
	DecodeG2(b []byte) (G2, error)
	DecodeGT(b []byte) (GT, error)

	// PublicKey returns e(g1,g2)^α and g2^y.
	PublicKey(e Exponents) (GT, G2)
	// UserKeys returns g1^α · H(gid)^y for each of the exponents.
	UserKeys(gid string, e []Exponents) ([]G1, error)

	// BaseG2 and BaseGT raise g2 and e(g1,g2) to powers.
	BaseG2() PowerG2
	BaseGT() PowerGT

	// Sum returns Σ times[i]·points[i] for any integers, all of them 1 when times is nil.
	Sum(points []G2, times []*big.Int) G2
	// Product returns Π elements[i]^powers[i] likewise.
	Product(elements []GT, powers []*big.Int) GT
	// PairProduct returns Π e(P,Q)^times over all pairs.
	PairProduct(pairs []Pair) GT
}

// Elements of the three groups. They are immutable and safe for concurrent use.
type (
	// G1 holds H(GID) and user keys.
	G1 interface{ Element }
	// G2 holds g2^y of public keys, and C2 and C3 of ciphertexts.
	G2 interface {
		Element
		PowerG2
		Table() PowerG2 // the same multiples, faster, at the price of time now and memory
	}
	// GT holds e(g1,g2)^α of public keys, C1 of ciphertexts, and encapsulated secrets.
	GT interface {
		Element
		PowerGT
		Table() PowerGT // the same powers, faster, at the price of time now and memory
	}
)

// An Element belongs to one of the groups.
type Element interface {
	// Marshal returns the canonical encoding, which belongs to the caller.
	Marshal() []byte
	// Valid reports whether the element is in its group and not the identity. Elements
	// that a suite computed from valid ones and a secret need no check; decoded elements
	// need one, or their sums and products do.
	Valid() bool
}

// A PowerG2 multiplies one element of G2 by any integer.
type PowerG2 interface{ Mul(k *big.Int) G2 }

// A PowerGT raises one element of GT to the power of any integer.
type PowerGT interface{ Exp(k *big.Int) GT }

// A Pair is one factor of [Suite.PairProduct]: e(P,Q)^Times, for any integer Times.
type Pair struct {
	P     G1
	Q     G2
	Times *big.Int
}

// Exponents are α and y of one public key, as uniform bytes that the suite reduces modulo
// its order. They are an authority's secrets for years, so they do not pass through
// math/big above this seam, and a suite that can compute in constant time keeps them out
// of it below.
type Exponents struct{ Alpha, Y []byte }

// Wipe overwrites the exponents.
func (e Exponents) Wipe() {
	clear(e.Alpha)
	clear(e.Y)
}

// Wipe overwrites the words of secret integers and sets them to zero. Copies that
// math/big made on the way are out of reach.
func Wipe(secrets ...*big.Int) {
	for _, s := range secrets {
		words := s.Bits()
		clear(words[:cap(words)])
		s.SetInt64(0)
	}
}
