package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/network"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show every process and whether it is healthy",
		Long: `Status asks every process, or those that NAME chooses, whether it serves. A peer or an orderer that is
behind the others is unhealthy as well. The exit code is 6 when a process is unhealthy. NAME is
ORG/KIND for one process, or ORG or KIND for several. Status also notes certificates that end within 30 days.`,
		Args: takes(0, 1, "one name"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			all, err := n.StatusOf(ctx, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(all)
			} else {
				err = a.print(network.Table(all))
			}
			a.noteDue(n)
			if err == nil && !network.Healthy(all) {
				err = errUnhealthy
			}
			return err
		}),
	}
}

// noteDue says which certificates end soon.
func (a *app) noteDue(n *network.Network) {
	now := time.Now()
	for _, line := range network.Notices(n.Due(now), now) {
		a.note("%s", line)
	}
}

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Show the logs of all processes, or of some",
		Long:  `NAME is ORG/KIND for one process, or ORG or KIND for several, as 'chartnet status' names them.`,
		Example: `  chartnet logs HospitalA/peer
  chartnet logs authority -f`,
		Args: takes(0, 1, "one name"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			return n.Logs(ctx, a.stdout, strings.Join(args, ""), follow)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new lines until interrupted")
	return cmd
}

func (a *app) topologyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "topology",
		Short: "Print the default topology file, which documents every setting",
		Args:  takes(0, 0, ""),
		RunE:  func(*cobra.Command, []string) error { return a.print(network.DefaultTopology()) },
	}
}
