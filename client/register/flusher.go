package register

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

// A Flusher writes the index entries that wait in the outbox. Full transactions cost
// less, so while several calls bring entries at the same time, a call writes only full
// transactions and leaves the rest that is due to the calls that are still running. The
// last one writes it, also if it fails itself; if it was stopped, the next call or
// command does.
type Flusher struct {
	Box     *outbox.Box
	Writer  *index.Writer
	Records func(ctx context.Context, ids []string) ([]ledger.Record, error) // of the ledger
	Policy  outbox.Policy

	calls atomic.Int64  // that are running and bring entries
	left  atomic.Bool   // somebody may have left entries that are due
	Turn  chan struct{} // one flush at a time
}

// Options are those of a flush of what is due.
func (f *Flusher) Options() outbox.Flush {
	return outbox.Flush{Writer: f.Writer, Records: f.Records, Policy: f.Policy}
}

// flushJob writes the entries of one job.
func (f *Flusher) flushJob(ctx context.Context, id outbox.ID) error {
	options := f.Options()
	options.Job, options.Wait = &id, true
	_, err := f.Box.Flush(ctx, options)
	return err
}

// FlushDue writes what is due, unless another process is flushing, or another call of
// this client is running and will.
func (f *Flusher) FlushDue(ctx context.Context) error {
	options := f.Options()
	options.More = f.calls.Load() > 0
	if options.More {
		f.left.Store(true)
	}
	if f.Box.Idle(options) {
		return nil
	}
	select {
	case f.Turn <- struct{}{}:
	default:
		if options.More {
			return nil
		}
		select {
		case f.Turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-f.Turn }()
	if !options.More {
		f.left.Store(false)
	}
	_, err := f.Box.Flush(ctx, options)
	return err
}

// lastFlushTimeout bounds the flush at the end of a call that failed.
const lastFlushTimeout = 30 * time.Second

// A Contribution is one running call that brings entries to the outbox.
type Contribution struct {
	flusher *Flusher
	end     func() // idempotent
}

// Contribute begins a call that brings entries. A call that takes long, such as one with
// a large record, flushes at intervals what other calls have left.
func (f *Flusher) Contribute(ctx context.Context) *Contribution {
	f.calls.Add(1)
	quit := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		tick := time.NewTicker(cmp.Or(f.Policy.Pace, outbox.DefaultPace))
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				f.FlushDue(ctx) // a failure is repeated when the call ends
			}
		}
	})
	return &Contribution{f, sync.OnceFunc(func() {
		close(quit)
		ticking.Wait()
		f.calls.Add(-1)
	})}
}

// Flush ends the contribution and writes what is due. A nil contribution does nothing.
func (c *Contribution) Flush(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.end()
	return c.flusher.FlushDue(ctx)
}

// Close ends the contribution of a call that may have failed, and writes what other calls
// have left to it. A nil contribution does nothing.
func (c *Contribution) Close(ctx context.Context) {
	if c == nil {
		return
	}
	c.end()
	if f := c.flusher; ctx.Err() == nil && f.left.Load() && f.calls.Load() == 0 {
		ctx, cancel := context.WithTimeout(ctx, lastFlushTimeout)
		defer cancel()
		f.FlushDue(ctx) // the call reports its own failure
	}
}
