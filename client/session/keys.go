package session

import (
	"fmt"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/wallet"
)

// A KeysError reports unusable attribute keys in the wallet: the file is damaged, or the
// keys were issued to another person. Requesting the keys again helps.
type KeysError struct {
	User string // NAME@ORG
	Err  error
}

func (e *KeysError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *KeysError) Unwrap() error { return e.Err }

// Actor returns a user's name on the ledger, which is the GID of their attribute keys. It
// comes from the certificate, not from the name of the user's directory.
//
// Errors:
//   - ErrInvalid if the certificate has no enrolment id.
func Actor(u *wallet.User) (string, error) {
	id, err := fabric.EnrolmentID(u.Certificate)
	if err != nil {
		return "", fmt.Errorf("certificate of %s: %w", u, err)
	}
	return ledger.Actor(u.Profile.MSP, id), nil
}

// AttributeKeys reads the attribute keys of a user from the wallet, sorted by name and
// version.
//
// Errors:
//   - [KeysError] if they cannot be used.
func AttributeKeys(u *wallet.User) ([]*abe.UserKey, error) {
	gid, err := Actor(u)
	if err != nil {
		return nil, err
	}
	stored, err := u.Keys(gid)
	if err != nil {
		return nil, &KeysError{u.String(), err}
	}
	keys := make([]*abe.UserKey, len(stored))
	for i, k := range stored {
		if keys[i], err = abe.ParseUserKey(k.Key); err != nil {
			return nil, &KeysError{u.String(), fmt.Errorf("attribute key %s of %s: %w", k.Name, u, err)}
		}
	}
	return keys, nil
}

// StoreAttributeKeys adds the keys that an authority issued to the wallet. Those that it
// issued before stay, whatever the answer lacks.
func StoreAttributeKeys(u *wallet.User, authority string, issued []*abe.UserKey) error {
	gid, err := Actor(u)
	if err != nil {
		return err
	}
	stored := make([]wallet.AttributeKey, len(issued))
	for i, k := range issued {
		b, err := k.MarshalBinary()
		if err != nil {
			return err
		}
		stored[i] = wallet.AttributeKey{Name: k.Name(), Version: k.Version(), Key: b}
	}
	return u.StoreKeys(authority, gid, stored, func(k wallet.AttributeKey) bool {
		_, err := abe.ParseUserKey(k.Key)
		return err == nil
	})
}

// Identities returns the keys with which a user opens envelopes: the attribute keys and,
// for a custodian, the age identity.
//
// Errors:
//   - [KeysError] if the attribute keys cannot be used.
//   - ErrInvalid if the custodian's file is not an age identity.
func Identities(u *wallet.User) ([]age.Identity, error) {
	keys, err := AttributeKeys(u)
	if err != nil {
		return nil, err
	}
	attributes, err := abe.NewIdentity(keys)
	if err != nil {
		return nil, err
	}
	own, err := u.Identities()
	if err != nil {
		return nil, err
	}
	return append([]age.Identity{attributes}, own...), nil
}
