package index

import (
	"context"
	"errors"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Sizes of an entry, in bytes.
const (
	LabelSize     = ledger.LabelSize
	ValueSize     = ledger.EntryValueSize // synthetic IV, sealed posting
	PlaintextSize = 32
)

// A Label names an entry of one hospital. Without the term's key it looks random.
type Label [LabelSize]byte

// An Entry is a label and the value stored under it.
type Entry struct {
	Label Label
	Value [ValueSize]byte
}

// A Batch is a request for entries of one hospital.
type Batch struct {
	MSP    string
	Labels []Label
}

// A Store gives access to the entries on the ledger. Implementations are safe for
// concurrent use.
type Store interface {
	// GetEntries returns the values of the labels, aligned with batches: nil where there
	// is no entry. One call has up to ledger.MaxEntriesPerCall labels over all batches.
	GetEntries(ctx context.Context, batches []Batch) ([][][]byte, error)

	// PutEntries writes all entries or none, in one transaction under the caller's own
	// MSP. It returns when they are committed.
	//
	// Errors:
	//   - [ErrExists] if a label exists, or a concurrent transaction took it first
	//     (Fabric's MVCC_READ_CONFLICT).
	PutEntries(ctx context.Context, entries []Entry) error
}

// Errors of the ledger that this package also returns.
var (
	ErrExists   = ledger.ErrExists
	ErrTampered = ledger.ErrTampered
	ErrInvalid  = ledger.ErrInvalid
)

// ErrLayout means that a posting is authentic, and of a layout that this version does not
// know.
var ErrLayout = errors.New("unknown posting layout")
