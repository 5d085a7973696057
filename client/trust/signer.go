package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Signer signs statements with an enrolment key, which may be in a token.
type Signer struct {
	key         crypto.Signer
	certificate *x509.Certificate
	id          ledger.CertificateID
}

// NewSigner returns the signer of an enrolment key and its certificate.
//
// Errors:
//   - ErrInvalid if the key is not ECDSA, or is not the certificate's.
func NewSigner(key crypto.Signer, certificate *x509.Certificate) (*Signer, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || !public.Equal(certificate.PublicKey) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "sign statements: the enrolment key is not ECDSA, or not that of its certificate")
	}
	return &Signer{key, certificate, ledger.IDOfCertificate(certificate.Raw)}, nil
}

// Certificate names the signer's certificate.
func (s *Signer) Certificate() ledger.CertificateID { return s.id }

// Sign signs a statement: ECDSA over the SHA-256 of [Statement.Text].
//
// Errors:
//   - ErrInvalid if a field of the statement cannot be on a line.
//   - Any error of the key's token.
func (s *Signer) Sign(st Statement) (ledger.Signature, error) {
	text, err := st.Text(s.id)
	if err != nil {
		return ledger.Signature{}, err
	}
	digest := sha256.Sum256(text)
	der, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return ledger.Signature{}, fmt.Errorf("sign the statement: %w", err)
	}
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &rs); err != nil || len(rest) > 0 {
		return ledger.Signature{}, ledger.Errorf(ledger.ErrInvalid, "sign the statement: the key made no ECDSA signature")
	}
	size := sizeOf(s.certificate.PublicKey.(*ecdsa.PublicKey))
	value := make([]byte, 2*size)
	rs.R.FillBytes(value[:size])
	rs.S.FillBytes(value[size:])
	return ledger.NewSignature(s.id, value)
}

// sizeOf gives the bytes of r, and of s, in a signature.
func sizeOf(key *ecdsa.PublicKey) int { return (key.Params().N.BitLen() + 7) / 8 }

// DER gives a signature in the form that other tools verify: the ASN.1 of X9.62. See
// docs/verify.md.
func DER(s ledger.Signature) ([]byte, error) {
	half := len(s.Value) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(s.Value[:half]), new(big.Int).SetBytes(s.Value[half:])})
}

// signedBy reports whether a certificate's key has signed the statement.
func signedBy(certificate *x509.Certificate, st Statement, s ledger.Signature) (bool, error) {
	text, err := st.Text(s.Certificate)
	if err != nil {
		return false, err
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || len(s.Value) != 2*sizeOf(key) {
		return false, nil
	}
	digest := sha256.Sum256(text)
	half := len(s.Value) / 2
	return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(s.Value[:half]), new(big.Int).SetBytes(s.Value[half:])), nil
}
