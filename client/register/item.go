package register

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// An Item is one version of a record on its way to the ledger: its payload is stored, its
// envelope is drafted, and its index entries are ready.
type Item struct {
	ID      string
	Version int

	CID        string // empty until the payload is stored
	Pinned     time.Time
	Commitment string
	Size       int64 // of the record
	Stored     int64 // of the payload
	Kind       string
	Draft      envelope.Draft
	signature  ledger.Signature // of the author
	Facts      index.Facts
	Entries    []index.Pending // nil when nothing is to be indexed
	Terms      int
	Warnings   []string
	Bare       bool // nothing was found in the record but its kind

	envelope   []byte                // the draft sealed, once the items of its transaction are known
	Registered *ledger.RecordVersion // nil until it is on the ledger
}

// Warn adds a warning that the caller of Seal or Amend gets.
func (i *Item) Warn(format string, args ...any) {
	i.Warnings = append(i.Warnings, fmt.Sprintf(format, args...))
}

// NewRecordID returns a random record id.
func NewRecordID() string {
	var id [ledger.RecordIDSize]byte
	rand.Read(id[:])
	return ledger.FormatRecordID(id)
}

// Index makes the item's entries from its facts.
func (i *Item) Index(key index.ScopeKey) error {
	record, err := ledger.ParseRecordID(i.ID)
	if err != nil {
		return err
	}
	if i.Entries, err = key.Pend(i.Facts.Items(record, uint32(i.Version), index.Add)); err != nil {
		return err
	}
	i.Terms = len(i.Entries)
	if dropped := i.Facts.Expand().Dropped; dropped > 0 {
		i.Warn("it has too many terms: %d were not indexed", dropped)
	}
	return nil
}
