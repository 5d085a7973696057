// Package trust decides whether a client believes what the ledger says about public keys
// of attributes, records custodians, scope keys, the authors of records and the channel's
// members.
//
// A client reads the ledger through the peer of its own hospital. The peer supplies the
// keys to which the client seals. A lying peer could supply its own keys and read the
// records. So whoever makes a [Statement] signs it with their enrolment key, and a
// [Directory] believes it only if the certificate is of the right member and role. The
// certificate is on the ledger, see [Deposit]; the roots of the members are pinned.
//
// A witness, the peer of another organisation, is asked about statements that are new to
// the client. It guards against old states: a peer that withholds a rotation shows a key
// that was signed, too.
//
// # What it guarantees
//
// No number of lying peers can make a client seal to a key or a custodian that the
// hospital has not signed, index under a scope key that the scope's owner has not signed,
// or take another for the author of a record. A public key never changes under the same
// version. A version is refused once a newer one was seen. A member's changed root is
// [RootChangedError] until a person accepts it.
//
// # What it does not
//
// Peers can withhold newer versions: one peer until a witness is asked, and a peer and
// the witness together. What nobody knows yet is believed at first sight, from two peers:
// the members' roots that no profile names, the owner of a scope, and scope keys of
// earlier releases, which are not signed. docs/trust.md has the details.
package trust

import (
	"context"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Ledger is the part of the ledger that a Directory reads, through one peer. Its errors
// wrap the sentinels of package ledger.
type Ledger interface {
	// MSP is the caller's organisation.
	MSP() string

	// Channel is the name of the channel.
	Channel() string

	// ChannelMSPs returns the channel's organisations, with their roots and revocation
	// lists, sorted by MSP ID.
	ChannelMSPs(ctx context.Context) ([]authority.MSP, error)

	// Certificates returns those of the named certificates that are on the ledger, in the
	// order of ids. It takes any number of ids.
	Certificates(ctx context.Context, ids []ledger.CertificateID) ([]ledger.Certificate, error)

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

// A Directory returns statements of the ledger that it believes. Ledger and Memory are
// required. It is safe for concurrent use.
type Directory struct {
	Ledger    Ledger
	Witnesses []Ledger // the same ledger through peers of other organisations
	Memory    Memory   // keeps the pins

	// Roots are the root certificates of members that are known from elsewhere, by MSP
	// ID, sorted by their text. Without them, the first roots that the own peer and a
	// witness list are believed.
	Roots map[string][]ledger.CertificateID
}
