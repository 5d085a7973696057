package fabric

import (
	"context"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// Erase implements client.Ledger.
func (g *Gateway) Erase(ctx context.Context, reason string, erasures []ledger.NewErasure) ([]ledger.Erasure, error) {
	ids := make([]string, len(erasures))
	for i, e := range erasures {
		ids[i] = e.ID
	}
	records, err := g.Records(ctx, ids)
	if err != nil {
		return nil, err
	}
	var waiting []ledger.Erasure
	if err := g.evaluate(ctx, &waiting, ledger.RecordErasing, ids); err != nil {
		return nil, err
	}
	_, err = g.submit(ctx, nil, func(s stamp) (w writes) {
		var together writes
		var confirmed []string
		var payloads, late []ledger.End
		for _, n := range erasures {
			e := ledger.Erasure{ID: n.ID, Reason: reason, Actor: g.actor, Time: s.time, Tx: s.tx, Signature: n.Signature}
			payloads = append(payloads, w.erase(e, records)...)
			i := slices.IndexFunc(waiting, func(e ledger.Erasure) bool { return e.ID == n.ID && e.Actor != g.actor })
			if i < 0 {
				together.put(ledger.ErasingKey(n.ID), ledger.ErasureValue(e))
				continue
			}
			e.First = waiting[i].Approval()
			late = append(late, together.erase(e, records)...)
			together.delete(ledger.ErasingKey(n.ID))
			confirmed = append(confirmed, n.ID)
		}
		w.put(ledger.ErasedTimeKey(s.time, s.tx), ledger.PackRecordIDs(ids))
		w.end(s, payloads)
		together.end(s, late)
		if len(confirmed) > 0 {
			together.put(ledger.ErasedTimeKey(s.time, s.tx), ledger.PackRecordIDs(confirmed))
		}
		w.or = &together
		return w
	}, ledger.RecordErase, reason, erasures)
	if err != nil {
		return nil, err
	}
	if records, err = g.Records(ctx, ids); err != nil {
		return nil, ledger.WithKind(err, client.ErrUnknownOutcome)
	}
	var done []ledger.Erasure
	for _, r := range records {
		if r.Erasure != nil {
			done = append(done, *r.Erasure)
		}
	}
	return done, nil
}

// erase expects that a record is erased, and returns its payloads.
func (w *writes) erase(e ledger.Erasure, records []ledger.Record) (payloads []ledger.End) {
	w.put(ledger.ErasedKey(e.ID), ledger.ErasureValue(e))
	for _, r := range records {
		if r.ID != e.ID {
			continue
		}
		for _, v := range r.Versions {
			w.purgeWrapped(ledger.SealedKey(v.ID, v.Version, v.Seal))
			payloads = append(payloads, ledger.End{CID: v.CID})
		}
	}
	return payloads
}

// AuditErasures implements client.Ledger.
func (g *Gateway) AuditErasures(ctx context.Context, q ledger.ErasureQuery) (out ledger.ErasurePage, err error) {
	err = g.evaluate(ctx, &out, ledger.AuditErasures, q)
	return out, err
}

// Confirm puts receipts for erased records on the ledger, see [ledger.ReplicaConfirm].
func (g *Gateway) Confirm(ctx context.Context, receipts []ledger.NewReceipt) error {
	_, err := g.submit(ctx, nil, func(s stamp) (w writes) {
		for _, r := range receipts {
			w.put(ledger.ReceiptKey(r.Record, g.MSP()), ledger.ReceiptValue(ledger.Receipt{Record: r.Record, Keeper: g.MSP(),
				Keys: r.Keys, Payloads: r.Payloads, Actor: g.actor, Time: s.time, Signature: r.Signature}))
		}
		return w
	}, ledger.ReplicaConfirm, receipts)
	return err
}

// Receipts implements client.Ledger.
func (g *Gateway) Receipts(ctx context.Context, ids []string) (all []ledger.Receipt, err error) {
	for part := range slices.Chunk(ids, ledger.MaxErasures) {
		var out []ledger.Receipt
		if err := g.evaluate(ctx, &out, ledger.ReplicaReceipts, part); err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// Purged returns those of up to [ledger.MaxErasures] erased records of which the own peer
// has no wrapped key.
func (g *Gateway) Purged(ctx context.Context, ids []string) (purged []string, err error) {
	return purged, g.evaluate(ctx, &purged, ledger.ReplicaPurged, ids)
}
