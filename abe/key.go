package abe

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// A PublicKey is what a sealer needs of one attribute: the pair e(g1,g2)^α, g2^y of
// eprint 2010/351, appendix D. Its authority publishes it, and the ledger pins it. It is
// immutable and safe for concurrent use. The zero value holds no key and is good for
// UnmarshalBinary only.
type PublicKey struct {
	attribute policy.Attribute
	version   int
	egg       *group.GT // e(g1,g2)^α
	gy        *group.G2 // g2^y
	fast      *powers
}

func newPublicKey(a policy.Attribute, version int, egg *group.GT, gy *group.G2) *PublicKey {
	return &PublicKey{attribute: a, version: version, egg: egg, gy: gy, fast: newPowers(egg, gy)}
}

// Name is the attribute's plain name, for example HospitalA:role=doctor.
func (k *PublicKey) Name() string { return k.attribute.String() }

// Attribute is the attribute's name in parts.
func (k *PublicKey) Attribute() policy.Attribute { return k.attribute }

// Version counts from 1; each rotation of the attribute adds one.
func (k *PublicKey) Version() int { return k.version }

// Equal tells whether both keys are the same key of the same version of the same
// attribute.
func (k *PublicKey) Equal(other *PublicKey) bool { return string(k.bytes()) == string(other.bytes()) }

// MarshalBinary gives the canonical encoding, see FORMAT.md. It never fails.
func (k *PublicKey) MarshalBinary() ([]byte, error) { return k.bytes(), nil }

func (k *PublicKey) bytes() []byte {
	b := append([]byte(nil), magicPublicKey...)
	b = appendText(b, k.Name())
	b = appendVersion(b, k.version)
	b = append(b, k.egg.Marshal()...)
	return append(b, k.gy.Marshal()...)
}

// ParsePublicKey reads the canonical encoding of a public key. It checks that both
// elements are in their groups of prime order and are not the identity, and refuses
// anything else with [ErrMalformed]. Whether the key is the right one for its name is for
// the caller to know: take keys from the ledger, where only the owner of the name can
// publish.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	const kind = "public key"
	rest, ok := bytes.CutPrefix(b, []byte(magicPublicKey))
	if !ok {
		return nil, malformed("%s: does not begin with its magic", kind)
	}
	r := &reader{rest: rest}
	k := newPublicKey(r.attribute(), r.version(), r.gt("e(g1,g2)^alpha"), r.g2("g2^y"))
	if err := r.end(kind); err != nil {
		return nil, err
	}
	return k, nil
}

// UnmarshalBinary is [ParsePublicKey] into k, which is left as it was on failure.
func (k *PublicKey) UnmarshalBinary(b []byte) error {
	parsed, err := ParsePublicKey(b)
	if err == nil {
		*k = *parsed
	}
	return err
}

// A UserKey is the key of one person for one attribute: K = g1^α · H(GID)^y. It is a
// secret of that person. It is immutable and safe for concurrent use. The zero value
// holds no key and is good for UnmarshalBinary only.
type UserKey struct {
	gid       string
	attribute policy.Attribute
	version   int
	k         *group.G1
}

// GID is the global identifier of the holder, MSPID/enrolment-id. Keys of different GIDs
// do not combine.
func (k *UserKey) GID() string { return k.gid }

// Name is the attribute's plain name.
func (k *UserKey) Name() string { return k.attribute.String() }

// Attribute is the attribute's name in parts.
func (k *UserKey) Attribute() policy.Attribute { return k.attribute }

// Version is that of the public key that this key belongs to.
func (k *UserKey) Version() int { return k.version }

// String does not show the secret, so that a key that slips into a log is not lost.
func (k *UserKey) String() string {
	return fmt.Sprintf("user key of %s for %s version %d", k.gid, k.Name(), k.version)
}

// GoString does not show the secret either.
func (k *UserKey) GoString() string { return k.String() }

// MarshalBinary gives the canonical encoding, see FORMAT.md. It is as secret as the key.
// It never fails.
func (k *UserKey) MarshalBinary() ([]byte, error) {
	b := append([]byte(nil), magicUserKey...)
	b = appendText(b, k.gid)
	b = appendText(b, k.Name())
	b = appendVersion(b, k.version)
	return append(b, k.k.Marshal()...), nil
}

// ParseUserKey reads the canonical encoding of a user key and refuses anything else with
// [ErrMalformed]. It cannot tell whether an authority made the key: [UserKey.Verify]
// does.
func ParseUserKey(b []byte) (*UserKey, error) {
	const kind = "user key"
	rest, ok := bytes.CutPrefix(b, []byte(magicUserKey))
	if !ok {
		return nil, malformed("%s: does not begin with its magic", kind)
	}
	r := &reader{rest: rest}
	k := &UserKey{gid: r.text(maxGID, "GID"), attribute: r.attribute(), version: r.version(), k: r.g1("K")}
	if r.failed == "" && checkGID(k.gid) != nil {
		r.fail("GID is not valid")
	}
	if err := r.end(kind); err != nil {
		return nil, err
	}
	return k, nil
}

// UnmarshalBinary is [ParseUserKey] into k, which is left as it was on failure.
func (k *UserKey) UnmarshalBinary(b []byte) error {
	parsed, err := ParseUserKey(b)
	if err == nil {
		*k = *parsed
	}
	return err
}

// Verify checks that the authority that published pk made this key for this GID:
//
//	e(K, g2) = e(g1,g2)^α · e(H(GID), g2^y)
//
// It fails with [ErrKeyMismatch]. Do this once, when a key arrives.
func (k *UserKey) Verify(pk *PublicKey) error {
	if k.Name() != pk.Name() || k.version != pk.version {
		return fmt.Errorf("%s: %w: public key is for %s version %d", k, ErrKeyMismatch, pk.Name(), pk.version)
	}
	h, err := group.HashToG1(k.gid)
	if err != nil {
		return fmt.Errorf("hash GID: %w", err)
	}
	// e(K, g2) · e(-H(GID), g2^y) with one final exponentiation.
	left := group.PairProduct([]*group.G1{k.k, group.Neg1(h)}, []*group.G2{group.Generator2(), pk.gy})
	if string(left.Marshal()) != string(pk.egg.Marshal()) {
		return fmt.Errorf("%s: %w: the authority of %s did not make it", k, ErrKeyMismatch, pk.Name())
	}
	return nil
}

// checkGID accepts what an authority may derive from a certificate: printable UTF-8, with
// one part before and one after the first slash.
func checkGID(gid string) error {
	msp, id, found := strings.Cut(gid, "/")
	if !found || msp == "" || id == "" || len(gid) > maxGID {
		return fmt.Errorf("GID %.80q: want MSPID/enrolment-id of at most %d bytes", gid, maxGID)
	}
	if !utf8.ValidString(gid) || strings.ContainsFunc(gid, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("GID %.80q: not printable UTF-8", gid)
	}
	return nil
}
