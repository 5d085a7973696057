package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// custodianItem is the item with the last believed custodian of the own hospital.
const custodianItem = "custodian"

// Custodian returns the age recipient of the own hospital's records custodian. It is
// empty if the hospital has announced none. If the recipient differs from the last
// believed one, a witness confirms it.
//
// Errors:
//   - ErrTampered if a witness disagrees.
//   - ErrUnavailable if neither the own peer nor any witness answers.
func (d *Directory) Custodian(ctx context.Context) (string, error) {
	msp := d.Ledger.MSP()
	recipient, err := custodianOf(ctx, d.Ledger, msp)
	if err != nil {
		return "", err
	}
	known, err := d.Memory.Load(custodianItem)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return "", err
	}
	if err == nil && string(known) == recipient {
		return recipient, nil
	}
	err = confirm(ctx, "the records custodian of "+msp, d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := custodianOf(ctx, w, msp)
		return theirs == recipient, err
	})
	if err != nil {
		return "", err
	}
	return recipient, d.Memory.Store(custodianItem, []byte(recipient))
}

func custodianOf(ctx context.Context, l Ledger, msp string) (string, error) {
	all, err := l.Authorities(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.MSP == msp {
			return a.Custodian, nil
		}
	}
	return "", nil
}

// ConfirmScopeKey asks a witness for the same wrapped scope key. This is needed because
// anyone can wrap a key of their own for a scope's policy, and could then read everything
// indexed under it.
//
// Errors:
//   - ErrTampered if the witness holds another key.
//   - ErrUnavailable if there are witnesses and none answers.
func (d *Directory) ConfirmScopeKey(ctx context.Context, name string, epoch int, accessID string, wrapped []byte) error {
	return confirm(ctx, fmt.Sprintf("the key of scope %s", name), d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := w.ScopeKey(ctx, name, epoch, accessID)
		return bytes.Equal(theirs, wrapped), err
	})
}
