package replica

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Scrubber compares what the store keeps with its hashes, payload after payload, at a
// bounded rate, and has damaged blocks replaced. It goes on where it was stopped. Without
// it, damage on a disk shows only when somebody needs the record, and by then the other
// copies may be damaged too.
//
// Pinsets are on no other store. So the Scrubber looks for new and damaged ones every few
// seconds, and spends a hundredth of its time on that.
type Scrubber struct {
	c        ScrubConfig
	checking sync.Mutex      // one check of pinsets at a time
	lost     map[string]bool // pinsets and roots that the log has named
}

// A Checker is the part of a payload store that a Scrubber needs. Package client/ipfs
// implements it.
type Checker interface {
	// Pinned lists the payloads that are pinned.
	Pinned(ctx context.Context) ([]string, error)

	// CheckPinsets does what Check does for the nodes by which payloads are pinned
	// together. They are on no other store, so it takes the blocks that were saved, and
	// returns those to save. Damaged ones have no good copy.
	CheckPinsets(ctx context.Context, saved [][]byte) (pinsets [][]byte, damaged []string, replaced int, err error)

	// Check compares the blocks of a payload on the own disk with their hashes, and
	// replaces damaged ones. It calls pace with the size of each block. It is
	// ledger.ErrTampered if there is no good copy.
	Check(ctx context.Context, cid string, pace func(ctx context.Context, size int) error) (blocks, replaced int, err error)

	// Unpinned counts the blocks of the store beside those of payloads.
	Unpinned(ctx context.Context, blocks int) (int, error)
}

const (
	// DefaultScrubRate is how many bytes a second are read.
	DefaultScrubRate = 8 << 20

	// leastBlock is what a small block counts: it costs more than its bytes.
	leastBlock = 256 << 10

	scrubPause = 24 * time.Hour   // from the beginning of a round to that of the next
	scrubRetry = time.Minute      // after a failure
	scrubSaves = 10 * time.Second // between two saves

	pinsetsPause = 10 * time.Second // at least, between two checks of pinsets
	pinsetsShare = 100              // one part of this many of the time is spent on them
)

// A ScrubConfig configures a Scrubber. Store and Memory are required.
type ScrubConfig struct {
	Store  Checker
	Memory Memory       // keeps the place and the results between runs
	Log    *slog.Logger // nil means silence

	Rate int64 // bytes a second; a block counts at least 256 KiB; zero means DefaultScrubRate
}

// A Scrub is the result of a round.
type Scrub struct {
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"` // zero while it goes on
	Payloads int       `json:"payloads"`
	Blocks   int       `json:"blocks"`
	Replaced int       `json:"replaced"`          // damaged blocks that are good again
	Damaged  []string  `json:"damaged,omitempty"` // payloads and pinsets without a good copy, at most 1000
	Unpinned int       `json:"unpinned"`          // blocks of no payload, which a collection takes
}

const maxDamaged = 1000

// A scrubState is what is kept between runs.
type scrubState struct {
	Last   *Scrub `json:"last,omitempty"`
	Now    Scrub  `json:"now"`
	Cursor string `json:"cursor,omitempty"` // the payload that was checked last
}

const (
	scrubName   = "replica/scrub"
	pinsetsName = "replica/pinsets" // blocks of pinsets
)

// LoadScrub returns the last round that is complete and the present one. Last is nil if
// none is complete.
//
// Errors:
//   - ErrNotFound if there was none.
//   - ErrInvalid if the saved state is damaged.
func LoadScrub(m Memory) (last *Scrub, now Scrub, err error) {
	var s scrubState
	found, err := loadItem(m, scrubName, &s)
	if err == nil && !found {
		err = ledger.Errorf(ledger.ErrNotFound, "nothing was scrubbed yet")
	}
	return s.Last, s.Now, err
}

// NewScrubber returns a Scrubber.
func NewScrubber(c ScrubConfig) (*Scrubber, error) {
	if c.Store == nil || c.Memory == nil {
		return nil, errors.New("new scrubber: store or memory is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rate <= 0 {
		c.Rate = DefaultScrubRate
	}
	return &Scrubber{c: c, lost: make(map[string]bool)}, nil
}

// Run begins a round every day, or later if one takes longer, until ctx ends. Failures
// are logged, and the round goes on a minute later.
func (s *Scrubber) Run(ctx context.Context) {
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { s.watchPinsets(ctx) })
	if _, now, err := LoadScrub(s.c.Memory); err == nil && !now.Ended.IsZero() {
		sleepUntilNext(ctx, now.Began)
	}
	for ctx.Err() == nil {
		began, err := s.Scrub(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.c.Log.Warn("scrubbing is interrupted, trying again", "error", err.Error())
			}
			sleep(ctx, scrubRetry)
			continue
		}
		sleepUntilNext(ctx, began)
	}
}

