package wallet

import (
	"errors"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/network/fabricca"
)

// Sign signs a SHA-256 digest with the enrolment key, in the form that Fabric and Fabric
// CA accept, see [fabricca.SignLowS]. Its type is that of fabric-gateway's identity.Sign.
//
// Errors:
//   - ErrInvalid if the key is not ECDSA, or does not make ECDSA signatures.
//   - Any error of the key's token.
func (u *User) Sign(digest []byte) ([]byte, error) {
	signature, err := fabricca.SignLowS(u.signer, digest)
	if errors.Is(err, fabricca.ErrInvalid) {
		return nil, ledger.WithKind(err, ledger.ErrInvalid)
	}
	return signature, err
}
