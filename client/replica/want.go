package replica

import "github.com/chartseal/chartseal/chaincode/ledger"

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

// want queues payloads that should be pinned and are not, each with what its homes have
// registered. The first registration counts that the Replicator has not refused, of a
// hospital whose budget has room, and of which it has not refused so many that it does
// not know them by name: nobody takes another hospital's place with a wrong size.
func (r *Replicator) want(payloads [][]ledger.Payload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	type of struct{ cid, home string }
	pending := make(map[of]bool, len(r.pending))
	for _, e := range r.pending {
		pending[of{e.CID, e.Home}] = true
	}
	refused := make(map[of]bool)
	for home, m := range r.members {
		for _, f := range m.Refused {
			refused[of{f.CID, home}] = true
		}
	}
	r.linger()
	for _, registered := range payloads {
		for _, p := range registered {
			if refused[of{p.CID, p.Home}] || r.member(p.Home).More > 0 || p.Size > r.room(p.Home) {
				continue
			}
			if !pending[of{p.CID, p.Home}] {
				r.add(p)
			}
			break
		}
	}
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

// beginCount comes before the list of pins that recount gets.
func (r *Replicator) beginCount() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		m.counting = 0
	}
}

// recount sets the bytes that are pinned for other hospitals to what was listed, and what
// was pinned since. The list may have some of that already, until the next count.
// Refusals for which the budgets have room now are forgotten: what is still to be pinned
// is queued with what is missing. Hospitals that are not listed are left out.
func (r *Replicator) recount(listed map[string]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for msp, m := range r.members {
		bytes, known := listed[msp]
		if bytes += m.counting; known && m.Used != bytes {
			m.Used, r.dirty = bytes, true
		}
		r.allow(msp, m)
	}
}
