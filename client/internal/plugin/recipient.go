package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/trust"
)

// recipient returns the age recipient for the data of a recipient string. It looks keys
// up only when a file is sealed.
func (p *program) recipient(data []byte) (age.Recipient, error) {
	ref, err := parseRecipient(data)
	if err != nil {
		return nil, say(err)
	}
	return &policyRecipient{program: p, ref: ref}, nil
}

// noRecipient answers "age -e -i FILE", which asks an identity for its recipient.
func (p *program) noRecipient(data []byte) (age.Recipient, error) {
	if _, err := parseIdentity(data); err != nil {
		return nil, say(err)
	}
	return nil, say(words.WithHint(errors.New("nothing can be sealed to a chartseal identity: it stands for a user's keys, not for a policy"),
		"make a recipient with age-plugin-chartseal --recipient POLICY"))
}

// A policyRecipient seals to a policy.
type policyRecipient struct {
	program *program
	ref     *recipientRef
}

// Wrap implements age.Recipient.
func (r *policyRecipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	keys, err := r.keys()
	if err != nil {
		return nil, say(err)
	}
	to, err := newRecipient(r.ref, keys)
	if err != nil {
		return nil, say(err)
	}
	stanzas, err := to.Wrap(fileKey)
	return stanzas, say(err)
}

func newRecipient(ref *recipientRef, keys []*abe.PublicKey) (*abe.Recipient, error) {
	ring, err := abe.KeyRing(keys...)
	if err != nil {
		return nil, err
	}
	return abe.NewRecipient(ref.policy, ring)
}

func (r *policyRecipient) keys() ([]*abe.PublicKey, error) {
	if r.ref.keys != nil {
		return r.ref.keys, r.program.contradicted(r.ref.keys)
	}
	return r.program.lookUp(r.ref)
}

// lookUp finds the public keys for sealing to a recipient.
func (p *program) lookUp(ref *recipientRef) ([]*abe.PublicKey, error) {
	names, err := sealedTo(ref.policy)
	if err != nil {
		return nil, err
	}
	user, err := p.user("")
	if err != nil {
		return nil, fmt.Errorf("look up public keys: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.patience())
	defer cancel()
	d := &directory{user: user, memory: user.Memory(), connect: p.connect, tell: p.tell}
	return d.keys(ctx, names)
}

// patience bounds the wait for the ledger.
func (p *program) patience() time.Duration {
	if s, err := p.settings(); err == nil && s.Timeout > 0 {
		return s.Timeout
	}
	return 20 * time.Second
}

// contradicted fails if keys inside a recipient differ from those that the acting user
// has seen on the ledger. A user without a wallet can only trust the recipient's maker,
// as with any recipient of age.
func (p *program) contradicted(keys []*abe.PublicKey) error {
	if s, err := p.settings(); err != nil || s.User == "" {
		return nil
	}
	user, err := p.user("")
	if err != nil {
		return nil // no user with a wallet
	}
	for _, k := range keys {
		if _, err := trust.CheckPublicKey(user.Memory(), k); err != nil {
			return fmt.Errorf("recipient: %w", err)
		}
	}
	return nil
}
