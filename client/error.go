package client

import (
	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// The sentinels of every error that this package and its adapters return; test with
// errors.Is.
var (
	ErrInvalid     = ledger.ErrInvalid
	ErrNotFound    = ledger.ErrNotFound
	ErrExists      = ledger.ErrExists
	ErrDenied      = ledger.ErrDenied
	ErrRevoked     = ledger.ErrRevoked
	ErrTampered    = ledger.ErrTampered
	ErrUnavailable = ledger.ErrUnavailable
	ErrErased      = ledger.ErrErased

	// ErrNotSatisfied says that the held attribute keys do not satisfy a policy. It comes
	// as an [*abe.NotSatisfiedError] when the policy could be read.
	ErrNotSatisfied = abe.ErrNotSatisfied

	// ErrUnknownOutcome accompanies [ErrUnavailable] when nobody could say in time
	// whether a transaction was committed. The message names the transaction. It may
	// still come into force.
	ErrUnknownOutcome = ledger.ErrUnknownOutcome

	// ErrConflict accompanies [ErrUnavailable] when a transaction was refused at commit
	// because another one had written the same key, or the peers were at different
	// heights. Nothing was written, and the call may be repeated.
	ErrConflict = ledger.ErrConflict
)
