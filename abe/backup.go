package abe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// ScryptWorkFactor is the cost, as a power of two, of trying one passphrase on a master key at rest: 2^17, OWASP's
// recommendation for scrypt, about a third of a second.
const ScryptWorkFactor = 17

// masterFile is the plaintext of a master key at rest.
type masterFile struct {
	Kind      string `json:"kind"`
	Authority string `json:"authority"`
	Secret    []byte `json:"secret"`
}

const masterKind = "chartseal/abe/master-key/v1"

// SealMaster encrypts a master key to age recipients: an armored age file, small enough to print. For a passphrase, use
// [PassphraseRecipient]; age allows no other recipient beside that one.
func SealMaster(m *MasterKey, to ...age.Recipient) ([]byte, error) {
	plain, err := json.Marshal(masterFile{masterKind, m.authority, m.secret[:]})
	if err != nil {
		return nil, fmt.Errorf("seal master key: %w", err)
	}
	defer clear(plain)
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to...)
	if err != nil {
		return nil, fmt.Errorf("seal master key: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal master key: %w", err)
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("seal master key: %w", err)
	}
	return out.Bytes(), nil
}

// OpenMaster decrypts what [SealMaster] made. A wrong passphrase or identity matches age.ErrIncorrectIdentity; a file
// that is not a sealed master key matches [ErrMalformed].
func OpenMaster(sealed []byte, with ...age.Identity) (*MasterKey, error) {
	const most = 64 << 10
	if len(sealed) > most {
		return nil, malformed("master key: longer than %d bytes", most)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), with...)
	if err != nil {
		var armorError *armor.Error
		if errors.As(err, &armorError) {
			return nil, malformed("master key: %v", err)
		}
		return nil, fmt.Errorf("open master key: %w", err)
	}
	plain, err := io.ReadAll(r)
	defer clear(plain)
	if err != nil {
		return nil, fmt.Errorf("open master key: %w: %v", ErrTampered, err)
	}
	var f masterFile
	if err := json.Unmarshal(plain, &f); err != nil || f.Kind != masterKind || len(f.Secret) != masterSize {
		return nil, malformed("master key: not a master key file")
	}
	defer clear(f.Secret)
	return NewMasterKey(f.Authority, bytes.NewReader(f.Secret))
}

// PassphraseRecipient seals under a passphrase, with [ScryptWorkFactor].
func PassphraseRecipient(passphrase string) (age.Recipient, error) {
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(ScryptWorkFactor)
	return r, nil
}

// PassphraseIdentity opens what was sealed under a passphrase.
func PassphraseIdentity(passphrase string) (age.Identity, error) {
	return age.NewScryptIdentity(passphrase)
}
