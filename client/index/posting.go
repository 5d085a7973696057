package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// An Op is the operation of a posting.
type Op byte

// The operations of postings.
const (
	Add    Op = 1
	Delete Op = 2
)

const (
	layout     = 2
	dayBits    = 18
	dayBias    = 1 << (dayBits - 1) // a day is stored plus 2^17, so that 0 is free for NoDay
	dayMax     = dayBias - 1
	versionMax = ledger.MaxVersions

	_ = uint(1<<14 - 1 - versionMax) // the version fits beside the operation
)

// A Posting says that a version of a record has a term, or no longer has it. It is the
// plaintext of a value on the ledger.
type Posting struct {
	Record  [16]byte
	Version uint32 // from 1 to ledger.MaxVersions
	Op      Op
	Kind    string    // of the record, as package emr names it, clipped by [ClipKind]
	First   Day       // first clinical day of the record; NoDay when it has none
	Last    Day       // last clinical day; NoDay when it has none
	Written time.Time // by the writer's clock, in whole seconds
}

func (p Posting) encode() ([PlaintextSize]byte, error) {
	var b [PlaintextSize]byte
	bad := func(what string) ([PlaintextSize]byte, error) {
		return b, fmt.Errorf("posting of record %x: %s: %w", p.Record, what, ErrInvalid)
	}
	written := p.Written.Unix()
	switch {
	case p.Op != Add && p.Op != Delete:
		return bad("neither add nor delete")
	case p.Version == 0 || p.Version > versionMax:
		return bad("version out of range")
	case (p.First == NoDay) != (p.Last == NoDay) || p.First > p.Last:
		return bad("days out of order")
	case p.First != NoDay && (p.First <= -dayBias || p.Last > dayMax):
		return bad("day out of range")
	case written < 0 || written > math.MaxUint32:
		return bad("time out of range")
	case !isKind(p.Kind):
		return bad("kind is not text")
	}
	kind := encodeKind(kindForms, p.Kind)
	days := uint64(layout)<<(2*dayBits) | packDay(p.First)<<dayBits | packDay(p.Last)
	b[0] = byte(days >> 32)
	binary.BigEndian.PutUint32(b[1:], uint32(days))
	binary.BigEndian.PutUint16(b[5:], uint16(p.Op)<<14|uint16(p.Version))
	copy(b[7:], p.Record[:])
	binary.BigEndian.PutUint32(b[23:], uint32(written))
	copy(b[27:], kind[:])
	return b, nil
}

// decodePosting reads only bytes that encode makes, so that equal postings have equal
// bytes.
func decodePosting(b [PlaintextSize]byte) (Posting, error) {
	days := uint64(b[0])<<32 | uint64(binary.BigEndian.Uint32(b[1:]))
	if n := days >> (2 * dayBits); n != layout {
		return Posting{}, fmt.Errorf("layout %d: %w", n, ErrLayout)
	}
	kind, err := decodeKind(kindForms, [kindSize]byte(b[27:]))
	if err != nil {
		return Posting{}, err
	}
	operation := binary.BigEndian.Uint16(b[5:])
	p := Posting{
		Record:  [16]byte(b[7:]),
		Version: uint32(operation & (1<<14 - 1)),
		Op:      Op(operation >> 14),
		Kind:    kind,
		First:   unpackDay(days >> dayBits),
		Last:    unpackDay(days),
		Written: time.Unix(int64(binary.BigEndian.Uint32(b[23:])), 0).UTC(),
	}
	again, err := p.encode()
	if err != nil {
		return Posting{}, err
	}
	if again != b {
		return Posting{}, fmt.Errorf("posting is not canonical: %w", ErrInvalid)
	}
	return p, nil
}

func packDay(d Day) uint64 {
	if d == NoDay {
		return 0
	}
	return uint64(d + dayBias)
}

// unpackDay reads the lowest bits.
func unpackDay(bits uint64) Day {
	bits &= 1<<dayBits - 1
	if bits == 0 {
		return NoDay
	}
	return Day(bits) - dayBias
}
