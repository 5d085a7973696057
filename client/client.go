// Package client is Chartseal's domain: it seals records, finds them, opens them, and
// reads the ledger for auditors. It knows no flags, prints nothing and reads no
// environment; a command line or a web page stands on it.
//
// Most callers get a [Client] from client/session. Others make the two adapters,
// client/fabric for the [Ledger] and client/ipfs for the [Blobs], and give them to [New]
// with the person's identities from client/wallet.
//
// # The way of a record
//
//	Seal            checks the request; finds the audience and the scope's key   seal.go
//	  prepare       reads, encrypts and uploads each source: an item             seal.go
//	  register      shares a transaction with concurrent calls                   client/register
//	    commit      seals the envelopes, puts the entries in the outbox,
//	                writes the records to the ledger                             client/register
//	  flush         writes the index entries that are due                        client/register
//
// Amend takes the same way. Open goes through client/access to an envelope, and from
// there to the payload (open.go). Search asks for a view of the scope (client/scope),
// reads the index and compares the hits with the ledger (search.go).
//
// # What it guarantees
//
// Plaintext and keys stay in this process. Three things leave it: an age file on IPFS
// (the payload), an age file for the hospitals' private data collection (the envelope),
// and index entries whose labels and values are pseudorandom without the scope's key. On
// the ledger stand a record's id, its CID and a salted commitment.
//
// A seal that fails or is interrupted leaves nothing visible: records are registered last
// and together, index entries resolve to nothing until their record is registered, and
// the hospital's replicator unpins uploaded payloads later. The one exception is a
// transaction with an unknown outcome, see [ErrUnknownOutcome]. A record that is
// registered is found in the end: its index entries are in the outbox before, and stay
// there until they are known to be written.
//
// An open commits its access entry before it asks for the envelope, releases no chunk
// that is not authenticated, and ends in [ErrTampered] when size, digest, padding or the
// ledger's commitment do not match. A Client that opens a record again for the same
// purpose uses its own entry as long as the ledger does, [ledger.AccessWindow]; the log
// then has one entry for several readings by one person. [Client.OpenRange] authenticates
// every byte that it releases; it cannot check what takes the whole record.
//
// # What it does not
//
// Nobody checks the policy before the wrapped key is handed out: cryptography decides who
// unwraps it. Whoever once opened a record may keep a copy of it or of its key. A search
// shows the labels of the query to the peer that is asked.
package client

import (
	"context"
	"errors"
	"io"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/register"
	"github.com/chartseal/chartseal/client/scope"
	"github.com/chartseal/chartseal/client/trust"
)

// A Ledger is the consortium's ledger as one person sees it: the transactions of the
// chaincode, typed. Each part is declared beside the code that needs it. Package
// client/fabric implements all of it over a Fabric gateway; package client/clienttest
// holds the tests that every implementation must pass.
//
// Errors wrap the sentinels of package ledger. A submitting method that cannot find out
// whether its transaction was committed returns an error that wraps [ErrUnknownOutcome].
// The caller must then neither repeat the call nor undo anything that the transaction
// refers to. Every other error of a submitting method means that nothing was committed.
//
// The same Ledger reads at once what one of its submitting methods has committed. Members
// of other organisations may read it a little later.
type Ledger interface {
	// Actor is the caller's name on the ledger and the GID of their attribute keys, see
	// [ledger.Actor].
	Actor() string

	register.Registry
	access.Log
	scope.Index
	scope.Ledger
	AuditLedger
	trust.Ledger
	trust.Depositor
}

// A Blobs is a content-addressed store of payloads. Package client/ipfs implements it
// over a kubo node.
type Blobs interface {
	// Put stores the content of r until io.EOF, pins it, and returns its CID. If r fails,
	// or ctx ends before r does, nothing is pinned. After another failure it may be:
	// those who seal cannot unpin. The hospital's replicator unpins what is in no record.
	Put(ctx context.Context, r io.Reader) (cid string, err error)

	// Open returns the content of a CID. Every byte read has been checked against the
	// CID: content that does not match is [ErrTampered]. A CID that no reachable node has
	// is [ErrUnavailable], in bounded time. ctx bounds the life of the Blob, not only the
	// call.
	Open(ctx context.Context, cid string) (Blob, error)

	// Pin keeps a copy on this store, and fetches it if needed.
	Pin(ctx context.Context, cid string) error
}

