package ledgerfile

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// A location is a key of the state. Hashes of private data have namespaces of their own.
type location struct{ namespace, key string }

// A change is what a transaction does to a key. The parts that it does not change stay as
// they were.
type change struct {
	value       []byte
	metadata    []byte
	setValue    bool
	setMetadata bool
	deletes     bool // stronger than the others
}

// hashesOf is the namespace of the hashes of a collection, see [location].
func hashesOf(namespace, collection string) string { return namespace + "$$h" + collection }

// configKey is the key under which a peer keeps the channel's configuration.
var configKey = location{"", "CHANNEL_CONFIG_ENV_BYTES"}

// Fabric takes the hash of an empty value for a deletion.
var hashOfNothing = sha256.Sum256(nil)

// changesOf reads what a valid transaction changes in the state.
func changesOf(envelope []byte) (map[location]*change, error) {
	var e common.Envelope
	var payload common.Payload
	var header common.ChannelHeader
	if err := unmarshal(envelope, &e, func() []byte { return e.Payload }, &payload,
		func() []byte { return payload.GetHeader().GetChannelHeader() }, &header); err != nil {
		return nil, err
	}
	all := changes{}
	switch common.HeaderType(header.Type) {
	case common.HeaderType_CONFIG:
		all.write(configKey, payload.Data, false)
		return all, nil
	case common.HeaderType_ENDORSER_TRANSACTION:
	default:
		return all, nil
	}
	var transaction peer.Transaction
	if err := proto.Unmarshal(payload.Data, &transaction); err != nil {
		return nil, err
	}
	if n := len(transaction.Actions); n != 1 {
		return nil, fmt.Errorf("%d actions", n)
	}
	var action peer.ChaincodeActionPayload
	var response peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	var sets rwset.TxReadWriteSet
	if err := unmarshal(transaction.Actions[0].Payload, &action,
		func() []byte { return action.GetAction().GetProposalResponsePayload() }, &response,
		func() []byte { return response.Extension }, &result,
		func() []byte { return result.Results }, &sets); err != nil {
		return nil, err
	}
	for _, ns := range sets.NsRwset {
		if err := all.addNamespace(ns); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// unmarshal decodes a message, and then the messages inside it: pairs of a function that
// gives the bytes, and the message.
func unmarshal(data []byte, outer proto.Message, inner ...any) error {
	if err := proto.Unmarshal(data, outer); err != nil {
		return err
	}
	for i := 0; i < len(inner); i += 2 {
		if err := proto.Unmarshal(inner[i].(func() []byte)(), inner[i+1].(proto.Message)); err != nil {
			return err
		}
	}
	return nil
}

// changes are those of one transaction.
type changes map[location]*change

func (all changes) addNamespace(ns *rwset.NsReadWriteSet) error {
	var public kvrwset.KVRWSet
	if err := proto.Unmarshal(ns.Rwset, &public); err != nil {
		return err
	}
	for _, w := range public.Writes {
		all.write(location{ns.Namespace, w.Key}, w.Value, w.IsDelete || len(w.Value) == 0)
	}
	for _, w := range public.MetadataWrites {
		if err := all.writeMetadata(location{ns.Namespace, w.Key}, w.Entries); err != nil {
			return err
		}
	}
	for _, c := range ns.CollectionHashedRwset {
		var hashed kvrwset.HashedRWSet
		if err := proto.Unmarshal(c.HashedRwset, &hashed); err != nil {
			return err
		}
		hashes := hashesOf(ns.Namespace, c.CollectionName)
		for _, w := range hashed.HashedWrites {
			deletes := w.IsDelete || len(w.ValueHash) == 0 || bytes.Equal(w.ValueHash, hashOfNothing[:])
			all.write(location{hashes, string(w.KeyHash)}, w.ValueHash, deletes)
		}
		for _, w := range hashed.MetadataWrites {
			if err := all.writeMetadata(location{hashes, string(w.KeyHash)}, w.Entries); err != nil {
				return err
			}
		}
	}
	return nil
}

func (all changes) at(l location) *change {
	if all[l] == nil {
		all[l] = &change{}
	}
	return all[l]
}

func (all changes) write(l location, value []byte, deletes bool) {
	c := all.at(l)
	if deletes {
		c.deletes = true
		return
	}
	c.value, c.setValue = value, true
}

func (all changes) writeMetadata(l location, entries []*kvrwset.KVMetadataEntry) (err error) {
	c := all.at(l)
	c.setMetadata = true
	if entries != nil {
		c.metadata, err = proto.Marshal(&kvrwset.KVMetadataWrite{Entries: entries})
	}
	return err
}
