// Package client is Chartseal's domain: it seals records, finds them, opens them and
// reads the ledger for auditors. It knows no flags, prints nothing and reads no
// environment; a command line or a web page stands on it.
//
// Most callers make the two adapters, client/fabric for the [Ledger] and client/ipfs for
// the [Blobs], give them to [New] with the person's identities from client/wallet, and
// call [Client.Seal], [Client.Search] and [Client.Open].
//
// # What it guarantees
//
// Plaintext and keys stay in this process. What leaves it is an age file on IPFS (the
// payload), an age file for the hospitals' private data collection (the envelope), index
// entries whose labels and values are pseudorandom to all who lack the scope's key, and a
// record's id, CID and salted commitment.
//
// A seal that fails or is interrupted leaves nothing visible: records are registered last
// and together, index entries resolve to nothing until their record is registered, and
// payloads that were uploaded are unpinned. The one exception is a transaction whose
// outcome nobody can tell, see [ErrUnknownOutcome]. A record that is registered is found
// in the end: its index entries are in the outbox before, and stay there until they are
// known to be written.
//
// An open commits its access entry before it asks for the envelope, releases no chunk
// that is not authenticated, and ends in [ErrTampered] when size, digest, padding or the
// ledger's commitment do not match. A Client that opens a record again for the same
// purpose uses its own entry as long as the ledger does, [ledger.AccessWindow], so that
// the log then has one entry for several readings by one person. [Client.OpenRange]
// authenticates what it releases, and cannot check what takes the whole record.
//
// # What it does not
//
// The policy is not checked by anyone before the wrapped key is handed out: cryptography
// decides who unwraps it. Whoever once opened a record may keep a copy of it or of its
// key. A search shows the asked peer which labels were asked for.
package client

import (
	"context"
	"errors"
	"io"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/groupcommit"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
)

// A Config is what a Client works with. Ledger is required.
type Config struct {
	Ledger Ledger
	Blobs  Blobs // nil for organisations that store no payloads; Seal, Amend and Open then fail with ErrDenied

	// Witnesses are the same ledger through peers of other organisations. Before the
	// client first believes a public key or a custodian, one of them has to say the same
	// as Ledger. Without witnesses the client trusts its own peer in this.
	Witnesses []Ledger

	// Identities unwrap envelopes and scope keys, tried in order: the person's attribute
	// keys (abe.NewIdentity), and a custodian's or patient's own age identity.
	Identities []age.Identity

	// Memory keeps pinned public keys and scope keys between runs. Nil keeps them as long
	// as the Client.
	Memory Memory

	// Outbox keeps index entries until they are written; it should be on disk. Nil keeps
	// them as long as the Client.
	Outbox *outbox.Box

	// Batching says when entries of records sealed with IndexBatched are written. The
	// zero value has the defaults.
	Batching outbox.Policy

	// Hints remembers the lengths of index chains, to save reads. Nil keeps them as long
	// as the Client.
	Hints index.Hints

	// Parallel bounds how many large sources are read, sealed and uploaded at a time,
	// four times as many that are known to be below 1 MiB, and sixteen times as many
	// below 64 KiB; zero means 4.
	Parallel int
}

// A Memory keeps small items by name between runs. What it holds is never the only copy
// of anything but pins: losing it costs round trips and the protection of keys seen
// before. Names consist of letters, digits, '-', '.' and '/'. It is safe for concurrent
// use, also by several processes; the last writer of an item wins.
type Memory interface {
	// Load returns ErrNotFound for an item that is not there.
	Load(name string) ([]byte, error)
	Store(name string, data []byte) error
}

// A Client acts for one person. It is safe for concurrent use.
type Client struct {
	ledger     Ledger
	witnesses  []Ledger
	blobs      Blobs
	identities []age.Identity
	memory     Memory
	parallel   int
	outbox     *outbox.Box
	batching   outbox.Policy
	mode       IndexMode // unless a request says otherwise
	hints      index.Hints
	writer     *index.Writer
	accesses   accesses
	views      views
	registrar  *groupcommit.Committer[*shipment]
	gathering  gathering
	seats      fresh[*seat]        // by policy and further recipients
	scopesNow  fresh[ledger.Scope] // by name
}

// New checks the configuration. It does not connect to anything.
func New(c Config) (*Client, error) {
	if c.Ledger == nil {
		return nil, errors.New("new client: no ledger")
	}
	if c.Memory == nil {
		c.Memory = newVolatile()
	}
	if c.Parallel <= 0 {
		c.Parallel = 4
	}
	if c.Hints == nil {
		c.Hints = &index.MemoryHints{}
	}
	mode := IndexBatched
	if c.Outbox == nil {
		c.Outbox, mode = outbox.Memory(), IndexNow
	}
	return &Client{
		ledger: c.Ledger, witnesses: c.Witnesses, blobs: c.Blobs, identities: c.Identities, memory: c.Memory, parallel: c.Parallel,
		outbox: c.Outbox, batching: c.Batching, mode: mode, hints: c.Hints,
		writer:    &index.Writer{Store: c.Ledger, MSP: c.Ledger.MSP(), Hints: c.Hints},
		registrar: newRegistrar(),
		gathering: gathering{turn: make(chan struct{}, 1)},
	}, nil
}

// A Source is one record to seal.
type Source struct {
	Name string // kept in the envelope's metadata; for a file its base name
	Size int64  // in bytes if known, otherwise negative; only for progress

	// ID is the record's id, 32 lower-case hexadecimal digits; empty takes a random one.
	// A caller that derives it can seal the same source again after a crash: an id that
	// is on the ledger is refused with ErrExists. Amend ignores it.
	ID string

	// Check says why the source cannot be read, before anything is done; nil means it
	// can. It must not consume anything.
	Check func() error

	// Open is called once. It may return standard input.
	Open func() (io.ReadCloser, error)
}

