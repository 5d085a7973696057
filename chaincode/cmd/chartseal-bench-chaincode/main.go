// Command chartseal-bench-chaincode is chartseal-chaincode with one more contract, plain
// put and get, for benchmarks to compare with. A topology names it as its
// chaincodeProgram. Do not run it with real records: assets have no rules.
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
