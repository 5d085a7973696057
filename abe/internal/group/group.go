// Package group is the pairing group of the abe package: the 256-bit Barreto-Naehrig
// curve of github.com/fentec-project/bn256, which gofe uses too.
//
// It adds what bn256 lacks and multi-authority ABE needs: canonical encodings that accept
// one byte string per element and only elements of the prime-order groups, exponentiation
// that uses the curve's endomorphisms, tables for fixed bases, and products of pairings
// with a single final exponentiation.
//
// # Timing
//
// Nothing here runs in constant time: scalars are math/big integers, and exponentiation
// branches on their digits. An attacker who can time many operations on one machine with
// great precision may learn about secrets; the abe package says where that matters.
package group

import (
	"crypto/rand"
	"io"
	"math/big"

	"github.com/fentec-project/bn256"
)

// The three groups, with the elements and encodings of bn256.
type (
	G1 = bn256.G1
	G2 = bn256.G2
	GT = bn256.GT
)

// Order is the prime order r of the three groups. It must not be changed.
var Order = bn256.Order

// Scalar reads a uniform integer modulo [Order] from random.
func Scalar(random io.Reader) (*big.Int, error) { return rand.Int(random, Order) }

// HashToG1 maps a global identifier to G1, the function H of eprint 2010/351 section 4.
// It is gofe's: try and increment from SHA-256, so its running time depends on the
// identifier, which is public.
func HashToG1(gid string) (*G1, error) { return bn256.HashG1(gid) }
