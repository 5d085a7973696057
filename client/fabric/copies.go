package fabric

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Keepers returns the rules of copies, and the keepers with their last words.
//
// Errors:
//   - ErrInvalid if the chaincode is of a release before keepers.
func (g *Gateway) Keepers(ctx context.Context) (out ledger.Consortium, err error) {
	return out, g.evaluate(ctx, &out, ledger.ReplicaKeepers)
}

// Pins returns the receipts for the payloads that transactions registered. The own peer
// is believed.
func (g *Gateway) Pins(ctx context.Context, txs []string) (all []ledger.PinReceipt, err error) {
	for part := range slices.Chunk(txs, ledger.MaxPinReceipts) {
		var out []ledger.PinReceipt
		if err := g.evaluate(ctx, &out, ledger.ReplicaPins, part); err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// Keep says that the hospital's keeper is there, and adds payloads to its receipts and
// takes some out. It takes any number, in several transactions. Payloads need their Tx.
// Calls must not overlap: each replaces what it has read.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrInvalid if the chaincode is of a release before keepers.
//   - Those of any transaction.
func (g *Gateway) Keep(ctx context.Context, node string, pinned, unpinned []ledger.Payload) error {
	changes := map[string]*pinChange{}
	change := func(p ledger.Payload) *pinChange {
		if changes[p.Tx] == nil {
			changes[p.Tx] = &pinChange{}
		}
		return changes[p.Tx]
	}
	for _, p := range pinned {
		c := change(p)
		c.add = append(c.add, ledger.MarkOf(p.CID))
	}
	for _, p := range unpinned {
		c := change(p)
		c.remove = append(c.remove, ledger.MarkOf(p.CID))
	}
	delete(changes, "") // of payloads of which the transaction is not known
	own, err := g.Keepers(ctx)
	if err != nil {
		return err
	}
	txs := slices.Sorted(maps.Keys(changes))
	if len(txs) == 0 {
		return g.keep(ctx, own.Own, ledger.Presence{Node: node, Pins: []ledger.PinReceipt{}})
	}
	for part := range slices.Chunk(txs, ledger.MaxPinReceipts) {
		receipts, err := g.changed(ctx, part, changes)
		if err != nil {
			return err
		}
		for len(receipts) > 0 {
			n, marks := 0, 0
			for n < len(receipts) && marks+receipts[n].count() <= ledger.MaxPinMarks {
				marks += receipts[n].count()
				n++
			}
			p := ledger.Presence{Node: node}
			for _, r := range receipts[:max(n, 1)] {
				p.Pins = append(p.Pins, r.PinReceipt)
			}
			if err := g.keep(ctx, own.Own, p); err != nil {
				return err
			}
			receipts = receipts[max(n, 1):]
		}
	}
	return nil
}

// A pinChange is what changes in a receipt.
type pinChange struct{ add, remove []ledger.PayloadMark }

// A packedReceipt is a receipt with its marks.
type packedReceipt struct {
	ledger.PinReceipt
	packed []byte
}

func (r packedReceipt) count() int { return len(r.packed) / ledger.MarkSize }

// changed reads the receipts for some transactions, and changes them.
func (g *Gateway) changed(ctx context.Context, txs []string, changes map[string]*pinChange) ([]packedReceipt, error) {
	there, err := g.Pins(ctx, txs)
	if err != nil {
		return nil, err
	}
	before := map[string][]ledger.PayloadMark{}
	for _, r := range there {
		if r.Keeper != g.MSP() {
			continue
		}
		if before[r.Tx], err = r.Marks(); err != nil {
			return nil, ledger.Errorf(ledger.ErrTampered, "the peer gave a receipt for transaction %s that is malformed: %v", r.Tx, err)
		}
	}
	var receipts []packedReceipt
	for _, tx := range txs {
		c := changes[tx]
		marks := slices.DeleteFunc(before[tx], func(m ledger.PayloadMark) bool { return slices.Contains(c.remove, m) })
		packed := ledger.PackMarks(append(marks, c.add...))
		receipts = append(receipts, packedReceipt{ledger.PinReceipt{Tx: tx, Payloads: base64.StdEncoding.EncodeToString(packed)}, packed})
	}
	return receipts, nil
}

// keep puts receipts on the ledger.
func (g *Gateway) keep(ctx context.Context, rules ledger.CopyRules, p ledger.Presence) error {
	_, err := g.submit(ctx, nil, func(s stamp) (w writes) {
		var renewed writes // with rules that are new
		for _, w := range []*writes{&w, &renewed} {
			w.put(ledger.KeeperKey(g.MSP()), ledger.KeeperValue(ledger.Keeper{MSP: g.MSP(), Node: p.Node, Time: s.time}))
			for _, r := range p.Pins {
				if packed, _ := base64.StdEncoding.DecodeString(r.Payloads); len(packed) > 0 { // encoded by changed
					w.put(ledger.PinsKey(r.Tx, g.MSP()), packed)
				} else {
					w.delete(ledger.PinsKey(r.Tx, g.MSP()))
				}
			}
		}
		renewed.put(ledger.CopyRulesKey, ledger.CopyRulesValue(rules))
		w.or = &renewed
		return w
	}, ledger.ReplicaKeep, p)
	return err
}
