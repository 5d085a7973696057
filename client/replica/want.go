package replica

import (
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// keepOnly makes the Replicator queue only new payloads that are the own hospital's to
// keep. Those in the queue stay there.
func (r *Replicator) keepOnly(ours func(ledger.Payload) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ours = ours
	if r.held != nil {
		close(r.held)
		r.held = nil
	}
}

// hold makes the Feed wait until keepOnly is called for the first time. The Replicator
// must not run yet.
func (r *Replicator) hold() { r.held = make(chan struct{}) }

// want queues payloads that should be pinned and are not. It leaves out those that the
// Replicator has refused, and those of a hospital of which it has refused so many that it
// does not know them by name.
func (r *Replicator) want(payloads []ledger.Payload) (queued int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pending := make(map[string]bool, len(r.pending))
	for _, e := range r.pending {
		pending[e.CID] = true
	}
	refused := make(map[string]bool)
	for _, m := range r.members {
		for _, f := range m.Refused {
			refused[f.CID] = true
		}
	}
	r.linger()
	for _, p := range payloads {
		if pending[p.CID] || refused[p.CID] || r.member(p.Home).More > 0 || p.Size > r.room(p.Home) {
			continue
		}
		r.add(p)
		queued++
	}
	return queued
}

// A queueState counts payloads that are not pinned yet.
type queueState struct{ queued, pinning, failed, refused int }

func (r *Replicator) queue() (q queueState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.pending {
		switch {
		case e.busy:
			q.pinning++
		case e.pause > 0:
			q.failed++
		default:
			q.queued++
		}
	}
	for _, m := range r.members {
		q.refused += len(m.Refused) + m.More
	}
	return q
}

// recount sets the bytes that are pinned for other hospitals to what was listed since a
// time, unless something was pinned meanwhile. It leaves out hospitals that are not
// listed.
func (r *Replicator) recount(listed map[string]int64, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.running > 0 {
			return
		}
	}
	if !r.pinned.Before(since) {
		return
	}
	for msp, m := range r.members {
		if bytes, known := listed[msp]; known && m.Used != bytes {
			m.Used, r.dirty = bytes, true
		}
	}
}
