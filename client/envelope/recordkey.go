package envelope

import (
	"slices"

	"filippo.io/age"
)

// PayloadIdentity returns an age identity that opens the payload of a record key. It is
// for people who hold the metadata of an envelope and the payload, but reach no ledger.
// They have to do the rest of [OpenPayload] themselves: cut the plaintext off after
// Metadata.Size bytes, where the padding begins, and compare its digest with
// Metadata.SHA256.
//
// Its Unwrap fails with age.ErrIncorrectIdentity for a file that is no payload, and for a
// payload of another key.
//
// Errors: the key has the wrong size.
func PayloadIdentity(key []byte) (age.Identity, error) {
	k, err := newPayloadKey(key)
	if err != nil {
		return nil, err
	}
	return payloadIdentity{k}, nil
}

// A payloadIdentity is used beside other identities. Unlike payloadKey, it does not treat
// a file that is no payload as damaged.
type payloadIdentity struct{ key *payloadKey }

func (p payloadIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if !slices.ContainsFunc(stanzas, func(s *age.Stanza) bool { return s.Type == stanzaType }) {
		return nil, age.ErrIncorrectIdentity
	}
	return p.key.Unwrap(stanzas)
}

// ParseMetadata reads the text of an envelope that age has opened. Unlike [Open], it
// cannot tell whether the envelope belongs to a record of the ledger.
//
// Errors:
//   - ledger.ErrTampered if the text is not metadata, or of an unknown format.
func ParseMetadata(text []byte) (*Metadata, error) {
	var m Metadata
	err := decode(text, &m)
	if err != nil {
		return nil, err
	}
	if m.Format < 1 || m.Format > recordFormat {
		return nil, tampered("envelope: format %d is not known to this version of Chartseal", m.Format)
	}
	if err := m.valid(); err != nil {
		return nil, tampered("envelope: %v", err)
	}
	if m.Facts != nil {
		if m.Facts, err = unpackFacts(m.Facts, m.Format); err != nil {
			return nil, err
		}
	}
	return &m, nil
}
