package block

import (
	"encoding/json"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Contents is what a transaction of our chaincode wrote to the public state, by kind.
// Keys that repeat others for the sake of ranges, such as access-time, are left out.
type Contents struct {
	Records     []ledger.RecordVersion
	Seals       []ledger.Seal       `json:",omitempty"` // of versions that were sealed again
	Erasures    []ledger.Erasure    `json:",omitempty"`
	Ends        []ledger.End        `json:",omitempty"` // of payloads
	Receipts    []ledger.Receipt    `json:",omitempty"`
	Keepers     []ledger.Keeper     `json:",omitempty"`
	Pins        []ledger.PinReceipt `json:",omitempty"` // one without payloads ends the one before
	Accesses    []ledger.AccessEntry
	Keys        []ledger.AttributeKey
	Authorities []ledger.Authority
	Scopes      []ledger.Scope // each is an epoch that began
	Retirements []ledger.Retirement
	Keepings    []ledger.Keeping `json:",omitempty"`
	Entries     []Entry

	Certificates [][]byte `json:",omitempty"` // DER, of people and services that sign

	Owned []Owned `json:",omitempty"` // keys that one hospital owns from now on

	// Other holds the rest: deletions, other endorsement policies of single keys, and
	// keys or values that this version of Chartseal does not know.
	Other []Write
}

// An Owned says that the changes of a key need the endorsement of its owner, see [Owner].
type Owned struct{ Key, Owner string }

// An Entry is an index entry.
type Entry struct {
	Key   string // see [ledger.IndexKey]
	Value []byte // ledger.EntryValueSize bytes, sealed
}

// Payloads returns those that the transaction registered.
func (c *Contents) Payloads() []ledger.Payload {
	payloads := make([]ledger.Payload, 0, len(c.Records)+len(c.Ends))
	for _, r := range c.Records {
		payloads = append(payloads, ledger.Payload{CID: r.CID, Size: r.Size, Home: r.Home})
	}
	seals := make(map[string]ledger.Seal, len(c.Seals))
	for _, s := range c.Seals {
		seals[s.CID] = s
	}
	for _, e := range c.Ends {
		if s, sealed := seals[e.Next]; sealed {
			payloads = append(payloads, ledger.Payload{CID: s.CID, Size: s.Size, Home: s.Home})
		}
	}
	return payloads
}

func contentsOf(writes []Write, chaincode string) (c Contents) {
	for _, w := range writes {
		if w.Chaincode == chaincode && !c.readWrite(w) {
			c.Other = append(c.Other, w)
		}
	}
	return c
}

func (c *Contents) readWrite(w Write) bool {
	if w.Deletes() && !strings.HasPrefix(w.Key, "pins/") {
		return false
	}
	if !w.Policy {
		return c.read(w.Key, w.Value)
	}
	owner, _, ok := Owner(w.Value)
	return ok && add(&c.Owned, Owned{w.Key, owner}, w.Key, w.Key)
}

// read adds what a key says. It returns false if the key or the value is of another form
// than the chaincode writes.
func (c *Contents) read(key string, value []byte) bool {
	kind, _, _ := strings.Cut(key, "/")
	switch kind {
	case "record":
		v, err := ledger.ReadVersion(key, value)
		return err == nil && add(&c.Records, v, key, ledger.RecordKey(v.ID, v.Version))
	case "seal":
		s, err := ledger.ReadSeal(key, value)
		return err == nil && add(&c.Seals, s, key, ledger.SealKey(s.ID, s.Version, s.Seal))
	case "erased":
		e, err := ledger.ReadErasure(key, value)
		return err == nil && add(&c.Erasures, e, key, ledger.ErasedKey(e.ID))
	case "receipt":
		r, err := ledger.ReadReceipt(key, value)
		return err == nil && add(&c.Receipts, r, key, ledger.ReceiptKey(r.Record, r.Keeper))
	case "keeper":
		k, ok := decode[ledger.Keeper](value)
		return ok && add(&c.Keepers, k, key, ledger.KeeperKey(k.MSP))
	case "pins":
		r, err := ledger.ReadPinReceipt(key, value)
		return err == nil && add(&c.Pins, r, key, ledger.PinsKey(r.Tx, r.Keeper))
	case "ended":
		ends, err := ledger.UnpackEnds(value)
		c.Ends = append(c.Ends, ends...)
		return err == nil
	case "access":
		e, err := ledger.ReadAccess(key, value)
		return err == nil && add(&c.Accesses, e, key, ledger.AccessKey(e.Target, e.ID))
	case "attribute-version":
		k, ok := decode[ledger.AttributeKey](value)
		return ok && add(&c.Keys, k, key, ledger.AttributeVersionKey(k.Name, k.Version))
	case "authority":
		a, ok := decode[ledger.Authority](value)
		return ok && add(&c.Authorities, a, key, ledger.AuthorityKey(a.MSP))
	case "scope-epoch":
		s, ok := decode[ledger.Scope](value)
		return ok && add(&c.Scopes, s, key, ledger.ScopeEpochKey(s.Name, s.Epoch))
	case "scope-retired":
		r, ok := decode[ledger.Retirement](value)
		return ok && add(&c.Retirements, r, key, ledger.ScopeRetiredKey(r.Scope, r.MSP))
	case "certificate":
		return add(&c.Certificates, value, key, ledger.CertificateKey(ledger.IDOfCertificate(value)))
	case "keeping":
		k, ok := decode[ledger.Keeping](value)
		return ok && add(&c.Keepings, k, key, ledger.KeepingKey(k.Home, k.Keeper))
	case "i":
		return len(value) == ledger.EntryValueSize && add(&c.Entries, Entry{key, value}, key, key)
	case "record-time", "access-actor", "access-time", "attribute", "scope", "searchable", "seals", "erasing", "erased-time", "copies":
		return true
	}
	return false
}

func decode[T any](value []byte) (out T, ok bool) {
	err := json.Unmarshal(value, &out)
	return out, err == nil
}

// add appends an item if it is under the key that it belongs under.
func add[T any](list *[]T, item T, key, belongs string) bool {
	if key != belongs {
		return false
	}
	*list = append(*list, item)
	return true
}
