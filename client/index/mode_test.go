package index_test

import (
	"errors"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

func TestParseMode(t *testing.T) {
	for _, text := range []string{"", "now", "batched", "none"} {
		if m, err := index.ParseMode(text); err != nil || string(m) != text {
			t.Errorf("%q: %q, %v", text, m, err)
		}
	}
	for _, text := range []string{"Now", " none", "later"} {
		if _, err := index.ParseMode(text); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
