package client

import (
	"context"
	"io"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// A Ledger is the consortium's ledger as one person sees it: the transactions of the chaincode,
// typed. Each part is declared beside the code that needs it. Package client/fabric implements
// all of it over a Fabric gateway; package client/clienttest holds the tests that every
// implementation must pass.
//
// Errors wrap the sentinels of package ledger. A submitting method that cannot find out whether
// its transaction was committed returns an error that wraps [ErrUnknownOutcome]. The caller must
// then neither repeat the call nor undo anything that the transaction refers to. Every other
// error of a submitting method means that nothing was committed.
//
// The same Ledger reads at once what one of its submitting methods has committed. Members of
// other organisations may read it a little later.
type Ledger interface {
	// Actor is the caller's name on the ledger and the GID of their attribute keys, see
	// [ledger.Actor].
	Actor() string

	Registry
	AccessLog
	SearchLedger
	ScopeLedger
	AuditLedger
	trust.Ledger

	Announce(ctx context.Context, a ledger.Announcement) error
	PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error

	// AttributeKeyVersions returns those of the named versions of public keys, current or
	// past, that are published, in the order asked. It takes any number of them.
	AttributeKeyVersions(ctx context.Context, versions []ledger.AttributeName) ([]ledger.AttributeKey, error)
}

// An AuditLedger is the part of the ledger that auditors read, a page at a time.
type AuditLedger interface {
	AuditRecords(ctx context.Context, q ledger.RecordQuery) (ledger.RecordPage, error)
	AuditAccesses(ctx context.Context, q ledger.AccessQuery) (ledger.AccessPage, error)
	AuditHistory(ctx context.Context, id string) ([]ledger.HistoryEvent, error)
}

// A Blobs is a content-addressed store of payloads. Package client/ipfs implements it over a kubo
// node.
type Blobs interface {
	// Put stores the content of r until io.EOF, pins it, and returns its CID. When it fails,
	// or ctx ends, nothing stays pinned.
	Put(ctx context.Context, r io.Reader) (cid string, err error)

	// Open returns the content of a CID. Every byte read has been checked against the CID:
	// content that does not match is [ErrTampered]. A CID that no reachable node has is
	// [ErrUnavailable], in bounded time. ctx bounds the life of the Blob, not only the call.
	Open(ctx context.Context, cid string) (Blob, error)

	// Pin keeps a copy on this store, and fetches it if needed.
	Pin(ctx context.Context, cid string) error

	// Unpin releases the copy. Unpinning a CID that is not pinned is no error.
	Unpin(ctx context.Context, cid string) error
}

// A Blob is open content. It is not safe for concurrent use.
type Blob interface {
	io.ReadSeekCloser
	Size() int64
}
