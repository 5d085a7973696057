package abe

import (
	"encoding/binary"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// maxVersion keeps versions in the range of every integer type that carries them.
const maxVersion = 1<<31 - 1

// maxGID bounds a global identifier: an MSP ID, a slash, an enrolment id.
const maxGID = 512

// A reader takes an encoding apart. After the first failure it stays failed.
type reader struct {
	suite  pairing.Suite
	rest   []byte
	failed string
}

func (r *reader) fail(what string) {
	if r.failed == "" {
		r.failed = what
	}
	r.rest = nil
}

func (r *reader) take(n int, what string) []byte {
	if r.failed != "" || len(r.rest) < n {
		r.fail(what + " is cut short")
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint16(what string) int {
	if b := r.take(2, what); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) version() int {
	b := r.take(4, "version")
	if b == nil {
		return 0
	}
	v := binary.BigEndian.Uint32(b)
	if v < 1 || v > maxVersion {
		r.fail("version is out of range")
		return 0
	}
	return int(v)
}

// text reads a length and that many bytes.
func (r *reader) text(limit int, what string) string {
	n := r.uint16(what)
	if n > limit {
		r.fail(what + " is too long")
		return ""
	}
	return string(r.take(n, what))
}

func (r *reader) attribute() policy.Attribute {
	name := r.text(policy.MaxName, "attribute")
	if r.failed != "" {
		return policy.Attribute{}
	}
	a, err := policy.ParseAttribute(name)
	if err != nil {
		r.fail("attribute name is not valid")
	}
	return a
}

func (r *reader) g1(what string) pairing.G1 {
	return valid(r, unchecked(r, r.suite.Parameters().SizeG1, r.suite.DecodeG1, what), what)
}

func (r *reader) g2(what string) pairing.G2 { return valid(r, r.uncheckedG2(what), what) }
func (r *reader) gt(what string) pairing.GT { return valid(r, r.uncheckedGT(what), what) }

// uncheckedG2 and uncheckedGT read elements of any order. The caller checks what it
// computes from them.
func (r *reader) uncheckedG2(what string) pairing.G2 {
	return unchecked(r, r.suite.Parameters().SizeG2, r.suite.DecodeG2, what)
}

func (r *reader) uncheckedGT(what string) pairing.GT {
	return unchecked(r, r.suite.Parameters().SizeGT, r.suite.DecodeGT, what)
}

func unchecked[E pairing.Element](r *reader, size int, decode func([]byte) (E, error), what string) (e E) {
	b := r.take(size, what)
	if b == nil {
		return e
	}
	e, err := decode(b)
	if err != nil {
		r.fail(what + " is not an element of its group")
	}
	return e
}

func valid[E pairing.Element](r *reader, e E, what string) E {
	if r.failed == "" && !e.Valid() {
		r.fail(what + " is not an element of its group")
	}
	return e
}

// end reports the first failure, or that bytes are left over.
func (r *reader) end(kind string) error {
	if r.failed == "" && len(r.rest) > 0 {
		r.failed = "bytes after the end"
	}
	if r.failed != "" {
		return malformed("%s: %s", kind, r.failed)
	}
	return nil
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendVersion(b []byte, v int) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
