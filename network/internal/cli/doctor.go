package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/network"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor ORG",
		Short: "Look for damage at an organisation, and say what mends it",
		Long: `Doctor looks at an organisation's processes, versions, clock, disk and certificates. It recomputes the
hashes in the block files of its peer and its orderer and compares the blocks with those of the other
members, reads each byte of its databases, compares each value in the peer's state with the block that
wrote it last, and looks whether the payloads of its records are pinned. It changes nothing and may run at
any time, but it reads all of the ledger. Below each fault is the command that mends it.

The exit code is 6 when there is a fault.`,
		Example: `  chartnet doctor HospitalA
  chartnet doctor HospitalA --json`,
		Args: takes(1, 1, "one organisation"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			d, err := n.Doctor(ctx, args[0], a.stderr)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(d)
			} else {
				err = a.print(d.Table())
			}
			if faults := d.Faults(); err == nil && faults > 0 {
				err = fmt.Errorf("%s: %w: %d", args[0], errFaulty, faults)
			}
			return err
		}),
	}
}

func (a *app) rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild NAME",
		Short: "Make damaged files of an organisation anew",
		Long: `Rebuild runs the doctor and mends what it finds in the files of an organisation (ORG), or of one of its
peer, orderer and ipfs (ORG/KIND). A peer or an orderer is down meanwhile. It then waits until the server
has all blocks; if that takes longer than --wait-timeout it says so and leaves the server to it.

  peer     with good blocks makes its databases from them, and else gets the blocks from the orderers;
           with damaged private data it joins the channel anew, and all members approve the chaincode again
  orderer  gets its blocks from the other orderers
  ipfs     pins the payloads of the hospital's records that are not pinned`,
		Example: `  chartnet rebuild HospitalA
  chartnet rebuild HospitalA/peer`,
		Args: takes(1, 1, "one name"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			return a.untilCaughtUp(n.Rebuild(ctx, args[0], a.stderr), args[0]+" is rebuilt")
		}),
	}
}
