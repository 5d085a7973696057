package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/network"
)

func (a *app) buildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build the servers of Fabric, Fabric CA and kubo, once",
		Long: `Build compiles the server programs from the modules below network/servers. They stay in
CHARTSEAL_CACHE, or in the user's cache directory. 'up' does this as well.`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return network.Build(cmd.Context(), a.stderr) },
	}
}

func (a *app) upCommand() *cobra.Command {
	var withoutServices, watch bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the network, resume it, or start what has died",
		Long: `Up makes the network of the topology if there is none in its directory. It resumes one that is
stopped, and starts the processes that have died. It renews certificates that end within 30 days
or have ended. It returns when every process serves.

Up also starts the watcher, see 'chartnet watch --help'. With --watch=false it does not, and stops one
that runs. The network remembers this.`,
		Example: `  chartnet up
  chartnet up --topology second.yaml --dir build/second`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.topology()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("watch") {
				t.Watch = watch
			}
			return a.up(cmd.Context(), t, withoutServices)
		},
	}
	cmd.Flags().BoolVar(&withoutServices, "without-services", false, "leave out attribute authorities, keepers, attribute keys and scopes")
	cmd.Flags().BoolVar(&watch, "watch", true, "start the watcher, unless the topology says otherwise")
	return cmd
}

func (a *app) up(ctx context.Context, t *network.Topology, withoutServices bool) error {
	n, err := network.Up(ctx, t, network.Options{
		Programs: a.programs(), WithoutServices: withoutServices, WaitTimeout: a.waitTimeout, Progress: a.stderr,
	})
	if errors.Is(err, network.ErrInvalid) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		return hintedError{err, "'chartnet status' and 'chartnet logs' tell more; 'chartnet up' tries again, 'chartnet down' stops what runs"}
	}
	a.noteDue(n) // what up does not renew
	fmt.Fprintf(a.stderr, "The network is up in %s.\n", n.Directory())
	if t.Directory != network.Default().Directory {
		fmt.Fprintf(a.stderr, "  name it:  export CHARTSEAL_NETWORK_DIR=%s CHARTSEAL_WALLET=%s\n", n.Directory(), n.Wallet())
	}
	fmt.Fprintf(a.stderr, `  go on:    %s --user %s --help
  look:     %s status
  stop:     %[3]s down      (up resumes it, clean removes it)
`, filepath.Join(a.programs(), "chartseal"), someUser(t), os.Args[0])
	return nil
}

// someUser names a user to begin with.
func someUser(t *network.Topology) string {
	for _, h := range t.Hospitals {
		if users := slices.Sorted(maps.Keys(h.Users)); len(users) > 0 {
			return users[0] + "@" + h.Name
		}
	}
	return "custodian@" + t.Hospitals[0].Name
}

func (a *app) renewCommand() *cobra.Command {
	var due bool
	cmd := &cobra.Command{
		Use:   "renew [ORG]...",
		Short: "Replace the certificates of servers, and of the topology's users",
		Long: `Renew replaces the certificates of the organisations, or of all, before or after their end: those of
peers, orderers, CAs, chaincode servers, authorities and keepers, and of the users that 'up' has
enrolled. It restarts servers that run, one organisation after the other, so that the network goes on. It
also completes a renewal that was interrupted. 'up' renews by itself what ends within 30 days. Other people
renew with 'chartseal enroll --renew'.`,
		Example: `  chartnet renew
  chartnet renew HospitalA`,
		Args: takes(0, -1, ""),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			if due {
				if len(args) > 0 {
					return usagef("--due concerns all organisations, got %q as well", args)
				}
				return n.RenewDue(ctx, a.stderr)
			}
			return n.Renew(ctx, a.stderr, args...)
		}),
	}
	cmd.Flags().BoolVar(&due, "due", false, "replace only what ends within 30 days or has ended")
	return cmd
}

func (a *app) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the network; ledgers and pins stay",
		Args:  takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := a.open()
			if errors.Is(err, network.ErrNoNetwork) {
				a.note("nothing to stop: %v", err)
				return nil
			}
			if err != nil {
				return err
			}
			return n.Down(cmd.Context())
		},
	}
}

func (a *app) cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Stop the network and remove its directory",
		Long: `Clean stops the network and removes its directory, with ledgers, keys and wallet. The built servers
stay in the cache. A directory that chartnet did not make is left alone.`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.clean(cmd.Context()) },
	}
}

func (a *app) clean(ctx context.Context) error {
	n, err := a.open()
	if errors.Is(err, network.ErrNoNetwork) {
		t, topologyErr := a.topology()
		if topologyErr != nil {
			return topologyErr
		}
		if _, statErr := os.Stat(t.Directory); errors.Is(statErr, fs.ErrNotExist) {
			return nil // nothing to remove
		}
		return hintedError{fmt.Errorf("not removed, as chartnet did not make it: %w", err), "name the network's directory with --dir"}
	}
	if err != nil {
		return err
	}
	return n.Clean(ctx)
}

func (a *app) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop NAME",
		Short: "Stop everything of one organisation, or one process",
		Long: `NAME is ORG, or ORG/KIND for one process, as 'chartnet status' names them, or watch for the watcher. What
is stopped stays stopped until 'chartnet start' or 'chartnet up' starts it.`,
		Example: `  chartnet stop HospitalA
  chartnet stop HospitalA/peer`,
		Args: takes(1, 1, "one name"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error { return n.Stop(ctx, args[0]) }),
	}
}

func (a *app) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start NAME",
		Short: "Start everything of one organisation again, or one process",
		Long: `NAME is ORG, or ORG/KIND for one process, as 'chartnet status' names them, or watch for the watcher. Start
goes on if one of the processes does not start. It then waits while the peer and the orderer get the
blocks that they have missed. If they are not done after --wait-timeout, it says so and leaves them to it.`,
		Args: takes(1, 1, "one name"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			n.Progress = a.stderr
			return a.untilCaughtUp(n.Start(ctx, args[0]), args[0]+" is started")
		}),
	}
}

// untilCaughtUp turns the error of a server that is still catching up into a note.
func (a *app) untilCaughtUp(err error, done string) error {
	if errors.Is(err, network.ErrCatchingUp) {
		a.note("%s, and is %v; 'chartnet status' shows how far it is", done, err)
		return nil
	}
	return err
}

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Start again whatever dies, hangs or stays behind, until stopped",
		Long: `Watch looks at every process of the network. It starts again

  what is dead                                                      at once
  what a signal has frozen                                          after 5 s
  what does not answer                                              after 30 s, or 2 minutes if it never did
  a peer or an orderer that is behind the others and gets no block  after 30 s

A process that needs it again and again gets longer pauses, of up to a minute for one that dies. Watch
leaves alone what 'chartnet stop' or 'chartnet down' has stopped, and what cannot start because its
certificate has ended. It does nothing while another command works on the network. If most servers do
not answer, it blames the machine and waits.

'chartnet up' starts it in the background unless --watch=false is given; 'chartnet logs watch' shows each
restart, and 'chartnet status' the last one of each process. Run by hand it stays in the foreground,
as a service manager wants it. 'chartnet stop watch' stops it alone.`,
		Args: takes(0, 0, ""),
		RunE: a.on(func(ctx context.Context, n *network.Network, _ []string) error { return n.Watch(ctx, a.stderr) }),
	}
}
