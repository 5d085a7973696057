package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/replica"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) keeperStatusCommand(older bool) *cobra.Command {
	return &cobra.Command{
		Use:   "status [RECORD...]",
		Short: "Show who keeps which records, and what hospitals refuse to keep",
		Long: `Status lists the hospitals that run a keeper, when each was last heard of, and what hospitals refuse to
keep for each other, and why. With record ids it lists which hospitals say that they keep them.

With the wallet of the keeper it also shows the result of its last look: how many copies records have,
which have too few, which wait, and how often the node of another hospital lacked a payload. It adds the
result of the last comparison with hashes: damaged blocks that were replaced, payloads without a good
copy on any node, and blocks of no payload, which wait for kubo to collect them.

States are those of ipfs-cluster: pinned; remote, which others keep; pin_queued and pinning; pin_error,
which is tried again or was refused; unexpectedly_unpinned, which the node has lost and pins again;
unpin_queued, which others keep instead.`,
		Args: takes(0, -1, ""),
		RunE: a.run(func(ctx context.Context, ids []string) error {
			return a.withLedger(func(s *session.Session) error {
				if len(ids) > 0 {
					return a.recordCopies(ctx, s, ids)
				}
				return a.keeperStatus(ctx, s, older)
			})
		}),
	}
}

// A keeperReport is the JSON output of keeper status.
type keeperReport struct {
	Rules   ledger.CopyRules `json:"rules"`
	Keepers []ledger.Keeper  `json:"keepers"`
	Refused []ledger.Keeping `json:"refused"`
	Own     *replica.Status  `json:"own"`   // null without the keeper's wallet
	Scrub   *replica.Scrub   `json:"scrub"` // the same, and before the first is complete
}

func (a *app) keeperStatus(ctx context.Context, s *session.Session, older bool) error {
	refused, err := s.Ledger.Keepings(ctx)
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
	if older {
		return a.printKeepings(refused)
	}
	consortium, err := s.Ledger.Keepers(ctx)
	if errors.Is(err, ledger.ErrInvalid) { // of a release before keepers
		return a.printKeepings(refused)
	}
	if err != nil {
		return err
	}
	report := keeperReport{Rules: consortium.Rules, Keepers: consortium.Keepers, Refused: append([]ledger.Keeping{}, refused...), Scrub: last}
	switch own, err := replica.LoadStatus(s.User.Memory()); {
	case err == nil:
		report.Own = &own
	case !errors.Is(err, ledger.ErrNotFound):
		return err
	}
	if a.global.json {
		return a.printJSON(report)
	}
	a.note("%d hospitals keep each record, and at least %d; others step in after %s", report.Rules.Max, report.Rules.Min, report.Rules.Leeway)
	if err := a.printKeepers(report); err != nil {
		return err
	}
	return a.printKeepings(refused)
}

func (a *app) printKeepers(r keeperReport) error {
	if r.Own == nil {
		t := newTable("KEEPER", "HEARD")
		for _, k := range r.Keepers {
			t.row(k.MSP, shortTime(k.Time))
		}
		return a.printTable(t)
	}
	a.note("%s", copiesText(*r.Own))
	for _, cid := range r.Own.Examples {
		a.note("too few copies of %s", cid)
	}
	t := newTable("KEEPER", "HEARD", "STATE", "RECEIPTS", "ASKED", "LACKED", "SILENT")
	for _, k := range r.Own.Keepers {
		silent := "-"
		if k.Silent {
			silent = "yes"
		}
		t.row(k.MSP, shortTime(k.Heard), k.State, strconv.Itoa(k.Receipts), strconv.Itoa(k.Asked), strconv.Itoa(k.Lacked), silent)
	}
	return a.printTable(t)
}

// copiesText says what a look has found.
func copiesText(s replica.Status) string {
	text := fmt.Sprintf("at %s: %d payloads, %d with too few copies; by copies:", shortTime(s.Time.Format(time.RFC3339)), s.Payloads, s.Under)
	for _, n := range slices.Sorted(maps.Keys(s.Copies)) {
		text += fmt.Sprintf(" %d of %d,", n, s.Copies[n])
	}
	text = strings.TrimSuffix(text, ",") + "; your node:"
	for _, state := range slices.Sorted(maps.Keys(s.States)) {
		if n := s.States[state]; n > 0 {
			text += fmt.Sprintf(" %d %s,", n, state)
		}
	}
	return strings.TrimRight(text, ",:")
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
