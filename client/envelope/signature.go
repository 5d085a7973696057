package envelope

import (
	"bytes"
	"errors"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Signed returns the signature of an envelope or a wrapped scope key as a stanza of its
// header:
//
//	-> chartseal.org/signature BASE64(SHA-256 of the certificate)
//	BASE64(signature)
//
// It is a recipient that can open nothing, and is passed after all others, so that
// envelopes of one policy still begin with the same bytes. age authenticates the header
// with the file key, and every reader of age skips the stanza. The signature covers the
// SHA-256 of the whole plaintext, see [Draft.Digest]: what `age -d` writes.
func Signed(s ledger.Signature) age.Recipient { return signed(s) }

type signed ledger.Signature

// Wrap implements [age.Recipient].
func (s signed) Wrap([]byte) ([]*age.Stanza, error) {
	return []*age.Stanza{{Type: ledger.SignatureStanza, Args: []string{b64.EncodeToString(s.Certificate[:])}, Body: s.Value}}, nil
}

// Authored returns what the author of a version signed, for the header of an envelope of
// the version that was sealed again:
//
//	-> chartseal.org/author BASE64(SHA-256 of the certificate) BASE64(policy)
//	BASE64(signature)
//
// It is a recipient as that of [Signed].
func Authored(a Author) age.Recipient { return authored(a) }

// An Author is the signature of an author over the version as it was first sealed.
type Author struct {
	Policy    string // canonical
	Signature ledger.Signature
}

type authored Author

// authorStanza is the type of the stanza of [Authored].
const authorStanza = "chartseal.org/author"

// Wrap implements [age.Recipient].
func (a authored) Wrap([]byte) ([]*age.Stanza, error) {
	return []*age.Stanza{{Type: authorStanza, Args: []string{b64.EncodeToString(a.Signature.Certificate[:]), b64.EncodeToString([]byte(a.Policy))},
		Body: a.Signature.Value}}, nil
}

// A Header is the header of an envelope or a wrapped scope key. Nothing in it is
// authenticated before the file has been opened.
type Header struct {
	Bytes      []byte // without the payload of age
	Recipients []*age.Stanza
	Signature  *ledger.Signature // nil if it was sealed before there were signatures

	// Author is set in an envelope of a version that was sealed again. Signature is then
	// that of who did it.
	Author *Author
}

// Policy returns the policy that it is sealed to. Each of its stanzas of attribute-based
// encryption names the whole policy.
//
// Errors:
//   - ledger.ErrTampered if a stanza is malformed, or two name different policies.
func (h *Header) Policy() (policy string, err error) {
	for _, s := range h.Recipients {
		if !abe.IsStanza(s.Type) {
			continue
		}
		p, err := abe.StanzaPolicy(s)
		if err != nil {
			return "", ledger.WithKind(err, ledger.ErrTampered)
		}
		if policy != "" && p.Policy != policy {
			return "", ledger.Errorf(ledger.ErrTampered, "envelope: its stanzas name two policies, %.80q and %.80q", policy, p.Policy)
		}
		policy = p.Policy
	}
	return policy, nil
}

// ReadHeader reads the header of an envelope or a wrapped scope key.
//
// Errors:
//   - ledger.ErrTampered if it is no age file, or its signature is malformed or there are
//     several.
func ReadHeader(file []byte) (*Header, error) {
	raw, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil {
		return nil, tampered("envelope: %v", err)
	}
	var all stanzaReader
	if _, err := age.DecryptHeader(raw, &all); !errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, tampered("envelope: %v", err)
	}
	h := &Header{Bytes: raw}
	for _, s := range all.stanzas {
		switch s.Type {
		case ledger.SignatureStanza:
			if h.Signature != nil || len(s.Args) != 1 {
				return nil, tampered("envelope: its signature is given twice, or is malformed")
			}
			signature, err := readSignature(s)
			if err != nil {
				return nil, err
			}
			h.Signature = &signature
		case authorStanza:
			if h.Author != nil || len(s.Args) != 2 {
				return nil, tampered("envelope: the signature of its author is given twice, or is malformed")
			}
			signature, err := readSignature(s)
			if err != nil {
				return nil, err
			}
			policy, err := b64.DecodeString(s.Args[1])
			if err != nil {
				return nil, tampered("envelope: the signature of its author names no policy")
			}
			h.Author = &Author{string(policy), signature}
		default:
			h.Recipients = append(h.Recipients, s)
		}
	}
	return h, nil
}

func readSignature(s *age.Stanza) (ledger.Signature, error) {
	id, err := b64.DecodeString(s.Args[0])
	if err != nil || len(id) != len(ledger.CertificateID{}) {
		return ledger.Signature{}, tampered("envelope: its signature names no certificate")
	}
	signature, err := ledger.NewSignature(ledger.CertificateID(id), s.Body)
	if err != nil {
		return ledger.Signature{}, tampered("envelope: %v", err)
	}
	return signature, nil
}

// A stanzaReader is an identity that opens nothing and keeps the stanzas.
type stanzaReader struct{ stanzas []*age.Stanza }

func (s *stanzaReader) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	s.stanzas = stanzas
	return nil, age.ErrIncorrectIdentity
}
