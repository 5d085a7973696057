package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/network"
)

// An app is one run of the program: its streams, its environment, and the flags that
// every command has.
type app struct {
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	exe    string // path of the executable

	topologyFile string
	dir          string
	bin          string
	waitTimeout  time.Duration
	json         bool
}

// Main runs the command line of this process and returns its exit code. The first SIGINT
// or SIGTERM cancels what runs; a second one ends the process at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	a := &app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, exe: exe}
	return a.main(ctx, os.Args[1:])
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetContext(ctx)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if slices.Contains(args, "--json") { // also when the flags could not be parsed
		a.json = true
	}
	return a.report(cmd, err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "chartnet",
		Short: "Run a Chartseal development network",
		Long: `chartnet makes a Chartseal network on this machine, starts and stops it, and registers people. The
network is in one directory. A topology file declares its organisations, people and settings.

To have a second network beside the default one, give it a directory and free ports:

  echo 'ports: free' > second.yaml
  export CHARTSEAL_NETWORK_DIR=build/second CHARTSEAL_WALLET=build/second/wallet
  chartnet up --topology second.yaml

Below the network's directory are

  wallet/                       profiles and users: chartseal's --wallet
  wallet/USER@ORG/tls-cert.pem  a user's TLS certificate, and tls-key.pem. That of authority@ORG is a
                                server's too, for localhost and 127.0.0.1
  orgs/ORG/KIND/tls-cert.pem    the TLS certificate of a peer, orderer or chaincode server
  wallet/tls/ORG.pem            the root of an organisation's TLS certificates
  logs/ORG/KIND.log             the log of a process

Exit codes: 0 done, 1 another failure, 2 wrong usage or topology, 3 not found, 4 denied by a CA,
5 tampered, 6 a server is unavailable or unhealthy.`,
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })

	f := root.PersistentFlags()
	f.StringVar(&a.topologyFile, "topology", "", "topology `file`; 'chartnet topology' prints the default one")
	f.StringVar(&a.dir, "dir", "", "`directory` of the network (CHARTSEAL_NETWORK_DIR; default: the topology's, build/network)")
	f.StringVar(&a.bin, "bin", "", "`directory` of chartseal, the chaincode server and ccbuilder (default: chartnet's own)")
	f.DurationVar(&a.waitTimeout, "wait-timeout", 0, "give up when a server takes longer than this to start (default 2m)")
	f.BoolVar(&a.json, "json", false, "print results and errors as JSON")

	root.AddCommand(
		a.buildCommand(), a.upCommand(), a.downCommand(), a.cleanCommand(),
		a.statusCommand(), a.logsCommand(), a.stopCommand(), a.startCommand(), a.watchCommand(),
		a.doctorCommand(), a.rebuildCommand(),
		a.registerCommand(), a.revokeCommand(), a.certificateCommand(), a.renewCommand(),
		a.topologyCommand(),
	)
	return root
}

// noSuchCommand refuses what is left over after the program's name.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q, did you mean %q?", args[0], near[0])
	}
	return usagef("unknown command %q", args[0])
}

// takes checks the number of arguments; what names them in the message. max < 0 means any
// number.
func takes(min, max int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return usagef("%s needs %s", cmd.CommandPath(), what)
		case max == 0 && len(args) > 0:
			return usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		case max > 0 && len(args) > max:
			return usagef("%s takes only %s, got %q as well", cmd.CommandPath(), what, args[max])
		}
		return nil
	}
}

// topology gives the topology of the file, or else of the network that exists, or else
// the default one.
func (a *app) topology() (*network.Topology, error) {
	t := network.Default()
	if a.topologyFile != "" {
		var err error
		if t, err = network.Load(a.topologyFile); err != nil {
			return nil, err
		}
	}
	if a.dir == "" {
		a.dir = a.getenv("CHARTSEAL_NETWORK_DIR")
	}
	if a.dir != "" {
		t.Directory = a.dir
	}
	if made, err := network.Open(t.Directory); err == nil && a.topologyFile == "" {
		t = made.Topology()
		t.Directory = made.Directory()
	}
	return t, nil
}

// programs is the directory of the programs that a network runs.
func (a *app) programs() string {
	if a.bin != "" {
		return a.bin
	}
	return filepath.Dir(a.exe)
}

func (a *app) open() (*network.Network, error) {
	t, err := a.topology()
	if err != nil {
		return nil, err
	}
	n, err := network.Open(t.Directory)
	if err == nil {
		n.WaitTimeout = a.waitTimeout
	}
	return n, err
}

// on wraps the job of a command that needs a network.
func (a *app) on(job func(ctx context.Context, n *network.Network, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		n, err := a.open()
		if err != nil {
			return err
		}
		return job(cmd.Context(), n, args)
	}
}

func (a *app) print(text string) error {
	_, err := io.WriteString(a.stdout, text)
	return err
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.stderr, "chartnet: note: "+format+"\n", args...)
}

// person takes NAME@ORG apart.
func person(text string) (user, org string, err error) {
	user, org, found := strings.Cut(text, "@")
	if !found || user == "" || org == "" {
		return "", "", usagef("%q is not NAME@ORG, such as ada@HospitalA", text)
	}
	return user, org, nil
}
