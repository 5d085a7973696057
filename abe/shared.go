package abe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// A SharedRecipient seals any number of files to one policy with one encapsulation, which
// is most of the cost of sealing, in time and in bytes. It implements age.Recipient. Each
// file gets complete stanzas of its own; they begin with the same bytes and differ from
// the salt on. It is safe for concurrent use.
//
// The same people can open all files of a SharedRecipient, and nobody else can open any.
// That also holds for files sealed apart to one policy and key versions. But here, an
// opener of one file needs no key for the others: the secret of the encapsulation and
// another file's stanza are enough. So do not share an encapsulation between a stanza
// that a reader gets and one that the reader must not get, unless the reader satisfies
// the policy anyway. A file key reveals nothing about the other file keys.
//
// A SharedRecipient holds the secret in memory: drop it when the files are sealed.
type SharedRecipient struct {
	capsules func() ([]capsule, error)
}

var _ age.Recipient = (*SharedRecipient)(nil)

// A capsule is the encapsulation of one span program, in which any number of file keys
// can be wrapped.
type capsule struct {
	suite  pairing.Suite
	header []byte // what stanzas begin with
	root   []byte // what the keys that wrap are expanded from
}

// Shared starts a shared encapsulation. It is computed when the first file is sealed.
func (r *Recipient) Shared() *SharedRecipient {
	return &SharedRecipient{sync.OnceValues(func() ([]capsule, error) { return r.encapsulate(rand.Reader) })}
}

func (r *Recipient) encapsulate(random io.Reader) ([]capsule, error) {
	capsules := make([]capsule, len(r.spans))
	for i, span := range r.spans {
		keys := make([]*PublicKey, len(span.Rows()))
		for x, row := range span.Rows() {
			keys[x] = r.keys[row.Attribute]
		}
		var err error
		if capsules[i], err = newCapsule(r.suite, r.policy, span, keys, random); err != nil {
			return nil, fmt.Errorf("wrap for %s: %w", span, err)
		}
	}
	return capsules, nil
}

func newCapsule(s pairing.Suite, whole string, span *policy.Span, keys []*PublicKey, random io.Reader) (capsule, error) {
	rows, secret, err := encapsulate(s, span, keys, random)
	if err != nil {
		return capsule{}, err
	}
	header := appendText([]byte{formatSalted}, whole)
	own := span.String()
	if own == whole {
		own = "" // the usual case
	}
	header = appendText(header, own)
	header = binary.BigEndian.AppendUint16(header, uint16(len(rows)))
	for x, r := range rows {
		header = r.append(appendVersion(header, keys[x].version))
	}
	root, err := extract(secret, header)
	return capsule{s, header, root}, err
}

// Wrap implements age.Recipient.
func (s *SharedRecipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	if len(fileKey) != fileKeySize {
		return nil, errors.New("wrap: file key has the wrong size")
	}
	capsules, err := s.capsules()
	if err != nil {
		return nil, err
	}
	stanzas := make([]*age.Stanza, len(capsules))
	for i, c := range capsules {
		if stanzas[i], err = c.wrap(fileKey); err != nil {
			return nil, err
		}
	}
	return stanzas, nil
}

func (c capsule) wrap(fileKey []byte) (*age.Stanza, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	aead, err := wrapper(c.root, infoSalted(c.suite), salt)
	if err != nil {
		return nil, err
	}
	body := slices.Concat(c.header, salt)
	return &age.Stanza{Type: stanzaType(c.suite), Body: aead.Seal(body, make([]byte, aead.NonceSize()), fileKey, body)}, nil
}
