package authority

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// An MSP is what the channel's configuration says of one member, as far as an authority
// needs it.
type MSP struct {
	ID            string
	Roots         []*x509.Certificate
	Intermediates []*x509.Certificate
	TLSRoots      []*x509.Certificate // for the servers of this member; a client certificate is never checked against them
	CRLs          []*x509.RevocationList
}

// A Verifier decides whose certificate it is. It is safe for concurrent use.
type Verifier struct {
	members func(context.Context) ([]MSP, error)
	now     func() time.Time
}

// NewVerifier makes a verifier that asks members for the channel's present MSPs at each
// use, so that a revocation counts from the next request on. members may cache its answer
// for as long as a revocation may take.
func NewVerifier(members func(context.Context) ([]MSP, error)) *Verifier {
	return &Verifier{members: members, now: time.Now}
}

// Verify checks an enrolment certificate and reads its holder from it. The certificate
// must be valid now, issued by exactly one MSP of the channel, not revoked by that MSP,
// and of a client, not of a node or an administrator. Intermediate certificates from the
// client are ignored: only those of the channel's configuration count, as in Fabric.
//
// Errors:
//   - [*DeniedError] if the certificate fails a check.
//   - ErrUnavailable if members fails. Without roots and CRLs nobody is verified.
func (v *Verifier) Verify(ctx context.Context, cert *x509.Certificate) (*Holder, error) {
	if err := checkUnits(cert.Subject.OrganizationalUnit); err != nil {
		return nil, err
	}
	return v.verify(ctx, cert, v.now(), time.Time{})
}

// VerifySigner checks the enrolment certificate of a signer, and reads its holder from
// it. The signer may be an administrator; nodes are refused. A signature made at a known
// time counts if the certificate was valid then and not yet revoked, by a clock that is
// off by at most skew. The zero time is for statements that stand until they are
// replaced: they outlive the certificate, but not its revocation.
//
// Errors:
//   - those of [Verifier.Verify].
func (v *Verifier) VerifySigner(ctx context.Context, cert *x509.Certificate, signed time.Time, skew time.Duration) (*Holder, error) {
	if signed.IsZero() {
		return v.verify(ctx, cert, cert.NotBefore, signed)
	}
	valid := signed
	switch {
	case signed.Before(cert.NotBefore) && !signed.Add(skew).Before(cert.NotBefore):
		valid = cert.NotBefore
	case signed.After(cert.NotAfter) && !signed.Add(-skew).After(cert.NotAfter):
		valid = cert.NotAfter
	}
	return v.verify(ctx, cert, valid, signed.Add(-skew))
}

// verify checks a certificate as it was at the time valid. Only revocations up to the
// time revoked count, or all if it is zero.
func (v *Verifier) verify(ctx context.Context, cert *x509.Certificate, valid, revoked time.Time) (*Holder, error) {
	members, err := v.members(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify certificate: %w: the channel's members: %w", ErrUnavailable, err)
	}
	var member *MSP
	var chain []*x509.Certificate
	refusal := denied(CodeUnknownMember, "no member of the channel issued this certificate")
	for i := range members {
		found, err := members[i].chain(cert, valid)
		switch {
		case err == nil && member != nil:
			return nil, denied(CodeUnknownMember, fmt.Sprintf("both %s and %s could have issued this certificate", member.ID, members[i].ID))
		case err == nil:
			member, chain = &members[i], found
		case isValidityError(err):
			refusal = denied(CodeExpired, "the certificate is not valid at this time: "+validity(cert))
		}
	}
	if member == nil {
		return nil, refusal
	}
	if member.revoked(chain, revoked) {
		return nil, denied(CodeRevoked, "the certificate has been revoked by "+member.ID)
	}
	return readHolder(member.ID, cert)
}

// chain builds the path from cert to one of the MSP's roots.
func (m *MSP) chain(cert *x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	if len(m.Roots) == 0 {
		return nil, errors.New("no roots") // x509 would take the system's
	}
	options := x509.VerifyOptions{
		Roots:         pool(m.Roots),
		Intermediates: pool(m.Intermediates),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // enrolment certificates name none
	}
	// A copy, because fabric-ca's attribute extension may be marked critical, and x509
	// refuses what it does not know.
	leaf := *cert
	leaf.UnhandledCriticalExtensions = nil
	for _, oid := range cert.UnhandledCriticalExtensions {
		if !oid.Equal(attributesOID) {
			leaf.UnhandledCriticalExtensions = append(leaf.UnhandledCriticalExtensions, oid)
		}
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		return nil, err
	}
	return chains[0], nil
}

// revoked tells whether a CRL lists a certificate of the chain as revoked by that time,
// or at all if the time is zero. CRLs come with the channel's configuration, which the
// consortium has agreed on, so their signatures are not checked again: a CRL that names
// an issuer and a serial is believed.
func (m *MSP) revoked(chain []*x509.Certificate, by time.Time) bool {
	for i, cert := range chain {
		issuer := chain[min(i+1, len(chain)-1)]
		for _, crl := range m.CRLs {
			if !bytes.Equal(crl.RawIssuer, cert.RawIssuer) {
				continue
			}
			if len(crl.AuthorityKeyId) > 0 && len(issuer.SubjectKeyId) > 0 && !bytes.Equal(crl.AuthorityKeyId, issuer.SubjectKeyId) {
				continue // another key of a CA with the same name
			}
			for _, entry := range crl.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 && (by.IsZero() || !entry.RevocationTime.After(by)) {
					return true
				}
			}
		}
	}
	return false
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

func isValidityError(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

func validity(cert *x509.Certificate) string {
	return fmt.Sprintf("from %s to %s", cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
}
