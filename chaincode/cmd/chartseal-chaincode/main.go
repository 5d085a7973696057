// Command chartseal-chaincode is the chaincode server: it holds one organisation's copy
// of the contracts, and that organisation's peer connects to it (chaincode as a service).
// It takes its configuration from the environment, see package server.
package main

import (
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/chartseal/chartseal/chaincode/contract"
	"github.com/chartseal/chartseal/chaincode/internal/server"
)

func main() {
	os.Exit(server.Main("chartseal-chaincode", func(c contract.Config) (shim.Chaincode, error) { return contract.New(c) }))
}
