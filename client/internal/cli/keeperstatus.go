package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/replica"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) keeperStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List what hospitals refuse to keep for each other, and the state of your own node",
		Long: `Status lists what hospitals have put on the ledger about copies that they refuse: whose records they
are, how many, and why. A hospital that has refused nothing of another says nothing about it.

With the wallet of the keeper it first says what the last comparison with hashes has found: damaged
blocks that were replaced, payloads of which no node has a good copy, and blocks of no payload, which
wait for kubo to collect them.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withLedger(func(s *session.Session) error {
				all, err := s.Ledger.Keepings(ctx)
				if err != nil {
					return err
				}
				last, now, err := replica.LoadScrub(s.User.Memory())
				switch {
				case errors.Is(err, ledger.ErrNotFound):
				case err != nil:
					return err
				case last == nil:
					a.note("your node is compared with its hashes for the first time: %d payloads so far", now.Payloads)
				default:
					a.note("%s", scrubText(*last))
				}
				return a.printKeepings(all)
			})
		}),
	}
}

func scrubText(s replica.Scrub) string {
	text := fmt.Sprintf("your node at %s: %d payloads in %d blocks, %d damaged blocks replaced, %d blocks of no payload",
		shortTime(s.Ended.UTC().Format(time.RFC3339)), s.Payloads, s.Blocks, s.Replaced, s.Unpinned)
	if n := len(s.Damaged); n > 0 {
		text += fmt.Sprintf("; %d payloads have no good copy, such as %s", n, s.Damaged[0])
	}
	return text
}

func (a *app) printKeepings(all []ledger.Keeping) error {
	if a.global.json {
		if all == nil {
			all = []ledger.Keeping{}
		}
		return a.printJSON(all)
	}
	if len(all) == 0 {
		a.note("no hospital has refused a copy")
		return nil
	}
	t := newTable("TIME", "KEEPER", "HOME", "KEPT", "BUDGET", "REFUSED", "SIZE", "LAST CID", "REASON")
	for _, k := range all {
		last := ledger.Refusal{CID: "-", Reason: "-"}
		if n := len(k.Newest); n > 0 {
			last = k.Newest[n-1]
		}
		t.row(shortTime(k.Time), k.Keeper, k.Home, bytesText(k.Kept), bytesText(k.Budget), strconv.Itoa(k.Refused),
			bytesText(k.RefusedBytes), last.CID, last.Reason)
	}
	return a.printTable(t)
}
