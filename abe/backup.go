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

// ScryptWorkFactor is the cost, as a power of two, of trying one passphrase on a master
// key at rest: 2^17, OWASP's recommendation for scrypt, about a third of a second.
const ScryptWorkFactor = 17

// masterFile is the plaintext of a master key at rest. The history of a replaced secret
// stands in files of masterKindReplaced only, which earlier releases refuse.
type masterFile struct {
	Kind      string   `json:"kind"`
	Authority string   `json:"authority"`
	Secret    []byte   `json:"secret"`
	History   *history `json:"history,omitempty"`
}

const (
	masterKind         = "chartseal/abe/master-key/v1"
	masterKindReplaced = "chartseal/abe/master-key/v2"
)

// SealMaster encrypts a master key to age recipients. The result is an armored age file,
// small enough to print unless the secret of an authority with many attributes was
// replaced. For a passphrase, use [PassphraseRecipient], which age allows as
// the only recipient.
func SealMaster(m *MasterKey, to ...age.Recipient) ([]byte, error) {
	if err := m.usable(); err != nil {
		return nil, fmt.Errorf("seal master key: %w", err)
	}
	f := masterFile{Kind: masterKind, Authority: m.authority, Secret: m.secret[:]}
	if !m.history.empty() {
		f.Kind, f.History = masterKindReplaced, &m.history
	}
	plain, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("seal master key: %w", err)
	}
	defer clear(plain)
	return sealArmored(plain, to)
}

// OpenMaster decrypts a master key that [SealMaster] encrypted.
//
// Errors:
//   - age.ErrIncorrectIdentity for a wrong passphrase or identity.
//   - ErrMalformed if the file is not a sealed master key.
//   - ErrTampered if the encrypted content was changed.
func OpenMaster(sealed []byte, with ...age.Identity) (*MasterKey, error) {
	plain, err := openArmored(sealed, "master key", with)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var f masterFile
	err = json.Unmarshal(plain, &f)
	replaced := f.Kind == masterKindReplaced
	if err != nil || f.Kind != masterKind && !replaced || replaced != (f.History != nil && !f.History.empty()) || len(f.Secret) != masterSize {
		return nil, malformed("master key: not a master key file")
	}
	defer clear(f.Secret)
	m, err := NewMasterKey(f.Authority, bytes.NewReader(f.Secret))
	if err == nil && replaced {
		m.history = *f.History
		err = m.history.check(m)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
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

// PassphraseIdentity opens files sealed under a passphrase. It refuses hostile files that
// ask for more than a gigabyte of memory (work factor 20).
func PassphraseIdentity(passphrase string) (age.Identity, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(20)
	return id, nil
}

// sealArmored makes an armored age file.
func sealArmored(plain []byte, to []age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to...)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out.Bytes(), nil
}

// openArmored decrypts an armored age file. The caller clears the result.
func openArmored(sealed []byte, what string, with []age.Identity) ([]byte, error) {
	const most = 16 << 20 // names of 10,000 attributes that were replaced several times
	if len(sealed) > most {
		return nil, malformed("%s: longer than %d bytes", what, most)
	}
	var armorError *armor.Error
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), with...)
	switch {
	case errors.As(err, &armorError):
		return nil, malformed("%s: %v", what, err)
	case errors.Is(err, age.ErrIncorrectIdentity):
		return nil, fmt.Errorf("open %s: %w", what, err)
	case err != nil: // a header that is none, or whose MAC is wrong
		return nil, malformed("%s: %v", what, err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		clear(plain)
		return nil, fmt.Errorf("open %s: %w: %v", what, ErrTampered, err)
	}
	return plain, nil
}
