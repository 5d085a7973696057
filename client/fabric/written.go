package fabric

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric/block"
)

// A stamp identifies a transaction on the ledger.
type stamp struct{ time, tx string }

// Writes are the changes that a transaction makes: to the public state by key, and to the
// hospitals' private data by the SHA-256 of the key.
type writes struct {
	public  map[string]change
	private map[string]change
	owned   map[string]string // hospital that owns a public key, see [block.Owner]

	// repeated says that the ledger may hold some of it already, and the chaincode then
	// leaves that out.
	repeated bool

	// or is another outcome that the caller agrees to; nil if there is none.
	or *writes
}

// A change is a new value, or the end of one.
type change struct {
	kind  byte // put, remove or purge
	value string
}

const (
	put    = iota
	remove // from the state; a private value's history stays
	purge  // a private value and its history, from every peer
)

func (w *writes) put(key string, value []byte) { w.setPublic(key, change{put, string(value)}) }

// putJSON is put for a value that the ledger keeps as JSON.
func (w *writes) putJSON(key string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err) // a struct of texts and numbers
	}
	w.put(key, data)
}

// own expects that public keys belong to a hospital from now on.
func (w *writes) own(hospital string, keys ...string) {
	if w.owned == nil {
		w.owned = make(map[string]string)
	}
	for _, key := range keys {
		w.owned[key] = hospital
	}
}

// delete expects that a public key is deleted.
func (w *writes) delete(key string) { w.setPublic(key, change{kind: remove}) }

// wrapped expects a wrapped key, or what several wrapped keys begin with.
func (w *writes) wrapped(key string, value []byte) {
	hash := sha256.Sum256(value)
	w.setPrivate(key, change{put, string(hash[:])})
}

// deleteWrapped expects that a wrapped key is deleted. Peers keep its history.
func (w *writes) deleteWrapped(key string) { w.setPrivate(key, change{kind: remove}) }

// purgeWrapped expects that a wrapped key is purged with its history.
func (w *writes) purgeWrapped(key string) { w.setPrivate(key, change{kind: purge}) }

func (w *writes) setPublic(key string, c change) {
	if w.public == nil {
		w.public = make(map[string]change)
	}
	w.public[key] = c
}

func (w *writes) setPrivate(key string, c change) {
	if w.private == nil {
		w.private = make(map[string]change)
	}
	hash := sha256.Sum256([]byte(key))
	w.private[string(hash[:])] = c
}

// allow reports whether a transaction that changes got is one that w expects.
func (w *writes) allow(got writes) bool {
	if w.or != nil && w.or.allow(got) {
		return true
	}
	for key := range got.public { // whatever is written and has an owner is given to it
		if got.owned[key] != w.owned[key] {
			return false
		}
	}
	if w.repeated {
		return within(got.public, w.public) && within(got.private, w.private) && within(got.owned, w.owned)
	}
	return maps.Equal(got.public, w.public) && maps.Equal(got.private, w.private) && maps.Equal(got.owned, w.owned)
}

func within[V comparable](part, whole map[string]V) bool {
	for key, c := range part {
		if expected, ok := whole[key]; !ok || expected != c {
			return false
		}
	}
	return true
}

// verify compares an endorsed transaction with the changes that the caller asked for,
// before the caller signs it. The write set is all that the ledger will ever say about
// the call. If the peers agreed to add, change or leave out anything, deletions and
// purges included, the transaction is not signed and nothing is committed.
func (g *Gateway) verify(transaction string, tx *gateway.Transaction, expect func(stamp) writes) (stamp, error) {
	s, got, err := g.readWrites(tx)
	if err != nil {
		return s, ledger.Errorf(ledger.ErrTampered, "%s: the endorsed transaction cannot be accepted: %v", transaction, err)
	}
	if want := expect(s); !want.allow(got) {
		return s, ledger.Errorf(ledger.ErrTampered, "%s: the hospitals' peers endorsed other writes than were asked for, and it was not submitted", transaction)
	}
	return s, nil
}

// readWrites reads the changes of an endorsed transaction. It fails if the transaction
// changes another chaincode, another collection or an endorsement policy of another form
// than a hospital's own, or one key twice.
func (g *Gateway) readWrites(tx *gateway.Transaction) (s stamp, got writes, err error) {
	data, err := tx.Bytes()
	if err != nil {
		return s, got, err
	}
	var prepared gwproto.PreparedTransaction
	if err := proto.Unmarshal(data, &prepared); err != nil {
		return s, got, err
	}
	read, err := block.ReadTransaction(prepared.GetEnvelope())
	if err != nil {
		return s, got, err
	}
	if read.Type != common.HeaderType_ENDORSER_TRANSACTION {
		return s, got, ledger.Errorf(ledger.ErrTampered, "it is no call of a chaincode but of type %s", read.Type)
	}
	got.public, got.private, got.owned = make(map[string]change), make(map[string]change), make(map[string]string)
	for _, w := range read.Writes {
		if w.Chaincode != g.user.Profile.Chaincode {
			return s, got, ledger.Errorf(ledger.ErrTampered, "it writes %q of %s", w.Key, w.Chaincode)
		}
		if w.Policy {
			owner, others, ok := block.Owner(w.Value)
			if _, twice := got.owned[w.Key]; twice || !ok || !g.members(others) {
				return s, got, ledger.Errorf(ledger.ErrTampered, "it changes the endorsement policy of %q", w.Key)
			}
			got.owned[w.Key] = owner
			continue
		}
		c := change{put, string(w.Value)}
		if w.Deletes() {
			c = change{kind: remove}
		}
		if _, twice := got.public[w.Key]; twice {
			return s, got, ledger.Errorf(ledger.ErrTampered, "it writes %q twice", w.Key)
		}
		got.public[w.Key] = c
	}
	for _, w := range read.Private {
		if w.Chaincode != g.user.Profile.Chaincode || w.Collection != ledger.HospitalKeys || w.Policy {
			return s, got, ledger.Errorf(ledger.ErrTampered, "it writes to collection %s of %s", w.Collection, w.Chaincode)
		}
		c := change{put, string(w.ValueHash)}
		if w.Purge {
			c = change{kind: purge}
		} else if w.Deletes() {
			c = change{kind: remove}
		}
		if _, twice := got.private[string(w.KeyHash)]; twice {
			return s, got, ledger.Errorf(ledger.ErrTampered, "it writes one key of collection %s twice", w.Collection)
		}
		got.private[string(w.KeyHash)] = c
	}
	return stamp{time: ledger.FormatTime(read.Time), tx: read.ID}, got, nil
}

// members reports whether the profile knows all of these members, or names none.
func (g *Gateway) members(names []string) bool {
	known := g.user.Profile.Members
	return len(known) == 0 || !slices.ContainsFunc(names, func(name string) bool { return known[name] == nil })
}
