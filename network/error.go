package network

import (
	"errors"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// The kinds of failure, for errors.Is. Errors of the CA are those of package fabricca.
var (
	// ErrNoNetwork: a directory holds no network.
	ErrNoNetwork = errors.New("no network here")
	// ErrNotFound: the network has no organisation or process of that name.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: a topology, or a person's name or attribute, is not valid.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: a server died or did not answer in time, or another command is
	// working on the network.
	ErrUnavailable = errors.New("unavailable")
	// ErrCatchingUp: everything runs, and a peer or an orderer does not have all blocks
	// yet.
	ErrCatchingUp = errors.New("catching up")
)

// mark gives an error one of these kinds, which its text does not repeat. A nil error
// stays nil.
func mark(kind, err error) error { return ledger.WithKind(err, kind) }
