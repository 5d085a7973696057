package contract

import (
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Confirm puts a hospital's receipts for erased records on the ledger. Each pair of
// record and hospital has a key of its own, which only that hospital's keeper writes.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrNotFound if a record was not erased.
//   - ErrInvalid if a receipt is malformed or not signed with the caller's certificate, a
//     record is given twice, or there are none or too many.
func (c *Replica) Confirm(ctx *Context, receipts []ledger.NewReceipt) error {
	who, err := c.admit(ctx, keepers)
	if err != nil {
		return err
	}
	if err := count("receipts", len(receipts), ledger.MaxErasures); err != nil {
		return err
	}
	at := make([]string, len(receipts))
	for i, r := range receipts {
		if err := checkRecordID(r.Record); err != nil {
			return err
		}
		if at[i] = ledger.ErasedKey(r.Record); slices.Contains(at[:i], at[i]) {
			return refuse(ledger.ErrInvalid, "record %s is given twice", r.Record)
		}
		payloads := []string{ledger.ReceiptGone, ledger.ReceiptUnpinned, ledger.ReceiptPinned}
		if r.Keys != ledger.ReceiptGone || !slices.Contains(payloads, r.Payloads) {
			return refuse(ledger.ErrInvalid, "receipt for record %s: keys %.20q, payloads %.20q", r.Record, r.Keys, r.Payloads)
		}
		s, err := ledger.ParseSignature(r.Signature)
		if err != nil || s.Certificate != ledger.IDOfCertificate(who.certificate) {
			return refuse(ledger.ErrInvalid, "the receipt for record %s is not signed with the certificate of %s", r.Record, who.actor())
		}
	}
	values, err := ctx.many(at)
	if err != nil {
		return err
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	var b batch
	for i, r := range receipts {
		if len(values[i]) == 0 {
			return refuse(ledger.ErrNotFound, "record %s was not erased", r.Record)
		}
		b.raw(ledger.ReceiptKey(r.Record, who.msp), ledger.ReceiptValue(ledger.Receipt{Record: r.Record, Keeper: who.msp,
			Keys: r.Keys, Payloads: r.Payloads, Actor: who.actor(), Time: now, Signature: r.Signature}))
	}
	return c.write(ctx, &b)
}

// Receipts gives the hospitals' receipts for erased records, in the order of the ids and
// hospitals. It leaves out what there is none of. Every member of the channel may call
// it.
//
// Errors:
//   - ErrInvalid if an id is malformed, or there are none or too many.
func (c *Replica) Receipts(ctx *Context, ids []string) ([]ledger.Receipt, error) {
	if err := count("record ids", len(ids), ledger.MaxErasures); err != nil {
		return nil, err
	}
	var at []string
	for _, id := range ids {
		if err := checkRecordID(id); err != nil {
			return nil, err
		}
		for _, h := range c.hospitals {
			at = append(at, ledger.ReceiptKey(id, h))
		}
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	receipts := []ledger.Receipt{}
	for i, value := range values {
		if len(value) == 0 {
			continue
		}
		r, err := ledger.ReadReceipt(at[i], value)
		if err != nil {
			return nil, broken("read the ledger", err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// Purged tells which erased records have no wrapped key on this peer: neither the data
// nor its hash, of any seal of any version. It is evaluated at the peer that is asked.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrInvalid if an id is malformed, or there are none or too many.
func (c *Replica) Purged(ctx *Context, ids []string) ([]string, error) {
	if _, err := c.admit(ctx, keepers); err != nil {
		return nil, err
	}
	if err := count("record ids", len(ids), ledger.MaxErasures); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := checkRecordID(id); err != nil {
			return nil, err
		}
	}
	records, err := ctx.records(ids)
	if err != nil {
		return nil, err
	}
	purged := []string{}
	for _, r := range records {
		if r.Erasure == nil {
			continue
		}
		left, err := ctx.hasKeys(r)
		if err != nil {
			return nil, err
		}
		if !left {
			purged = append(purged, r.ID)
		}
	}
	return purged, nil
}

func (ctx *Context) hasKeys(r ledger.Record) (bool, error) {
	for _, v := range r.Versions {
		for seal := 0; seal <= v.Seal; seal++ {
			left, err := ctx.hasPrivate(ledger.SealedKey(v.ID, v.Version, seal))
			if err != nil || left {
				return left, err
			}
		}
	}
	return false, nil
}
