// Command chartseal seals, finds and opens medical records that a consortium of hospitals
// shares. See package client for what it guarantees, and "chartseal help" for how to use
// it.
package main

import (
	"os"

	"github.com/chartseal/chartseal/client/internal/cli"
)

func main() { os.Exit(cli.Main()) }
