// Chartnet brings up, shows and stops a Chartseal development network. Package network
// does the work.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/chartseal/chartseal/network"
)

const usage = `usage: chartnet [flags] COMMAND

  build                    build the servers of Fabric, Fabric CA and kubo, once
  up [--without-services]  bring the network up: make it, resume it, or start what has died
  down                     stop it; ledgers and pins stay
  status [--json]          show every process; exit status 1 when one is not healthy
  logs [NAME] [-f]         show the logs of ORGANISATION/KIND, ORGANISATION, KIND, or all; -f goes on
  stop ORGANISATION        stop everything of one organisation
  start ORGANISATION       start it again
  register NAME@ORGANISATION [ATTRIBUTE=VALUE]...
                           tell a Fabric CA of a new person and print the enrolment secret
  revoke NAME@ORGANISATION end a person's certificates, in the whole channel
  topology                 print the default topology file
  clean                    stop the network and remove its directory; the built servers stay

flags:
`

// errUnhealthy has been told by the table already.
var errUnhealthy = errors.New("not all processes are healthy")

// An upError leaves a network half up.
type upError struct{ error }

func (e upError) Unwrap() error { return e.error }

// A usageError is a mistake in the arguments.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "chartnet: error: %v\n", err)
	if hint := hint(err); hint != "" {
		fmt.Fprintf(os.Stderr, "chartnet: hint: %s\n", hint)
	}
	var mistake usageError
	if errors.As(err, &mistake) {
		os.Exit(2)
	}
	os.Exit(1)
}

func hint(err error) string {
	var mistake usageError
	var half upError
	switch {
	case errors.As(err, &mistake):
		return "see chartnet --help"
	case errors.As(err, &half):
		return "chartnet status and chartnet logs tell more; chartnet up tries again, chartnet down stops what runs"
	case errors.Is(err, network.ErrNoNetwork):
		return "bring one up with chartnet up (make up)"
	case errors.Is(err, errUnhealthy):
		return "chartnet up starts what is not running"
	}
	return ""
}

// A command line, with what flags and environment have settled.
type command struct {
	topology *network.Topology
	programs string
	args     []string
	stdout   io.Writer
	stderr   io.Writer
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("chartnet", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("topology", "", "topology `FILE`; what it leaves out has a default")
	dir := flags.String("dir", getenv("CHARTSEAL_NETWORK_DIR"), "`DIRECTORY` of the network; default $CHARTSEAL_NETWORK_DIR, or the topology's")
	programs := flags.String("bin", "", "`DIRECTORY` of chartseal, chartseal-chaincode and ccbuilder; default chartnet's own")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, usage)
			flags.SetOutput(stdout)
			flags.PrintDefaults()
			return nil
		}
		return usageError{err}
	}
	if flags.NArg() == 0 {
		return usageError{errors.New("no command")}
	}
	t := network.Default()
	if *file != "" {
		var err error
		if t, err = network.Load(*file); err != nil {
			return err
		}
	}
	if *dir != "" {
		t.Directory = *dir
	}
	if made, err := network.Open(t.Directory); err == nil && *file == "" {
		t = made.Topology() // what this network was made with
		t.Directory = made.Directory()
	}
	if *programs == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		*programs = filepath.Dir(exe)
	}
	c := &command{topology: t, programs: *programs, args: flags.Args()[1:], stdout: stdout, stderr: stderr}
	commands := map[string]func(context.Context) error{
		"build": c.build, "up": c.up, "down": c.down, "status": c.status, "logs": c.logs, "stop": c.stop, "start": c.start,
		"register": c.register, "revoke": c.revoke, "topology": c.printTopology, "clean": c.clean,
	}
	do, ok := commands[flags.Arg(0)]
	if !ok {
		return usageError{fmt.Errorf("unknown command %q", flags.Arg(0))}
	}
	return do(ctx)
}

// switches takes known switches out of the arguments, wherever they are, and makes sure
// that between low and high others are left.
func (c *command) switches(low, high int, known map[string]*bool) error {
	var rest []string
	for _, a := range c.args {
		if on, ok := known["-"+strings.TrimLeft(a, "-")]; ok && strings.HasPrefix(a, "-") {
			*on = true
		} else if strings.HasPrefix(a, "-") {
			return usageError{fmt.Errorf("unknown flag %s", a)}
		} else {
			rest = append(rest, a)
		}
	}
	if len(rest) < low || len(rest) > high {
		return usageError{fmt.Errorf("%d arguments, want %d to %d", len(rest), low, high)}
	}
	c.args = rest
	return nil
}

func (c *command) open() (*network.Network, error) { return network.Open(c.topology.Directory) }

func (c *command) build(ctx context.Context) error {
	if err := c.switches(0, 0, nil); err != nil {
		return err
	}
	return network.Build(ctx, c.stderr)
}

