// Command chartnet brings up, shows and stops a Chartseal development network. See
// package network for what it guarantees, and "chartnet help" for how to use it.
package main

import (
	"os"

	"github.com/chartseal/chartseal/network/internal/cli"
)

func main() { os.Exit(cli.Main()) }
