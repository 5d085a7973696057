// Package bn256 is the suite of gofe: the 256-bit Barreto-Naehrig curve of
// github.com/fentec-project/bn256, with G1 and G2 of the curve as those of package
// pairing.
//
// Elements, encodings and the hash to G1 are bn256's, and user keys are made by gofe's
// own key generation. This package adds what both lack and multi-authority encryption
// needs: decoders that accept one byte string for each element and only members of the
// groups of prime order, exponentiation with the curve's endomorphisms, tables for fixed
// bases, and products of pairings with one final exponentiation.
//
// # Timing
//
// Nothing here runs in constant time. Scalars are math/big integers, and exponentiation
// branches on their digits. An attacker who times many operations on one machine with
// great precision may learn about secrets; package abe says where that matters.
package bn256

import fentec "github.com/fentec-project/bn256"

// The three groups, with the elements and encodings of bn256.
type (
	G1 = fentec.G1
	G2 = fentec.G2
	GT = fentec.GT
)

// Order is the prime order r of the three groups. It must not be changed.
var Order = fentec.Order
