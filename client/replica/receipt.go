package replica

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Confirmer puts the hospital's receipts for erased records on the ledger: that its
// peer has none of their wrapped keys, and what is left of their payloads on its node. It
// says so first when the keys are gone, and again when the node has collected the blocks.
type Confirmer struct {
	c     ConfirmConfig
	looks int
}

// slowLooks is how seldom, in looks, a record is examined again that was confirmed, and
// whose payloads are not gone: that takes hours.
const slowLooks = 20

// A ConfirmConfig configures a Confirmer. All fields but Log and Every are required.
type ConfirmConfig struct {
	// Erased returns the erasures at or after a time, oldest first. The empty time is the
	// beginning. Times are claims of those who erase, so a later call may return earlier
	// ones, by up to [ledger.MaxClockSkew].
	Erased func(ctx context.Context, since string) ([]ledger.Erasure, error)

	// Purged returns those records of which the own peer has no wrapped key.
	Purged func(ctx context.Context, ids []string) ([]string, error)

	// Payloads returns the payloads that records had, by record.
	Payloads func(ctx context.Context, ids []string) (map[string][]string, error)

	// Pinned returns what the own node has pinned, and Stored those of some payloads of
	// which it has the first block.
	Pinned func(ctx context.Context) ([]string, error)
	Stored func(ctx context.Context, cids []string) ([]string, error)

	// Confirm signs receipts, and puts them on the ledger.
	Confirm func(ctx context.Context, receipts []ledger.NewReceipt) error

	Memory Memory
	Log    *slog.Logger  // nil means silence
	Every  time.Duration // zero means 30 s
}

// NewConfirmer returns a Confirmer.
func NewConfirmer(c ConfirmConfig) (*Confirmer, error) {
	if c.Erased == nil || c.Purged == nil || c.Payloads == nil || c.Pinned == nil || c.Stored == nil || c.Confirm == nil || c.Memory == nil {
		return nil, errors.New("new confirmer: a field is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Every <= 0 {
		c.Every = 30 * time.Second
	}
	return &Confirmer{c: c}, nil
}

// Run confirms erasures until ctx ends. Failures are logged, and tried again.
func (f *Confirmer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.Look(ctx); err != nil && ctx.Err() == nil {
			f.c.Log.Warn("erasures not confirmed, trying again", "error", err.Error())
		}
		sleep(ctx, f.c.Every)
	}
}

// confirmName is the name of a confirmState.
const confirmName = "replica/receipts"

type confirmState struct {
	Last    string            `json:"last"`    // time of the last erasure that was seen
	Seen    map[string]string `json:"seen"`    // times of recent erasures that were seen, by record
	Waiting map[string]string `json:"waiting"` // what was confirmed of records that are not gone, by record; empty for nothing
}

// overlap is how far back erasures are asked for again.
const overlap = 3 * ledger.MaxClockSkew

// note adds erasures to those that wait.
func (s *confirmState) note(erasures []ledger.Erasure) {
	for _, e := range erasures {
		if _, seen := s.Seen[e.ID]; !seen {
			s.Seen[e.ID], s.Waiting[e.ID] = e.Time, ""
		}
		s.Last = max(s.Last, e.Time)
	}
	since := s.since()
	maps.DeleteFunc(s.Seen, func(_, at string) bool { return at < since })
}

func (s *confirmState) since() string {
	last, err := ledger.ParseTime(s.Last)
	if err != nil {
		return ""
	}
	return ledger.FormatTime(last.Add(-overlap))
}

// Look confirms once what there is to confirm.
//
// Errors:
//   - ErrInvalid if the saved state is damaged.
//   - Any error of the functions of the configuration.
func (f *Confirmer) Look(ctx context.Context) error {
	state := confirmState{Seen: make(map[string]string), Waiting: make(map[string]string)}
	if _, err := loadItem(f.c.Memory, confirmName, &state); err != nil {
		return err
	}
	erasures, err := f.c.Erased(ctx, state.since())
	if err != nil {
		return err
	}
	state.note(erasures)
	again := f.looks%slowLooks == 0
	f.looks++
	var all []string
	for id, confirmed := range state.Waiting {
		if confirmed == "" || again {
			all = append(all, id)
		}
	}
	if len(all) == 0 {
		return nil
	}
	// The state is saved before anything is taken out of it.
	if err := storeItem(f.c.Memory, confirmName, state); err != nil {
		return err
	}
	slices.Sort(all)
	for part := range slices.Chunk(all, ledger.MaxErasures) {
		if err := f.confirm(ctx, part, state.Waiting); err != nil {
			return errors.Join(err, storeItem(f.c.Memory, confirmName, state))
		}
	}
	return storeItem(f.c.Memory, confirmName, state)
}

// confirm confirms records, and takes those that are gone out of waiting.
func (f *Confirmer) confirm(ctx context.Context, ids []string, waiting map[string]string) error {
	purged, err := f.c.Purged(ctx, ids)
	if err != nil || len(purged) == 0 {
		return err
	}
	payloads, err := f.c.Payloads(ctx, purged)
	if err != nil {
		return err
	}
	listed, err := f.c.Pinned(ctx)
	if err != nil {
		return err
	}
	stored, err := f.c.Stored(ctx, slices.Concat(slices.Collect(maps.Values(payloads))...))
	if err != nil {
		return err
	}
	slices.Sort(listed)
	slices.Sort(stored)
	var receipts []ledger.NewReceipt
	for _, id := range purged {
		state := ledger.ReceiptGone
		for _, cid := range payloads[id] {
			if _, pinned := slices.BinarySearch(listed, cid); pinned {
				state = ledger.ReceiptPinned
				break
			}
			if _, there := slices.BinarySearch(stored, cid); there {
				state = ledger.ReceiptUnpinned
			}
		}
		if state != waiting[id] {
			receipts = append(receipts, ledger.NewReceipt{Record: id, Keys: ledger.ReceiptGone, Payloads: state})
		}
	}
	if len(receipts) == 0 {
		return nil
	}
	if err := f.c.Confirm(ctx, receipts); err != nil {
		return err
	}
	for _, r := range receipts {
		if waiting[r.Record] = r.Payloads; r.Payloads == ledger.ReceiptGone {
			delete(waiting, r.Record)
		}
	}
	f.c.Log.Info("confirmed erasures", "records", len(receipts))
	return nil
}
