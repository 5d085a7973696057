// Command chartseal-bench holds Chartseal against the bare systems under it.
// "chartseal-bench search" measures search and import, see package search.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/chartseal/chartseal/client/bench/search"
	"github.com/chartseal/chartseal/client/bench/table"
)

var commands = map[string]func(ctx context.Context, args []string, stdout, stderr io.Writer) int{
	"table":  table.Main,
	"soak":   table.Soak,
	"search": search.Main,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: chartseal-bench table|soak|search [flags]")
		os.Exit(2)
	}
	os.Exit(commands[os.Args[1]](ctx, os.Args[2:], os.Stdout, os.Stderr))
}
