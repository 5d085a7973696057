package fabric

import (
	"bytes"
	"crypto/sha256"
	"maps"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A stamp is what the ledger will know a transaction by.
type stamp struct{ time, tx string }

// Writes are what a transaction writes: public values by key, and hashes of private
// values by the hash of their key.
type writes struct {
	public  map[string][]byte
	private map[string][]byte
}

func (w *writes) put(key string, value []byte) {
	if w.public == nil {
		w.public = map[string][]byte{}
	}
	w.public[key] = value
}

// wrapped is a wrapped key, or the beginning of some, of which the block has hashes.
func (w *writes) wrapped(key string, value []byte) {
	if w.private == nil {
		w.private = map[string][]byte{}
	}
	k, v := sha256.Sum256([]byte(key)), sha256.Sum256(value)
	w.private[string(k[:])] = v[:]
}

// verify holds an endorsed transaction against what was asked for. The write set is what
// the client is about to sign, and all that the ledger will ever say of the call: peers
// that agree to put anything else under its name, or to leave something out, find that it
// does not sign, and nothing is committed.
func (g *Gateway) verify(transaction string, tx *gateway.Transaction, expect func(stamp) writes) (stamp, error) {
	data, err := tx.Bytes()
	var prepared gwproto.PreparedTransaction
	if err == nil {
		err = proto.Unmarshal(data, &prepared)
	}
	var s stamp
	var got writes
	if err == nil {
		s, got, err = readWrites(prepared.GetEnvelope(), g.user.Profile.Chaincode)
	}
	if err != nil {
		return s, ledger.Errorf(ledger.ErrTampered, "%s: the endorsed transaction cannot be read: %v", transaction, err)
	}
	if expect == nil {
		return s, nil
	}
	want := expect(s)
	if !maps.EqualFunc(got.public, want.public, bytes.Equal) || !maps.EqualFunc(got.private, want.private, bytes.Equal) {
		return s, ledger.Errorf(ledger.ErrTampered, "%s: the hospitals' peers endorsed other writes than were asked for, and it was not submitted", transaction)
	}
	return s, nil
}

// readWrites takes the writes out of an endorsed transaction. Namespaces of others than
// our chaincode may be read and not written.
func readWrites(envelope *common.Envelope, chaincode string) (stamp, writes, error) {
	var payload common.Payload
	var header common.ChannelHeader
	var whole peer.Transaction
	var action peer.ChaincodeActionPayload
	var response peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	var sets rwset.TxReadWriteSet
	var got writes
	for _, layer := range []struct {
		from func() []byte
		to   proto.Message
	}{
		{envelope.GetPayload, &payload},
		{func() []byte { return payload.GetHeader().GetChannelHeader() }, &header},
		{payload.GetData, &whole},
		{func() []byte {
			if len(whole.GetActions()) != 1 {
				return nil
			}
			return whole.GetActions()[0].GetPayload()
		}, &action},
		{func() []byte { return action.GetAction().GetProposalResponsePayload() }, &response},
		{response.GetExtension, &result},
		{result.GetResults, &sets},
	} {
		if err := proto.Unmarshal(layer.from(), layer.to); err != nil {
			return stamp{}, got, err
		}
	}
	for _, ns := range sets.GetNsRwset() {
		name := ns.GetNamespace()
		var set kvrwset.KVRWSet
		if err := proto.Unmarshal(ns.GetRwset(), &set); err != nil {
			return stamp{}, got, err
		}
		for _, w := range set.GetWrites() {
			if name != chaincode || w.GetIsDelete() {
				return stamp{}, got, ledger.Errorf(ledger.ErrTampered, "it writes %q of %s", w.GetKey(), name)
			}
			got.put(w.GetKey(), w.GetValue())
		}
		for _, c := range ns.GetCollectionHashedRwset() {
			var hashed kvrwset.HashedRWSet
			if err := proto.Unmarshal(c.GetHashedRwset(), &hashed); err != nil {
				return stamp{}, got, err
			}
			for _, w := range hashed.GetHashedWrites() {
				if name != chaincode || c.GetCollectionName() != ledger.HospitalKeys || w.GetIsDelete() || w.GetIsPurge() {
					return stamp{}, got, ledger.Errorf(ledger.ErrTampered, "it writes to collection %s of %s", c.GetCollectionName(), name)
				}
				if got.private == nil {
					got.private = map[string][]byte{}
				}
				got.private[string(w.GetKeyHash())] = w.GetValueHash()
			}
		}
	}
	return stamp{time: ledger.FormatTime(header.GetTimestamp().AsTime()), tx: header.GetTxId()}, got, nil
}
