// Command chartseal-bench-chaincode is chartseal-chaincode with one contract more, the
// plain put and get that benchmarks are measured against: a topology names it as its
// chaincodeProgram. Nobody should run it with records that matter, as assets have no
// rules.
package main

import (
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/chartseal/chartseal/chaincode/contract"
	"github.com/chartseal/chartseal/chaincode/internal/asset"
	"github.com/chartseal/chartseal/chaincode/internal/server"
)

func main() {
	os.Exit(server.Main("chartseal-bench-chaincode", func(c contract.Config) (shim.Chaincode, error) {
		chaincode, err := contract.New(c)
		if err != nil {
			return nil, err
		}
		return asset.Beside(chaincode)
	}))
}
