package register

import (
	"context"
	"fmt"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/cache"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// An Audience is everybody who can unwrap what is sealed under one policy.
type Audience struct {
	Policy   string // canonical form
	ABE      *abe.Recipient
	others   []age.Recipient // the custodian, a patient
	Warnings []string
}

// Recipients are the recipients of an envelope. The policy comes first, as itself or as
// one that shares its encapsulation, so that envelopes with the same encapsulation begin
// with the same bytes.
func (a *Audience) Recipients(policy age.Recipient) []age.Recipient {
	return append([]age.Recipient{policy}, a.others...)
}

// NewAudience compiles a policy with the public keys that the directory believes, and
// adds the home hospital's custodian and further age recipients.
//
// Errors:
//   - ledger.ErrInvalid if the policy or a recipient cannot be read.
//   - ledger.ErrNotFound if nobody has published one of the policy's attributes.
func NewAudience(ctx context.Context, d *trust.Directory, text string, others ...string) (*Audience, error) {
	p, err := policy.Parse(text)
	if err != nil {
		return nil, ledger.WithKind(err, ledger.ErrInvalid)
	}
	keys, err := d.PublicKeys(ctx, p.Attributes()...)
	if err != nil {
		return nil, err
	}
	ring, err := abe.KeyRing(keys...)
	if err != nil {
		return nil, err
	}
	recipient, err := abe.NewRecipient(p, ring)
	if err != nil {
		return nil, ledger.WithKind(err, ledger.ErrInvalid)
	}
	a := &Audience{Policy: recipient.Policy(), ABE: recipient}
	custodian, err := d.Custodian(ctx)
	if err != nil {
		return nil, err
	}
	if custodian == "" {
		a.Warnings = append(a.Warnings, fmt.Sprintf("%s has announced no records custodian: only the policy can open this", d.Ledger.MSP()))
	}
	a.others, err = envelope.Recipients(append(others, custodian)...)
	return a, err
}

// Audiences compiles policies, and keeps what it compiled for a moment. It is safe for
// concurrent use.
type Audiences struct {
	Directory *trust.Directory
	recent    cache.Cache[*Audience] // by policy and further recipient
}

// Of returns the audience of a policy and of a further age recipient, which may be empty.
// Its errors are those of [NewAudience].
func (a *Audiences) Of(ctx context.Context, policy, further string) (*Audience, error) {
	return a.recent.Get(ctx, policy+"\n"+further, func() (*Audience, error) { return NewAudience(ctx, a.Directory, policy, further) })
}
