package client

import (
	"context"
	"fmt"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// An audience is everybody who can unwrap what is sealed under one policy.
type audience struct {
	policy   string // canonical form
	abe      *abe.Recipient
	others   []age.Recipient // the custodian, a patient
	warnings []string
}

// recipients are the recipients of an envelope. The policy comes first, as itself or as
// one that shares its encapsulation, so that envelopes with the same encapsulation begin
// with the same bytes.
func (a *audience) recipients(policy age.Recipient) []age.Recipient {
	return append([]age.Recipient{policy}, a.others...)
}

// newAudience compiles a policy with the public keys that the directory believes, and
// adds the home hospital's custodian and further age recipients.
//
// Errors:
//   - ErrInvalid if the policy or a recipient cannot be read.
//   - ErrNotFound if nobody has published one of the policy's attributes.
func newAudience(ctx context.Context, d *trust.Directory, text string, others ...string) (*audience, error) {
	p, err := policy.Parse(text)
	if err != nil {
		return nil, ledger.WithKind(err, ErrInvalid)
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
		return nil, ledger.WithKind(err, ErrInvalid)
	}
	a := &audience{policy: recipient.Policy(), abe: recipient}
	custodian, err := d.Custodian(ctx)
	if err != nil {
		return nil, err
	}
	if custodian == "" {
		a.warnings = append(a.warnings, fmt.Sprintf("%s has announced no records custodian: only the policy can open this", d.Ledger.MSP()))
	}
	a.others, err = envelope.Recipients(append(others, custodian)...)
	return a, err
}
