// Package replica keeps a copy of every payload on a hospital's own store, so that no single hospital's failure loses a
// record. A [Replicator] follows the ledger from its first block on and pins each payload it hears of; most callers make
// one and call [Replicator.Run] for as long as the hospital is up.
//
// What it guarantees: a payload that was registered on the ledger is asked for until it is pinned, also across restarts
// and crashes, in any order and possibly more than once. Payloads that nobody can serve at the moment are tried again, ever
// less often, and hold up nobody else. What it does not: it does not tell whether other hospitals hold a copy, and it never
// reads a payload, which it could not open.
package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// A Feed tells which versions of records each block registered, in the order of blocks. Package client/fabric implements it.
type Feed interface {
	// Follow calls each for every block from the given number on that registered any, as they are committed. It returns
	// when ctx ends, when each fails, or when the connection does.
	Follow(ctx context.Context, from uint64, each func(block uint64, versions []ledger.RecordVersion) error) error
}

// A Pinner is the part of client.Blobs that is needed.
type Pinner interface {
	Pin(ctx context.Context, cid string) error
}

// A Config is what a Replicator works with. Feed, Store and Memory are required.
type Config struct {
	Feed   Feed
	Store  Pinner
	Memory client.Memory // keeps the checkpoint between runs; losing it means starting at the first block
	Log    *slog.Logger  // nil means silence

	Parallel   int           // payloads fetched at a time; zero means 4
	PinTimeout time.Duration // for one payload; zero means 30 min
	Retry      time.Duration // first pause after a failure, doubled up to 64 times it; zero means 1 s
}

// A Replicator runs once.
type Replicator struct {
	c Config

	mu      sync.Mutex
	state   checkpoint
	dirty   bool
	retries map[string]retry // of payloads that failed
	busy    map[string]bool  // being fetched
	wake    chan struct{}    // there may be something to do
}

type retry struct {
	pause time.Duration
	next  time.Time
}

// A checkpoint is everything that has to survive.
type checkpoint struct {
	Next    uint64   `json:"next"`    // first block that has not been heard
	Pending []string `json:"pending"` // payloads of earlier blocks that are not pinned yet
}

const checkpointName = "replica/checkpoint"

// maxWaiting bounds how far reading the ledger runs ahead of fetching.
const maxWaiting = 1000

// New reads the checkpoint.
func New(c Config) (*Replicator, error) {
	if c.Feed == nil || c.Store == nil || c.Memory == nil {
		return nil, errors.New("new replicator: feed, store or memory is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Parallel <= 0 {
		c.Parallel = 4
	}
	if c.PinTimeout <= 0 {
		c.PinTimeout = 30 * time.Minute
	}
	if c.Retry <= 0 {
		c.Retry = time.Second
	}
	r := &Replicator{c: c, retries: make(map[string]retry), busy: make(map[string]bool), wake: make(chan struct{}, 1)}
	data, err := c.Memory.Load(checkpointName)
	switch {
	case errors.Is(err, client.ErrNotFound):
		return r, nil
	case err != nil:
		return nil, fmt.Errorf("new replicator: %w", err)
	}
	if err := json.Unmarshal(data, &r.state); err != nil {
		c.Log.Warn("checkpoint is damaged, starting at the first block", "error", err.Error())
		r.state = checkpoint{}
	}
	return r, nil
}

// Run follows the ledger until ctx ends, which is no error: it then returns nil, with the checkpoint saved. Failures of
// the ledger or the store are logged and tried again; only a checkpoint that cannot be saved ends it.
func (r *Replicator) Run(ctx context.Context) error {
	r.c.Log.Info("replicator started", "block", r.state.Next, "pending", len(r.state.Pending))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	group.Go(func() { r.follow(ctx) })
	for range r.c.Parallel {
		group.Go(func() { r.fetch(ctx) })
	}
	saveErr := r.keepSaving(ctx)
	cancel(saveErr)
	group.Wait()
	if err := r.save(); saveErr == nil {
		saveErr = err
	}
	r.c.Log.Info("replicator stopped", "block", r.state.Next, "pending", len(r.state.Pending))
	return saveErr
}

// keepSaving saves the checkpoint every second while it changes. A crash costs that second: the ledger is heard again.
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
	r.mu.Lock()
	if !r.dirty {
		r.mu.Unlock()
		return nil
	}
	data, err := json.Marshal(r.state)
	r.dirty = false
	r.mu.Unlock()
	if err == nil {
		err = r.c.Memory.Store(checkpointName, data)
	}
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

func (r *Replicator) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
