package replica

import (
	"context"
	"slices"
	"time"
)

// hear notes the payloads of a transaction, once there is room, and returns when that is
// saved.
func (r *Replicator) hear(ctx context.Context, cids []string) error {
	for r.waiting() >= maxWaiting {
		if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.mu.Lock()
	r.expect()
	for _, cid := range cids {
		if !slices.Contains(r.pending, cid) {
			r.pending = append(r.pending, cid)
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

// expect lets new payloads wait for company, unless some wait already.
func (r *Replicator) expect() {
	for _, cid := range r.pending {
		if _, failed := r.retries[cid]; !failed && !r.busy[cid] {
			return
		}
	}
	r.due = time.Now().Add(r.c.Linger)
	time.AfterFunc(r.c.Linger, r.signal)
}

// waiting counts pending payloads that have not failed yet: those that failed must not
// hold up the rest.
func (r *Replicator) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) - len(r.retries)
}

// fetch pins payloads until ctx ends, those that were never tried several at a time.
func (r *Replicator) fetch(ctx context.Context) {
	for ctx.Err() == nil {
		cids, again := r.take()
		if len(cids) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-r.wake:
				continue
			}
		}
		r.signal() // another worker may find more
		if len(cids) == 1 {
			r.one(ctx, cids[0])
		} else {
			r.together(ctx, cids)
		}
		if again {
			r.again.Add(-1)
		}
	}
}

// together leaves those that do not come to be tried by themselves.
func (r *Replicator) together(ctx context.Context, cids []string) {
	start := time.Now()
	pinCtx, cancel := context.WithTimeout(ctx, r.c.PinTimeout)
	defer cancel()
	pinned, err := r.c.Store.PinAll(pinCtx, cids)
	if len(pinned) > 0 {
		r.finish(pinned, time.Since(start))
	}
	if err == nil {
		return
	}
	for _, cid := range cids {
		switch {
		case slices.Contains(pinned, cid):
		case ctx.Err() != nil:
			r.release(cid)
		default:
			r.postpone(cid, err)
		}
	}
}

func (r *Replicator) one(ctx context.Context, cid string) {
	start := time.Now()
	pinCtx, cancel := context.WithTimeout(ctx, r.c.PinTimeout)
	defer cancel()
	switch err := r.c.Store.Pin(pinCtx, cid); {
	case err == nil:
		r.finish([]string{cid}, time.Since(start))
	case ctx.Err() != nil:
		r.release(cid)
	default:
		r.postpone(cid, err)
	}
}

// take gives payloads that are due, or none: those that were never tried, or else those
// that have failed, the first time once more together, as it may have been the node, and
// then one by one. Only half of the workers try again what has failed, so that whoever
// registers payloads that do not exist delays the others little.
func (r *Replicator) take() (chosen []string, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	var due string    // the oldest that has failed
	var once []string // failed once
	for _, cid := range r.pending {
		failure, failed := r.retries[cid]
		switch {
		case r.busy[cid]:
		case !failed:
			if len(chosen) < maxTogether {
				chosen = append(chosen, cid)
			}
		case now.After(failure.next):
			if due == "" {
				due = cid
			}
			if failure.pause == r.c.Retry && len(once) < maxTogether {
				once = append(once, cid)
			}
		}
	}
	if len(chosen) < maxTogether && now.Before(r.due) {
		chosen = nil
	}
	if len(chosen) == 0 && due != "" && int(r.again.Load()) < max(1, r.c.Parallel/2) {
		chosen, again = []string{due}, true
		if slices.Contains(once, due) {
			chosen = once
		}
		r.again.Add(1)
	}
	for _, cid := range chosen {
		r.busy[cid] = true
	}
	return chosen, again
}

func (r *Replicator) release(cid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, cid)
}

func (r *Replicator) finish(cids []string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := make(map[string]bool, len(cids))
	for _, cid := range cids {
		done[cid] = true
		delete(r.busy, cid)
		delete(r.retries, cid)
	}
	r.pending = slices.DeleteFunc(r.pending, func(cid string) bool { return done[cid] })
	r.dirty = true
	r.c.Log.Info("pinned", "first", cids[0], "payloads", len(cids), "took", took.Round(time.Millisecond).String(), "pending", len(r.pending))
}

func (r *Replicator) postpone(cid string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, cid)
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
