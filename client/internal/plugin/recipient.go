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

// recipient makes what the protocol asks for. Keys are looked up only when something is
// sealed.
func (p *program) recipient(data []byte) (age.Recipient, error) {
	ref, err := parseRecipient(data)
	if err != nil {
		return nil, say(err)
	}
	return &policyRecipient{program: p, ref: ref}, nil
}

// noRecipient is what an identity is asked for in "age -e -i FILE".
func (p *program) noRecipient(data []byte) (age.Recipient, error) {
	if _, err := parseIdentity(data); err != nil {
		return nil, say(err)
	}
	return nil, say(words.WithHint(errors.New("nothing can be sealed to a chartseal identity: it stands for what its user holds now, not for a policy"),
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

// lookUp finds the public keys that sealing to a recipient takes.
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

// patience is how long the ledger may take to answer.
func (p *program) patience() time.Duration {
	if s, err := p.settings(); err == nil && s.Timeout > 0 {
		return s.Timeout
	}
	return 20 * time.Second
}

// contradicted fails when keys that came inside a recipient are not those that the acting
// user has seen on the ledger. Whoever has no wallet has only the word of whoever made
// the recipient, as with any recipient of age.
func (p *program) contradicted(keys []*abe.PublicKey) error {
	if s, err := p.settings(); err != nil || s.User == "" {
		return nil
	}
	user, err := p.user("")
	if err != nil {
		return nil // nobody with a wallet is acting
	}
	for _, k := range keys {
		if _, err := trust.CheckPublicKey(user.Memory(), k); err != nil {
			return fmt.Errorf("recipient: %w", err)
		}
	}
	return nil
}
