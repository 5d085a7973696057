package abe

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// StanzaType names the suite: Lewko-Waters 2011 on gofe's bn256. A new suite gets a new type, and old ones stay readable.
const StanzaType = "chartseal-lw11-bn256"

const (
	stanzaFormat = 1  // first byte of the body
	fileKeySize  = 16 // age's
	wrappedSize  = fileKeySize + chacha20poly1305.Overhead
)

// maxBody is the largest body that a policy within its limits can have.
const maxBody = 1 + 2*(2+policy.MaxText) + 2 + policy.MaxAttributes*(4+rowSize) + wrappedSize

// A stanza is one span program's share of a sealed policy. See FORMAT.md.
type stanza struct {
	policy   string // the whole policy, canonical
	span     *policy.Span
	versions []int    // of the keys, one for each row
	rows     [][]byte // encoded
	header   []byte   // the body up to the wrapped key
	wrapped  []byte   // the file key under the AEAD
}

// wrap seals the file key to one span program.
func wrap(fileKey []byte, whole string, span *policy.Span, keys []*PublicKey, random io.Reader) (*age.Stanza, error) {
	rows, secret, err := encapsulate(span, keys, random)
	if err != nil {
		return nil, err
	}
	header := appendText([]byte{stanzaFormat}, whole)
	own := span.String()
	if own == whole {
		own = "" // the usual case
	}
	header = appendText(header, own)
	header = binary.BigEndian.AppendUint16(header, uint16(len(rows)))
	for x, r := range rows {
		header = r.append(appendVersion(header, keys[x].version))
	}
	aead, err := wrapper(secret, header)
	if err != nil {
		return nil, err
	}
	return &age.Stanza{Type: StanzaType, Body: aead.Seal(header, make([]byte, aead.NonceSize()), fileKey, header)}, nil
}

// unwrap opens the file key with a recovered secret.
func (s *stanza) unwrap(secret *group.GT) ([]byte, error) {
	aead, err := wrapper(secret, s.header)
	if err != nil {
		return nil, err
	}
	fileKey, err := aead.Open(nil, make([]byte, aead.NonceSize()), s.wrapped, s.header)
	if err != nil {
		return nil, fmt.Errorf("%w: stanza for %s does not authenticate", ErrTampered, s.span)
	}
	return fileKey, nil
}

// wrapper is the AEAD for one stanza. Its key comes from the secret and from the whole ciphertext and policy (as in DHIES), which are
// its associated data too. The nonce is zero because the key is used once.
func wrapper(secret *group.GT, header []byte) (cipher.AEAD, error) {
	ikm := secret.Marshal()
	defer clear(ikm)
	salt := sha256.Sum256(header)
	key, err := hkdf.Key(sha256.New, ikm, salt[:], StanzaType+"/file-key/v1", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive wrapping key: %w", err)
	}
	defer clear(key)
	return chacha20poly1305.New(key)
}

// parseStanza reads a stanza of [StanzaType] and checks its structure. Its errors match [ErrMalformed]. It does not decode the
// group elements: that is done for the rows that are used, when they are, and a change to any other row fails the AEAD.
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
		s.rows = append(s.rows, r.take(rowSize, "row"))
	}
	s.wrapped = r.take(wrappedSize, "wrapped key")
	if err := r.end(kind); err != nil {
		return nil, err
	}
	s.header = a.Body[:len(a.Body)-wrappedSize]
	return s, nil
}

// parsePolicies reads the part of a stanza that says who may open it.
func parsePolicies(a *age.Stanza) (*reader, *stanza, error) {
	if len(a.Args) != 0 {
		return nil, nil, malformed("stanza: has arguments")
	}
	if len(a.Body) > maxBody {
		return nil, nil, malformed("stanza: longer than any policy needs")
	}
	r := &reader{rest: a.Body}
	if format := r.take(1, "format"); format != nil && format[0] != stanzaFormat {
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
	span, err := policy.ParseSpan(own, group.Order)
	if err != nil || span.String() != own {
		return nil, nil, malformed("stanza: span program is not in canonical form")
	}
	return r, &stanza{policy: whole, span: span}, nil
}

// StanzaPolicy reads the policy of a stanza of [StanzaType] without any key: the canonical form of the whole policy, and
// the attributes and key versions that this stanza was sealed to.
func StanzaPolicy(a *age.Stanza) (*SealedPolicy, error) {
	if a.Type != StanzaType {
		return nil, malformed("stanza type %.40q", a.Type)
	}
	s, err := parseStanza(a)
	if err != nil {
		return nil, err
	}
	p := &SealedPolicy{Policy: s.policy, Span: s.span.String()}
	for i, r := range s.span.Rows() {
		p.Keys = append(p.Keys, KeyVersion{r.Attribute, s.versions[i]})
	}
	return p, nil
}

// A SealedPolicy is what anyone can read of a stanza.
type SealedPolicy struct {
	Policy string       // the whole policy, canonical; a claim of the sealer when the object has several stanzas
	Span   string       // the part of it that this stanza was sealed to
	Keys   []KeyVersion // in the order of the rows
}

// A KeyVersion names one version of an attribute's key.
type KeyVersion struct {
	Attribute string
	Version   int
}
