// Package trust decides which statements of a ledger peer a client believes: public keys
// of attributes, records custodians, keys of scopes, and the channel's members.
//
// A client reads the ledger through the peer of its own hospital. Whatever a record is
// sealed to comes from there, so a peer that lies could hand out keys of its own and read
// what its people seal. A [Directory] therefore believes a new statement only after the
// peer of another organisation, a witness, has said the same. It pins what it has
// believed: from then on its own peer is enough, and a peer that contradicts the pin is
// found out.
//
// # What it guarantees
//
// One lying peer cannot make a client seal to a key or a custodian, or index under a
// scope key, that the ledger does not hold. A public key never changes under the same
// version, and a version that a newer one has replaced is not accepted again.
//
// # What it does not
//
// Two peers that tell the same lie are believed. Without witnesses the client's own peer
// is believed. A peer can still withhold a newer version.
package trust

import (
	"context"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Ledger is the part of the ledger that a Directory reads, through one peer. Its errors
// wrap the sentinels of package ledger.
type Ledger interface {
	// MSP is the caller's organisation.
	MSP() string

	// Authorities lists every hospital's announcement.
	Authorities(ctx context.Context) ([]ledger.Authority, error)

	// AttributeKeys returns the current public key of each name, in the order of names.
	//
	// Errors:
	//   - ErrNotFound if a name is not published.
	AttributeKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error)

	// Attributes lists all published attributes, sorted by name.
	Attributes(ctx context.Context) ([]ledger.AttributeName, error)

	// ScopeKey returns the wrapped key of a scope's epoch to the actor of an access entry
	// for [ledger.ScopeTarget].
	//
	// Errors:
	//   - ErrUnavailable if the private data has not reached the peer yet.
	ScopeKey(ctx context.Context, name string, epoch int, accessID string) ([]byte, error)
}

// A Directory answers with statements of the ledger that it believes. Ledger and Memory
// are required. It is safe for concurrent use.
type Directory struct {
	Ledger    Ledger
	Witnesses []Ledger // the same ledger through peers of other organisations
	Memory    Memory   // keeps the pins
}
