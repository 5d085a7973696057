// Package bn256 is gofe's suite: the 256-bit Barreto-Naehrig curve of
// github.com/fentec-project/bn256. The curve's G1 and G2 are those of package pairing.
//
// Elements, encodings and the hash to G1 come from that library. gofe's own key
// generation makes the user keys. Multi-authority encryption needs more than these
// provide, so this package adds:
//
//   - decoders that accept one encoding for each element
//   - membership checks for the groups of prime order
//   - exponentiation with the curve's endomorphisms
//   - tables for fixed bases
//   - products of pairings with one final exponentiation
//
// # Timing
//
// Nothing here runs in constant time. Scalars are math/big integers, and exponentiation
// branches on their digits. An attacker who times many operations very precisely on the
// same machine may learn about secrets. Package abe says where that matters.
package bn256

import fentec "github.com/fentec-project/bn256"

// The three groups, with the elements and encodings of the bn256 library.
type (
	G1 = fentec.G1
	G2 = fentec.G2
	GT = fentec.GT
)

// Order is the prime order r of the three groups. Do not modify it.
var Order = fentec.Order
