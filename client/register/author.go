package register

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// An Author signs the versions that one person seals.
type Author struct {
	Ledger    trust.Depositor
	Channel   string
	Memory    trust.Memory
	Signer    *trust.Signer // nil for a person who only reads
	deposited atomic.Bool
}

// Prepare makes sure that others can verify what the person signs.
func (a *Author) Prepare(ctx context.Context) error {
	if a.Signer == nil {
		return ledger.Errorf(ledger.ErrDenied, "this client has no key to sign records with")
	}
	if a.deposited.Load() {
		return nil
	}
	if err := trust.Deposit(ctx, a.Ledger, a.Memory, a.Signer); errors.Is(err, ledger.ErrUnknownOutcome) {
		// Nothing but the certificate may have been written, and the next call asks.
		return ledger.Errorf(ledger.ErrUnavailable, "%v; seal again", err)
	} else if err != nil {
		return err
	}
	a.deposited.Store(true)
	return nil
}

// Sign signs an item whose envelope is drafted.
func (a *Author) Sign(i *Item, policy string) (err error) {
	i.signature, err = a.Signer.Sign(trust.Version{
		Record: i.ID, Version: i.Version, CID: i.CID, Commitment: i.Commitment, Metadata: i.Draft.Digest(), Policy: policy,
	}.Statement(a.Channel))
	return err
}
