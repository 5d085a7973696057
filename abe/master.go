package abe

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/fentec-project/gofe/abe"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// masterSize is the size of an authority's secret in bytes.
const masterSize = 32

// A MasterKey is the whole secret of one authority: 32 random bytes, from which the
// exponents α and y of every version of every attribute are derived. So a backup taken
// once is good for ever, making a key again gives the same key, and a rotation is the
// next version number. Whoever has it can make every key of the authority. It is safe for
// concurrent use until [MasterKey.Destroy].
type MasterKey struct {
	authority string
	secret    [masterSize]byte
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

// usable fails after Destroy: everybody can derive the keys of the zeros that it leaves.
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

// Destroy overwrites the secret. Whatever uses it afterwards fails.
func (m *MasterKey) Destroy() {
	m.destroyed = true
	clear(m.secret[:])
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

// exponent derives α or y. 48 bytes modulo the 256-bit order leave a bias below 2^-128.
func (m *MasterKey) exponent(which string, a policy.Attribute, version int) (*big.Int, error) {
	info := "chartseal/lw11-bn256/exponent/v1\x00" + which + "\x00" + a.String() + "\x00"
	info = string(binary.BigEndian.AppendUint32([]byte(info), uint32(version)))
	wide, err := hkdf.Key(sha256.New, m.secret[:], nil, info, 48)
	if err != nil {
		return nil, fmt.Errorf("derive exponent: %w", err)
	}
	defer clear(wide)
	x := new(big.Int).SetBytes(wide)
	return x.Mod(x, group.Order), nil
}

func (m *MasterKey) exponents(attribute string, version int) (a policy.Attribute, alpha, y *big.Int, err error) {
	if a, err = m.own(attribute); err != nil {
		return
	}
	if err = m.usable(); err != nil {
		return
	}
	if version < 1 || version > maxVersion {
		err = fmt.Errorf("attribute %s: version %d: want 1 or more", a, version)
		return
	}
	if alpha, err = m.exponent("alpha", a, version); err != nil {
		return
	}
	y, err = m.exponent("y", a, version)
	return
}

// PublicKey gives the public key of a version of one of the authority's attributes. It
// always gives the same one.
func (m *MasterKey) PublicKey(attribute string, version int) (*PublicKey, error) {
	a, alpha, y, err := m.exponents(attribute, version)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	defer wipe(alpha, y)
	return newPublicKey(a, version, group.BaseExpT(alpha), group.BaseMul2(y)), nil
}

// scheme is gofe's MAABE, as abe.NewMAABE makes it, from the generators that we have
// computed already.
var scheme = &abe.MAABE{P: group.Order, G1: group.Generator1(), G2: group.Generator2(), Gt: group.GeneratorT()}

// Issue makes the key of gid for a version of one of the authority's attributes. It
// always gives the same one. Whether gid deserves the key is decided before, from a
// verified certificate (package authority).
func (m *MasterKey) Issue(gid, attribute string, version int) (*UserKey, error) {
	keys, err := m.IssueAll(gid, []KeyVersion{{attribute, version}})
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// IssueAll is [MasterKey.Issue] for many attributes and versions of one gid, which costs
// less than one by one.
//
// The keys are made by gofe's key generation: its MAABEAuth with our derived exponents.
func (m *MasterKey) IssueAll(gid string, wanted []KeyVersion) ([]*UserKey, error) {
	if err := checkGID(gid); err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	auth := &abe.MAABEAuth{ID: m.authority, Maabe: scheme, Sk: &abe.MAABESecKey{Alpha: map[string]*big.Int{}, Y: map[string]*big.Int{}}}
	defer func() {
		for _, label := range auth.Sk.Attribs {
			wipe(auth.Sk.Alpha[label], auth.Sk.Y[label])
		}
	}()
	out := make([]*UserKey, len(wanted))
	labels := make([]string, len(wanted))
	for i, want := range wanted {
		a, alpha, y, err := m.exponents(want.Attribute, want.Version)
		if err != nil {
			return nil, fmt.Errorf("issue: %w", err)
		}
		labels[i] = fmt.Sprintf("%s@%d", a, want.Version) // gofe knows attributes without versions
		if auth.Sk.Alpha[labels[i]] == nil {
			auth.Sk.Attribs = append(auth.Sk.Attribs, labels[i])
			auth.Sk.Alpha[labels[i]], auth.Sk.Y[labels[i]] = alpha, y
		}
		out[i] = &UserKey{gid: gid, attribute: a, version: want.Version}
	}
	keys, err := auth.GenerateAttribKeys(gid, labels)
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	for i, k := range keys {
		k.Key.Marshal() // makes the point affine now, so that later readers do not write to it
		out[i].k = k.Key
	}
	return out, nil
}

// wipe overwrites the words of secret integers. Copies that math/big made on the way are
// out of reach.
func wipe(secrets ...*big.Int) {
	for _, s := range secrets {
		words := s.Bits()
		clear(words[:cap(words)])
		s.SetInt64(0)
	}
}
