package wallet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"math/big"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Sign signs a SHA-256 digest with the enrolment key, in the form that Fabric and Fabric
// CA accept, see [SignLowS]. Its type is that of fabric-gateway's identity.Sign.
func (u *User) Sign(digest []byte) ([]byte, error) { return SignLowS(u.signer, digest) }

// SignLowS signs a SHA-256 digest with an ECDSA key that may live in a token. For each
// ECDSA signature (r, s), (r, n-s) is valid too, n being the order of the curve. Fabric
// accepts only the one with the lower s, so that nobody can change a signature in
// transit. The result is the ASN.1 DER of that one.
//
// Errors:
//   - ErrInvalid if the key is not ECDSA, or if the signer returns something else than an
//     ASN.1 ECDSA signature.
//   - Any error of the signer.
func SignLowS(key crypto.Signer, digest []byte) ([]byte, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, ledger.Errorf(ledger.ErrInvalid, "sign: the key is %T, not ECDSA", key.Public())
	}
	signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var parsed struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &parsed); err != nil || len(rest) > 0 {
		return nil, ledger.Errorf(ledger.ErrInvalid, "sign: the signer did not return an ASN.1 ECDSA signature")
	}
	order := public.Params().N
	if parsed.S.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		return signature, nil
	}
	parsed.S.Sub(order, parsed.S)
	return asn1.Marshal(parsed)
}
