package abe

import (
	"encoding/binary"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// Every encoding begins with a magic text that names its kind, the suite and the format's
// version, so that no encoding can be taken for another one.
const (
	magicPublicKey = "chartseal/lw11-bn256/public-key/v1\n"
	magicUserKey   = "chartseal/lw11-bn256/user-key/v1\n"
)

// maxVersion keeps versions in the range of every integer type that they travel in.
const maxVersion = 1<<31 - 1

// maxGID bounds a global identifier: an MSP ID, a slash, an enrolment id.
const maxGID = 512

// A reader takes an encoding apart. After the first failure it stays failed.
type reader struct {
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

func (r *reader) g1(what string) *group.G1 { return element(r, group.SizeG1, group.DecodeG1, what) }
func (r *reader) g2(what string) *group.G2 { return element(r, group.SizeG2, group.DecodeG2, what) }
func (r *reader) gt(what string) *group.GT { return element(r, group.SizeGT, group.DecodeGT, what) }

func element[T any](r *reader, size int, decode func([]byte) (*T, error), what string) *T {
	b := r.take(size, what)
	if b == nil {
		return nil
	}
	e, err := decode(b)
	if err != nil {
		r.fail(what + " is not an element of its group")
		return nil
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
