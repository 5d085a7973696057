package trust

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Author verifies who has sealed a version of a record. The signature must be that of the
// author whom the ledger names, who belongs to the record's home and has a role that
// seals records.
//
// A version from before there were signatures has none: Author returns nil. Once this
// person has read a signed version of a hospital, that hospital's later versions need a
// signature.
//
// Errors:
//   - ErrTampered if the signature is missing, or is another's or of another version.
//   - those of [Directory.Verify].
func (d *Directory) Author(ctx context.Context, v Version, on ledger.RecordVersion, s *ledger.Signature) (*authority.Holder, error) {
	if s == nil {
		return nil, d.checkUnsigned(on)
	}
	sealed, err := ledger.ParseTime(on.Time)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "the ledger's time of the version cannot be read: %v", err)
	}
	holder, err := d.Verify(ctx, v.Statement(d.Ledger.Channel()), *s, sealed)
	if err != nil {
		return nil, err
	}
	if holder.GID() != on.Author || holder.MSP != on.Home {
		return nil, ledger.Errorf(ledger.ErrTampered, "the ledger says that %s of %s has sealed it, and %s has signed it", on.Author, on.Home, holder.GID())
	}
	if role := holder.Attributes[ledger.RoleAttribute]; !ledger.Clinical(role) {
		return nil, ledger.Errorf(ledger.ErrTampered, "%s has signed it, whose role %.64q seals no records", holder.GID(), role)
	}
	return holder, d.noteSigned(on)
}

// Resealer verifies who has sealed a version again: the person whom the ledger names, who
// belongs to the record's home and has a role that seals records.
//
// Errors:
//   - ErrTampered if the signature is missing, or is another's or of another seal.
//   - those of [Directory.Verify].
func (d *Directory) Resealer(ctx context.Context, v Version, on ledger.RecordVersion, s *ledger.Signature) error {
	if s == nil {
		return ledger.Errorf(ledger.ErrTampered, "seal %d of it is not signed", on.Seal)
	}
	return d.member(ctx, v.Statement(d.Ledger.Channel()), *s, on.SealTime, on.Home, on.SealedBy)
}

// Erasure verifies who has erased a record of a hospital, both persons if there were two.
//
// Errors:
//   - ErrTampered if a signature is another's or of another record.
//   - those of [Directory.Verify].
func (d *Directory) Erasure(ctx context.Context, e ledger.Erasure, home string) error {
	persons := []ledger.Approval{*e.Approval()}
	if e.First != nil {
		persons = append(persons, *e.First)
	}
	for _, p := range persons {
		s, err := ledger.ParseSignature(p.Signature)
		if err != nil {
			return ledger.WithKind(err, ledger.ErrTampered)
		}
		if err := d.member(ctx, ErasureStatement(d.Ledger.Channel(), e.ID, e.Reason), s, p.Time, home, p.Actor); err != nil {
			return err
		}
	}
	return nil
}

// Receipt verifies a hospital's receipt for an erased record, which its authority or an
// administrator has signed.
//
// Errors:
//   - ErrTampered if the signature is another's or of another receipt.
//   - those of [Directory.Verify].
func (d *Directory) Receipt(ctx context.Context, r ledger.Receipt) error {
	signed, err := ledger.ParseTime(r.Time)
	if err != nil {
		return ledger.Errorf(ledger.ErrTampered, "the time %.40q of a receipt cannot be read: %v", r.Time, err)
	}
	return d.verification(signed).by(ctx, r.Keeper, keepers, "the receipt of "+r.Keeper, ReceiptStatement(d.Ledger.Channel(), r), r.Signature)
}

// member verifies what a person of a hospital has signed, whose role seals records.
func (d *Directory) member(ctx context.Context, st Statement, s ledger.Signature, at, home, actor string) error {
	signed, err := ledger.ParseTime(at)
	if err != nil {
		return ledger.Errorf(ledger.ErrTampered, "the ledger's time %.40q cannot be read: %v", at, err)
	}
	holder, err := d.Verify(ctx, st, s, signed)
	if err != nil {
		return err
	}
	if holder.GID() != actor || holder.MSP != home {
		return ledger.Errorf(ledger.ErrTampered, "the ledger says that %s of %s did it, and %s has signed it", actor, home, holder.GID())
	}
	if role := holder.Attributes[ledger.RoleAttribute]; !ledger.Clinical(role) {
		return ledger.Errorf(ledger.ErrTampered, "%s has signed it, whose role %.64q seals no records", holder.GID(), role)
	}
	return nil
}

// signsItem is the item with the earliest time from which a hospital is known to sign.
func signsItem(home string) string { return "signs/" + home }

func (d *Directory) checkUnsigned(on ledger.RecordVersion) error {
	since, err := d.Memory.Load(signsItem(on.Home))
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil
	case err != nil:
		return err
	case on.Time >= string(since):
		return ledger.Errorf(ledger.ErrTampered, "it is not signed, and %s has signed its records since %s", on.Home, since)
	}
	return nil
}

func (d *Directory) noteSigned(on ledger.RecordVersion) error {
	since, err := d.Memory.Load(signsItem(on.Home))
	if err == nil && string(since) <= on.Time {
		return nil
	}
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	return d.Memory.Store(signsItem(on.Home), []byte(on.Time))
}

// A Proof is what a reader without Chartseal needs to verify the author of a version, see
// docs/verify.md.
type Proof struct {
	// Statement is the text that was signed, with the word METADATA in the place of the
	// SHA-256 of the envelope's plaintext, which only the reader can compute.
	Statement   []byte
	Signature   []byte // DER
	Certificate []byte // PEM, of the author
	Roots       []byte // PEM, of the author's member
}

// Proof returns the proof of a version for somebody who can open its envelope. It does
// not verify the signature: the caller may not be able to open the envelope.
//
// Errors:
//   - those of [Directory.Verify].
func (d *Directory) Proof(ctx context.Context, v Version, home string, s ledger.Signature) (*Proof, error) {
	v.Metadata = [32]byte{}
	text, err := v.Statement(d.Ledger.Channel()).Text(s.Certificate)
	if err != nil {
		return nil, err
	}
	certificate, err := d.certificate(ctx, s.Certificate)
	if err != nil {
		return nil, err
	}
	members, err := d.recentMembers(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(members, func(m authority.MSP) bool { return m.ID == home })
	if i < 0 {
		return nil, ledger.Errorf(ledger.ErrTampered, "the record's home %s is not a member of the channel", home)
	}
	p := &Proof{
		Statement:   bytes.Replace(text, []byte("\nmetadata: "+strings.Repeat("0", 64)+"\n"), []byte("\nmetadata: METADATA\n"), 1),
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
	}
	for _, c := range slices.Concat(members[i].Roots, members[i].Intermediates) {
		p.Roots = append(p.Roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	p.Signature, err = DER(s)
	return p, err
}
