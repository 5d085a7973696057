package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/trust"
)

// An EraseRequest asks to end records of the own hospital.
type EraseRequest struct {
	IDs    []string
	Reason string // a code of [ledger.ErasureReasons]

	// KeepEntries leaves the index's delete entries to a later FlushIndex, which a job
	// calls at intervals.
	KeepEntries bool

	Progress func(done int) // records so far; may be nil
}

// An Erased is the outcome of erasing one record.
type Erased struct {
	ID string `json:"id"`

	// Erasure is the tombstone; nil if the record stays until a second person erases it
	// too.
	Erasure  *ledger.Erasure `json:"erasure,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

// Erase ends records: their wrapped keys are purged from every peer, which is the
// promise, since the payloads open with nothing else. Hospitals then unpin the payloads.
// A tombstone stays on the ledger, with who has done it, when, and a code for why. The
// record is no longer found.
//
// The index forgets the words of a record by delete entries, for which Erase opens its
// envelopes. If it cannot, there is a warning: searches leave the record out all the
// same, but its entries stay in the index.
//
// In a consortium that wants two persons, the first call for a record only writes down
// who wants it erased.
//
// Errors:
//   - ErrInvalid if the reason is no code, or the first of two persons gave another one.
//   - ErrNotFound if there is no such record.
//   - ErrErased if a record was erased before.
//   - ErrDenied if a record belongs to another hospital, or the ledger refuses the
//     caller.
//   - ErrUnavailable if the ledger does not answer.
//   - ErrUnknownOutcome if nobody can tell whether a transaction was committed.
func (c *Client) Erase(ctx context.Context, r EraseRequest) ([]Erased, error) {
	done, err := c.erase(ctx, r)
	if err != nil {
		return done, fmt.Errorf("erase: %w", err)
	}
	return done, nil
}

func (c *Client) erase(ctx context.Context, r EraseRequest) (done []Erased, err error) {
	if len(r.IDs) == 0 {
		return nil, ledger.Errorf(ErrInvalid, "no record is named")
	}
	if _, known := ledger.ErasureReasons[r.Reason]; !known {
		return nil, ledger.Errorf(ErrInvalid, "%q is no reason to erase a record", r.Reason)
	}
	if err := c.author.Prepare(ctx); err != nil {
		return nil, err
	}
	ids := slices.Compact(slices.Sorted(slices.Values(r.IDs)))
	for part := range slices.Chunk(ids, ledger.MaxErasures) {
		erased, err := c.eraseTogether(ctx, part, r)
		done = append(done, erased...)
		if err != nil {
			return done, err
		}
		if r.Progress != nil {
			r.Progress(len(done))
		}
	}
	if r.KeepEntries {
		return done, nil
	}
	if err := c.flusher.FlushDue(ctx); err != nil && len(done) > 0 {
		last := &done[len(done)-1]
		last.Warnings = append(last.Warnings, fmt.Sprintf("the index's delete entries could not be written yet: they are kept in the outbox (%v)", err))
	}
	return done, nil
}

// eraseTogether erases up to [ledger.MaxErasures] records in one transaction.
func (c *Client) eraseTogether(ctx context.Context, ids []string, r EraseRequest) ([]Erased, error) {
	records, err := c.ledger.Records(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		switch {
		case i >= len(records) || records[i].ID != id:
			return nil, ledger.Errorf(ErrNotFound, "there is no record %s on the ledger", id)
		case records[i].Erasure != nil:
			return nil, fmt.Errorf("record %s: %w", id, access.Erased(*records[i].Erasure))
		case records[i].Home != c.ledger.MSP():
			return nil, ledger.Errorf(ErrDenied, "record %s: its home is %s", id, records[i].Home)
		}
	}
	done := make([]Erased, len(ids))
	asked := make([]ledger.NewErasure, len(ids))
	for i, id := range ids {
		done[i].ID = id
		s, err := c.author.Signer.Sign(trust.ErasureStatement(c.ledger.Channel(), id, r.Reason))
		if err != nil {
			return nil, err
		}
		asked[i] = ledger.NewErasure{ID: id, Signature: s.String()}
	}
	jobs, err := c.deletes(ctx, records, done)
	if err != nil {
		return nil, err
	}
	// The entries are in the outbox first: once the wrapped keys are gone, nobody can
	// make them. Each record has a job of its own, as some may wait for a second person.
	box := c.flusher.Box
	for _, job := range jobs {
		if err := box.Prepare(job); err != nil {
			return nil, err
		}
	}
	erasures, err := c.ledger.Erase(ctx, r.Reason, asked)
	ended := make(map[string]bool, len(erasures))
	for _, e := range erasures {
		ended[e.ID] = true
		done[slices.Index(ids, e.ID)].Erasure = &e
		c.access.Entries.Forget(e.ID, access.Managing)
	}
	for _, job := range jobs {
		switch {
		case errors.Is(err, ErrUnknownOutcome):
			box.Unknown(job.ID) // the next flush asks the ledger
		case ended[job.Records[0].ID]:
			err = errors.Join(err, box.Registered(job.ID))
		default:
			err = errors.Join(err, box.Drop(job.ID))
		}
	}
	if err != nil {
		return nil, err
	}
	return done, nil
}

// deletes makes the delete entries of records, a job for each, and warns of those that it
// cannot make.
func (c *Client) deletes(ctx context.Context, records []ledger.Record, done []Erased) (jobs []*outbox.Job, err error) {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	accesses, err := c.ledger.RequestAccess(ctx, ids, access.Managing)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]*index.ScopeKey) // by scope; nil if this person cannot write into it
	for i, r := range records {
		pending, err := c.deletesOf(ctx, r, accesses[0].ID, keys)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			done[i].Warnings = append(done[i].Warnings, fmt.Sprintf("its entries stay in the index, where searches leave them out: %v", err))
		}
		if len(pending) > 0 {
			v := r.Current()
			jobs = append(jobs, &outbox.Job{Entries: pending,
				Records: []outbox.Record{{ID: r.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment, Erased: true}}})
		}
	}
	return jobs, nil
}

// deletesOf makes the entries by which a record is no longer found by the words of any of
// its versions. The keys are those of scopes, and nil of scopes into which this person
// cannot write.
func (c *Client) deletesOf(ctx context.Context, r ledger.Record, accessID string, keys map[string]*index.ScopeKey) (pending []index.Pending, err error) {
	record, err := ledger.ParseRecordID(r.ID)
	if err != nil {
		return nil, err
	}
	type place struct {
		scope string
		term  index.Term
	}
	seen := make(map[place]bool)
	newest := uint32(r.Current().Version)
	for _, v := range slices.Backward(r.Versions) {
		m, facts, err := c.indexedFacts(ctx, v, accessID)
		if err != nil {
			return pending, err
		}
		if m.Scope == "" {
			continue
		}
		key, known := keys[m.Scope]
		if !known {
			held, err := c.scopes.NewestKey(ctx, m.Scope, access.Managing)
			if err != nil && !errors.Is(err, ErrNotSatisfied) {
				return pending, err
			}
			if err == nil {
				key = &held
			}
			keys[m.Scope] = key
		}
		if key == nil {
			return pending, ledger.Errorf(ErrNotSatisfied, "the key of scope %s is not held", m.Scope)
		}
		var items []index.Item
		for _, item := range facts.Items(record, newest, index.Delete) {
			if at := (place{m.Scope, item.Term}); !seen[at] {
				seen[at] = true
				items = append(items, item)
			}
		}
		entries, err := key.Pend(items)
		if err != nil {
			return pending, err
		}
		pending = append(pending, entries...)
	}
	return pending, nil
}