// sleepUntilNext waits for the next round, and no longer than a day, whatever the clock
// does.
func sleepUntilNext(ctx context.Context, began time.Time) {
	sleep(ctx, min(time.Until(began.Add(scrubPause)), scrubPause))
}

// Scrub does a round, or the rest of one that was interrupted. It returns when that
// began.
//
// Errors:
//   - ErrInvalid if the saved state is damaged.
//   - Any error of Store and Memory, except that a payload has no good copy.
func (s *Scrubber) Scrub(ctx context.Context) (began time.Time, err error) {
	var state scrubState
	if _, err := loadItem(s.c.Memory, scrubName, &state); err != nil {
		return began, err
	}
	if state.Now.Began.IsZero() || !state.Now.Ended.IsZero() {
		state = scrubState{Last: state.Last, Now: Scrub{Began: time.Now()}}
		if err := s.checkPinsets(ctx, &state.Now); err != nil {
			return began, err
		}
	}
	listed, err := s.c.Store.Pinned(ctx)
	if err != nil {
		return began, err
	}
	slices.Sort(listed)
	saved := time.Now()
	for _, cid := range listed {
		if cid <= state.Cursor {
			continue
		}
		if err := s.check(ctx, cid, &state.Now); err != nil {
			return began, errors.Join(err, storeItem(s.c.Memory, scrubName, state))
		}
		if state.Cursor = cid; time.Since(saved) >= scrubSaves {
			if err := storeItem(s.c.Memory, scrubName, state); err != nil {
				return began, err
			}
			saved = time.Now()
		}
	}
	now := &state.Now
	if now.Unpinned, err = s.c.Store.Unpinned(ctx, now.Blocks); err != nil {
		return began, err
	}
	now.Ended = time.Now()
	s.c.Log.Info("scrubbed", "payloads", now.Payloads, "blocks", now.Blocks, "replaced", now.Replaced,
		"damaged", len(now.Damaged), "unpinned", now.Unpinned, "took", now.Ended.Sub(now.Began).Round(time.Second).String())
	done := *now
	return done.Began, storeItem(s.c.Memory, scrubName, scrubState{Last: &done, Now: done})
}

// watchPinsets checks the pinsets again and again, whatever a round does meanwhile.
func (s *Scrubber) watchPinsets(ctx context.Context) {
	for pause := pinsetsPause; ; {
		if sleep(ctx, pause); ctx.Err() != nil {
			return
		}
		began := time.Now()
		if err := s.checkPinsets(ctx, new(Scrub)); err != nil {
			s.c.Log.Debug("pinsets not checked, trying again", "error", err.Error()) // the rest of the keeper says why
		}
		pause = max(pinsetsPause, pinsetsShare*time.Since(began))
	}
}

// checkPinsets adds the pinsets to a round, and saves them for the next check.
func (s *Scrubber) checkPinsets(ctx context.Context, round *Scrub) error {
	s.checking.Lock()
	defer s.checking.Unlock()
	var saved [][]byte
	if _, err := loadItem(s.c.Memory, pinsetsName, &saved); err != nil {
		s.c.Log.Error("the saved pinsets are lost", "error", err.Error())
		saved = nil
	}
	pinsets, damaged, replaced, err := s.c.Store.CheckPinsets(ctx, saved)
	if err != nil {
		return err
	}
	if replaced > 0 {
		s.c.Log.Warn("damaged pinsets or roots replaced", "blocks", replaced)
	}
	for _, root := range damaged {
		if !s.lost[root] {
			s.c.Log.Error("a pinset or the root of a payload is damaged, and there is no good copy", "cid", root)
		}
		s.lost[root] = true
	}
	round.Replaced, round.Damaged = replaced, damaged[:min(len(damaged), maxDamaged)]
	slices.SortFunc(pinsets, bytes.Compare)
	if slices.EqualFunc(pinsets, saved, bytes.Equal) {
		return nil
	}
	return storeItem(s.c.Memory, pinsetsName, pinsets)
}

// check adds a payload to a round.
func (s *Scrubber) check(ctx context.Context, cid string, round *Scrub) error {
	blocks, replaced, err := s.c.Store.Check(ctx, cid, s.pace)
	round.Payloads++
	round.Blocks += blocks
	round.Replaced += replaced
	if replaced > 0 {
		s.c.Log.Warn("damaged blocks replaced", "cid", cid, "blocks", replaced)
	}
	if !errors.Is(err, ledger.ErrTampered) {
		return err
	}
	s.c.Log.Error("a payload is damaged, and no other node has a good copy", "cid", cid, "error", err.Error())
	if len(round.Damaged) < maxDamaged {
		round.Damaged = append(round.Damaged, cid)
	}
	return nil
}

// pace waits as long as a block may take at the rate.
func (s *Scrubber) pace(ctx context.Context, size int) error {
	sleep(ctx, time.Duration(max(size, leastBlock))*time.Second/time.Duration(s.c.Rate))
	return ctx.Err()
}
