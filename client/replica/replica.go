// Package replica keeps a copy of every payload on a hospital's own store, so that the
// failure of one hospital loses no record. A [Replicator] follows the ledger from its
// first block on and pins each registered payload. Make one with [New] and call
// [Replicator.Run] for as long as the hospital is up.
//
// A payload that is registered on the ledger stays in a queue until it is pinned, also
// over restarts and crashes. Payloads are pinned in any order, and some more than once.
// Payloads that no node serves at the moment are tried again, less and less often, and do
// not delay the others.
//
// # Other hospitals' payloads
//
// Each payload is fetched up to the size that its author stated on the ledger, and no
// further. Each other hospital has a budget of bytes. Payloads beyond it are refused, and
// so are those that are larger than stated, or that no node has served for long while
// many others wait. The Replicator reports refusals, see [Config.Report]. A refused
// payload of the budget is tried again when a Replicator starts with a larger one.
//
// Requests to the store are shared between hospitals: one that has many payloads, or
// payloads that nobody serves, leaves room for a request of each other. A hospital with
// 10,000 payloads that were never tried holds up the Feed until they have been.
//
// # Payloads without a record
//
// A [Sweeper] unpins what people stored and never registered.
//
// # Copies
//
// Not every hospital keeps every payload: a [Placement] says which do. A [Balancer] tells
// the Replicator, compares what should be pinned with what is, puts receipts for pins on
// the ledger and looks whether those of others are true. Without one, everything is kept.
//
// The package never reads a payload, and could not open one. After a crash it may count a
// payload twice.
package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Feed hands the payloads that each transaction registered to handle, oldest
// transaction first. The first call begins at the first block. Later calls go on after
// the last transaction for which handle returned nil. A Feed bridges failures of the
// connection. It ends when ctx ends or handle fails. In package client/fabric,
// Gateway.FollowRecords is one, over chaincode events, and FollowBlocks with Payloads
// another, over blocks.
type Feed func(ctx context.Context, handle func(ctx context.Context, payloads []ledger.Payload) error) error

// A Pinner is the part of a payload store that the Replicator needs. Package client/ipfs
// implements it. It pins nothing that is larger than it was told.
type Pinner interface {
	// PinWithin pins a payload of at most limit bytes, and returns its size. It stops
	// fetching a larger one, which is ErrInvalid.
	PinWithin(ctx context.Context, cid string, limit int64) (size int64, err error)

	// PinAllWithin pins several payloads, each of at most its Size, which costs less than
	// one by one, and soon gives up on payloads that do not arrive. It returns the pinned
	// ones, those that are larger than stated, and an error if any is not pinned.
	PinAllWithin(ctx context.Context, payloads []ledger.Payload) (pinned, refused []string, err error)
}

// A Memory keeps small items between runs. Package client/wallet implements it.
type Memory interface {
	// Load returns ErrNotFound if there is no such item.
	Load(name string) ([]byte, error)
	Store(name string, data []byte) error
}

// DefaultBudget is the budget of each other hospital, in bytes.
const DefaultBudget = 50 << 30

// A Config configures a Replicator. Feed, Store and Memory are required.
//
// The Feed's position and the Memory belong together: if the Memory is lost, so is the
// queue of payloads that the Feed has already handed over.
type Config struct {
	Feed   Feed
	Store  Pinner
	Memory Memory       // keeps the queue between runs
	Log    *slog.Logger // nil means silence

	Own     string           // MSP of the own hospital, which has no budget
	Budget  int64            // bytes for each other hospital; zero means DefaultBudget
	Budgets map[string]int64 // bytes for single hospitals, instead of Budget

	// Pinned is told of new pins. It must not wait. It may be nil.
	Pinned func(payloads []ledger.Payload)

	// Report publishes what is kept of another hospital's payloads and what is refused.
	// It is called when a refusal is new, at most once a minute for each hospital. It may
	// be nil.
	Report func(ctx context.Context, k ledger.Keeping) error

	Parallel   int           // requests to the store at a time; zero means 16: most wait for the network
	PinTimeout time.Duration // for one request; zero means 30 min
	Retry      time.Duration // first pause after a failure, doubled up to 64 times it; zero means 1 s
	Linger     time.Duration // how long a new payload waits so that others join its request; zero means 250 ms
}

