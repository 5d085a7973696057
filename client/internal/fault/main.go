package fault

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Main runs the command and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	o := Options{Out: stdout}
	fs := flag.NewFlagSet("chartseal-faults", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Bin, "bin", "build", "`directory` of the programs")
	fs.StringVar(&o.Dir, "dir", "build/faults", "`directory` of the network, which is made anew, and of the rest; the network stays if something is wrong")
	fs.DurationVar(&o.Time, "time", 40*time.Minute, "play faults for this long")
	fs.Uint64Var(&o.Seed, "seed", rand.Uint64N(1e6), "choose the same faults as an earlier run")
	fs.IntVar(&o.Programs, "programs", 20, "number of programs that seal")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if fs.NArg() > 0 || o.Programs < 1 {
		fmt.Fprintf(stderr, "chartseal-faults: unexpected arguments %q, or no programs\n", fs.Args())
		return 2
	}
	for _, dir := range []*string{&o.Bin, &o.Dir} { // programs may run elsewhere
		abs, err := filepath.Abs(*dir)
		if err != nil {
			fmt.Fprintln(stderr, "chartseal-faults:", err)
			return 1
		}
		*dir = abs
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := Run(ctx, o); err != nil {
		fmt.Fprintf(stderr, "chartseal-faults: error: %v\n", err)
		fmt.Fprintf(stderr, "chartseal-faults: hint: the same faults again: --seed %d; the network is in %s\n", o.Seed, filepath.Join(o.Dir, "network"))
		return 1
	}
	return 0
}
