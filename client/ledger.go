package client

import (
	"context"
	"io"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// A Ledger is the consortium's ledger as one person sees it: the transactions of the
// chaincode, typed. Package client/fabric implements it over a Fabric gateway; package
// client/clienttest holds what every implementation must do.
//
// Errors wrap the sentinels of package ledger. A submitting method that cannot find out
// whether its transaction was committed returns an error that wraps [ErrUnknownOutcome];
// the caller must then neither repeat the call nor undo what the transaction refers to.
// Every other error of a submitting method says that nothing was committed.
//
// What a submitting method has committed the same Ledger reads at once. Members of other
// organisations may read it a little later.
type Ledger interface {
	// Actor is the caller's name on the ledger and the GID of their attribute keys, see
	// [ledger.Actor].
	Actor() string

	// MSP is the caller's organisation.
	MSP() string

	// CreateRecords registers version 1 of up to [ledger.MaxNewRecords] records in one
	// transaction. envelopes stand at the positions of their records and travel in the
	// transient map.
	CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) ([]ledger.RecordVersion, error)

	// AmendRecord registers the version after the current one.
	AmendRecord(ctx context.Context, v ledger.NewVersion, envelope []byte) (ledger.RecordVersion, error)

	// Records returns those of the named records that are on the ledger, in the order of
	// ids; unknown ids are left out. It takes any number of ids.
	Records(ctx context.Context, ids []string) ([]ledger.Record, error)

	// RequestAccess commits one access entry a target, in the order of targets, before it
	// returns.
	RequestAccess(ctx context.Context, targets []string, purpose string) ([]ledger.AccessEntry, error)

	// Envelope returns the wrapped key of a version to the actor of the access entry. It
	// fails with [ErrUnavailable] as long as the private data has not reached the peer
	// that is asked.
	Envelope(ctx context.Context, id string, version int, accessID string) ([]byte, error)

	Announce(ctx context.Context, a ledger.Announcement) error
	PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error
	Authorities(ctx context.Context) ([]ledger.Authority, error)

	// AttributeKeys returns the current public key of each name. A name that is not
	// published is [ErrNotFound].
	AttributeKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error)

	// AttributeKeyVersions returns those of the named versions of public keys, current or
	// past, that are published, in the order asked. It takes any number of them.
	AttributeKeyVersions(ctx context.Context, versions []ledger.AttributeName) ([]ledger.AttributeKey, error)

	// Attributes lists all published attributes, sorted by name.
	Attributes(ctx context.Context) ([]ledger.AttributeName, error)

	Scopes(ctx context.Context) ([]ledger.Scope, error)

	// CreateScope makes a scope with epoch 1, whose wrapped key is envelope; ErrExists if
	// the name is taken.
	CreateScope(ctx context.Context, name string, envelope []byte) error

	// RollScope starts epoch, which must be the one after the current.
	RollScope(ctx context.Context, name string, epoch int, envelope []byte) error

	// RetireScope says that the caller's hospital has indexed anew what it had in epochs
	// up to this one, which must be past.
	RetireScope(ctx context.Context, name string, epoch int) error

	// Retirements lists what hospitals have said of a scope with RetireScope.
	Retirements(ctx context.Context, name string) ([]ledger.Retirement, error)

	// ScopeKey is to a scope's epoch what Envelope is to a record's version; the access
	// entry's target is [ledger.ScopeTarget].
	ScopeKey(ctx context.Context, name string, epoch int, accessID string) ([]byte, error)

	index.Store

	// SearchEntries is GetEntries, and tells what could be searched at that moment, all
	// of it unless its generation is the known one, which is then all that it tells.
	// known may be empty, and batches too.
	SearchEntries(ctx context.Context, known string, batches []index.Batch) ([][][]byte, ledger.Searchable, error)

	AuditRecords(ctx context.Context, q ledger.RecordQuery) (ledger.RecordPage, error)
	AuditAccesses(ctx context.Context, q ledger.AccessQuery) (ledger.AccessPage, error)
	AuditHistory(ctx context.Context, id string) ([]ledger.HistoryEvent, error)
}

// A Blobs is a content-addressed store of payloads. Package client/ipfs implements it
// over a kubo node.
type Blobs interface {
	// Put stores what r yields until io.EOF, pins it, and returns its CID. When it fails,
	// or ctx ends, nothing stays pinned.
	Put(ctx context.Context, r io.Reader) (cid string, err error)

	// Open returns the content of a CID. Every byte read has been checked against the
	// CID: content that does not match is [ErrTampered]. A CID that no reachable node has
	// is [ErrUnavailable], in bounded time. ctx bounds the life of the Blob, not only the
	// call.
	Open(ctx context.Context, cid string) (Blob, error)

	// Pin keeps a copy on this store, fetching it if needed.
	Pin(ctx context.Context, cid string) error

	// Unpin lets go of it. Unpinning what is not pinned is no error.
	Unpin(ctx context.Context, cid string) error
}

// A Blob is open content. It is not safe for concurrent use.
type Blob interface {
	io.ReadSeekCloser
	Size() int64
}
