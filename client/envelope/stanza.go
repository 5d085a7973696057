package envelope

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	stanzaType  = "chartseal.org/record"
	stanzaInfo  = "chartseal.org/v1/record"
	stanzaSalt  = 16
	fileKeySize = 16 // of age
)

// b64 is the encoding of age's header: strict, so that a stanza has one form.
var b64 = base64.RawStdEncoding.Strict()

// A payloadKey is a record key as an age recipient and identity of exactly one payload.
type payloadKey [KeySize]byte

func newPayloadKey(key []byte) (*payloadKey, error) {
	if len(key) != KeySize {
		return nil, errors.New("record key has the wrong size")
	}
	return (*payloadKey)(key), nil
}

// aead returns the cipher that wraps age's file key.
func (k *payloadKey) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k[:], salt, stanzaInfo, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.New(key)
}

// Wrap implements [age.Recipient].
func (k *payloadKey) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	salt := make([]byte, stanzaSalt)
	rand.Read(salt)
	aead, err := k.aead(salt)
	if err != nil {
		return nil, err
	}
	body := aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), fileKey, nil)
	return []*age.Stanza{{Type: stanzaType, Args: []string{b64.EncodeToString(salt)}, Body: body}}, nil
}

// WrapWithLabels makes age refuse any second recipient: the record key is the only way
// into a payload.
func (k *payloadKey) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	s, err := k.Wrap(fileKey)
	return s, []string{"chartseal.org/record/" + rand.Text()}, err
}

// Unwrap implements [age.Identity]. A payload has exactly one stanza.
func (k *payloadKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != stanzaType || len(stanzas[0].Args) != 1 {
		return nil, errors.New("not a payload")
	}
	s := stanzas[0]
	salt, err := b64.DecodeString(s.Args[0])
	if err != nil || len(salt) != stanzaSalt {
		return nil, errors.New("malformed payload stanza")
	}
	// Check the size first: ChaCha20-Poly1305 does not commit to its key, and several
	// keys could decrypt a longer body.
	if len(s.Body) != fileKeySize+chacha20poly1305.Overhead {
		return nil, errors.New("malformed payload stanza")
	}
	aead, err := k.aead(salt)
	if err != nil {
		return nil, err
	}
	fileKey, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), s.Body, nil)
	if err != nil {
		return nil, fmt.Errorf("the payload is not that of its envelope: %w", age.ErrIncorrectIdentity)
	}
	return fileKey, nil
}

var (
	_ age.RecipientWithLabels = (*payloadKey)(nil)
	_ age.Identity            = (*payloadKey)(nil)
)
