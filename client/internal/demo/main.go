package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Main runs the command and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	o := Options{Out: stdout}
	fs := flag.NewFlagSet("chartseal-demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Bin, "bin", "build", "`directory` of the programs")
	fs.StringVar(&o.Dir, "dir", "build/network", "the network's `directory`")
	fs.StringVar(&o.Data, "data", "", "`directory` of records to use instead of the demonstration's own")
	fs.StringVar(&o.Work, "work", "build/demo", "`directory` for what the demonstration writes")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "chartseal-demo: unexpected argument %q\n", fs.Arg(0))
		return 2
	}
	for _, dir := range []*string{&o.Bin, &o.Dir, &o.Work} { // chartseal may run elsewhere
		abs, err := filepath.Abs(*dir)
		if err != nil {
			fmt.Fprintln(stderr, "chartseal-demo:", err)
			return 1
		}
		*dir = abs
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := Run(ctx, o); err != nil {
		fmt.Fprintf(stderr, "\nchartseal-demo: error: %v\n", err)
		fmt.Fprintf(stderr, "chartseal-demo: hint: %s\n", hint(err))
		return 1
	}
	return 0
}

func hint(err error) string {
	if errors.Is(err, errNoRecords) {
		return "name a directory of records with DATA=, relative to the Makefile, or leave DATA out to use the demonstration's own records"
	}
	return "'make status' and 'make logs' show the servers; 'make clean' starts over"
}
