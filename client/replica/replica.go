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
// The package does not find out whether other hospitals hold a copy. It never reads a
// payload, and could not open one.
package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Feed hands the CIDs of the payloads that each transaction registered to handle,
// oldest transaction first. The first call begins at the first block. Later calls go on
// after the last transaction for which handle returned nil. A Feed bridges failures of
// the connection. It ends when ctx ends or handle fails. In package client/fabric,
// Gateway.FollowRecords is one, over chaincode events, and FollowBlocks with Payloads
// another, over blocks.
type Feed func(ctx context.Context, handle func(ctx context.Context, cids []string) error) error

// A Pinner is the part of a payload store that the Replicator needs. Package client/ipfs
// implements it.
type Pinner interface {
	Pin(ctx context.Context, cid string) error

	// PinAll pins several payloads, which costs less than one by one, and soon gives up
	// on payloads that do not arrive. It returns the pinned ones, and an error if some
	// are missing.
	PinAll(ctx context.Context, cids []string) (pinned []string, err error)
}

// A Memory keeps small items between runs. Package client/wallet implements it.
type Memory interface {
	// Load returns ErrNotFound if there is no such item.
	Load(name string) ([]byte, error)
	Store(name string, data []byte) error
}

// A Config configures a Replicator. Feed, Store and Memory are required.
//
// The Feed's position and the Memory belong together: if the Memory is lost, so is the
// queue of payloads that the Feed has already handed over.
type Config struct {
	Feed   Feed
	Store  Pinner
	Memory Memory       // keeps the queue between runs
	Log    *slog.Logger // nil means silence

	Parallel   int           // requests to the store at a time; zero means 16: most wait for the network
	PinTimeout time.Duration // for one request; zero means 30 min
	Retry      time.Duration // first pause after a failure, doubled up to 64 times it; zero means 1 s
	Linger     time.Duration // how long a new payload waits so that others join its request; zero means 250 ms
}

// A Replicator runs once.
type Replicator struct {
	c Config

	mu       sync.Mutex
	pending  []string         // the queue: payloads that are not pinned yet, oldest first
	dirty    bool             // pending has changed since it was saved
	due      time.Time        // when new payloads have lingered long enough
	retries  map[string]retry // of payloads that failed
	busy     map[string]bool  // a worker has asked the store for it
	retrying atomic.Int32     // workers that try again what has failed
	wake     chan struct{}    // there may be something to do
	saving   sync.Mutex       // one save at a time, so that an older queue never replaces a newer one
}

type retry struct {
	pause time.Duration
	next  time.Time
}

// pendingName is the item of the Memory that holds the queue, a JSON array of CIDs.
const pendingName = "replica/pending"

const (
	maxWaiting = 256 // new payloads in the queue; then the Feed has to wait
	maxBatch   = 100 // payloads in one request
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
	r := &Replicator{c: c, retries: make(map[string]retry), busy: make(map[string]bool), wake: make(chan struct{}, 1)}
	data, err := c.Memory.Load(pendingName)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return r, nil
	case err != nil:
		return nil, fmt.Errorf("new replicator: %w", err)
	}
	if err := json.Unmarshal(data, &r.pending); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "new replicator: item %s is damaged: %v", pendingName, err)
	}
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
	for range r.c.Parallel {
		group.Go(func() { r.work(ctx) })
	}
	group.Wait()
	err := context.Cause(ctx)
	if caller.Err() != nil && errors.Is(err, context.Cause(caller)) {
		err = nil
	}
	err = errors.Join(err, r.save())
	r.c.Log.Info("replicator stopped", "pending", len(r.pending))
	return err
}

// keepSaving saves the queue every second if it has changed. After a crash, the payloads
// of the last second are pinned again, which does no harm.
func (r *Replicator) keepSaving(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := r.save(); err != nil {
				return err
			}
			r.signal() // a retry may be due
		}
	}
}

func (r *Replicator) save() error {
	r.saving.Lock()
	defer r.saving.Unlock()
	r.mu.Lock()
	if !r.dirty {
		r.mu.Unlock()
		return nil
	}
	data, err := json.Marshal(r.pending)
	r.dirty = false
	r.mu.Unlock()
	if err == nil {
		err = r.c.Memory.Store(pendingName, data)
	}
	if err != nil {
		return fmt.Errorf("save pending payloads: %w", err)
	}
	return nil
}

func (r *Replicator) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
