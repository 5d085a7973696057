package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// Amend seals the one source as the next version of a record of the own hospital. What
// was said of Seal holds here too.
//
// The version before is no longer found by terms that the new one does not have: delete
// entries are written for them, beside the new entries. That takes opening its envelope,
// which leaves an access entry. When that is not possible there is a warning, and so
// there is without a scope, for then no entries are written at all.
func (c *Client) Amend(ctx context.Context, r AmendRequest) (Sealed, error) {
	sealed, err := c.amend(ctx, r)
	if err != nil {
		return Sealed{}, fmt.Errorf("amend record %s: %w", r.ID, err)
	}
	return sealed, nil
}

func (c *Client) amend(ctx context.Context, r AmendRequest) (Sealed, error) {
	var none Sealed
	if len(r.Sources) != 1 {
		return none, ledger.Errorf(ErrInvalid, "a version has one source, not %d", len(r.Sources))
	}
	current, err := c.version(ctx, r.ID, 0)
	if err != nil {
		return none, err
	}
	if current.Home != c.ledger.MSP() {
		return none, ledger.Errorf(ErrDenied, "its home is %s", current.Home)
	}
	j, err := c.newJob(ctx, r.SealRequest)
	if err != nil {
		return none, err
	}
	p := &parcel{id: r.ID, version: current.Version + 1}
	j.parcels = []*parcel{p}
	defer j.gather(ctx)()
	if err := j.prepare(ctx); err != nil {
		return none, j.abandon(ctx, err)
	}
	if err := j.unindex(ctx, p, current); err != nil {
		p.warnings = append(p.warnings, fmt.Sprintf("version %d may still be found by its own keywords: %v", current.Version, err))
	}
	if err := sealTogether(ctx, []*shipment{{j, j.parcels}}); err != nil {
		return none, j.abandon(ctx, err)
	}
	if err := j.commit(ctx, j.parcels, func(ctx context.Context) error {
		v, err := c.ledger.AmendRecord(ctx, ledger.NewVersion{ID: p.id, Version: p.version, CID: p.cid, Commitment: p.commitment}, p.envelope)
		if err != nil {
			j.keep = errors.Is(err, ErrUnknownOutcome)
			return err
		}
		p.registered = &v
		return nil
	}); err != nil {
		return none, j.abandon(ctx, err)
	}
	j.flushDue(ctx)
	return j.sealed()[0], nil
}

// unindex adds delete entries for the terms by which the record is found and the parcel
// is not: those of the last version that was indexed, which is the one before unless that
// was sealed without a scope.
func (j *job) unindex(ctx context.Context, p *parcel, before ledger.RecordVersion) error {
	if j.scope == nil {
		return errors.New("no index entries are written")
	}
	purpose, err := checkPurpose(j.request.Purpose)
	if err != nil {
		return err
	}
	entries, err := j.c.ledger.RequestAccess(ctx, []string{p.id}, purpose)
	if err != nil {
		return err
	}
	m, facts, err := j.c.formerBy(ctx, before, entries[0].ID)
	for err == nil && m.Scope == "" {
		if before.Version == 1 {
			return nil // it never was indexed
		}
		if before, err = j.c.version(ctx, p.id, before.Version-1); err == nil {
			m, facts, err = j.c.formerBy(ctx, before, entries[0].ID)
		}
	}
	if err != nil {
		return err
	}
	key := *j.scope
	if m.Scope != j.request.Scope {
		keys, err := j.c.scopeKeys(ctx, m.Scope, purpose, true)
		if err != nil {
			return err
		}
		if key, err = keys.current(); err != nil {
			return err
		}
	}
	record, err := recordBytes(p.id)
	if err != nil {
		return err
	}
	kept := make(map[index.Term]bool)
	if m.Scope == j.request.Scope {
		for _, item := range p.facts.Items(record, uint32(p.version), index.Add) {
			kept[item.Term] = true // its newer posting counts, so the older one needs no delete
		}
	}
	var items []index.Item
	for _, item := range facts.Items(record, uint32(before.Version), index.Delete) {
		if !kept[item.Term] {
			items = append(items, item)
		}
	}
	deletes, err := key.Pend(items)
	p.entries = append(p.entries, deletes...)
	if err == nil && incomplete(m) {
		return errIncomplete
	}
	return err
}

// errIncomplete says that a record was given more keywords than its envelope had room
// for.
var errIncomplete = errors.New("its envelope had no room for all keywords that it was given")

func incomplete(m *envelope.Metadata) bool { return m.Facts == nil && m.Partial }

// formerBy opens the envelope of a version that is on the ledger, with an access entry
// for the record, and tells by what the version was indexed.
func (c *Client) formerBy(ctx context.Context, v ledger.RecordVersion, accessID string) (*envelope.Metadata, index.Facts, error) {
	var none index.Facts
	data, err := c.awaitPrivate(ctx, func() ([]byte, error) { return c.ledger.Envelope(ctx, v.ID, v.Version, accessID) })
	if err != nil {
		return nil, none, err
	}
	m, facts, err := openEnvelope(data, v, c.identities)
	if err == nil && m.Facts == nil {
		facts, err = c.readFacts(ctx, v, m, facts)
	}
	return m, facts, err
}

// readFacts finds the facts of a record whose envelope had no room for them: in the
// record itself.
func (c *Client) readFacts(ctx context.Context, v ledger.RecordVersion, m *envelope.Metadata, described index.Facts) (index.Facts, error) {
	if c.blobs == nil {
		return index.Facts{}, c.noStore()
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return index.Facts{}, err
	}
	defer blob.Close()
	sink := emr.NewSink()
	err = envelope.OpenPayload(sink, blob, m, v.Commitment)
	document := sink.Close()
	if err != nil {
		return index.Facts{}, fmt.Errorf("read record %s: %w", v.ID, err)
	}
	return mergeFacts(described, document.Facts()), nil
}
