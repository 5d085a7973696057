// Command chartseal-faults plays faults on a network under load. See package fault.
package main

import (
	"os"

	"github.com/chartseal/chartseal/client/internal/fault"
)

func main() { os.Exit(fault.Main(os.Args[1:], os.Stdout, os.Stderr)) }
