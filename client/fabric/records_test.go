package fabric

import (
	"errors"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/wallet"
)

// TestReadRecordsLost: a peer that was restored from an older copy has not been read up
// to its end.
func TestReadRecordsLost(t *testing.T) {
	g := &Gateway{user: &wallet.User{Profile: &wallet.Profile{}}}
	if next, err := g.ReadRecords(t.Context(), 7, 5, nil); next != 7 || !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("7 blocks were read of 5: %d, %v", next, err)
	}
	if next, err := g.ReadRecords(t.Context(), 7, 7, nil); next != 7 || err != nil {
		t.Errorf("7 blocks were read of 7: %d, %v", next, err)
	}
}
