package replica

import (
	"context"
	"slices"
	"time"
)

// enqueue adds the payloads of a transaction to the queue, once there is room, and saves
// the queue before it returns.
func (r *Replicator) enqueue(ctx context.Context, cids []string) error {
	for r.untried() >= maxWaiting {
		if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.mu.Lock()
	r.linger()
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

// linger starts the time that new payloads wait for others, unless it runs already. The
// caller holds mu.
func (r *Replicator) linger() {
	for _, cid := range r.pending {
		if _, failed := r.retries[cid]; !failed && !r.busy[cid] {
			return
		}
	}
	r.due = time.Now().Add(r.c.Linger)
	time.AfterFunc(r.c.Linger, r.signal)
}

// untried counts payloads that have not failed yet. Payloads that have failed must not
// delay the others.
func (r *Replicator) untried() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) - len(r.retries)
}

// work pins payloads until ctx ends.
func (r *Replicator) work(ctx context.Context) {
	for ctx.Err() == nil {
		cids, retrying := r.next()
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
			r.pinOne(ctx, cids[0])
		} else {
			r.pinBatch(ctx, cids)
		}
		if retrying {
			r.retrying.Add(-1)
		}
	}
}

// pinBatch asks for several payloads at once, and leaves the missing ones for later.
func (r *Replicator) pinBatch(ctx context.Context, cids []string) {
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

func (r *Replicator) pinOne(ctx context.Context, cid string) {
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

// next chooses payloads for one request, or none. Payloads that were never tried come
// first. Of those that failed and are due again, the ones that failed once are tried
// together, as it may have been the node's fault, and the others one by one. At most half
// of the workers try again, so that payloads that do not exist delay the others little.
func (r *Replicator) next() (chosen []string, retrying bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	var due string    // the oldest that failed and is due again
	var once []string // due again after one failure
	for _, cid := range r.pending {
		failure, failed := r.retries[cid]
		switch {
		case r.busy[cid]:
		case !failed:
			if len(chosen) < maxBatch {
				chosen = append(chosen, cid)
			}
		case now.After(failure.next):
			if due == "" {
				due = cid
			}
			if failure.pause == r.c.Retry && len(once) < maxBatch {
				once = append(once, cid)
			}
		}
	}
	if len(chosen) < maxBatch && now.Before(r.due) {
		chosen = nil
	}
	if len(chosen) == 0 && due != "" && int(r.retrying.Load()) < max(1, r.c.Parallel/2) {
		chosen, retrying = []string{due}, true
		if slices.Contains(once, due) {
			chosen = once
		}
		r.retrying.Add(1)
	}
	for _, cid := range chosen {
		r.busy[cid] = true
	}
	return chosen, retrying
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
	t := r.retries[cid]
	t.pause = min(max(2*t.pause, r.c.Retry), 64*r.c.Retry)
	t.next = time.Now().Add(t.pause)
	r.retries[cid] = t
	r.c.Log.Warn("not pinned, trying again", "cid", cid, "error", err.Error(), "pause", t.pause.String())
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
