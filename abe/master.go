package abe

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// masterSize is the size of an authority's secret in bytes.
const masterSize = 32

// A MasterKey is the whole secret of one authority: 32 random bytes, from which the
// exponents α and y of every version of every attribute are derived. So one backup is
// good for ever, a key made again is the same key, and a rotation is the next version
// number. After a replacement ([MasterKey.Replace]) it also holds the secrets before, for
// the versions that they made. A master key can make every key of its authority. It is
// safe for concurrent use until [MasterKey.Destroy].
type MasterKey struct {
	authority string
	secret    [masterSize]byte
	history   history
	destroyed bool
}

// NewMasterKey makes the secret of the authority with the given MSP ID from random
// (crypto/rand.Reader).
func NewMasterKey(authority string, random io.Reader) (*MasterKey, error) {
	m := &MasterKey{authority: authority}
	if _, err := m.own(authority + ":x"); err != nil {
		return nil, fmt.Errorf("new master key: authority %.80q: not a valid MSP ID", authority)
	}
	if _, err := io.ReadFull(random, m.secret[:]); err != nil {
		return nil, fmt.Errorf("new master key: %w", err)
	}
	return m, nil
}

// usable fails after Destroy: everybody can derive keys from the zeros that it leaves.
func (m *MasterKey) usable() error {
	if m.destroyed {
		return errors.New("the master key was destroyed")
	}
	return nil
}

// Authority is the MSP ID of the authority.
func (m *MasterKey) Authority() string { return m.authority }

// String does not show the secret.
func (m *MasterKey) String() string { return "master key of " + m.authority }

// GoString does not show the secret either.
func (m *MasterKey) GoString() string { return m.String() }

// Destroy overwrites the secrets. Later uses fail.
func (m *MasterKey) Destroy() {
	m.destroyed = true
	clear(m.secret[:])
	m.history.wipe()
}

// own parses the name of an attribute and refuses those of other authorities.
func (m *MasterKey) own(attribute string) (policy.Attribute, error) {
	a, err := policy.ParseAttribute(attribute)
	if err != nil {
		return a, err
	}
	if a.Authority != m.authority {
		return a, fmt.Errorf("attribute %s does not belong to authority %s", a, m.authority)
	}
	return a, nil
}

// exponents derives α and y of a version of an attribute, in one suite, from the secret
// that makes this version.
func (m *MasterKey) exponents(s pairing.Suite, attribute string, version int) (policy.Attribute, pairing.Exponents, error) {
	a, err := m.own(attribute)
	if err != nil {
		return a, pairing.Exponents{}, err
	}
	by := m.made(a.String(), version)
	if by == foreign {
		return a, pairing.Exponents{}, fmt.Errorf("attribute %s: version %d: %w", a, version, errForeign)
	}
	return m.exponentsFrom(s, m.secretAt(by), a, version)
}

func (m *MasterKey) exponentsFrom(s pairing.Suite, secret []byte, a policy.Attribute, version int) (policy.Attribute, pairing.Exponents, error) {
	err := m.usable()
	if err == nil && (version < 1 || version > maxVersion) {
		err = fmt.Errorf("attribute %s: version %d: want 1 or more", a, version)
	}
	if err != nil {
		return a, pairing.Exponents{}, err
	}
	derive := func(which string) []byte {
		info := magicScheme + nameOf(s) + "/exponent/v1\x00" + which + "\x00" + a.String() + "\x00"
		info = string(binary.BigEndian.AppendUint32([]byte(info), uint32(version)))
		var b []byte
		if err == nil {
			b, err = hkdf.Key(sha256.New, secret, nil, info, s.Parameters().SizeExponent)
		}
		return b
	}
	e := pairing.Exponents{Alpha: derive("alpha"), Y: derive("y")}
	if err != nil {
		return a, e, fmt.Errorf("derive exponent: %w", err)
	}
	return a, e, nil
}

// PublicKey returns the public key of a version of one of the authority's attributes, the
// same one every time.
func (m *MasterKey) PublicKey(attribute string, version int) (*PublicKey, error) {
	s := suites[0]
	a, e, err := m.exponents(s, attribute, version)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return newPublicKey(s, a, e, version), nil
}

// newPublicKey makes a public key and wipes its exponents.
func newPublicKey(s pairing.Suite, a policy.Attribute, e pairing.Exponents, version int) *PublicKey {
	defer e.Wipe()
	egg, gy := s.PublicKey(e)
	return &PublicKey{suite: s, attribute: a, version: version, egg: egg, gy: gy, tables: new(tables)}
}

// Issue makes the key of gid for a version of one of the authority's attributes, the same
// one every time. The caller decides whether gid may have it (package authority does,
// from a verified certificate). It fails for a [MasterKey.Foreign] version.
func (m *MasterKey) Issue(gid, attribute string, version int) (*UserKey, error) {
	keys, err := m.IssueAll(gid, []KeyVersion{{attribute, version}})
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// IssueAll is [MasterKey.Issue] for many attributes and versions of one gid, and costs
// less than many calls.
func (m *MasterKey) IssueAll(gid string, wanted []KeyVersion) ([]*UserKey, error) {
	if err := checkGID(gid); err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	s := suites[0]
	out := make([]*UserKey, len(wanted))
	exponents := make([]pairing.Exponents, len(wanted))
	defer func() {
		for _, e := range exponents {
			e.Wipe()
		}
	}()
	for i, want := range wanted {
		a, e, err := m.exponents(s, want.Attribute, want.Version)
		exponents[i] = e
		if err != nil {
			return nil, fmt.Errorf("issue: %w", err)
		}
		out[i] = &UserKey{suite: s, gid: gid, attribute: a, version: want.Version}
	}
	keys, err := s.UserKeys(gid, exponents)
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	for i, k := range keys {
		out[i].k = k
	}
	return out, nil
}
