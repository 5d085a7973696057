package trust

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// custodianItem is the item with the last believed custodian of the own hospital, and the
// word "signed" behind it once its signature was verified.
const custodianItem = "custodian"

// Custodian returns the age recipient of the own hospital's records custodian. It is
// empty if the hospital has announced none. The announcement must be signed by the
// hospital's authority. If the recipient differs from the last believed one, a witness
// confirms it too, which may know a newer one.
//
// An announcement from an earlier release has no signature. It is accepted if its
// custodian was believed then, or if it names none.
//
// Errors:
//   - ErrTampered if the hospital has not signed it, or if a witness disagrees. It is an
//     [UnsignedError] if there is no signature.
//   - ErrUnavailable if neither the own peer nor any witness answers.
func (d *Directory) Custodian(ctx context.Context) (string, error) {
	known, err := d.Memory.Load(custodianItem)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return "", err
	}
	seen := err == nil
	recipient, mark, _ := strings.Cut(string(known), " ")
	a, signed, err := d.OwnAnnouncement(ctx)
	switch {
	case err != nil:
		return "", err
	case !signed && mark == signedMark:
		return "", ledger.Errorf(ledger.ErrTampered, "the ledger gives the announcement of %s without the signature that it had before", d.Ledger.MSP())
	case !signed && (!seen || a.Custodian != recipient) && a.Custodian != "":
		return "", &UnsignedError{d.Ledger.MSP(), "its announcement"}
	case seen && a.Custodian == recipient && signed == (mark == signedMark):
		return recipient, nil
	}
	if !seen || a.Custodian != recipient {
		if err := d.ConfirmAnnouncement(ctx, a); err != nil {
			return "", err
		}
	}
	item := a.Custodian
	if signed {
		item += " " + signedMark
	}
	return a.Custodian, d.Memory.Store(custodianItem, []byte(item))
}

// OwnAnnouncement returns the announcement of the own hospital as the own peer has it,
// and whether it is signed. It is empty if there is none.
//
// Errors:
//   - ErrTampered if the signature is not of the hospital's authority.
func (d *Directory) OwnAnnouncement(ctx context.Context) (a ledger.Authority, signed bool, err error) {
	if a, err = announcementOf(ctx, d.Ledger, d.Ledger.MSP()); err != nil || a.Signature == "" {
		return a, false, err
	}
	err = d.CheckAnnouncement(ctx, a)
	return a, err == nil, err
}

// CheckAnnouncement checks that a hospital's authority has signed its announcement.
//
// Errors:
//   - ErrTampered if it has not. It is an [UnsignedError] if there is no signature.
func (d *Directory) CheckAnnouncement(ctx context.Context, a ledger.Authority) error {
	if a.Signature == "" {
		return &UnsignedError{a.MSP, "its announcement"}
	}
	return d.verification(time.Time{}).by(ctx, a.MSP, keepers, "the announcement of "+a.MSP, AuthorityStatement(d.Ledger.Channel(), a), a.Signature)
}

// ConfirmAnnouncement asks a witness for the announcement of the own hospital.
//
// Errors:
//   - ErrTampered if the witness has another one.
//   - ErrUnavailable if there are witnesses and none answers.
func (d *Directory) ConfirmAnnouncement(ctx context.Context, a ledger.Authority) error {
	msp := d.Ledger.MSP()
	return confirm(ctx, "the records custodian of "+msp, d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := announcementOf(ctx, w, msp)
		return theirs.Custodian == a.Custodian && theirs.URL == a.URL, err
	})
}

func announcementOf(ctx context.Context, l Ledger, msp string) (ledger.Authority, error) {
	all, err := l.Authorities(ctx)
	if err != nil {
		return ledger.Authority{}, err
	}
	for _, a := range all {
		if a.MSP == msp {
			return a, nil
		}
	}
	return ledger.Authority{}, nil
}