// Progress is told how many bytes of a source have been sealed so far. Total is negative
// when unknown. It is called from several goroutines, at most once a source at a time.
type Progress func(name string, done, total int64)

// An IndexMode says when the index entries of a record are written.
type IndexMode string

// The modes.
const (
	// IndexNow writes them while the record is registered, so that it can be found at
	// once. It shows every member, for ever, which entries belong to the records of the
	// call, and by their number in buckets about how many keywords these have.
	IndexNow IndexMode = "now"

	// IndexBatched lets them wait in the outbox for those of other records, and writes
	// all of them in random order in transactions of one size. Until then the record is
	// not found by its keywords.
	IndexBatched IndexMode = "batched"
)

// A SealRequest asks to seal records under one policy.
type SealRequest struct {
	Sources []Source
	Policy  string // who may open, see package abe/policy

	// Scope names the search domain whose members can find the records. Empty means not
	// to index.
	Scope string

	// Index says when index entries are written. Empty means IndexBatched for a Client
	// with an Outbox, else IndexNow.
	Index IndexMode

	// KeepEntries leaves entries that are due to a later FlushIndex, which a bulk import
	// calls now and then.
	KeepEntries bool

	// Keywords are indexed for every source, beside what is extracted from it: free
	// words, or terms such as "icd10:I21.4" as package client/index writes them.
	Keywords []string

	Patient          string // patient identifier, indexed and kept in the metadata; extraction finds it in known formats
	PatientRecipient string // the patient's own age recipient, age1... or age1pq1..., which can open without attributes
	Kind             string // kind of record; empty takes what extraction finds

	// Purpose is that of the access entry for the scope's key, when it is not known yet;
	// empty means TREAT.
	Purpose string

	Progress Progress
}

// A Sealed is one record that has been sealed.
type Sealed struct {
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Version    int      `json:"version"`
	CID        string   `json:"cid"`
	Commitment string   `json:"commitment"`
	Kind       string   `json:"kind"`
	Size       int64    `json:"size"`   // of the record
	Stored     int64    `json:"stored"` // of the payload
	Policy     string   `json:"policy"` // canonical form
	Terms      int      `json:"terms"`  // index terms written
	Warnings   []string `json:"warnings,omitempty"`
	Time       string   `json:"time"`
	Tx         string   `json:"tx"`
}

// An AmendRequest asks for a new version of a record.
type AmendRequest struct {
	ID          string
	SealRequest // exactly one source
}

// SearchOptions refine a search.
type SearchOptions struct {
	Scope   string // required
	Limit   int    // hits at most; zero means 100
	After   string // the Next of the page before; empty starts with the newest
	Purpose string // of the access entry for the scope's keys, if one is needed; empty means TREAT

	// Verify is the index as another organisation's peer has it. Its answers are compared
	// with those of the own peer, which shows what either withholds, and shows the labels
	// of the query to that peer too. Nil compares nothing.
	Verify Verifier
}

// A Verifier is the index as a peer has it. A [Ledger] is one.
type Verifier interface {
	index.Store
	Retirements(ctx context.Context, scope string) ([]ledger.Retirement, error)
}

// A Hit is one record found by a search.
type Hit struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Kind    string `json:"kind"` // ends in "…" where the index holds only its beginning, see [index.ClipKind]
	Date    string `json:"date"` // of the record's content, YYYY-MM-DD, empty if unknown
	Home    string `json:"home"` // MSP of the hospital that sealed it
	Time    string `json:"time"` // when that version was sealed
}

// Results are the hits of a search, newest first.
type Results struct {
	Hits      []Hit  `json:"hits"`
	Truncated bool   `json:"truncated"` // there are more than the limit
	Next      string `json:"next"`      // bookmark for the page after this; empty on the last

	// Problems are proofs that a peer withholds or has altered index entries, each
	// ErrTampered (or index.ErrLayout, for an entry of a newer version of Chartseal). The
	// hits are right all the same, but there may be more.
	Problems []error `json:"-"`

	Dangling int      `json:"dangling"` // entries dropped because their record is not on the ledger (a seal that failed)
	Warnings []string `json:"warnings,omitempty"`
}

// An OpenRequest asks for a record.
type OpenRequest struct {
	Version int    // zero means the current one
	Purpose string // code of HL7 v3 PurposeOfUse; empty means TREAT

	// SkipPolicyCheck makes the ABE layer attempt the decryption although the held
	// attributes do not satisfy the policy. It exists to show that cryptography refuses,
	// not the client.
	SkipPolicyCheck bool

	Progress Progress
}

// An Opened says what was opened. It is complete only when Open returned without an
// error.
type Opened struct {
	ID        string             `json:"id"`
	Version   int                `json:"version"`
	Name      string             `json:"name"`
	MediaType string             `json:"mediaType"`
	Kind      string             `json:"kind"`
	Size      int64              `json:"size"`
	SHA256    string             `json:"sha256"`
	Patient   string             `json:"patient,omitempty"`
	Dates     []string           `json:"dates,omitempty"`
	Codes     []string           `json:"codes,omitempty"`
	Author    string             `json:"author"`
	Sealed    time.Time          `json:"sealed"`
	Home      string             `json:"home"`
	Access    ledger.AccessEntry `json:"access"`

	// Part is what OpenRange has written. It was authenticated chunk by chunk, while
	// SHA256 and the ledger's commitment, which are of the whole record, were not
	// compared with anything. It is nil for Open, which compares them.
	Part *Part `json:"part,omitempty"`

	commitment string
}

// A Part is a range of a record's bytes.
type Part struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}
