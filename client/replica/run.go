package replica

import (
	"context"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// hear notes the payloads of a transaction, once there is room, and returns when that is saved.
func (r *Replicator) hear(ctx context.Context, versions []ledger.RecordVersion) error {
	for r.waiting() >= maxWaiting {
		if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.mu.Lock()
	for _, v := range versions {
		if !slices.Contains(r.pending, v.CID) {
			r.pending = append(r.pending, v.CID)
			r.dirty = true
		}
	}
	r.mu.Unlock()
	if err := r.save(); err != nil {
		return err
	}
	r.signal()
	return nil
}

// waiting counts pending payloads that have not failed yet: those that failed must not hold up the rest.
func (r *Replicator) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) - len(r.retries)
}

// fetch pins one payload after another.
func (r *Replicator) fetch(ctx context.Context) {
	for {
		cid := r.take()
		if cid == "" {
			select {
			case <-ctx.Done():
				return
			case <-r.wake:
				continue
			}
		}
		r.signal() // another worker may find more
		start := time.Now()
		pinCtx, cancel := context.WithTimeout(ctx, r.c.PinTimeout)
		err := r.c.Store.Pin(pinCtx, cid)
		cancel()
		if ctx.Err() != nil && err != nil {
			r.release(cid)
			return
		}
		r.finish(cid, err, time.Since(start))
	}
}

// take gives a payload that is due, or "". One that was never tried comes first, and only half of the workers try again
// what has failed: whoever registers payloads that do not exist delays the others little.
func (r *Replicator) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, chosen, again := time.Now(), "", 0
	for _, cid := range r.pending {
		failure, failed := r.retries[cid]
		switch {
		case r.busy[cid] && failed:
			again++
		case r.busy[cid]:
		case !failed:
			r.busy[cid] = true
			return cid
		case chosen == "" && now.After(failure.next):
			chosen = cid
		}
	}
	if chosen == "" || again >= max(1, r.c.Parallel/2) {
		return ""
	}
	r.busy[chosen] = true
	return chosen
}

func (r *Replicator) release(cid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, cid)
}

func (r *Replicator) finish(cid string, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, cid)
	if err == nil {
		delete(r.retries, cid)
		r.pending = slices.DeleteFunc(r.pending, func(c string) bool { return c == cid })
		r.dirty = true
		r.c.Log.Info("pinned", "cid", cid, "took", took.Round(time.Millisecond).String(), "pending", len(r.pending))
		return
	}
	again := r.retries[cid]
	again.pause = min(max(2*again.pause, r.c.Retry), 64*r.c.Retry)
	again.next = time.Now().Add(again.pause)
	r.retries[cid] = again
	r.c.Log.Warn("not pinned, trying again", "cid", cid, "error", err.Error(), "pause", again.pause.String())
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
