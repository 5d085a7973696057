package client

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
)

// A flusher writes the index entries that wait in the outbox. Full transactions cost
// less, so while several calls bring entries at the same time, a call writes only full
// transactions and leaves the rest that is due to the calls that are still running. The
// last one writes it, also if it fails itself; if it was stopped, the next call or
// command does.
type flusher struct {
	box     *outbox.Box
	writer  *index.Writer
	records func(ctx context.Context, ids []string) ([]ledger.Record, error) // of the ledger
	policy  outbox.Policy

	calls atomic.Int64  // that are running and bring entries
	left  atomic.Bool   // somebody may have left entries that are due
	turn  chan struct{} // one flush at a time
}

func (f *flusher) options() outbox.Flush {
	return outbox.Flush{Writer: f.writer, Records: f.records, Policy: f.policy}
}

// flushJob writes the entries of one job.
func (f *flusher) flushJob(ctx context.Context, id outbox.ID) error {
	options := f.options()
	options.Job, options.Wait = &id, true
	_, err := f.box.Flush(ctx, options)
	return err
}

// flushDue writes what is due, unless another process is flushing, or another call of
// this Client is running and will.
func (f *flusher) flushDue(ctx context.Context) error {
	options := f.options()
	options.More = f.calls.Load() > 0
	if options.More {
		f.left.Store(true)
	}
	if f.box.Idle(options) {
		return nil
	}
	select {
	case f.turn <- struct{}{}:
	default:
		if options.More {
			return nil
		}
		select {
		case f.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-f.turn }()
	if !options.More {
		f.left.Store(false)
	}
	_, err := f.box.Flush(ctx, options)
	return err
}

// lastFlushTimeout bounds the flush at the end of a call that failed.
const lastFlushTimeout = 30 * time.Second

// A contribution is one running call that brings entries to the outbox.
type contribution struct {
	flusher *flusher
	end     func() // idempotent
}

// contribute begins a call that brings entries. A call that takes long, such as one with
// a large record, flushes at intervals what other calls have left.
func (f *flusher) contribute(ctx context.Context) *contribution {
	f.calls.Add(1)
	quit := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		tick := time.NewTicker(cmp.Or(f.policy.Pace, outbox.DefaultPace))
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				f.flushDue(ctx) // a failure is repeated when the call ends
			}
		}
	})
	return &contribution{f, sync.OnceFunc(func() {
		close(quit)
		ticking.Wait()
		f.calls.Add(-1)
	})}
}

// flush ends the contribution and writes what is due. A nil contribution does nothing.
func (c *contribution) flush(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.end()
	return c.flusher.flushDue(ctx)
}

// close ends the contribution of a call that may have failed, and writes what other calls
// have left to it. A nil contribution does nothing.
func (c *contribution) close(ctx context.Context) {
	if c == nil {
		return
	}
	c.end()
	if f := c.flusher; ctx.Err() == nil && f.left.Load() && f.calls.Load() == 0 {
		ctx, cancel := context.WithTimeout(ctx, lastFlushTimeout)
		defer cancel()
		f.flushDue(ctx) // the call reports its own failure
	}
}
