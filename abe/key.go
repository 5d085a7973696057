package abe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// A PublicKey is the pair e(g1,g2)^α, g2^y of eprint 2010/351, appendix D, to which
// sealers encrypt one version of one attribute. Its authority publishes it, and the
// ledger pins it. It is immutable and safe for concurrent use. The zero value holds no
// key and supports UnmarshalBinary only.
type PublicKey struct {
	suite     pairing.Suite
	attribute policy.Attribute
	version   int
	egg       pairing.GT // e(g1,g2)^α
	gy        pairing.G2 // g2^y
	tables    *tables
}

// Name is the attribute's plain name, for example HospitalA:role=doctor.
func (k *PublicKey) Name() string { return k.attribute.String() }

// Attribute is the attribute's name in parts.
func (k *PublicKey) Attribute() policy.Attribute { return k.attribute }

// Version counts from 1; each rotation of the attribute adds one.
func (k *PublicKey) Version() int { return k.version }

// Equal reports whether both have the same suite, attribute, version and elements.
func (k *PublicKey) Equal(other *PublicKey) bool { return string(k.bytes()) == string(other.bytes()) }

// MarshalBinary returns the canonical encoding, see FORMAT.md. It never fails.
func (k *PublicKey) MarshalBinary() ([]byte, error) { return k.bytes(), nil }

func (k *PublicKey) bytes() []byte {
	b := []byte(magic(k.suite, kindPublicKey))
	b = appendText(b, k.Name())
	b = appendVersion(b, k.version)
	b = append(b, k.egg.Marshal()...)
	return append(b, k.gy.Marshal()...)
}

// ParsePublicKey reads the canonical encoding of a public key. It checks that both
// elements are in their groups and not the identity. It cannot check that the key is the
// right one for its name: take keys from the ledger, where only the owner of the name can
// publish.
//
// Errors:
//   - ErrMalformed for anything but a canonical encoding.
//   - [*UnknownSuiteError] beside it if the key is of a suite that this version does not
//     know.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	s, r, err := cutMagic(b, kindPublicKey)
	if err != nil {
		return nil, err
	}
	k := &PublicKey{
		suite: s, attribute: r.attribute(), version: r.version(), egg: r.gt("e(g1,g2)^alpha"), gy: r.g2("g2^y"), tables: new(tables),
	}
	if err := r.end(kindPublicKey); err != nil {
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

// A UserKey is the key of one person for one version of one attribute: K = g1^α ·
// H(GID)^y. It is a secret of that person. It is immutable and safe for concurrent use.
// The zero value holds no key and supports UnmarshalBinary only.
type UserKey struct {
	suite     pairing.Suite
	gid       string
	attribute policy.Attribute
	version   int
	k         pairing.G1
}

// GID is the global identifier of the holder, MSPID/enrolment-id. Keys of different GIDs
// do not combine.
func (k *UserKey) GID() string { return k.gid }

// Name is the attribute's plain name.
func (k *UserKey) Name() string { return k.attribute.String() }

// Attribute is the attribute's name in parts.
func (k *UserKey) Attribute() policy.Attribute { return k.attribute }

// Version is the version of the public key that this key belongs to.
func (k *UserKey) Version() int { return k.version }

// String does not show the secret, so that a log of it reveals nothing.
func (k *UserKey) String() string {
	return fmt.Sprintf("user key of %s for %s version %d", k.gid, k.Name(), k.version)
}

// GoString does not show the secret either.
func (k *UserKey) GoString() string { return k.String() }

// MarshalBinary returns the canonical encoding, see FORMAT.md, which is as secret as the
// key. It never fails.
func (k *UserKey) MarshalBinary() ([]byte, error) {
	b := []byte(magic(k.suite, kindUserKey))
	b = appendText(b, k.gid)
	b = appendText(b, k.Name())
	b = appendVersion(b, k.version)
	return append(b, k.k.Marshal()...), nil
}

// ParseUserKey reads the canonical encoding of a user key. It cannot tell whether an
// authority made the key: [UserKey.Verify] does.
//
// Errors: as of [ParsePublicKey].
func ParseUserKey(b []byte) (*UserKey, error) {
	s, r, err := cutMagic(b, kindUserKey)
	if err != nil {
		return nil, err
	}
	k := &UserKey{suite: s, gid: r.text(maxGID, "GID"), attribute: r.attribute(), version: r.version(), k: r.g1("K")}
	if r.failed == "" && checkGID(k.gid) != nil {
		r.fail("GID is not valid")
	}
	if err := r.end(kindUserKey); err != nil {
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
// Do this once, when a key arrives.
//
// Errors:
//   - ErrKeyMismatch if the authority did not make it, or pk is for another attribute,
//     version or suite.
func (k *UserKey) Verify(pk *PublicKey) error {
	if k.Name() != pk.Name() || k.version != pk.version {
		return fmt.Errorf("%s: %w: public key is for %s version %d", k, ErrKeyMismatch, pk.Name(), pk.version)
	}
	if nameOf(k.suite) != nameOf(pk.suite) {
		return fmt.Errorf("%s: %w: its suite is %s, the public key's is %s", k, ErrKeyMismatch, nameOf(k.suite), nameOf(pk.suite))
	}
	h, err := pk.suite.HashToG1(k.gid)
	if err != nil {
		return fmt.Errorf("hash GID: %w", err)
	}
	// e(K, g2) · e(-H(GID), g2^y) with one final exponentiation.
	g2 := pk.suite.BaseG2().Mul(bigOne)
	left := pk.suite.PairProduct([]pairing.Pair{{P: k.k, Q: g2, Times: bigOne}, {P: h, Q: pk.gy, Times: bigMinusOne}})
	if string(left.Marshal()) != string(pk.egg.Marshal()) {
		return fmt.Errorf("%s: %w: the authority of %s did not make it", k, ErrKeyMismatch, pk.Name())
	}
	return nil
}

// checkGID accepts the identifiers that an authority may derive from a certificate:
// printable UTF-8, with one part before and one after the first slash.
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
