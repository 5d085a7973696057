package abe

import (
	"fmt"
	"maps"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// A Recipient seals to a policy. It implements age.Recipient and returns one stanza for
// each span program of the policy. It is safe for concurrent use. [Recipient.Shared] is
// faster for files that are sealed together.
type Recipient struct {
	suite  pairing.Suite
	policy string
	spans  []*policy.Span
	keys   map[string]*PublicKey
}

var _ age.Recipient = (*Recipient)(nil)

// NewRecipient compiles a policy and asks for the public key of each of its attributes.
// The function must return the key that the ledger pins for that name, or an error. All
// keys are of one suite, and so is what the recipient seals.
//
// Errors:
//   - ErrNoKey if an attribute has no key.
//   - ErrKeyMismatch if a key is for another name, or of another suite than the others.
//   - policy.ErrReuse if the policy needs too many ciphertexts.
//   - any error of the function.
func NewRecipient(p *policy.Policy, key func(attribute string) (*PublicKey, error)) (*Recipient, error) {
	spans, err := p.Spans(suites[0].Parameters().Order)
	if err != nil {
		return nil, err
	}
	r := &Recipient{policy: p.String(), spans: spans, keys: map[string]*PublicKey{}}
	for _, s := range spans {
		for _, row := range s.Rows() {
			if r.keys[row.Attribute] != nil {
				continue
			}
			if err := r.add(row.Attribute, key); err != nil {
				return nil, fmt.Errorf("seal to %s: %w", row.Attribute, err)
			}
		}
	}
	for i, s := range r.spans {
		r.spans[i] = s.Over(r.suite.Parameters().Order)
	}
	return r, nil
}

// add asks for the key of one attribute.
func (r *Recipient) add(attribute string, key func(string) (*PublicKey, error)) error {
	pk, err := key(attribute)
	switch {
	case err != nil:
		return err
	case pk == nil:
		return ErrNoKey
	case pk.Name() != attribute:
		return fmt.Errorf("%w: got the key of %s", ErrKeyMismatch, pk.Name())
	case r.suite != nil && nameOf(r.suite) != nameOf(pk.suite):
		return fmt.Errorf("%w: its suite is %s, that of other attributes is %s", ErrKeyMismatch, nameOf(pk.suite), nameOf(r.suite))
	}
	r.suite = pk.suite
	r.keys[attribute] = pk
	return nil
}

// KeyRing makes the function for [NewRecipient] from a list of keys.
//
// Errors:
//   - ErrKeyMismatch if a name has two different keys: an attribute has one current key.
func KeyRing(keys ...*PublicKey) (func(attribute string) (*PublicKey, error), error) {
	ring := map[string]*PublicKey{}
	for _, k := range keys {
		if old := ring[k.Name()]; old != nil && !old.Equal(k) {
			return nil, fmt.Errorf("key ring: %w: two keys for %s", ErrKeyMismatch, k.Name())
		}
		ring[k.Name()] = k
	}
	return func(attribute string) (*PublicKey, error) {
		if k := ring[attribute]; k != nil {
			return k, nil
		}
		return nil, ErrNoKey
	}, nil
}

// Policy is the canonical form of the policy.
func (r *Recipient) Policy() string { return r.policy }

// Version returns the version of the public key that is used for an attribute of the
// policy, or 0.
func (r *Recipient) Version(attribute string) int {
	if k := r.keys[attribute]; k != nil {
		return k.Version()
	}
	return 0
}

// Equal reports whether both seal to the same policy with the same public keys.
func (r *Recipient) Equal(other *Recipient) bool {
	return r.policy == other.policy && maps.EqualFunc(r.keys, other.keys, (*PublicKey).Equal)
}

// Wrap implements age.Recipient: an encapsulation for one file.
func (r *Recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) { return r.Shared().Wrap(fileKey) }
