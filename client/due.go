package client

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chartseal/chartseal/client/outbox"
)

// A gathering is the calls of one Client that bring index entries at the same time. Full
// transactions cost less, so while others are on their way a call writes no others, and
// leaves the rest that is due to them; the last one writes it, also when it fails itself;
// if it was stopped, the next call or command does. A call that takes long, such as one
// with a large record, looks now and then for what was left.
type gathering struct {
	calls atomic.Int64
	left  atomic.Bool   // somebody may have left entries that are due
	turn  chan struct{} // one writes at a time
}

// gather joins the gathering. What it returns leaves it, and is for the end of a call
// that may have failed: it does nothing after [job.flushDue], which leaves it too.
func (j *job) gather(ctx context.Context) (leave func()) {
	if !j.flushes() {
		return func() {}
	}
	g := &j.c.gathering
	g.calls.Add(1)
	quit := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(cmp.Or(j.c.batching.Pace, outbox.DefaultPace))
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				j.c.flushDue(ctx) // what fails is tried again when the call ends
			}
		}
	})
	j.leave = sync.OnceFunc(func() {
		close(quit)
		looking.Wait()
		g.calls.Add(-1)
	})
	return func() {
		j.leave()
		if ctx.Err() == nil && g.left.Load() && g.calls.Load() == 0 {
			ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
			defer cancel()
			j.c.flushDue(ctx) // the call has another failure to tell of
		}
	}
}

// flushes tells that entries wait in the outbox after the call, and nobody else has
// promised to flush it.
func (j *job) flushes() bool {
	return j.scope != nil && !j.request.KeepEntries && j.request.Index != IndexNow
}

// flushDue leaves the gathering and writes what is due after a seal.
func (j *job) flushDue(ctx context.Context) {
	if !j.flushes() {
		return
	}
	j.leave()
	if err := j.c.flushDue(ctx); err != nil && !errors.Is(err, context.Canceled) {
		j.warnAll(j.parcels[len(j.parcels)-1:], "index entries that are due could not be written yet: they are kept in the outbox (%v)", err)
	}
}

// flushDue writes what is due, unless another process is at it, or a call that is still
// on its way will.
func (c *Client) flushDue(ctx context.Context) error {
	g := &c.gathering
	f := c.flush()
	f.More = g.calls.Load() > 0
	if f.More {
		g.left.Store(true)
	}
	if c.outbox.Idle(f) {
		return nil
	}
	select {
	case g.turn <- struct{}{}:
	default:
		if f.More {
			return nil
		}
		select {
		case g.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-g.turn }()
	if !f.More {
		g.left.Store(false)
	}
	_, err := c.outbox.Flush(ctx, f)
	return err
}
