package replica

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// enqueue adds the payloads of a transaction to the queue, once there is room, and saves
// the queue before it returns.
func (r *Replicator) enqueue(ctx context.Context, payloads []ledger.Payload) error {
	if len(payloads) == 0 {
		return nil
	}
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for r.untried(payloads[0].Home) >= maxWaiting {
		if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.mu.Lock()
	r.linger()
	for _, p := range payloads {
		if r.ours == nil || r.ours(p) {
			r.add(p)
		}
	}
	r.mu.Unlock()
	if err := r.save(); err != nil {
		return err
	}
	r.signal()
	return nil
}

// add puts a payload at the end of the queue, unless it is there.
func (r *Replicator) add(p ledger.Payload) {
	if r.known[p] == nil {
		e := &entry{Payload: p}
		r.known[p] = e
		r.pending = append(r.pending, e)
		r.dirty = true
	}
}

// remove takes a payload out of the queue. The caller holds mu.
func (r *Replicator) remove(e *entry) {
	delete(r.known, e.Payload)
	r.pending = slices.DeleteFunc(r.pending, func(other *entry) bool { return other == e })
	r.dirty = true
}

// linger starts the time that new payloads wait for others, unless it runs already. The
// caller holds mu.
func (r *Replicator) linger() {
	for _, e := range r.pending {
		if e.pause == 0 && !e.busy {
			return
		}
	}
	r.due = time.Now().Add(r.c.Linger)
	time.AfterFunc(r.c.Linger, r.signal)
}

// untried counts a member's payloads that have not failed yet.
func (r *Replicator) untried(home string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.pending {
		if e.Home == home && e.pause == 0 {
			n++
		}
	}
	return n
}

// A job is one request to the store, for payloads of one member.
type job struct {
	entries  []*entry
	limit    int64 // for a single payload of unknown size
	reserved int64
	retrying bool
}

// work pins payloads until ctx ends.
func (r *Replicator) work(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	for ctx.Err() == nil {
		j := r.next()
		if j == nil {
			select {
			case <-ctx.Done():
			case <-r.wake:
			}
			continue
		}
		group.Go(func() {
			r.pin(ctx, j)
			r.signal()
		})
	}
}

func (r *Replicator) pin(ctx context.Context, j *job) {
	start := time.Now()
	pinCtx, cancel := context.WithTimeout(ctx, r.c.PinTimeout)
	defer cancel()
	var pinned, refused []string
	var size int64
	var err error
	if len(j.entries) == 1 {
		only := []string{j.entries[0].CID}
		switch size, err = r.c.Store.PinWithin(pinCtx, only[0], j.limit); {
		case err == nil:
			pinned = only
		case errors.Is(err, ledger.ErrInvalid):
			refused = only
		}
	} else {
		payloads := make([]ledger.Payload, len(j.entries))
		for i, e := range j.entries {
			payloads[i] = e.Payload
		}
		pinned, refused, err = r.c.Store.PinAllWithin(pinCtx, payloads)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.member(j.entries[0].Home)
	m.running--
	m.reserved -= j.reserved
	if j.retrying {
		m.retrying--
	}
	var kept []ledger.Payload
	for _, e := range j.entries {
		e.busy = false
		switch {
		case slices.Contains(pinned, e.CID):
			r.remove(e)
			m.Used += cmp.Or(e.Size, size)
			m.counting += cmp.Or(e.Size, size)
			kept = append(kept, e.Payload)
		case ctx.Err() != nil:
		case slices.Contains(refused, e.CID):
			r.refuse(e, ledger.RefusedSize)
		default:
			r.postpone(e, err)
		}
	}
	if len(kept) > 0 {
		r.pinned = time.Now()
		if r.c.Pinned != nil {
			r.c.Pinned(kept)
		}
		r.c.Log.Info("pinned", "first", pinned[0], "payloads", len(kept), "took", time.Since(start).Round(time.Millisecond).String(), "pending", len(r.pending))
	}
	r.giveUp(j.entries[0].Home)
}

// next chooses payloads of one member for one request, or returns nil. Members with fewer
// requests come first, and a request of each member always finds room.
func (r *Replicator) next() *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	queues := map[string][]*entry{}
	for _, e := range r.pending {
		queues[e.Home] = append(queues[e.Home], e)
		r.member(e.Home)
	}
	running, idle := 0, 0
	for _, m := range r.members {
		if running += m.running; m.running == 0 {
			idle++
		}
	}
	homes := slices.SortedFunc(maps.Keys(queues), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.members[a].running, r.members[b].running), cmp.Compare(a, b))
	})
	for _, home := range homes {
		m := r.members[home]
		if m.running > 0 && running+idle >= r.c.Parallel {
			break // the rest have at least as many
		}
		if j := r.nextOf(home, queues[home]); j != nil {
			m.running++
			m.reserved += j.reserved
			if j.retrying {
				m.retrying++
			}
			for _, e := range j.entries {
				e.busy = true
			}
			return j
		}
	}
	return nil
}

