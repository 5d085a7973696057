package envelope

import (
	"math"
	"math/bits"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const minPayload = 4096

// PaddedSize gives the size to which a record of n bytes is padded: Padmé (Nikitin et
// al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
// PETS 2019, algorithm 1), at least 4 KiB. It keeps the exponent and the log2(log2 n)
// highest bits of the mantissa, so it costs at most 12 % and less the larger n is.
func PaddedSize(n int64) int64 {
	if n <= minPayload {
		return minPayload
	}
	e := bits.Len64(uint64(n)) - 1 // floor(log2 n)
	s := bits.Len64(uint64(e))     // floor(log2 e) + 1
	mask := int64(1)<<(e-s) - 1    // bits that are rounded away
	if n > math.MaxInt64-mask {
		return math.MaxInt64
	}
	return (n + mask) &^ mask
}

const (
	minText = 768

	// maxText leaves room for the stanzas within ledger.MaxEnvelope: age stanzas are
	// base64, 4/3 of their size.
	maxText = ledger.MaxEnvelope / 3
)

// bucket gives the size to which the text of an envelope is padded: 768 bytes, twice
// that, and so on up to maxText.
func bucket(n int) int {
	size := minText
	for size < n {
		size *= 2
	}
	return min(size, maxText)
}
