package trust

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Verify checks a signature and returns its signer. The certificate comes from the
// ledger, and is believed if one of the channel's members has issued it. A statement that
// was made at a known time is checked as of then. The zero time is for statements that
// stand until they are replaced: those end with the revocation of the certificate, and
// not when it expires.
//
// Errors:
//   - ErrTampered if the signature is another's or of another statement, or if no member
//     vouches for the signer.
//   - [RootChangedError], which is ErrTampered, if the roots of a member have changed.
//   - ErrUnavailable if the certificate or the members cannot be had.
func (d *Directory) Verify(ctx context.Context, st Statement, s ledger.Signature, signed time.Time) (*authority.Holder, error) {
	return d.verification(signed).verify(ctx, st, s)
}

// certificate returns a certificate from the memory or the ledger. Its id is the hash, so
// no peer can replace it.
func (d *Directory) certificate(ctx context.Context, id ledger.CertificateID) (*x509.Certificate, error) {
	item := "certificate/" + id.String()
	if der, err := d.Memory.Load(item); err == nil && ledger.IDOfCertificate(der) == id {
		return x509.ParseCertificate(der)
	}
	found, err := d.Ledger.Certificates(ctx, []ledger.CertificateID{id})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0].ID != id.String() {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "the ledger does not have the signer's certificate %s", id)
	}
	der, err := base64.StdEncoding.DecodeString(found[0].DER)
	if err != nil || ledger.IDOfCertificate(der) != id {
		return nil, ledger.Errorf(ledger.ErrTampered, "the ledger gave another certificate than %s", id)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "the signer's certificate cannot be read: %v", err)
	}
	return certificate, d.Memory.Store(item, der)
}

// Deposit makes sure that the ledger has the signer's certificate. The memory knows it
// from the first time on.
//
// Errors:
//   - Any error of the ledger.
func Deposit(ctx context.Context, l Depositor, memory Memory, s *Signer) error {
	item := "deposited/" + s.id.String()
	if _, err := memory.Load(item); err == nil {
		return nil
	}
	found, err := l.Certificates(ctx, []ledger.CertificateID{s.id})
	if err == nil && len(found) == 0 {
		err = l.DepositCertificate(ctx)
	}
	if err != nil {
		return fmt.Errorf("put the signing certificate on the ledger: %w", err)
	}
	return memory.Store(item, []byte("1"))
}

// A Depositor is the part of the ledger that takes the caller's certificate.
type Depositor interface {
	// Certificates is that of [Ledger].
	Certificates(ctx context.Context, ids []ledger.CertificateID) ([]ledger.Certificate, error)

	// DepositCertificate puts the caller's enrolment certificate on the ledger.
	DepositCertificate(ctx context.Context) error
}