// A Replicator runs once.
type Replicator struct {
	c Config

	mu      sync.Mutex
	pending []*entry // the queue: payloads that are not pinned yet, oldest first
	known   map[ledger.Payload]*entry
	ours    func(ledger.Payload) bool // nil: all are
	held    chan struct{}             // closed when ours is known; nil: it is
	members map[string]*member        // by MSP; payloads of old ledgers have none
	dirty   bool                      // the state has changed since it was saved
	due     time.Time                 // when new payloads have lingered long enough
	pinned  time.Time                 // when the store last pinned a payload
	wake    chan struct{}             // there may be something to do
	saving  sync.Mutex                // one save at a time, so that an older queue never replaces a newer one
}

// An entry is a payload in the queue.
type entry struct {
	ledger.Payload
	busy   bool          // the store has been asked for it
	pause  time.Duration // after the last failure; zero if it was not tried yet
	next   time.Time     // when it is due again
	failed time.Time     // for the first time
}

// A member is what the Replicator knows of a hospital.
type member struct {
	Used    int64            `json:"used"` // bytes that are pinned
	Refused []ledger.Refusal `json:"refused,omitempty"`
	More    int              `json:"more,omitempty"`  // refused beyond those
	Bytes   int64            `json:"bytes,omitempty"` // of all that are refused

	reserved          int64 // bytes of requests that run
	counting          int64 // bytes that were pinned since beginCount
	running, retrying int   // requests
	changed           bool  // a refusal has not been reported yet
	reported          time.Time
}

const (
	maxWaiting = 10000 // payloads of a member that were never tried; then the Feed has to wait
	maxFailed  = 10000 // payloads of a member that failed; then the oldest are given up
	maxRefused = 10000 // refused payloads of a member that are remembered by name
	maxBatch   = 100   // payloads in one request

	reportPause = time.Minute
)

// New returns a Replicator that begins with the saved queue.
//
// Errors:
//   - ErrInvalid if the saved queue is damaged.
//   - Any error of the Memory.
func New(c Config) (*Replicator, error) {
	if c.Feed == nil || c.Store == nil || c.Memory == nil {
		return nil, errors.New("new replicator: feed, store or memory is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Parallel <= 0 {
		c.Parallel = 16
	}
	if c.PinTimeout <= 0 {
		c.PinTimeout = 30 * time.Minute
	}
	if c.Retry <= 0 {
		c.Retry = time.Second
	}
	if c.Linger <= 0 {
		c.Linger = 250 * time.Millisecond
	}
	if c.Budget <= 0 {
		c.Budget = DefaultBudget
	}
	r := &Replicator{c: c, known: make(map[ledger.Payload]*entry), members: make(map[string]*member), wake: make(chan struct{}, 1)}
	if err := r.load(); err != nil {
		return nil, fmt.Errorf("new replicator: %w", err)
	}
	r.reconsider()
	return r, nil
}

// Run follows the ledger until ctx ends. It then saves the queue and returns nil.
// Failures of the store are logged and tried again.
//
// Errors:
//   - Any error of the Feed, also if it ends early.
//   - Any error of the Memory.
func (r *Replicator) Run(ctx context.Context) error {
	r.c.Log.Info("replicator started", "pending", len(r.pending))
	caller := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	group.Go(func() {
		if err := r.c.Feed(ctx, r.enqueue); ctx.Err() == nil {
			cancel(fmt.Errorf("follow the ledger: %w", err))
		}
	})
	group.Go(func() {
		if err := r.keepSaving(ctx); err != nil {
			cancel(err)
		}
	})
	group.Go(func() { r.work(ctx) })
	group.Go(func() { r.keepReporting(ctx) })
	group.Wait()
	err := context.Cause(ctx)
	if caller.Err() != nil && errors.Is(err, context.Cause(caller)) {
		err = nil
	}
	err = errors.Join(err, r.save())
	r.c.Log.Info("replicator stopped", "pending", len(r.pending))
	return err
}

func (r *Replicator) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
