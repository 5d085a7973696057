package contract

import (
	"bytes"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Keep says that the caller's keeper is there, and which payloads its node has pinned.
// Each hospital has keys of its own, which only its keeper writes: nobody speaks for
// another hospital. The contract cannot tell whether the node has a payload.
//
// It also puts the consortium's rules on the ledger, if those of the servers that endorse
// are new. They have to agree on them.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrInvalid if a receipt is malformed or names a keeper, a transaction is given
//     twice, or there are too many.
func (c *Replica) Keep(ctx *Context, p ledger.Presence) error {
	who, err := c.admit(ctx, keepers)
	if err != nil {
		return err
	}
	if len(p.Node) > ledger.MaxNodeID || p.Node != "" && !isWord(p.Node) {
		return refuse(ledger.ErrInvalid, "%.80q is no peer ID of a node", p.Node)
	}
	if len(p.Pins) > ledger.MaxPinReceipts {
		return refuse(ledger.ErrInvalid, "%d receipts of pins: there may be %d", len(p.Pins), ledger.MaxPinReceipts)
	}
	seen, all := make(map[string]bool, len(p.Pins)), 0
	pins := make([][]ledger.PayloadMark, len(p.Pins))
	for i, r := range p.Pins {
		if pins[i], err = checkPinReceipt(r); err != nil {
			return err
		}
		if seen[r.Tx] {
			return refuse(ledger.ErrInvalid, "transaction %s is given twice", r.Tx)
		}
		seen[r.Tx] = true
		if all += len(pins[i]); all > ledger.MaxPinMarks {
			return refuse(ledger.ErrInvalid, "receipts of more than %d payloads", ledger.MaxPinMarks)
		}
	}
	rules, err := ctx.many([]string{ledger.CopyRulesKey})
	if err != nil {
		return err
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	var b batch
	b.raw(ledger.KeeperKey(who.msp), ledger.KeeperValue(ledger.Keeper{MSP: who.msp, Node: p.Node, Time: now}))
	if own := ledger.CopyRulesValue(c.copies); !bytes.Equal(own, rules[0]) {
		b.raw(ledger.CopyRulesKey, own)
	}
	for i, r := range p.Pins {
		if len(pins[i]) == 0 {
			b.delete(ledger.PinsKey(r.Tx, who.msp))
		} else {
			b.raw(ledger.PinsKey(r.Tx, who.msp), ledger.PackMarks(pins[i]))
		}
	}
	return c.write(ctx, &b)
}

func checkPinReceipt(r ledger.PinReceipt) ([]ledger.PayloadMark, error) {
	if !isHex(r.Tx, 32) {
		return nil, refuse(ledger.ErrInvalid, "%.80q is no transaction id", r.Tx)
	}
	if r.Keeper != "" {
		return nil, refuse(ledger.ErrInvalid, "a receipt names the keeper %.64q: it is always the caller's hospital", r.Keeper)
	}
	marks, err := r.Marks()
	if err != nil {
		return nil, refuse(ledger.ErrInvalid, "receipt for transaction %s: %v", r.Tx, err)
	}
	if len(marks) > ledger.MaxPinReceipted {
		return nil, refuse(ledger.ErrInvalid, "receipt for transaction %s: %d payloads, more than %d", r.Tx, len(marks), ledger.MaxPinReceipted)
	}
	return marks, nil
}

// Keepers gives the rules of copies and the keepers with their last words.
func (c *Replica) Keepers(ctx *Context) (ledger.Consortium, error) {
	out := ledger.Consortium{Rules: c.copies, Own: c.copies}
	values, err := ctx.many([]string{ledger.CopyRulesKey})
	if err != nil {
		return out, err
	}
	if len(values[0]) > 0 {
		if out.Rules, err = ledger.ReadCopyRules(values[0]); err != nil {
			return out, broken("read the ledger", err)
		}
	}
	out.Keepers, err = list[ledger.Keeper](ctx, ledger.KeeperPrefix)
	return out, err
}

// Pins gives the receipts for the payloads that transactions registered, in the order of
// the transactions and hospitals. It leaves out those that there are not.
//
// Errors:
//   - ErrInvalid if an id is malformed, or there are none or too many.
func (c *Replica) Pins(ctx *Context, txs []string) ([]ledger.PinReceipt, error) {
	if err := count("transactions", len(txs), ledger.MaxPinReceipts); err != nil {
		return nil, err
	}
	var at []string
	for _, tx := range txs {
		if !isHex(tx, 32) {
			return nil, refuse(ledger.ErrInvalid, "%.80q is no transaction id", tx)
		}
		for _, h := range c.hospitals {
			at = append(at, ledger.PinsKey(tx, h))
		}
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	return readAll(at, values, func(key string, value []byte) (ledger.PinReceipt, error) {
		r, err := ledger.ReadPinReceipt(key, value)
		if err != nil {
			return r, broken("read the ledger", err)
		}
		return r, nil
	})
}
