package client

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// An author signs the versions that one person seals.
type author struct {
	ledger    trust.Depositor
	channel   string
	memory    trust.Memory
	signer    *trust.Signer // nil for a person who only reads
	deposited atomic.Bool
}

// prepare makes sure that others can verify what the person signs.
func (a *author) prepare(ctx context.Context) error {
	if a.signer == nil {
		return ledger.Errorf(ErrDenied, "this client has no key to sign records with")
	}
	if a.deposited.Load() {
		return nil
	}
	if err := trust.Deposit(ctx, a.ledger, a.memory, a.signer); errors.Is(err, ErrUnknownOutcome) {
		// Nothing but the certificate may have been written, and the next call asks.
		return ledger.Errorf(ErrUnavailable, "%v; seal again", err)
	} else if err != nil {
		return err
	}
	a.deposited.Store(true)
	return nil
}

// sign signs an item whose envelope is drafted.
func (a *author) sign(i *item, policy string) (err error) {
	i.signature, err = a.signer.Sign(trust.Version{
		Record: i.id, Version: i.version, CID: i.cid, Commitment: i.commitment, Metadata: i.draft.Digest(), Policy: policy,
	}.Statement(a.channel))
	return err
}

// verifyAuthor verifies the signature of an envelope that was opened. It returns nil for
// a version from before there were signatures.
func (c *Client) verifyAuthor(ctx context.Context, v ledger.RecordVersion, m *envelope.Metadata, header *envelope.Header) (*authority.Holder, error) {
	policy, err := sealedTo(header)
	if err != nil {
		return nil, err
	}
	signed := signedVersion(v, policy)
	signed.Metadata = m.Digest
	if v.Seal == 0 {
		return c.trust.Author(ctx, signed, v, header.Signature)
	}
	if err := c.trust.Resealer(ctx, signed, v, header.Signature); err != nil {
		return nil, err
	}
	first, signature := signed, (*ledger.Signature)(nil)
	if first.Seal = 0; header.Author != nil {
		first.Policy, signature = header.Author.Policy, &header.Author.Signature
	}
	if o := m.Origin; o != nil {
		first.CID, first.Commitment, first.Metadata = o.CID, o.Commitment, [32]byte(o.Metadata)
	}
	return c.trust.Author(ctx, first, v, signature)
}

// signedVersion is what an author says of a version, or who has sealed it again, but for
// the metadata.
func signedVersion(v ledger.RecordVersion, policy string) trust.Version {
	return trust.Version{Record: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment, Policy: policy, Seal: v.Seal}
}

// sealedTo returns the policy of an envelope. Each of its stanzas names the whole policy.
func sealedTo(header *envelope.Header) (policy string, err error) {
	for _, s := range header.Recipients {
		if !abe.IsStanza(s.Type) {
			continue
		}
		p, err := abe.StanzaPolicy(s)
		if err != nil {
			return "", ledger.WithKind(err, ErrTampered)
		}
		if policy != "" && p.Policy != policy {
			return "", ledger.Errorf(ErrTampered, "envelope: its stanzas name two policies, %.80q and %.80q", policy, p.Policy)
		}
		policy = p.Policy
	}
	return policy, nil
}
