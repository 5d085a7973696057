package group

import (
	"bytes"
	"errors"
)

// Sizes of the encodings in bytes. They are bn256's own, which gofe's Marshal gives too.
const (
	SizeG1 = 64
	SizeG2 = 129
	SizeGT = 384
)

// ErrElement is matched by all errors of the decoders.
var ErrElement = errors.New("not an element of the group")

// DecodeG1 reads a G1 element. It accepts canonical encodings of points other than the
// identity; the curve has prime order, so every such point is in the group.
func DecodeG1(b []byte) (*G1, error) {
	if len(b) != SizeG1 {
		return nil, ErrElement
	}
	e := new(G1)
	if _, err := e.Unmarshal(b); err != nil {
		return nil, ErrElement
	}
	// bn256 reduces coordinates silently: only the reduced form gives the same bytes
	// again.
	if allZero(b) || !bytes.Equal(e.Marshal(), b) {
		return nil, ErrElement
	}
	return e, nil
}

// DecodeG2 reads a G2 element. It accepts canonical encodings of points of order r other
// than the identity.
func DecodeG2(b []byte) (*G2, error) {
	e, err := DecodePoint2(b)
	if err != nil || !InG2(e) {
		return nil, ErrElement
	}
	return e, nil
}

// DecodePoint2 is [DecodeG2] without the check of the order: the point may be any of the
// twist but the identity.
func DecodePoint2(b []byte) (*G2, error) {
	if len(b) != SizeG2 {
		return nil, ErrElement
	}
	e := new(G2)
	if _, err := e.Unmarshal(b); err != nil {
		return nil, ErrElement
	}
	if b[0] != 1 || allZero(b[1:]) || !bytes.Equal(e.Marshal(), b) {
		return nil, ErrElement
	}
	return e, nil
}

// DecodeGT reads a GT element. It accepts canonical encodings of elements of order r
// other than one.
func DecodeGT(b []byte) (*GT, error) {
	e, err := DecodeField12(b)
	if err != nil || !InGT(e) {
		return nil, ErrElement
	}
	return e, nil
}

// DecodeField12 is [DecodeGT] without the check of the order: the element may be any of
// GF(p¹²).
func DecodeField12(b []byte) (*GT, error) {
	if len(b) != SizeGT {
		return nil, ErrElement
	}
	e := new(GT)
	if _, err := e.Unmarshal(b); err != nil {
		return nil, ErrElement
	}
	if !bytes.Equal(e.Marshal(), b) {
		return nil, ErrElement
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
