package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// CheckPublicKey compares a public key that did not come from the ledger just now, such
// as one that somebody handed over or that was kept, with what [Client.PublicKeys] has
// seen before with the same memory. Another key under a known version is ErrTampered; a
// version that a newer one has replaced is ErrRevoked. It reports whether exactly this
// key was seen.
func CheckPublicKey(memory Memory, k *abe.PublicKey) (seen bool, err error) {
	text, err := memory.Load(pinItem(k.Name()))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	raw, err := k.MarshalBinary()
	if err != nil {
		return false, err
	}
	digest := sha256.Sum256(raw)
	for line := range strings.Lines(string(text)) {
		number, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		version, err := strconv.Atoi(number)
		switch {
		case err != nil:
			return false, ledger.Errorf(ErrInvalid, "the pinned keys of %s cannot be read: %q", k.Name(), line)
		case version > k.Version():
			return false, ledger.Errorf(ErrRevoked, "version %d of the public key of %s was replaced by version %d", k.Version(), k.Name(), version)
		case version < k.Version():
			continue
		case hash != hex.EncodeToString(digest[:]):
			return false, ledger.Errorf(ErrTampered, "the public key of %s version %d is not the one that was seen before", k.Name(), version)
		}
		seen = true
	}
	return seen, nil
}

// pinItem names the pins of an attribute in the memory; an attribute's own name may have
// characters that items may not.
func pinItem(attribute string) string {
	id := sha256.Sum256([]byte(attribute))
	return "pin/" + hex.EncodeToString(id[:16])
}
