// Command chartseal-chaincode is the chaincode server: it holds one organisation's copy of the contracts, and that
// organisation's peer connects to it (chaincode as a service). It takes its configuration from the environment, which is
// where external builders and service managers put it; see [config].
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Getenv, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "chartseal-chaincode: error:", err)
		os.Exit(1)
	}
}
