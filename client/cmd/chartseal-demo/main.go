// Command chartseal-demo runs the main job on a real network and says at each step what
// happened. See package demo.
package main

import (
	"os"

	"github.com/chartseal/chartseal/client/internal/demo"
)

func main() { os.Exit(demo.Main(os.Args[1:], os.Stdout, os.Stderr)) }