// nextOf chooses payloads of a member. Payloads that were never tried come first. Of
// those that failed and are due again, the ones that failed once are tried together, as
// it may have been the node's fault, and the others one by one. At most half of the
// requests try again, so that payloads that do not exist delay the others little.
func (r *Replicator) nextOf(home string, queue []*entry) *job {
	now := time.Now()
	var fresh, once []*entry
	var due *entry // the oldest that failed and is due again
	for _, e := range queue {
		switch {
		case e.busy:
		case e.pause == 0:
			fresh = append(fresh, e)
		case now.After(e.next):
			if due == nil {
				due = e
			}
			if e.pause == r.c.Retry {
				once = append(once, e)
			}
		}
	}
	if len(fresh) >= maxBatch || !now.Before(r.due) {
		if j := r.afford(home, fresh); j != nil {
			return j
		}
	}
	if due == nil || r.members[home].retrying >= max(1, r.c.Parallel/2) {
		return nil
	}
	again := []*entry{due}
	if slices.Contains(once, due) {
		again = once
	}
	j := r.afford(home, again)
	if j != nil {
		j.retrying = true
	}
	return j
}

// afford makes a request of the first payloads that a member's budget has room for, and
// refuses those before them that it has no room for. A payload of unknown size is asked
// for by itself, and may take all the room.
func (r *Replicator) afford(home string, entries []*entry) *job {
	j := &job{}
	room := r.room(home)
	unlimited := home != "" && home == r.c.Own
	for _, e := range entries {
		switch {
		case len(j.entries) == maxBatch:
			return j
		case e.Size > room && !unlimited, e.Size == 0 && room == 0:
			r.refuse(e, ledger.RefusedBudget)
		case e.Size == 0 && len(j.entries) > 0:
			return j
		case e.Size == 0:
			return &job{entries: []*entry{e}, limit: room, reserved: room}
		default:
			j.entries = append(j.entries, e)
			j.limit = e.Size
			j.reserved += e.Size
			room -= e.Size
		}
	}
	if len(j.entries) == 0 {
		return nil
	}
	return j
}

// postpone puts a payload off after a failure. The caller holds mu.
func (r *Replicator) postpone(e *entry, err error) {
	if e.pause == 0 {
		e.failed = time.Now()
	}
	e.pause = min(max(2*e.pause, r.c.Retry), 64*r.c.Retry)
	e.next = time.Now().Add(e.pause)
	r.c.Log.Warn("not pinned, trying again", "cid", e.CID, "error", err.Error(), "pause", e.pause.String())
}

// giveUp refuses a member's payloads that have failed for longest, if there are too many.
// It only does so if the store has pinned others meanwhile: else the store is to blame.
// The caller holds mu.
func (r *Replicator) giveUp(home string) {
	var failed []*entry
	for _, e := range r.pending {
		if e.Home == home && e.pause > 0 {
			failed = append(failed, e)
		}
	}
	for _, e := range failed[:max(len(failed)-maxFailed, 0)] {
		if !e.busy && e.pause == 64*r.c.Retry && r.pinned.After(e.failed.Add(e.pause)) {
			r.refuse(e, ledger.RefusedMissing)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
