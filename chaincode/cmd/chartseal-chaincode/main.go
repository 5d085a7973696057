// Command chartseal-chaincode serves the contracts to the peer of one organisation
// (chaincode as a service). The environment has its configuration, see package server.
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
