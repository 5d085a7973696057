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

	"github.com/chartseal/chartseal/abe/policy"
)

// A Group seals any number of files to one policy with one encapsulation, which is most
// of what sealing costs, in time and in bytes. It implements age.Recipient: each file
// gets stanzas of its own, complete in themselves, which begin with the same bytes and
// differ from the salt on. It is safe for concurrent use.
//
// Who can open one file of a group can open all others, and nobody else can. That is so
// without a group too, as policy and versions of keys are the same, but here it needs no
// key any more: what an opener learns of the encapsulation, together with another file's
// stanza, gives that file. So whoever may keep some stanza from some reader should not
// group it with one that they give out, unless the reader satisfies the policy anyway. A
// file key tells nothing of the other file keys.
//
// A Group holds the secret in memory, so let go of it when the files are sealed.
type Group struct {
	capsules func() ([]capsule, error)
}

var _ age.Recipient = (*Group)(nil)

// A capsule is the encapsulation of one span program, in which any number of file keys
// can be wrapped.
type capsule struct {
	header []byte // what stanzas begin with
	root   []byte // what the keys that wrap are expanded from
}

// Group starts a group. The encapsulation is computed when the first file is sealed.
func (r *Recipient) Group() *Group {
	return &Group{sync.OnceValues(func() ([]capsule, error) { return r.encapsulate(rand.Reader) })}
}

func (r *Recipient) encapsulate(random io.Reader) ([]capsule, error) {
	capsules := make([]capsule, len(r.spans))
	for i, span := range r.spans {
		keys := make([]*PublicKey, len(span.Rows()))
		for x, row := range span.Rows() {
			keys[x] = r.keys[row.Attribute]
		}
		var err error
		if capsules[i], err = newCapsule(r.policy, span, keys, random); err != nil {
			return nil, fmt.Errorf("wrap for %s: %w", span, err)
		}
	}
	return capsules, nil
}

func newCapsule(whole string, span *policy.Span, keys []*PublicKey, random io.Reader) (capsule, error) {
	rows, secret, err := encapsulate(span, keys, random)
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
	return capsule{header, root}, err
}

// Wrap implements age.Recipient.
func (g *Group) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	if len(fileKey) != fileKeySize {
		return nil, errors.New("wrap: file key has the wrong size")
	}
	capsules, err := g.capsules()
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
	aead, err := wrapper(c.root, infoSalted, salt)
	if err != nil {
		return nil, err
	}
	body := slices.Concat(c.header, salt)
	return &age.Stanza{Type: StanzaType, Body: aead.Seal(body, make([]byte, aead.NonceSize()), fileKey, body)}, nil
}