// A Blob is open content. It is not safe for concurrent use.
type Blob interface {
	io.ReadSeekCloser
	Size() int64
}

// A Config is what a Client works with. Ledger is required.
type Config struct {
	Ledger Ledger
	Blobs  Blobs // nil for organisations that store no payloads; Seal, Amend and Open then fail with ErrDenied

	// Witnesses are the same ledger through peers of other organisations. They are asked
	// for public keys, custodians and scope keys that are new to the client, because its
	// own peer could withhold newer ones. See package client/trust.
	Witnesses []trust.Ledger

	// Identities unwrap envelopes and scope keys, tried in order: the person's attribute
	// keys (abe.NewIdentity), and a custodian's or patient's own age identity.
	Identities []age.Identity

	// Roots are the known root certificates of members, see [trust.Directory].
	Roots map[string][]ledger.CertificateID

	// Signer signs what the person seals. It may be nil for one who only reads: Seal and
	// Amend then fail with ErrDenied.
	Signer *trust.Signer

	// Memory keeps pinned public keys and scope keys between runs. Nil keeps them as long
	// as the Client.
	Memory trust.Memory

	// Outbox keeps index entries until they are written; it should be on disk. Nil keeps
	// them as long as the Client.
	Outbox *outbox.Box

	// Batching says when entries of records sealed with index.ModeBatched are written.
	// The zero value has the defaults.
	Batching outbox.Policy

	// Hints remembers the lengths of index chains, to save reads. Nil keeps them as long
	// as the Client.
	Hints index.Hints

	// Parallel bounds how many large sources are read, sealed and uploaded at a time.
	// Four times as many are allowed that are known to be below 1 MiB, and sixteen times
	// as many below 64 KiB. Zero means 4.
	Parallel int
}

// A Client acts for one person. It is safe for concurrent use.
type Client struct {
	ledger     Ledger
	blobs      Blobs
	identities []age.Identity
	memory     trust.Memory
	hints      index.Hints
	mode       index.Mode // unless a request names one
	parallel   int

	trust     *trust.Directory
	author    *register.Author
	access    *access.Accessor
	scopes    *scope.Reader
	views     *scope.Viewer
	flusher   *register.Flusher
	registrar *register.Registrar
	audiences register.Audiences
}

// New checks the configuration. It does not connect to anything.
func New(c Config) (*Client, error) {
	if c.Ledger == nil {
		return nil, errors.New("new client: no ledger")
	}
	if c.Memory == nil {
		c.Memory = trust.NewMemory()
	}
	if c.Parallel <= 0 {
		c.Parallel = 4
	}
	if c.Hints == nil {
		c.Hints = &index.MemoryHints{}
	}
	mode := index.ModeBatched
	if c.Outbox == nil {
		c.Outbox, mode = outbox.Memory(), index.ModeNow
	}
	directory := &trust.Directory{Ledger: c.Ledger, Witnesses: c.Witnesses, Memory: c.Memory, Roots: c.Roots}
	scopes := &scope.Reader{Ledger: c.Ledger, Trust: directory, Identities: c.Identities, Memory: c.Memory}
	writer := &index.Writer{Store: c.Ledger, MSP: c.Ledger.MSP(), Hints: c.Hints}
	flusher := &register.Flusher{Box: c.Outbox, Writer: writer, Records: c.Ledger.Records, Policy: c.Batching, Turn: make(chan struct{}, 1)}
	return &Client{
		ledger: c.Ledger, blobs: c.Blobs, identities: c.Identities, memory: c.Memory, hints: c.Hints, mode: mode, parallel: c.Parallel,
		trust:     directory,
		author:    &register.Author{Ledger: c.Ledger, Channel: c.Ledger.Channel(), Memory: c.Memory, Signer: c.Signer},
		access:    &access.Accessor{Ledger: c.Ledger},
		scopes:    scopes,
		views:     &scope.Viewer{MSP: c.Ledger.MSP(), Scopes: scopes, Memory: c.Memory},
		flusher:   flusher,
		registrar: register.NewRegistrar(c.Ledger, flusher),
		audiences: register.Audiences{Directory: directory},
	}, nil
}

// noStore is the error of a person whose organisation stores no payloads.
func (c *Client) noStore() error {
	return ledger.Errorf(ErrDenied, "organisation %s stores no records: its profile names no IPFS node", c.ledger.MSP())
}
