package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Roles whose signature counts for a member.
var (
	keepers    = []string{ledger.RoleAuthority, ledger.RoleAdmin}
	custodians = []string{ledger.RoleCustodian, ledger.RoleAdmin}
)

// An UnsignedError reports a statement without the signature of its member. Earlier
// releases did not sign. The hospital's operator has to sign once.
type UnsignedError struct {
	Member string
	What   string // "its public key of HospitalA:role=doctor", "its announcement"
}

func (e *UnsignedError) Error() string {
	return fmt.Sprintf("%s's authority has not signed %s: its operator starts 'chartseal authority serve' of this version, or runs "+
		"'chartseal authority publish'", e.Member, e.What)
}

// Unwrap makes it ErrTampered.
func (e *UnsignedError) Unwrap() error { return ledger.ErrTampered }

// A verification checks the signatures of one answer. It looks up each signer once.
type verification struct {
	*Directory
	signed  time.Time // see [Directory.Verify]
	signers map[ledger.CertificateID]signer
}

// A signer is a certificate and the person whom a member vouches for.
type signer struct {
	certificate *x509.Certificate
	holder      *authority.Holder
}

func (d *Directory) verification(signed time.Time) *verification {
	return &verification{d, signed, make(map[ledger.CertificateID]signer)}
}

// signer returns the holder of a certificate, and the certificate.
func (v *verification) signer(ctx context.Context, id ledger.CertificateID) (signer, error) {
	if known, ok := v.signers[id]; ok {
		return known, nil
	}
	certificate, err := v.certificate(ctx, id)
	if err != nil {
		return signer{}, err
	}
	holder, err := authority.NewVerifier(v.recentMembers).VerifySigner(ctx, certificate, v.signed, ledger.MaxClockSkew)
	var denied *authority.DeniedError
	if errors.As(err, &denied) {
		return signer{}, ledger.Errorf(ledger.ErrTampered, "the certificate of the signer %s: %v", certificate.Subject.CommonName, denied)
	}
	if err != nil {
		return signer{}, err
	}
	v.signers[id] = signer{certificate, holder}
	return v.signers[id], nil
}

// verify is [Directory.Verify] for one of several signatures.
func (v *verification) verify(ctx context.Context, st Statement, s ledger.Signature) (*authority.Holder, error) {
	by, err := v.signer(ctx, s.Certificate)
	if err != nil {
		return nil, err
	}
	ok, err := signedBy(by.certificate, st, s)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ledger.Errorf(ledger.ErrTampered, "the signature of %s is not valid", by.certificate.Subject.CommonName)
	}
	return by.holder, nil
}

// by checks that somebody with one of the roles at a member signed the statement. The
// signature is in text form.
//
// Errors:
//   - ErrTampered if the signature is malformed, or is another's.
//   - those of [Directory.Verify].
func (v *verification) by(ctx context.Context, member string, roles []string, what string, st Statement, signature string) error {
	s, err := ledger.ParseSignature(signature)
	if err != nil {
		return ledger.Errorf(ledger.ErrTampered, "%s: %v", what, err)
	}
	return v.bySigner(ctx, member, roles, what, st, s)
}

func (v *verification) bySigner(ctx context.Context, member string, roles []string, what string, st Statement, s ledger.Signature) error {
	holder, err := v.verify(ctx, st, s)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if role := holder.Attributes[ledger.RoleAttribute]; holder.MSP != member || !slices.Contains(roles, role) {
		return ledger.Errorf(ledger.ErrTampered, "%s: %s has signed it with the role %q; needs %v of %s", what, holder.GID(), role, roles, member)
	}
	return nil
}
