// Package block reads Fabric's blocks. [Decode] turns a block into transactions with
// typed contents: the records, accesses, keys, scopes and index entries that each
// transaction wrote, with its id, its place, its creator and its validation code.
// [ReadTransaction] reads one transaction alone, also before it is submitted.
//
// The functions are pure: they open no connection, and it does not matter where the block
// comes from. For a stream of blocks that survives failures see package client/fabric.
//
// Decode believes the block. It checks neither hashes nor signatures, and the validation
// codes are those of the peer that served the block: nobody signs them. Orderers serve
// blocks without codes, which Decode refuses: a caller that computes the codes sets them
// in the block's metadata first. A block holds hashes of wrapped keys and of other
// private data, and not the data itself.
package block

import (
	"iter"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Block is a decoded block.
type Block struct {
	Number       uint64
	Transactions []Transaction // all of them, valid or not, in the order of the block
	Raw          *common.Block // what it was decoded from
}

// Valid yields the transactions that changed the ledger, in order.
func (b *Block) Valid() iter.Seq[*Transaction] {
	return func(yield func(*Transaction) bool) {
		for i := range b.Transactions {
			if tx := &b.Transactions[i]; tx.Valid() && !yield(tx) {
				return
			}
		}
	}
}

// Decode reads a block. chaincode is the name under which our chaincode is deployed; what
// other chaincodes wrote is in [Transaction.Writes], and not in the typed contents.
//
// A transaction that the peers found invalid may hold anything. If it cannot be read, it
// has its position, type and code, and the rest is empty.
//
// Errors:
//   - ErrTampered if the block has no validation codes, or if a transaction that is
//     marked valid cannot be read.
func Decode(b *common.Block, chaincode string) (*Block, error) {
	var codes []byte
	if metadata := b.GetMetadata().GetMetadata(); len(metadata) > int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		codes = metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
	}
	data := b.GetData().GetData()
	if b.GetHeader() == nil || len(codes) != len(data) {
		return nil, ledger.Errorf(ledger.ErrTampered, "block %d has %d transactions and %d validation codes",
			b.GetHeader().GetNumber(), len(data), len(codes))
	}
	out := &Block{Number: b.GetHeader().GetNumber(), Transactions: make([]Transaction, len(data)), Raw: b}
	for i, raw := range data {
		code := peer.TxValidationCode(codes[i])
		var envelope common.Envelope
		err := proto.Unmarshal(raw, &envelope)
		if err == nil {
			var tx *Transaction
			if tx, err = ReadTransaction(&envelope); err == nil {
				out.Transactions[i] = *tx
				out.Transactions[i].Contents = contentsOf(tx.Writes, chaincode)
			}
		}
		if err != nil && code == peer.TxValidationCode_VALID {
			return nil, ledger.Errorf(ledger.ErrTampered, "block %d: transaction %d is marked valid and cannot be read: %v", out.Number, i, err)
		}
		out.Transactions[i].Block, out.Transactions[i].Position, out.Transactions[i].Code = out.Number, i, code
	}
	return out, nil
}
