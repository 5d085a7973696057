package bare

import (
	"errors"
	"fmt"

	"github.com/fentec-project/gofe/abe"
)

// MAABE is gofe's scheme with a policy of n attributes of one authority, all of them
// required, and a user who holds them all.
type MAABE struct {
	scheme *abe.MAABE
	policy *abe.MSP
	public []*abe.MAABEPubKey
	keys   []*abe.MAABEKey
	sealed *abe.MAABECipher
}

const message = "a file key of age: 128 bit, here"

// NewMAABE makes the keys and a ciphertext for [MAABE.Decrypt].
func NewMAABE(n int) (*MAABE, error) {
	m := &MAABE{scheme: abe.NewMAABE()}
	names := make([]string, n)
	text := ""
	for i := range n {
		names[i] = fmt.Sprintf("A:%d", i)
		if i > 0 {
			text += " AND "
		}
		text += names[i]
	}
	authority, err := m.scheme.NewMAABEAuth("A", names)
	if err != nil {
		return nil, err
	}
	m.public = []*abe.MAABEPubKey{authority.PubKeys()}
	// The policy is built as gofe's users build it. The known faults of this function
	// concern other policies, so they do not matter here.
	if m.policy, err = abe.BooleanToMSP(text, true); err != nil {
		return nil, err
	}
	if m.keys, err = authority.GenerateAttribKeys("doctor", names); err != nil {
		return nil, err
	}
	m.sealed, err = m.scheme.Encrypt(message, m.policy, m.public)
	return m, err
}

// Encrypt encrypts a short message.
func (m *MAABE) Encrypt() error {
	_, err := m.scheme.Encrypt(message, m.policy, m.public)
	return err
}

// Decrypt decrypts the ciphertext that NewMAABE made.
func (m *MAABE) Decrypt() error {
	text, err := m.scheme.Decrypt(m.sealed, m.keys)
	if err == nil && text != message {
		err = errors.New("bare MAABE: it decrypts to something else")
	}
	return err
}
