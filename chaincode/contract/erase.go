package contract

import (
	"slices"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Erase ends records: it purges all their wrapped keys from every peer, with their
// history, and leaves a tombstone that says who has done it, when, and a code for why.
// Only people of the home hospital whose role is one of [Config].Erasers may do that.
//
// If [Config].ErasePersons is 2, the first call for a record writes down who wants it
// erased, and the record stays. A call by somebody else, for the same reason, then ends
// it. The same person may call again, such as for another reason, and nothing is ended.
//
// Errors:
//   - ErrDenied unless the caller is such a person of the home hospital.
//   - ErrNotFound if there is no such record.
//   - ErrErased if a record was erased before.
//   - ErrInvalid if the reason is no code of ledger.ErasureReasons, an id or a signature
//     is malformed, a signature is another person's, an id is given twice, there are none
//     or too many, or the first person has given another reason.
func (c *Record) Erase(ctx *Context, reason string, erasures []ledger.NewErasure) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	if _, known := ledger.ErasureReasons[reason]; !known {
		return refuse(ledger.ErrInvalid, "%.40q is no reason to erase a record", reason)
	}
	ids, err := checkErasures(who, erasures)
	if err != nil {
		return err
	}
	records, err := ctx.records(ids)
	if err != nil {
		return err
	}
	at := make([]string, len(ids))
	for i, id := range ids {
		at[i] = ledger.ErasingKey(id)
	}
	waiting, err := ctx.many(at)
	if err != nil {
		return err
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	tx := ctx.GetStub().GetTxID()
	var b batch
	var ended []string
	var payloads []ledger.End
	for i, id := range ids {
		n := slices.IndexFunc(records, func(r ledger.Record) bool { return r.ID == id })
		if n < 0 {
			return refuse(ledger.ErrNotFound, "no record %s", id)
		}
		r := records[n]
		switch {
		case r.Erasure != nil:
			return gone(*r.Erasure)
		case r.Home != who.msp:
			return refuse(ledger.ErrDenied, "record %s belongs to %s: %s cannot erase it", id, r.Home, who.actor())
		case !slices.Contains(c.erasers, who.role):
			return refuse(ledger.ErrDenied, "%s has the role %.64q: records are erased by %s", who.actor(), who.role, strings.Join(c.erasers, ", "))
		case r.Earlier > 0:
			return refuse(ledger.ErrInvalid, "record %s has so many versions that it has to be erased alone", id)
		}
		e := ledger.Erasure{ID: id, Reason: reason, Actor: who.actor(), Time: now, Tx: tx, Signature: erasures[i].Signature}
		if c.erasePersons > 1 {
			first, confirmed, err := confirms(e, waiting[i])
			if err != nil {
				return err
			}
			if !confirmed {
				b.raw(ledger.ErasingKey(id), ledger.ErasureValue(e))
				continue
			}
			e.First = first
			b.delete(ledger.ErasingKey(id))
		}
		b.raw(ledger.ErasedKey(id), ledger.ErasureValue(e))
		for _, v := range r.Versions {
			b.purge(ledger.SealedKey(id, v.Version, v.Seal))
			payloads = append(payloads, ledger.End{CID: v.CID})
		}
		ended = append(ended, id)
	}
	if len(ended) > 0 {
		b.raw(ledger.ErasedTimeKey(now, tx), ledger.PackRecordIDs(ended))
	}
	b.end(now, tx, payloads)
	return c.write(ctx, &b)
}

// confirms tells whether an erasure confirms the one that waits, if any, and gives what
// the first person has signed.
func confirms(e ledger.Erasure, waiting []byte) (*ledger.Approval, bool, error) {
	if len(waiting) == 0 {
		return nil, false, nil
	}
	var first ledger.Erasure
	if err := decode(waiting, &first); err != nil {
		return nil, false, err
	}
	if first.Actor == e.Actor {
		return nil, false, nil
	}
	if first.Reason != e.Reason {
		return nil, false, refuse(ledger.ErrInvalid, "%s wants record %s erased for the reason %s, not %s: two persons have to give the same",
			first.Actor, e.ID, first.Reason, e.Reason)
	}
	return first.Approval(), true, nil
}

// Erasing gives the erasures of records that wait for a second person, in the order of
// the ids. It leaves out others. Every member of the channel may call it.
//
// Errors:
//   - ErrInvalid if an id is malformed, or there are none or too many.
func (c *Record) Erasing(ctx *Context, ids []string) ([]ledger.Erasure, error) {
	if err := count("record ids", len(ids), ledger.MaxErasures); err != nil {
		return nil, err
	}
	at := make([]string, len(ids))
	for i, id := range ids {
		if err := checkRecordID(id); err != nil {
			return nil, err
		}
		at[i] = ledger.ErasingKey(id)
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	waiting := []ledger.Erasure{}
	for _, value := range values {
		var e ledger.Erasure
		if len(value) == 0 {
			continue
		}
		if err := decode(value, &e); err != nil {
			return nil, err
		}
		waiting = append(waiting, e)
	}
	return waiting, nil
}

// checkErasures gives the ids of records to erase. The caller must have signed each
// erasure. The chaincode compares the certificate, and leaves the signature to readers.
func checkErasures(who caller, erasures []ledger.NewErasure) ([]string, error) {
	if err := count("erasures", len(erasures), ledger.MaxErasures); err != nil {
		return nil, err
	}
	ids := make([]string, len(erasures))
	for i, e := range erasures {
		if err := checkRecordID(e.ID); err != nil {
			return nil, err
		}
		if slices.Contains(ids[:i], e.ID) {
			return nil, refuse(ledger.ErrInvalid, "record %s is given twice", e.ID)
		}
		s, err := ledger.ParseSignature(e.Signature)
		if err != nil {
			return nil, refuse(ledger.ErrInvalid, "erasure of record %s: %v", e.ID, err)
		}
		if s.Certificate != ledger.IDOfCertificate(who.certificate) {
			return nil, refuse(ledger.ErrInvalid, "the erasure of record %s is not signed with the certificate of %s", e.ID, who.actor())
		}
		ids[i] = e.ID
	}
	return ids, nil
}

// erased makes the error of a record from its tombstone.
func erased(id string, tombstone []byte) error {
	e, err := readErasure(ledger.ErasedKey(id), tombstone)
	if err != nil {
		return err
	}
	return gone(e)
}

func gone(e ledger.Erasure) error {
	return refuse(ledger.ErrErased, "record %s was erased by %s at %s: %s", e.ID, e.Actor, e.Time, ledger.ErasureReasons[e.Reason])
}

func readErasure(key string, value []byte) (ledger.Erasure, error) {
	e, err := ledger.ReadErasure(key, value)
	if err != nil {
		return e, broken("read the ledger", err)
	}
	return e, nil
}
