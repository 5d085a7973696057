package replica

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Sweeper unpins payloads that are in no record: those of seals that failed, those that
// somebody stored for no record, and those of records that were revoked or erased. People
// who seal cannot unpin.
//
// A payload that is taken out of the last version that had it is unpinned some hours
// later, see [EndedGrace]. Two versions can have the same payload, as anybody can
// register what somebody else has stored, so the Sweeper counts.
//
// A payload that is registered on the ledger is not unpinned, and neither is one that has
// not been seen unregistered for [SweepConfig.Grace] and in 12 sweeps, so that a
// clock that jumps ahead makes nothing due. If a record is registered while its payload
// is being unpinned, the Sweeper pins it again, also after a crash. If one is registered
// later, the Replicator does, as long as the store has not collected it. When the ledger
// cannot be read up to its end, nothing is unpinned.
type Sweeper struct {
	c     SweepConfig
	swept bool // since it was made
}

// An Unpinner is the part of a payload store that a Sweeper needs. Package client/ipfs
// implements it.
type Unpinner interface {
	// Pinned lists the payloads that are pinned.
	Pinned(ctx context.Context) ([]string, error)

	// Unpin releases a payload. Unpinning one that is not pinned is no error.
	Unpin(ctx context.Context, cid string) error

	// Pin keeps a payload again.
	Pin(ctx context.Context, cid string) error
}

// DefaultGrace is how long a payload may stay unregistered.
const DefaultGrace = 24 * time.Hour

// EndedGrace is how long a payload stays that is in a version no more, or as long as the
// grace if that is shorter. Somebody could register what another person has stored and
// not registered yet, and erase it at once. A seal pins again, just before it registers,
// what it stored more than an hour ago, and fails if that is gone.
const EndedGrace = 3 * time.Hour

const (
	sweepsPerGrace = 24

	// minSweeps is how often a payload has to be seen unregistered. A Sweeper's first
	// sweep does not count, so that restarts do not add up.
	minSweeps = 12

	endedSweeps = 3 // the same for a payload that is in a version no more
)

// A SweepConfig configures a Sweeper. Registered, Store and Memory are required.
type SweepConfig struct {
	// Registered hands over the payloads that were registered in blocks from a number on,
	// and those that are in a version no more, and returns the number of the next block,
	// also after an error. It fails unless it has read every block that was on the ledger
	// when it was called, as far as the peers say that it asks, and if one of them does
	// not answer, or has fewer blocks than were read before.
	Registered func(ctx context.Context, from uint64, handle func([]ledger.Payload, []ledger.End) error) (next uint64, err error)

	Store  Unpinner
	Memory Memory       // keeps what is known of the ledger between runs
	Log    *slog.Logger // nil means silence

	Grace time.Duration // zero means DefaultGrace
}

// NewSweeper returns a Sweeper.
func NewSweeper(c SweepConfig) (*Sweeper, error) {
	if c.Registered == nil || c.Store == nil || c.Memory == nil {
		return nil, errors.New("new sweeper: registered, store or memory is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Grace <= 0 {
		c.Grace = DefaultGrace
	}
	return &Sweeper{c: c}, nil
}

// Run sweeps 24 times in the time of grace, until ctx ends. Failures are logged, and the
// next sweep tries again.
func (s *Sweeper) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.Warn("payloads without a record not unpinned, trying again", "error", err.Error())
		}
		sleep(ctx, s.c.Grace/sweepsPerGrace)
	}
}

