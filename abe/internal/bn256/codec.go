package bn256

import (
	"bytes"

	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// Sizes of the encodings in bytes. They are the bn256 library's own encodings, which
// gofe's Marshal returns too.
const (
	SizeG1 = 64
	SizeG2 = 129
	SizeGT = 384
)

// DecodeG1 decodes a G1 element. It accepts canonical encodings of points other than the
// identity. The curve has prime order, so every such point is in the group.
//
// Errors:
//   - pairing.ErrElement if b is anything else.
func DecodeG1(b []byte) (*G1, error) { return decode[G1](b, SizeG1, b) }

// DecodeG2 decodes a G2 element. It accepts canonical encodings of points of the twist
// other than the identity. It does not check their order: see [InG2].
//
// Errors:
//   - pairing.ErrElement if b is anything else.
func DecodeG2(b []byte) (*G2, error) {
	if len(b) != SizeG2 || b[0] != 1 {
		return nil, pairing.ErrElement
	}
	return decode[G2](b, SizeG2, b[1:])
}

// DecodeGT decodes a GT element. It accepts canonical encodings of elements of GF(p¹²)
// other than zero. It does not check their order: see [InGT].
//
// Errors:
//   - pairing.ErrElement if b is anything else.
func DecodeGT(b []byte) (*GT, error) { return decode[GT](b, SizeGT, b) }

type encoding[T any] interface {
	*T
	Unmarshal(b []byte) ([]byte, error)
	Marshal() []byte
}

// decode decodes b, which must have the given size and coordinates that are not all zero.
// The bn256 library reduces coordinates silently, so decode checks that the element
// encodes to b again.
func decode[T any, E encoding[T]](b []byte, size int, coordinates []byte) (*T, error) {
	if len(b) != size || allZero(coordinates) {
		return nil, pairing.ErrElement
	}
	e := new(T)
	if _, err := E(e).Unmarshal(b); err != nil || !bytes.Equal(E(e).Marshal(), b) {
		return nil, pairing.ErrElement
	}
	return e, nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
