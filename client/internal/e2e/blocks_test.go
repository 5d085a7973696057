package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// A transaction is the record of one in a peer's block files. The files keep it for ever,
// and anyone with a copy can read it.
type transaction struct {
	block    uint64
	position int // in the block
	time     time.Time
	creator  string // MSP and certificate
	size     int    // bytes
	function string
	args     [][]byte
	writes   []*kvrwset.KVWrite
}

// entries returns the entries of an index:Put in the order of its write set, which is the
// order of the keys. The label of an entry is its name in the key, see ledger.IndexKey.
func (tx transaction) entries(t *testing.T) []index.Entry {
	t.Helper()
	if len(tx.args) > 0 {
		t.Errorf("block %d: an index transaction has arguments", tx.block)
	}
	var out []index.Entry
	for _, w := range tx.writes {
		name, ok := strings.CutPrefix(w.Key, "i/")
		label, err := base64.RawURLEncoding.DecodeString(name)
		if !ok || err != nil || len(label) != index.LabelSize || len(w.Value) != index.ValueSize {
			t.Fatalf("block %d: %q is no entry", tx.block, w.Key)
		}
		out = append(out, index.Entry{Label: index.Label(label), Value: [index.ValueSize]byte(w.Value)})
	}
	return out
}

// records returns the ids that a record:Create registers.
func (tx transaction) records(t *testing.T) []string {
	t.Helper()
	if len(tx.args) > 0 {
		t.Errorf("block %d: a registration has arguments", tx.block)
	}
	var ids []string
	for _, w := range tx.writes {
		if id, _, err := ledger.ParseRecordKey(w.Key); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// transactions decodes the block files of an organisation's peer. It reads until want
// returns true, or for a minute.
func transactions(t *testing.T, organisation string, want func([]transaction) bool) []transaction {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		all := readBlocks(t, organisation)
		if want(all) || time.Now().After(deadline) {
			return all
		}
	}
}

func readBlocks(t *testing.T, organisation string) []transaction {
	t.Helper()
	dir := filepath.Join(consortium.LedgerDirectory(organisation), "ledgersData", "chains", "chains", consortium.Topology().Channel)
	files, err := filepath.Glob(filepath.Join(dir, "blockfile_*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no block files in %s: %v", dir, err)
	}
	slices.Sort(files)
	var all []transaction
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			block, rest, ok := chunk(b)
			if !ok {
				break // the peer has not finished writing it
			}
			all = append(all, readBlock(t, block)...)
			b = rest
		}
	}
	return all
}

// chunk splits off a length-prefixed field.
func chunk(b []byte) (head, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}

// readBlock decodes the peer's own layout of a block: number, two hashes, and
// length-prefixed transactions.
func readBlock(t *testing.T, b []byte) []transaction {
	t.Helper()
	number, used := binary.Uvarint(b)
	b = b[used:]
	for range 2 {
		var ok bool
		if _, b, ok = chunk(b); !ok {
			t.Fatalf("block %d: no hash", number)
		}
	}
	count, used := binary.Uvarint(b)
	b = b[used:]
	var out []transaction
	for i := range int(count) {
		raw, rest, ok := chunk(b)
		if !ok {
			t.Fatalf("block %d: transaction %d is cut off", number, i)
		}
		b = rest
		if tx, ok := readTransaction(t, raw); ok {
			tx.block, tx.position = number, i
			out = append(out, tx)
		}
	}
	return out
}

// readTransaction decodes an endorsed call of our chaincode. Other transactions, such as
// those that configure the channel, yield false.
func readTransaction(t *testing.T, raw []byte) (transaction, bool) {
	t.Helper()
	decode := func(b []byte, into proto.Message) {
		t.Helper()
		if err := proto.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	var envelope common.Envelope
	var payload common.Payload
	var header common.ChannelHeader
	var signature common.SignatureHeader
	var creator msp.SerializedIdentity
	decode(raw, &envelope)
	decode(envelope.Payload, &payload)
	decode(payload.Header.ChannelHeader, &header)
	if common.HeaderType(header.Type) != common.HeaderType_ENDORSER_TRANSACTION {
		return transaction{}, false
	}
	decode(payload.Header.SignatureHeader, &signature)
	decode(signature.Creator, &creator)
	var whole peer.Transaction
	var action peer.ChaincodeActionPayload
	var proposal peer.ChaincodeProposalPayload
	var spec peer.ChaincodeInvocationSpec
	var response peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	var sets rwset.TxReadWriteSet
	decode(payload.Data, &whole)
	decode(whole.Actions[0].Payload, &action)
	decode(action.ChaincodeProposalPayload, &proposal)
	decode(proposal.Input, &spec)
	decode(action.Action.ProposalResponsePayload, &response)
	decode(response.Extension, &result)
	decode(result.Results, &sets)
	args := spec.ChaincodeSpec.Input.Args
	tx := transaction{
		time: header.Timestamp.AsTime(), creator: creator.Mspid + string(creator.IdBytes), size: len(raw),
		function: string(args[0]), args: args[1:],
	}
	for _, ns := range sets.NsRwset {
		var set kvrwset.KVRWSet
		decode(ns.Rwset, &set)
		tx.writes = append(tx.writes, set.Writes...)
	}
	return tx, true
}
