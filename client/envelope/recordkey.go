package envelope

import (
	"slices"

	"filippo.io/age"
)

// PayloadIdentity opens the payload of a record key with age alone, for people who hold
// an envelope's metadata and the payload, but reach no ledger. What [OpenPayload] does
// beyond age is then theirs to do: the plaintext is followed by zeros, which end the
// record after Metadata.Size bytes, and its digest is to be compared with
// Metadata.SHA256.
//
// It gives age.ErrIncorrectIdentity for files that are not payloads and for payloads of
// other keys.
func PayloadIdentity(key []byte) (age.Identity, error) {
	k, err := newPayloadKey(key)
	if err != nil {
		return nil, err
	}
	return payloadIdentity{k}, nil
}

// payloadIdentity stands beside other identities, so that, unlike for payloadKey, a file
// that is no payload is not broken.
type payloadIdentity struct{ key *payloadKey }

func (p payloadIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if !slices.ContainsFunc(stanzas, func(s *age.Stanza) bool { return s.Type == stanzaType }) {
		return nil, age.ErrIncorrectIdentity
	}
	return p.key.Unwrap(stanzas)
}

// ParseMetadata reads the text of an envelope that age has opened. It cannot know whether
// the envelope belongs to a record of the ledger, as [Open] does. Its errors wrap
// [ledger.ErrTampered].
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
