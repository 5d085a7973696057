package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/register"
)

// An AmendRequest asks for a new version of a record.
type AmendRequest struct {
	ID          string
	SealRequest // exactly one source
}

// Amend seals the one source as the next version of a record of the own hospital. The
// guarantees of [Client.Seal] hold here too.
//
// The version before is no longer found by terms that the new one does not have: delete
// entries are written for them, beside the new entries. For that Amend opens the envelope
// before, which leaves an access entry. If it cannot, or the request names no scope,
// there is a warning and the old terms stay findable.
//
// Errors:
//   - ErrInvalid if there is not exactly one source.
//   - ErrNotFound if there is no such record.
//   - ErrDenied if another hospital is the record's home.
//   - ErrExists if somebody else has amended it meanwhile.
//   - those of Seal.
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
	r.Sources = []Source{r.Sources[0]}
	r.Sources[0].ID = "" // Amend ignores it
	current, err := c.access.Version(ctx, r.ID, 0)
	if err != nil {
		return none, err
	}
	if current.Home != c.ledger.MSP() {
		return none, ledger.Errorf(ErrDenied, "its home is %s", current.Home)
	}
	s, err := c.newSealing(ctx, r.SealRequest)
	if err != nil {
		return none, err
	}
	i := &register.Item{ID: r.ID, Version: current.Version + 1}
	s.items = []*register.Item{i}
	entries := s.contribute(ctx)
	defer entries.Close(ctx)
	if err := s.prepare(ctx); err != nil {
		return none, abandon(err)
	}
	if err := s.unindex(ctx, i, current); err != nil {
		i.Warn("version %d may still be found by its own keywords: %v", current.Version, err)
	}
	if err := c.registrar.Amend(ctx, s.batch(s.items)); err != nil {
		return none, abandon(err)
	}
	s.flush(ctx, entries)
	return s.sealed()[0], nil
}

// unindex adds delete entries for the terms by which the record is found and the item is
// not: those of the last version that was indexed, which is the one before unless that
// was sealed without a scope.
func (s *sealing) unindex(ctx context.Context, i *register.Item, before ledger.RecordVersion) error {
	if s.scope == nil {
		return errors.New("no index entries are written")
	}
	c := s.client
	purpose, err := access.CheckPurpose(s.request.Purpose)
	if err != nil {
		return err
	}
	entries, err := c.ledger.RequestAccess(ctx, []string{i.ID}, purpose)
	if err != nil {
		return err
	}
	m, facts, err := c.indexedFacts(ctx, before, entries[0].ID)
	for err == nil && m.Scope == "" {
		if before.Version == 1 {
			return nil // it never was indexed
		}
		if before, err = c.access.Version(ctx, i.ID, before.Version-1); err == nil {
			m, facts, err = c.indexedFacts(ctx, before, entries[0].ID)
		}
	}
	if err != nil {
		return err
	}
	key := *s.scope
	if m.Scope != s.request.Scope {
		if key, err = c.scopes.NewestKey(ctx, m.Scope, purpose); err != nil {
			return err
		}
	}
	record, err := ledger.ParseRecordID(i.ID)
	if err != nil {
		return err
	}
	kept := make(map[index.Term]bool)
	if m.Scope == s.request.Scope {
		for _, item := range i.Facts.Items(record, uint32(i.Version), index.Add) {
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
	i.Entries = append(i.Entries, deletes...)
	if err == nil && incomplete(m) {
		return errIncomplete
	}
	return err
}
