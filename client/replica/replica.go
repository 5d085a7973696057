// Package replica keeps a copy of every payload on a hospital's own store, so that no
// single hospital's failure loses a record. A [Replicator] follows the ledger from its
// first block on and pins each payload it hears of; most callers make one and call
// [Replicator.Run] for as long as the hospital is up.
//
// What it guarantees: a payload that was registered on the ledger is asked for until it
// is pinned, also across restarts and crashes, in any order and possibly more than once.
// Payloads that nobody can serve at the moment are tried again, ever less often, and hold
// up nobody else. What it does not: it does not tell whether other hospitals hold a copy,
// and it never reads a payload, which it could not open.
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
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/trust"
)

// A Feed gives the CIDs of the payloads that each transaction on the ledger registered to
// handle, oldest first, from where it was the last time on: it remembers a transaction
// once handle has returned nil. It bridges failures of the connection, and ends when ctx
// does or when handle fails. Package client/fabric has one: fabric.Gateway.FollowRecords.
type Feed func(ctx context.Context, handle func(ctx context.Context, cids []string) error) error

// A Pinner is the part of client.Blobs that is needed.
type Pinner interface {
	Pin(ctx context.Context, cid string) error

	// PinAll pins several, which costs less than one by one, and gives up soon on those
	// that do not come. It returns those that are pinned, and an error unless these are
	// all.
	PinAll(ctx context.Context, cids []string) (pinned []string, err error)
}

// A Config is what a Replicator works with. Feed, Store and Memory are required.
//
// What the feed has handed over and what the memory holds belong together: losing the
// memory loses what was still pending.
type Config struct {
	Feed   Feed
	Store  Pinner
	Memory trust.Memory // keeps what is pending between runs
	Log    *slog.Logger // nil means silence

	Parallel   int           // payloads fetched at a time; zero means 16: most wait for the network
	PinTimeout time.Duration // for one payload; zero means 30 min
	Retry      time.Duration // first pause after a failure, doubled up to 64 times it; zero means 1 s
	Linger     time.Duration // how long a new payload waits for others to be fetched with; zero means 250 ms
}

// A Replicator runs once.
type Replicator struct {
	c Config

	mu      sync.Mutex
	pending []string         // payloads that are not pinned yet, oldest first
	dirty   bool             // pending has changed since it was saved
	due     time.Time        // when those that were never tried have waited for company long enough
	retries map[string]retry // of payloads that failed
	busy    map[string]bool  // being fetched
	again   atomic.Int32     // workers that try again what has failed
	wake    chan struct{}    // there may be something to do
	saving  sync.Mutex       // one save at a time, so that an older list never replaces a newer one
}

type retry struct {
	pause time.Duration
	next  time.Time
}

// pendingName is the item of the memory that holds the pending payloads, a JSON array of
// CIDs.
const pendingName = "replica/pending"

// maxWaiting bounds how far reading the ledger runs ahead of fetching, and maxTogether
// how many payloads are pinned at once.
const (
	maxWaiting  = 256
	maxTogether = 100
)

// New reads what is pending.
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
	case errors.Is(err, client.ErrNotFound):
		return r, nil
	case err != nil:
		return nil, fmt.Errorf("new replicator: %w", err)
	}
	if err := json.Unmarshal(data, &r.pending); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "new replicator: item %s is damaged: %v", pendingName, err)
	}
	return r, nil
}

// Run follows the ledger until ctx ends, which is no error: it then returns nil, with
// what is pending saved. Failures of the store are logged and tried again.
func (r *Replicator) Run(ctx context.Context) error {
	r.c.Log.Info("replicator started", "pending", len(r.pending))
	told := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	group.Go(func() {
		if err := r.c.Feed(ctx, r.hear); ctx.Err() == nil {
			cancel(fmt.Errorf("follow the ledger: %w", err))
		}
	})
	group.Go(func() {
		if err := r.keepSaving(ctx); err != nil {
			cancel(err)
		}
	})
	for range r.c.Parallel {
		group.Go(func() { r.fetch(ctx) })
	}
	group.Wait()
	err := context.Cause(ctx)
	if told.Err() != nil && errors.Is(err, context.Cause(told)) {
		err = nil
	}
	err = errors.Join(err, r.save())
	r.c.Log.Info("replicator stopped", "pending", len(r.pending))
	return err
}

// keepSaving saves every second what changes. A crash costs that second: payloads are
// pinned again, which changes nothing.
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
