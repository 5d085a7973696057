package cli

import (
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/client/wallet/wallettest"
)

// person enrols somebody by hand: person WALLET NAME@ORG DAYS makes certificates that are
// valid for so many days from yesterday on; with 0 days they have expired. There is also
// a profile for the organisation, whose peer does not answer.
func person(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: person WALLET NAME@ORG DAYS")
	}
	var days int
	_, err := fmt.Sscan(args[2], &days)
	ts.Check(err)
	now := time.Now()
	ts.Check(wallettest.Enrol(ts.MkAbs(args[0]), args[1], now.AddDate(0, 0, -1), now.AddDate(0, 0, days).Add(-time.Hour)))
}
