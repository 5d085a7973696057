package block

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// A Transaction is one transaction of a block.
type Transaction struct {
	Block    uint64 // number
	Position int    // in the block, from 0
	Code     peer.TxValidationCode
	Type     common.HeaderType // ENDORSER_TRANSACTION for calls of a chaincode; others configure the channel

	ID          string
	Time        time.Time // the creator's clock
	MSP         string    // of the creator
	Certificate []byte    // of the creator, PEM

	Writes  []Write        // to the public state of all chaincodes
	Private []PrivateWrite // to private data collections
	Contents
}

// Valid reports whether the transaction changed the ledger.
func (tx *Transaction) Valid() bool { return tx.Code == peer.TxValidationCode_VALID }

// A Write changes one key of the public state.
type Write struct {
	Chaincode string
	Key       string
	Value     []byte // nil for a deletion

	// Policy says that it leaves the value of the key and changes its metadata, which
	// holds its own endorsement policy. Value is that policy, or nil if there is other
	// metadata.
	Policy bool
}

// Deletes reports whether the write deletes its key.
func (w Write) Deletes() bool { return w.Value == nil && !w.Policy }

// A PrivateWrite changes one key of a private data collection, of which the block has
// hashes.
type PrivateWrite struct {
	Chaincode  string
	Collection string
	KeyHash    []byte // SHA-256
	ValueHash  []byte // SHA-256; nil for a deletion or a purge
	Purge      bool   // remove the key's history as well
	Policy     bool   // as in Write
}

// Deletes reports whether the write deletes its key and leaves its history.
func (w PrivateWrite) Deletes() bool { return w.ValueHash == nil && !w.Purge && !w.Policy }

// ReadTransaction reads an envelope from a block, or one that a gateway hands out to be
// signed. Block, Position, Code and Contents stay empty.
//
// It fails if a part is missing or malformed, if a call has not exactly one action, or if
// a write both deletes and has a value.
func ReadTransaction(envelope *common.Envelope) (*Transaction, error) {
	var payload common.Payload
	var header common.ChannelHeader
	var signature common.SignatureHeader
	var creator msp.SerializedIdentity
	err := unmarshal(
		layer{envelope.GetPayload, &payload},
		layer{func() []byte { return payload.GetHeader().GetChannelHeader() }, &header},
		layer{func() []byte { return payload.GetHeader().GetSignatureHeader() }, &signature},
		layer{signature.GetCreator, &creator},
	)
	if err != nil {
		return nil, err
	}
	tx := &Transaction{Type: common.HeaderType(header.GetType()), ID: header.GetTxId(), Time: header.GetTimestamp().AsTime(),
		MSP: creator.GetMspid(), Certificate: creator.GetIdBytes()}
	if tx.Type != common.HeaderType_ENDORSER_TRANSACTION {
		return tx, nil
	}
	return tx, tx.readWrites(payload.GetData())
}

// A layer is a message and the bytes that hold it, which the layer before may have to be
// decoded for.
type layer struct {
	from func() []byte
	to   proto.Message
}

func unmarshal(layers ...layer) error {
	for _, l := range layers {
		if err := proto.Unmarshal(l.from(), l.to); err != nil {
			return err
		}
	}
	return nil
}

// readWrites reads the write set out of a peer.Transaction.
func (tx *Transaction) readWrites(data []byte) error {
	var whole peer.Transaction
	if err := proto.Unmarshal(data, &whole); err != nil {
		return err
	}
	if len(whole.GetActions()) != 1 {
		return errors.New("it does not have exactly one action")
	}
	var action peer.ChaincodeActionPayload
	var response peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	var sets rwset.TxReadWriteSet
	err := unmarshal(
		layer{whole.GetActions()[0].GetPayload, &action},
		layer{func() []byte { return action.GetAction().GetProposalResponsePayload() }, &response},
		layer{response.GetExtension, &result},
		layer{result.GetResults, &sets},
	)
	if err != nil {
		return err
	}
	for _, ns := range sets.GetNsRwset() {
		var set kvrwset.KVRWSet
		if err := proto.Unmarshal(ns.GetRwset(), &set); err != nil {
			return err
		}
		if err := tx.readPublic(ns.GetNamespace(), &set); err != nil {
			return err
		}
		for _, c := range ns.GetCollectionHashedRwset() {
			var hashed kvrwset.HashedRWSet
			if err := proto.Unmarshal(c.GetHashedRwset(), &hashed); err != nil {
				return err
			}
			if err := tx.readPrivate(ns.GetNamespace(), c.GetCollectionName(), &hashed); err != nil {
				return err
			}
		}
	}
	return nil
}

// Fabric takes the hash of an empty value for a deletion.
var hashOfNothing = sha256.Sum256(nil)

var errBoth = errors.New("a write both deletes and has a value")

func (tx *Transaction) readPublic(chaincode string, set *kvrwset.KVRWSet) error {
	for _, w := range set.GetWrites() {
		write := Write{Chaincode: chaincode, Key: w.GetKey()}
		if len(w.GetValue()) > 0 { // Fabric takes an empty value for a deletion
			write.Value = w.GetValue()
		}
		if w.GetIsDelete() && write.Value != nil {
			return errBoth
		}
		tx.Writes = append(tx.Writes, write)
	}
	for _, w := range set.GetMetadataWrites() {
		write := Write{Chaincode: chaincode, Key: w.GetKey(), Policy: true}
		if all := w.GetEntries(); len(all) == 1 && all[0].GetName() == peer.MetaDataKeys_VALIDATION_PARAMETER.String() {
			write.Value = all[0].GetValue()
		}
		tx.Writes = append(tx.Writes, write)
	}
	return nil
}

func (tx *Transaction) readPrivate(chaincode, collection string, set *kvrwset.HashedRWSet) error {
	for _, w := range set.GetHashedWrites() {
		write := PrivateWrite{Chaincode: chaincode, Collection: collection, KeyHash: w.GetKeyHash(), Purge: w.GetIsPurge()}
		if hash := w.GetValueHash(); len(hash) > 0 && !bytes.Equal(hash, hashOfNothing[:]) {
			write.ValueHash = w.GetValueHash()
		}
		if (w.GetIsDelete() || w.GetIsPurge()) && write.ValueHash != nil {
			return errBoth
		}
		tx.Private = append(tx.Private, write)
	}
	for _, w := range set.GetMetadataWrites() {
		tx.Private = append(tx.Private, PrivateWrite{Chaincode: chaincode, Collection: collection, KeyHash: w.GetKeyHash(), Policy: true})
	}
	return nil
}
