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

// A Label names an entry among those of one hospital. To whoever lacks the term's key it
// is random.
type Label [LabelSize]byte

// An Entry is what one transaction writes under one label.
type Entry struct {
	Label Label
	Value [ValueSize]byte
}

// A Batch asks for entries that one hospital wrote.
type Batch struct {
	MSP    string
	Labels []Label
}

// Store is what the protocol needs of the ledger. Implementations are safe for concurrent
// use.
type Store interface {
	// GetEntries returns the values of the labels, aligned with batches: nil where there
	// is no entry. It may be asked for up to ledger.MaxEntriesPerCall labels over all
	// batches.
	GetEntries(ctx context.Context, batches []Batch) ([][][]byte, error)

	// PutEntries writes all entries under the caller's own MSP in one transaction, or
	// none, and returns when they are committed. It fails with an error that is
	// [ErrExists] when a label exists already, and also when a concurrent transaction
	// took one first (Fabric's MVCC_READ_CONFLICT).
	PutEntries(ctx context.Context, entries []Entry) error
}

// The errors of the ledger that have a meaning here.
var (
	ErrExists   = ledger.ErrExists
	ErrTampered = ledger.ErrTampered
	ErrInvalid  = ledger.ErrInvalid
)

// ErrLayout says that a posting is authentic but of a layout that this version does not
// know.
var ErrLayout = errors.New("unknown posting layout")
