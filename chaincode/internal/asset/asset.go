// Package asset is a plain contract that benchmarks compare with. It puts and gets values
// without rules, like the asset transfer of fabric-samples. Only the benchmarks'
// chaincode server includes it.
package asset

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

const name = "asset"

// Contract stores texts under keys that the caller chooses.
type Contract struct{ contractapi.Contract }

// Put writes one key.
func (*Contract) Put(ctx contractapi.TransactionContextInterface, key, value string) error {
	return ctx.GetStub().PutState(key, []byte(value))
}

// PutMany writes the keys and values of a JSON object of texts. It sends them to the peer
// in one message.
func (*Contract) PutMany(ctx contractapi.TransactionContextInterface, assets string) error {
	var values map[string]string
	if err := json.Unmarshal([]byte(assets), &values); err != nil {
		return err
	}
	stub := ctx.GetStub()
	stub.StartWriteBatch()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := stub.PutState(key, []byte(values[key])); err != nil {
			return err
		}
	}
	return stub.FinishWriteBatch()
}

// Get reads one key.
func (*Contract) Get(ctx contractapi.TransactionContextInterface, key string) (string, error) {
	value, err := ctx.GetStub().GetState(key)
	if err == nil && value == nil {
		err = fmt.Errorf("the asset %s does not exist", key)
	}
	return string(value), err
}

// beside is a chaincode with an additional contract.
type beside struct {
	shim.Chaincode
	assets *contractapi.ContractChaincode
}

// Beside adds the contract "asset" to a chaincode.
func Beside(cc shim.Chaincode) (shim.Chaincode, error) {
	c := new(Contract)
	c.Name = name
	assets, err := contractapi.NewChaincode(c)
	if err != nil {
		return nil, err
	}
	return &beside{cc, assets}, nil
}

// Invoke routes calls of the asset contract to it, and all others to the chaincode.
func (b *beside) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	if function, _ := stub.GetFunctionAndParameters(); strings.HasPrefix(function, name+":") {
		return b.assets.Invoke(stub)
	}
	return b.Chaincode.Invoke(stub)
}
