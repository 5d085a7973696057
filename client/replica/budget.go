package replica

import (
	"context"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// member returns the account of a hospital. The caller holds mu.
func (r *Replicator) member(msp string) *member {
	m := r.members[msp]
	if m == nil {
		m = &member{}
		r.members[msp] = m
	}
	return m
}

// budget gives the bytes that may be kept for a hospital.
func (r *Replicator) budget(msp string) int64 {
	if b, ok := r.c.Budgets[msp]; ok {
		return b
	}
	return r.c.Budget
}

// room gives the bytes that may still be fetched for a hospital. The caller holds mu.
func (r *Replicator) room(msp string) int64 {
	if msp != "" && msp == r.c.Own {
		return ledger.MaxPayload
	}
	m := r.member(msp)
	return max(r.budget(msp)-m.Used-m.reserved, 0)
}

// refuse takes a payload out of the queue for good. The caller holds mu.
func (r *Replicator) refuse(e *entry, reason string) {
	r.remove(e)
	m := r.member(e.Home)
	if len(m.Refused) == 0 && m.More == 0 {
		r.c.Log.Warn("payload refused; 'chartseal keeper status' counts the next ones",
			"home", e.Home, "cid", e.CID, "size", e.Size, "reason", reason)
	}
	m.Refused = append(m.Refused, ledger.Refusal{CID: e.CID, Size: e.Size, Reason: reason})
	m.Bytes += e.Size
	if extra := len(m.Refused) - maxRefused; extra > 0 {
		m.Refused, m.More = slices.Delete(m.Refused, 0, extra), m.More+extra
	}
	m.changed, r.dirty = true, true
}

// reconsider puts refused payloads back into the queue if the budget has room for them
// now.
func (r *Replicator) reconsider() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for msp, m := range r.members {
		for _, f := range r.allow(msp, m) {
			r.add(ledger.Payload{CID: f.CID, Size: f.Size, Home: msp})
		}
	}
}

// allow takes back refusals for which a member's budget has room now. The caller holds
// mu.
func (r *Replicator) allow(msp string, m *member) (allowed []ledger.Refusal) {
	room := r.room(msp)
	m.Refused = slices.DeleteFunc(m.Refused, func(f ledger.Refusal) bool {
		if f.Reason != ledger.RefusedBudget || f.Size > room || f.Size == 0 && room == 0 {
			return false
		}
		room -= f.Size
		m.Bytes -= f.Size
		m.changed, r.dirty = true, true
		allowed = append(allowed, f)
		return true
	})
	return allowed
}

// keepReporting reports refusals until ctx ends. A report that fails is tried again.
func (r *Replicator) keepReporting(ctx context.Context) {
	for r.c.Report != nil && ctx.Err() == nil {
		sleep(ctx, time.Second)
		for _, k := range r.dueReports() {
			if err := r.c.Report(ctx, k); err != nil && ctx.Err() == nil {
				r.c.Log.Warn("refusals not reported, trying again", "home", k.Home, "error", err.Error())
				r.mu.Lock()
				r.member(k.Home).changed = true
				r.mu.Unlock()
			}
		}
	}
}

func (r *Replicator) dueReports() (due []ledger.Keeping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for msp, m := range r.members {
		if !m.changed || msp == "" || msp == r.c.Own || time.Since(m.reported) < reportPause {
			continue
		}
		m.changed, m.reported = false, time.Now()
		due = append(due, ledger.Keeping{Home: msp, Kept: m.Used, Budget: r.budget(msp),
			Refused: len(m.Refused) + m.More, RefusedBytes: m.Bytes,
			Newest: slices.Clone(m.Refused[max(len(m.Refused)-ledger.MaxRefusals, 0):])})
	}
	return due
}
