// Command age-plugin-chartseal lets the age tool seal to a policy and open with a
// wallet's attribute keys. Put it on the PATH; see "age-plugin-chartseal --help" and
// package plugin.
package main

import (
	"os"

	"github.com/chartseal/chartseal/client/internal/plugin"
)

func main() { os.Exit(plugin.Main()) }
