package abe

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

const (
	fileKeySize = 16 // age's
	saltSize    = 16
	wrappedSize = fileKeySize + chacha20poly1305.Overhead
)

// Formats of a stanza, the first byte of its body.
const (
	formatSingle = 1 // read only: one file key for each encapsulation
	formatSalted = 2 // any number of them
)

// infoSalted and infoSingle are the HKDF info of the keys that wrap file keys.
func infoSalted(s pairing.Suite) string { return stanzaType(s) + "/file-key/v2" }
func infoSingle(s pairing.Suite) string { return stanzaType(s) + "/file-key/v1" }

// maxBody is the largest body that a policy within its limits can have.
func maxBody(s pairing.Suite) int {
	return 1 + 2*(2+policy.MaxText) + 2 + policy.MaxAttributes*(4+rowSize(s)) + saltSize + wrappedSize
}

// A stanza is the ciphertext of one span program of a policy. See FORMAT.md.
type stanza struct {
	suite    pairing.Suite
	format   byte
	policy   string // the whole policy, canonical
	span     *policy.Span
	versions []int    // of the keys, one for each row
	rows     [][]byte // encoded
	header   []byte   // the body up to the salt
	salt     []byte   // none in formatSingle
	wrapped  []byte   // the file key under the AEAD
}

// unwrap opens the file key with a recovered secret.
func (s *stanza) unwrap(secret pairing.GT) ([]byte, error) {
	root, err := extract(secret, s.header)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	info := infoSalted(s.suite)
	if s.format == formatSingle {
		info = infoSingle(s.suite)
	}
	aead, err := wrapper(root, info, s.salt)
	if err != nil {
		return nil, err
	}
	fileKey, err := aead.Open(nil, make([]byte, aead.NonceSize()), s.wrapped, slices.Concat(s.header, s.salt))
	if err != nil {
		return nil, fmt.Errorf("%w: stanza for %s does not authenticate", ErrTampered, s.span)
	}
	return fileKey, nil
}

// extract concentrates a secret, and binds it to the whole ciphertext and policy (as in
// DHIES).
func extract(secret pairing.GT, header []byte) ([]byte, error) {
	ikm := secret.Marshal()
	defer clear(ikm)
	salt := sha256.Sum256(header)
	root, err := hkdf.Extract(sha256.New, ikm, salt[:])
	if err != nil {
		return nil, fmt.Errorf("derive wrapping key: %w", err)
	}
	return root, nil
}

// wrapper is the AEAD for one file key. All bytes before the wrapped key are its
// associated data. The nonce is zero because the key is used once: each file key of an
// encapsulation has a salt of its own, drawn at random.
func wrapper(root []byte, info string, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, root, info+string(salt), chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive wrapping key: %w", err)
	}
	defer clear(key)
	return chacha20poly1305.New(key)
}

// parseStanza reads a stanza and checks its structure. It does not decode the group
// elements: opening decodes the rows that it uses, and a change to any other row fails
// the AEAD.
//
// Errors:
//   - [*UnknownSuiteError] if this version does not know the suite.
//   - ErrMalformed for anything else.
func parseStanza(a *age.Stanza) (*stanza, error) {
	const kind = "stanza"
	r, s, err := parsePolicies(a)
	if err != nil {
		return nil, err
	}
	n := len(s.span.Rows())
	if count := r.uint16("row count"); r.failed == "" && count != n {
		r.fail("row count does not fit the policy")
	}
	for range n {
		if r.failed != "" {
			break
		}
		s.versions = append(s.versions, r.version())
		s.rows = append(s.rows, r.take(rowSize(s.suite), "row"))
	}
	s.header = a.Body[:len(a.Body)-len(r.rest)]
	if s.format == formatSalted {
		s.salt = r.take(saltSize, "salt")
	}
	s.wrapped = r.take(wrappedSize, "wrapped key")
	if err := r.end(kind); err != nil {
		return nil, err
	}
	return s, nil
}

// parsePolicies reads the part of a stanza that holds the policy.
func parsePolicies(a *age.Stanza) (*reader, *stanza, error) {
	suite, err := suiteOf(a.Type)
	if err != nil {
		return nil, nil, err
	}
	if len(a.Args) != 0 {
		return nil, nil, malformed("stanza: has arguments")
	}
	if len(a.Body) > maxBody(suite) {
		return nil, nil, malformed("stanza: longer than any policy needs")
	}
	r := &reader{suite: suite, rest: a.Body}
	format := r.take(1, "format")
	if format != nil && format[0] != formatSingle && format[0] != formatSalted {
		r.fail("unknown format")
	}
	whole := r.text(policy.MaxText, "policy")
	own := r.text(policy.MaxText, "span program")
	if r.failed != "" {
		return nil, nil, r.end("stanza")
	}
	if own == whole {
		return nil, nil, malformed("stanza: policy written twice")
	}
	if own == "" {
		own = whole
	} else if p, err := policy.Parse(whole); err != nil || p.String() != whole {
		return nil, nil, malformed("stanza: policy is not in canonical form")
	}
	span, err := policy.ParseSpan(own, suite.Parameters().Order)
	if err != nil || span.String() != own {
		return nil, nil, malformed("stanza: span program is not in canonical form")
	}
	return r, &stanza{suite: suite, format: format[0], policy: whole, span: span}, nil
}

// StanzaPolicy reads what a stanza says without any key: the policy in canonical form,
// and the attributes and key versions that the stanza was sealed to.
//
// Errors:
//   - [*UnknownSuiteError] if this version does not know the stanza's suite.
//   - ErrMalformed if it is not a stanza of this package, or a broken one.
func StanzaPolicy(a *age.Stanza) (*SealedPolicy, error) {
	s, err := parseStanza(a)
	if err != nil {
		return nil, err
	}
	p := &SealedPolicy{Suite: nameOf(s.suite), Policy: s.policy, Span: s.span.String()}
	for i, r := range s.span.Rows() {
		p.Keys = append(p.Keys, KeyVersion{r.Attribute, s.versions[i]})
	}
	return p, nil
}

// A SealedPolicy is the public part of a stanza.
type SealedPolicy struct {
	Suite  string       // of the stanza, for example bn256
	Policy string       // the whole policy, canonical; only the sealer's claim if the object has several stanzas
	Span   string       // the part of it that this stanza was sealed to
	Keys   []KeyVersion // in the order of the rows
}

// A KeyVersion names one version of an attribute's key.
type KeyVersion struct {
	Attribute string
	Version   int
}