func (c *command) up(ctx context.Context) error {
	var without bool
	if err := c.switches(0, 0, map[string]*bool{"-without-services": &without}); err != nil {
		return err
	}
	n, err := network.Up(ctx, c.topology, network.Options{Programs: c.programs, WithoutServices: without, Progress: c.stderr})
	if err != nil {
		return upError{err}
	}
	self, client := os.Args[0], filepath.Join(c.programs, "chartseal")
	if c.topology.Directory != network.Default().Directory {
		self += " --dir " + c.topology.Directory
		client += " --wallet " + n.Wallet()
	}
	fmt.Fprintf(c.stderr, `The network is up in %s.
  go on:  %s --user %s --help
  look:   %s status
  stop:   %s down      (up resumes it, clean removes it)
`, n.Directory(), client, someone(c.topology), self, self)
	return nil
}

// someone names a user with whom to begin.
func someone(t *network.Topology) string {
	for _, h := range t.Hospitals {
		if users := slices.Sorted(maps.Keys(h.Users)); len(users) > 0 {
			return users[0] + "@" + h.Name
		}
	}
	return "custodian@" + t.Hospitals[0].Name
}

func (c *command) down(ctx context.Context) error {
	if err := c.switches(0, 0, nil); err != nil {
		return err
	}
	n, err := c.open()
	if errors.Is(err, network.ErrNoNetwork) {
		fmt.Fprintln(c.stderr, "nothing to stop:", err)
		return nil
	}
	if err != nil {
		return err
	}
	return n.Down(ctx)
}

func (c *command) status(ctx context.Context) error {
	var asJSON bool
	if err := c.switches(0, 0, map[string]*bool{"-json": &asJSON}); err != nil {
		return err
	}
	n, err := c.open()
	if err != nil {
		return err
	}
	all := n.Status(ctx)
	if asJSON {
		e := json.NewEncoder(c.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(all)
	} else {
		_, err = io.WriteString(c.stdout, network.Table(all))
	}
	if err == nil && !network.Healthy(all) {
		err = errUnhealthy
	}
	return err
}

func (c *command) logs(ctx context.Context) error {
	var follow bool
	if err := c.switches(0, 1, map[string]*bool{"-f": &follow, "-follow": &follow}); err != nil {
		return err
	}
	n, err := c.open()
	if err != nil {
		return err
	}
	return n.Logs(ctx, c.stdout, strings.Join(c.args, ""), follow)
}

func (c *command) stop(ctx context.Context) error {
	return c.organisation(ctx, (*network.Network).Stop)
}
func (c *command) start(ctx context.Context) error {
	return c.organisation(ctx, (*network.Network).Start)
}

func (c *command) organisation(ctx context.Context, do func(*network.Network, context.Context, string) error) error {
	if err := c.switches(1, 1, nil); err != nil {
		return err
	}
	n, err := c.open()
	if err != nil {
		return err
	}
	return do(n, ctx, c.args[0])
}

func (c *command) register(ctx context.Context) error {
	if err := c.switches(1, 100, nil); err != nil {
		return err
	}
	user, org, err := person(c.args[0])
	if err != nil {
		return err
	}
	attributes := map[string]string{}
	for _, a := range c.args[1:] {
		name, value, found := strings.Cut(a, "=")
		if !found {
			return usageError{fmt.Errorf("%q is not ATTRIBUTE=VALUE", a)}
		}
		attributes[name] = value
	}
	n, err := c.open()
	if err != nil {
		return err
	}
	const enrolments = 2 // one at each of the CA's two authorities
	secret, err := n.Register(ctx, org, user, attributes, enrolments)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, secret)
	return err
}

func (c *command) revoke(ctx context.Context) error {
	if err := c.switches(1, 1, nil); err != nil {
		return err
	}
	user, org, err := person(c.args[0])
	if err != nil {
		return err
	}
	n, err := c.open()
	if err != nil {
		return err
	}
	return n.Revoke(ctx, org, user)
}

func person(text string) (user, org string, err error) {
	user, org, found := strings.Cut(text, "@")
	if !found || user == "" || org == "" {
		return "", "", usageError{fmt.Errorf("%q is not NAME@ORGANISATION", text)}
	}
	return user, org, nil
}

func (c *command) printTopology(context.Context) error {
	_, err := io.WriteString(c.stdout, network.DefaultTopology())
	return err
}

func (c *command) clean(ctx context.Context) error {
	if err := c.switches(0, 0, nil); err != nil {
		return err
	}
	n, err := c.open()
	if errors.Is(err, network.ErrNoNetwork) {
		if _, statErr := os.Stat(c.topology.Directory); os.IsNotExist(statErr) {
			return nil // nothing to remove
		}
		return fmt.Errorf("not removed, as chartnet did not make it: %w", err)
	}
	if err != nil {
		return err
	}
	return n.Clean(ctx)
}
