// Package ageplugin lets the standard age tool seal to policies and open with attribute keys. The age tool runs a program named
// age-plugin-chartseal for recipients and identities that begin with that name; this package is all of that program but where
// the keys come from (a [Keys]).
//
//	age -r "$(chartseal policy recipient 'HospitalA:role=doctor')" -o record.age record.json
//	age -d -i identity.txt record.age
//
// A recipient, age1chartseal1..., holds a policy in canonical form. An identity, AGE-PLUGIN-CHARTSEAL-1..., holds the name of a
// user of a wallet and no secret: the keys stay in the wallet.
package ageplugin

import (
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
)

// Name is the plugin's name: the program must be called age-plugin-chartseal.
const Name = "chartseal"

// maxUser bounds the name in an identity.
const maxUser = 512

// Keys is where the plugin finds keys.
type Keys interface {
	// Public gives the pinned public key of an attribute.
	Public(attribute string) (*abe.PublicKey, error)
	// User gives all keys in the wallet of the user, for example doctor@HospitalA.
	User(user string) ([]*abe.UserKey, error)
}

// Recipient is the text that the age tool takes for a policy: age1chartseal1...
func Recipient(p *policy.Policy) string { return plugin.EncodeRecipient(Name, []byte(p.String())) }

// Identity is the text of an age identity file for a user of the wallet: a comment and AGE-PLUGIN-CHARTSEAL-1... It holds no secret.
func Identity(user string) (string, error) {
	if err := checkUser(user); err != nil {
		return "", err
	}
	return fmt.Sprintf("# chartseal user %s; the keys are in the wallet\n%s\n", user, plugin.EncodeIdentity(Name, []byte(user))), nil
}

// New makes the plugin. Call its Main from main, as filippo.io/age/plugin describes.
func New(keys Keys) (*plugin.Plugin, error) {
	p, err := plugin.New(Name)
	if err != nil {
		return nil, err
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) { return recipient(keys, data) })
	p.HandleIdentity(func(data []byte) (age.Identity, error) { return identity(keys, data) })
	return p, nil
}

func recipient(keys Keys, data []byte) (age.Recipient, error) {
	p, err := policy.Parse(string(data))
	if err != nil {
		return nil, err
	}
	return abe.NewRecipient(p, keys.Public)
}

func identity(keys Keys, data []byte) (age.Identity, error) {
	user := string(data)
	if err := checkUser(user); err != nil {
		return nil, err
	}
	mine, err := keys.User(user)
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", user, err)
	}
	return abe.NewIdentity(mine)
}

func checkUser(user string) error {
	if user == "" || len(user) > maxUser || strings.ContainsFunc(user, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("identity: user %.80q is not valid", user)
	}
	return nil
}
