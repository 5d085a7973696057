package client

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// An item is one version of a record on its way to the ledger: its payload is stored, its
// envelope is drafted, and its index entries are ready.
type item struct {
	id      string
	version int

	cid        string // empty until the payload is stored
	pinned     time.Time
	commitment string
	size       int64 // of the record
	stored     int64 // of the payload
	kind       string
	draft      envelope.Draft
	signature  ledger.Signature // of the author
	facts      index.Facts
	entries    []index.Pending // nil when nothing is to be indexed
	terms      int
	warnings   []string
	bare       bool // nothing was found in the record but its kind

	envelope   []byte                // the draft sealed, once the items of its transaction are known
	registered *ledger.RecordVersion // nil until it is on the ledger
}

func (i *item) warn(format string, args ...any) {
	i.warnings = append(i.warnings, fmt.Sprintf(format, args...))
}

func newRecordID() string {
	var id [ledger.RecordIDSize]byte
	rand.Read(id[:])
	return ledger.FormatRecordID(id)
}

// index makes the item's entries from its facts.
func (i *item) index(key index.ScopeKey) error {
	record, err := ledger.ParseRecordID(i.id)
	if err != nil {
		return err
	}
	if i.entries, err = key.Pend(i.facts.Items(record, uint32(i.version), index.Add)); err != nil {
		return err
	}
	i.terms = len(i.entries)
	if dropped := i.facts.Expand().Dropped; dropped > 0 {
		i.warn("it has too many terms: %d were not indexed", dropped)
	}
	return nil
}

// A Sealed is one record that has been sealed.
type Sealed struct {
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Version    int      `json:"version"`
	CID        string   `json:"cid"`
	Commitment string   `json:"commitment"`
	Kind       string   `json:"kind"`
	Size       int64    `json:"size"`   // of the record
	Stored     int64    `json:"stored"` // of the payload
	Policy     string   `json:"policy"` // canonical form
	Terms      int      `json:"terms"`  // index terms written
	Bare       bool     `json:"bare"`   // nothing was found in the record but its kind
	Warnings   []string `json:"warnings,omitempty"`
	Time       string   `json:"time"`
	Tx         string   `json:"tx"`
}

// describe returns what is known of an item that is registered.
func (i *item) describe(name string, to *audience) Sealed {
	return Sealed{
		Name: name, ID: i.id, Version: i.version, CID: i.cid, Commitment: i.commitment,
		Kind: i.kind, Size: i.size, Stored: i.stored, Policy: to.policy, Terms: i.terms, Bare: i.bare,
		Warnings: append(slices.Clone(to.warnings), i.warnings...),
		Time:     i.registered.Time, Tx: i.registered.Tx,
	}
}
