package envelope

import (
	"math"
	"math/bits"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const minPayload = 4096

// PaddedSize returns the padded size of a record of n bytes: Padmé (Nikitin et al.,
// "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PETS
// 2019, algorithm 1), at least 4 KiB. Padmé keeps the exponent and the log2(log2 n)
// highest bits of the mantissa. It adds at most 12 %, and less to larger records.
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

// bucket returns the padded size of an envelope's text: 768 bytes, twice that, and so on
// up to maxText.
func bucket(n int) int {
	size := minText
	for size < n {
		size *= 2
	}
	return min(size, maxText)
}
