package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Op is what a posting does.
type Op byte

// The operations of postings.
const (
	Add    Op = 1
	Delete Op = 2
)

// A Day counts days since 1970-01-01 in the calendar of the record, whatever its time zone. The zero value is that very
// day: use [NoDay] for a record without dates.
type Day int32

// NoDay stands for no day at all.
const NoDay Day = math.MinInt32

const (
	dayBias = 1 << 23 // a day d is stored as d + 2^23, so that 0 is free for NoDay
	dayMax  = 1<<23 - 1
	kindMax = 32 // bytes of kind in a posting
)

// DayOf returns the day of t in t's own zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return civil(y, int(m), d)
}

func civil(year, month, day int) Day {
	return Day(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Time returns the start of the day in UTC. It returns the zero time for [NoDay].
func (d Day) Time() time.Time {
	if d == NoDay {
		return time.Time{}
	}
	return time.Unix(int64(d)*86400, 0).UTC()
}

// String returns the day as 2006-01-02, and "" for [NoDay].
func (d Day) String() string {
	if d == NoDay {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}

// A Posting says that a version of a record has a term, or has it no more. It is what a value on the ledger holds.
type Posting struct {
	Record  [16]byte
	Version uint32 // from 1
	Op      Op
	Kind    string    // of the record, as package emr names it; [ClipKind] says what fits
	First   Day       // first clinical day of the record; NoDay when it has none
	Last    Day       // last clinical day; NoDay when it has none
	Written time.Time // by the writer's clock, in whole seconds
}

// ClipKind cuts a kind to the 32 bytes that a posting holds, at a character.
func ClipKind(kind string) string {
	if len(kind) <= kindMax {
		return kind
	}
	end := kindMax
	for end > 0 && !utf8.RuneStart(kind[end]) {
		end--
	}
	return kind[:end]
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
	case p.Version == 0:
		return bad("version 0")
	case (p.First == NoDay) != (p.Last == NoDay) || p.First > p.Last:
		return bad("days out of order")
	case p.First != NoDay && (p.First <= -dayBias || p.Last > dayMax):
		return bad("day out of range")
	case written < 0 || written > math.MaxUint32:
		return bad("time out of range")
	case !utf8.ValidString(p.Kind) || bytes.IndexByte([]byte(p.Kind), 0) >= 0:
		return bad("kind is not text")
	}
	b[0], b[1] = 1, byte(p.Op)
	binary.BigEndian.PutUint32(b[2:], p.Version)
	copy(b[6:22], p.Record[:])
	putDay(b[22:25], p.First)
	putDay(b[25:28], p.Last)
	binary.BigEndian.PutUint32(b[28:], uint32(written))
	copy(b[32:], ClipKind(p.Kind))
	return b, nil
}

// decodePosting is strict: only what encode makes is read, so that equal postings have equal bytes.
func decodePosting(b [PlaintextSize]byte) (Posting, error) {
	if b[0] != 1 {
		return Posting{}, fmt.Errorf("layout %d: %w", b[0], ErrLayout)
	}
	kind, _, _ := bytes.Cut(b[32:], []byte{0})
	p := Posting{
		Record:  [16]byte(b[6:22]),
		Version: binary.BigEndian.Uint32(b[2:]),
		Op:      Op(b[1]),
		Kind:    string(kind),
		First:   getDay(b[22:25]),
		Last:    getDay(b[25:28]),
		Written: time.Unix(int64(binary.BigEndian.Uint32(b[28:])), 0).UTC(),
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

func putDay(b []byte, d Day) {
	var u uint32
	if d != NoDay {
		u = uint32(int32(d) + dayBias)
	}
	b[0], b[1], b[2] = byte(u>>16), byte(u>>8), byte(u)
}

func getDay(b []byte) Day {
	u := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	if u == 0 {
		return NoDay
	}
	return Day(int32(u) - dayBias)
}
