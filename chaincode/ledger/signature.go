package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// A CertificateID names a certificate: the SHA-256 of its DER.
type CertificateID [sha256.Size]byte

// IDOfCertificate names a certificate by its DER.
func IDOfCertificate(der []byte) CertificateID { return sha256.Sum256(der) }

// String gives 64 lower-case hexadecimal digits.
func (id CertificateID) String() string { return hex.EncodeToString(id[:]) }

// ParseCertificateID reads the text that [CertificateID.String] gives, and no other form.
//
// Errors:
//   - ErrInvalid if the text is anything else.
func ParseCertificateID(text string) (CertificateID, error) {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != sha256.Size || hex.EncodeToString(id) != text {
		return CertificateID{}, Errorf(ErrInvalid, "%.80q is not the SHA-256 of a certificate: needs %d lower-case hexadecimal digits", text, 2*sha256.Size)
	}
	return CertificateID(id), nil
}

// A Signature is over a statement of package client/trust. It names the certificate that
// verifies it, which is on the ledger, see [CertificateDeposit].
type Signature struct {
	Certificate CertificateID
	Value       []byte // ECDSA r and s, big endian, of the curve's size each (IEEE P1363): 64 bytes for P-256
}

// SignatureStanza is the type of the stanza with the signature in the header of an
// envelope or a wrapped scope key. Its argument is the certificate's id in unpadded
// base64.
const SignatureStanza = "chartseal.org/signature"

// Sizes of r and s together, for P-256, P-384 and P-521.
const (
	minSignature = 64
	maxSignature = 132
)

// String gives the signature as text: unpadded base64 of the certificate's id and the
// value.
func (s Signature) String() string {
	return base64.RawStdEncoding.EncodeToString(append(s.Certificate[:len(s.Certificate):len(s.Certificate)], s.Value...))
}

// ParseSignature reads the text that [Signature.String] gives, and no other form.
//
// Errors:
//   - ErrInvalid if the text is anything else.
func ParseSignature(text string) (Signature, error) {
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < sha256.Size || base64.RawStdEncoding.EncodeToString(raw) != text {
		return Signature{}, Errorf(ErrInvalid, "a signature is not unpadded base64 of a certificate's SHA-256 and its value")
	}
	return NewSignature(CertificateID(raw[:sha256.Size]), raw[sha256.Size:])
}

// NewSignature checks the size of the value.
//
// Errors:
//   - ErrInvalid if no curve has signatures of this size.
func NewSignature(certificate CertificateID, value []byte) (Signature, error) {
	if len(value) < minSignature || len(value) > maxSignature || len(value)%2 != 0 {
		return Signature{}, Errorf(ErrInvalid, "a signature has %d bytes: needs %d for P-256", len(value), minSignature)
	}
	return Signature{certificate, value}, nil
}