// Sweep looks once for payloads that are pinned and not registered, and unpins those that
// have been so for their time of grace.
//
// Errors:
//   - ErrInvalid if the saved state is damaged.
//   - Any error of Registered, Store and Memory.
func (s *Sweeper) Sweep(ctx context.Context) error {
	var last sweepState
	if _, err := loadItem(s.c.Memory, sweepName, &last); err != nil {
		return err
	}
	// The list comes first: what it has and was registered before is found on the ledger.
	listed, err := s.c.Store.Pinned(ctx)
	if err != nil {
		return err
	}
	known, ended, err := s.read(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	state := s.look(last, listed, known, ended)
	// A sweep that was interrupted may have unpinned what is registered by now.
	state.Unpinning, err = s.restore(ctx, last.Unpinning, known)
	var due []string
	for cid, first := range state.Since {
		sweeps, grace := minSweeps, s.c.Grace
		if state.Ended[cid] {
			sweeps, grace = endedSweeps, min(grace, EndedGrace)
		}
		if state.Sweeps[cid] >= sweeps && time.Since(first) >= grace {
			due = append(due, cid)
		}
	}
	if len(due) == 0 {
		return errors.Join(err, s.store(state))
	}
	state.Unpinning = append(state.Unpinning, due...)
	if serr := s.store(state); serr != nil {
		return errors.Join(err, serr)
	}
	unpinned, uerr := unpinAll(ctx, s.c.Store, due)
	for _, cid := range unpinned {
		delete(state.Since, cid)
		delete(state.Sweeps, cid)
		delete(state.Ended, cid)
	}
	if len(unpinned) > 0 {
		s.c.Log.Info("unpinned what is in no record", "payloads", len(unpinned), "first", unpinned[0])
	}
	// What was registered meanwhile, the Replicator may have seen while it was pinned.
	if known, ended, rerr := s.read(ctx); rerr != nil {
		uerr = errors.Join(uerr, fmt.Errorf("read the ledger again: %w", rerr))
	} else {
		var perr error
		state.end(ended)
		state.Unpinning, perr = s.restore(ctx, state.Unpinning, known)
		uerr = errors.Join(uerr, perr)
	}
	return errors.Join(err, uerr, s.store(state))
}

// look notes which of the listed payloads are not registered.
func (s *Sweeper) look(last sweepState, listed []string, known []uint64, ended []string) sweepState {
	now := time.Now()
	next := sweepState{Since: map[string]time.Time{}, Sweeps: map[string]int{}}
	last.end(ended)
	for _, cid := range listed {
		if isRegistered(known, cid) {
			continue
		}
		first, seen := last.Since[cid]
		if !seen || first.After(now) {
			first = now
		}
		if last.Ended[cid] {
			next.end([]string{cid})
		}
		next.Since[cid], next.Sweeps[cid] = first, last.Sweeps[cid]
		if s.swept && seen {
			next.Sweeps[cid]++
		}
	}
	s.swept = true
	return next
}

// restore pins those of the payloads that are registered. It returns those that have to
// be looked at again.
func (s *Sweeper) restore(ctx context.Context, unpinned []string, known []uint64) (left []string, err error) {
	var errs []error
	for _, cid := range unpinned {
		if !isRegistered(known, cid) {
			continue
		}
		s.c.Log.Warn("registered while it was unpinned: pinning it again", "cid", cid)
		if err := s.c.Store.Pin(ctx, cid); err != nil {
			left, errs = append(left, cid), append(errs, err)
		}
	}
	return left, errors.Join(errs...)
}

func (s *Sweeper) store(state sweepState) error { return storeItem(s.c.Memory, sweepName, state) }

// sweepName is the name of a sweepState.
const sweepName = "replica/unregistered"

// A sweepState is what is known of unregistered payloads, by CID.
type sweepState struct {
	Since     map[string]time.Time `json:"since"`               // first seen
	Sweeps    map[string]int       `json:"sweeps,omitempty"`    // how often it was seen again
	Unpinning []string             `json:"unpinning,omitempty"` // perhaps unpinned, and not compared with the ledger since
	Ended     map[string]bool      `json:"ended,omitempty"`     // was in a version
}

func (s *sweepState) end(cids []string) {
	if s.Ended == nil {
		s.Ended = make(map[string]bool)
	}
	for _, cid := range cids {
		s.Ended[cid] = true
	}
}

// unpinAll releases payloads at the same time, as the store then lists its pins once, and
// returns those that are released.
func unpinAll(ctx context.Context, store Unpinner, cids []string) (unpinned []string, err error) {
	var mu sync.Mutex
	var errs []error
	for group := range slices.Chunk(cids, maxBatch) {
		var calls sync.WaitGroup
		for _, cid := range group {
			calls.Go(func() {
				err := store.Unpin(ctx, cid)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					errs = append(errs, err)
				} else {
					unpinned = append(unpinned, cid)
				}
			})
		}
		calls.Wait()
	}
	return unpinned, errors.Join(errs...)
}

// registeredName is the name of what is known of the ledger: the number of the next block
// and the marks of the payloads in the blocks before it, each in 8 bytes, big endian. A
// payload that several versions have has its mark once for each.
const registeredName = "replica/registered"

// read reads what is new on the ledger, and returns the marks of all registered payloads,
// sorted, and the payloads that are in no version any more since it was last read. If the
// process dies before they are noted, they count as what was never registered.
func (s *Sweeper) read(ctx context.Context) (marks []uint64, ended []string, err error) {
	data, err := s.c.Memory.Load(registeredName)
	if errors.Is(err, ledger.ErrNotFound) {
		data, err = make([]byte, 8), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if len(data) == 0 || len(data)%8 != 0 {
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "item %s is damaged: delete it to read the ledger again", registeredName)
	}
	from := binary.BigEndian.Uint64(data)
	for m := data[8:]; len(m) > 0; m = m[8:] {
		marks = append(marks, binary.BigEndian.Uint64(m))
	}
	gone := make(map[uint64]int)
	next, err := s.c.Registered(ctx, from, func(payloads []ledger.Payload, ends []ledger.End) error {
		for _, p := range payloads {
			marks = append(marks, mark(p.CID))
		}
		for _, e := range ends {
			gone[mark(e.CID)]++
			ended = append(ended, e.CID)
		}
		return nil
	})
	marks = slices.DeleteFunc(marks, func(m uint64) bool {
		if gone[m] == 0 {
			return false
		}
		gone[m]--
		return true
	})
	slices.Sort(marks)
	if next > from {
		grown := binary.BigEndian.AppendUint64(nil, next)
		for _, m := range marks {
			grown = binary.BigEndian.AppendUint64(grown, m)
		}
		err = errors.Join(err, s.c.Memory.Store(registeredName, grown))
	}
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(ended)
	return marks, slices.DeleteFunc(slices.Compact(ended), func(cid string) bool { return isRegistered(marks, cid) }), nil
}

func isRegistered(known []uint64, cid string) bool {
	_, found := slices.BinarySearch(known, mark(cid))
	return found
}

// mark shortens a CID. Two with the same mark only keep a pin that could go.
func mark(cid string) uint64 {
	sum := sha256.Sum256([]byte(cid))
	return binary.BigEndian.Uint64(sum[:])
}
