package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
)

// A ResealRequest asks to change who may open records of the own hospital.
type ResealRequest struct {
	IDs []string

	// Policy is who may open the records from now on. Empty keeps the policy of each
	// version, and seals to the current keys of its attributes.
	Policy string

	// Without takes an attribute out of the policy of each version, as
	// [policy.Policy.Without] does. Only one of Policy, Without and Person is given.
	Without string

	// Person is an actor whose attributes were withdrawn. The policy of each version
	// stays. It is refused as long as their hospital has not rotated an attribute of the
	// policy since the version was sealed, as the person would still hold its key.
	Person string

	// PatientRecipient is the patient's own age recipient. Empty keeps the one that the
	// records were sealed to.
	PatientRecipient string

	// DropPatient takes the patient's own key away.
	DropPatient bool

	// NewPayload makes a new record key and payload, see [Client.Revoke].
	NewPayload bool

	Progress func(done int) // records so far; may be nil
}

// A Resealed is one version that was sealed again.
type Resealed struct {
	ID       string   `json:"id"`
	Version  int      `json:"version"`
	Seal     int      `json:"seal"`
	CID      string   `json:"cid"`
	Former   string   `json:"former"` // policy before, canonical
	Policy   string   `json:"policy"` // canonical
	Warnings []string `json:"warnings,omitempty"`
	Time     string   `json:"time"`
	Tx       string   `json:"tx"`
}

// Reseal seals all versions of records under another policy. It opens each envelope,
// which leaves an access entry with the purpose RECORDMGT, wraps the same record key
// anew, and has the former wrapped key purged from every peer. The payload stays. Who has
// opened a record before, or has kept its wrapped key, still opens what they kept: see
// [Client.Revoke].
//
// The records of one call are sealed together: those of one policy share its
// encapsulation. Up to [ledger.MaxNewRecords] versions are written in one transaction.
// After a failure those that were written stand, and are returned beside the error.
// Versions that are added while Reseal runs are sealed again too.
//
// Errors:
//   - ErrInvalid if the policy cannot be read, nobody satisfies one without the attribute
//     that is taken out, or no attribute of the person was rotated.
//   - ErrInvalid if a record was sealed to a patient's own key that is not known, and the
//     request says neither which nor to drop it.
//   - ErrNotFound if there is no such record, or no public key of an attribute.
//   - ErrErased if a record was erased.
//   - ErrNotSatisfied if the caller cannot open a record.
//   - ErrDenied if a record belongs to another hospital, or the ledger refuses the
//     caller.
//   - ErrExists if somebody else has changed a record meanwhile.
//   - ErrTampered if an envelope or its author's signature does not verify.
//   - ErrUnavailable if the ledger or the store does not answer.
//   - ErrUnknownOutcome if nobody can tell whether a transaction was committed.
func (c *Client) Reseal(ctx context.Context, r ResealRequest) ([]Resealed, error) {
	done, err := c.reseal(ctx, r)
	if err != nil {
		return done, fmt.Errorf("reseal: %w", err)
	}
	return done, nil
}

// Revoke is Reseal with a new record key and a new payload for each version. The payload
// before is in no record any more, and hospitals unpin it. So a wrapped key that somebody
// kept opens nothing that the consortium still stores. People who kept the plaintext keep
// it.
//
// Errors: those of Reseal.
func (c *Client) Revoke(ctx context.Context, r ResealRequest) ([]Resealed, error) {
	r.NewPayload = true
	done, err := c.reseal(ctx, r)
	if err != nil {
		return done, fmt.Errorf("revoke: %w", err)
	}
	return done, nil
}

func (c *Client) reseal(ctx context.Context, r ResealRequest) ([]Resealed, error) {
	if len(r.IDs) == 0 {
		return nil, ledger.Errorf(ErrInvalid, "no record is named")
	}
	if n := len(slices.DeleteFunc([]string{r.Policy, r.Without, r.Person}, func(s string) bool { return s == "" })); n > 1 {
		return nil, ledger.Errorf(ErrInvalid, "a policy, an attribute to take out and a person exclude each other")
	}
	if r.PatientRecipient != "" && r.DropPatient {
		return nil, ledger.Errorf(ErrInvalid, "a patient's key is both given and dropped")
	}
	if r.NewPayload && c.blobs == nil {
		return nil, c.noStore()
	}
	if r.Policy != "" { // before anything is asked for
		if _, err := c.audiences.Of(ctx, r.Policy, r.PatientRecipient); err != nil {
			return nil, err
		}
	}
	if err := c.author.Prepare(ctx); err != nil {
		return nil, err
	}
	s := &resealing{Client: c, r: r, covered: make(map[string]int)}
	ids := slices.Compact(slices.Sorted(slices.Values(r.IDs)))
	for len(ids) > 0 {
		n := min(len(ids), ledger.MaxRecordsPerCall)
		if err := s.records(ctx, ids[:n]); err != nil {
			return s.done, err
		}
		ids = ids[n:]
	}
	return s.done, nil
}

// records seals up to [ledger.MaxRecordsPerCall] records again.
func (s *resealing) records(ctx context.Context, ids []string) error {
	for before := len(s.covered); len(ids) > 0; {
		versions, err := s.uncovered(ctx, ids)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			break
		}
		accesses, err := s.ledger.RequestAccess(ctx, ids, access.Managing)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(versions, ledger.MaxNewRecords) {
			if err := s.versions(ctx, part, accesses[0].ID); err != nil {
				return err
			}
		}
		if s.r.Progress != nil {
			s.r.Progress(before + len(ids))
		}
		// A concurrent amendment may have sealed it as it was before.
	}
	return nil
}

// uncovered returns the versions of records that were not sealed again by this call.
func (s *resealing) uncovered(ctx context.Context, ids []string) (versions []ledger.RecordVersion, err error) {
	found, err := s.ledger.Records(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if i >= len(found) || found[i].ID != id {
			return nil, ledger.Errorf(ErrNotFound, "there is no record %s on the ledger", id)
		}
		r := found[i]
		switch {
		case r.Erasure != nil:
			return nil, fmt.Errorf("record %s: %w", id, access.Erased(*r.Erasure))
		case r.Home != s.ledger.MSP():
			return nil, ledger.Errorf(ErrDenied, "record %s: its home is %s", id, r.Home)
		case r.Earlier > 0:
			if alone, err := s.ledger.Records(ctx, []string{id}); err != nil {
				return nil, err
			} else if len(alone) == 1 {
				r = alone[0]
			}
		}
		for _, v := range r.Versions {
			if v.Version > s.covered[id] {
				versions = append(versions, v)
			}
		}
	}
	return versions, nil
}

// versions seals versions again, in one transaction.
func (s *resealing) versions(ctx context.Context, versions []ledger.RecordVersion, accessID string) error {
	items := make([]*sealedAgain, len(versions))
	g, gctx := errgroup.WithContext(ctx)
	limit := 8 // mostly waits for the peer
	if s.r.NewPayload {
		limit = s.parallel
	}
	g.SetLimit(limit)
	for i, v := range versions {
		g.Go(func() (err error) {
			if items[i], err = s.open(gctx, v, accessID); err != nil {
				return fmt.Errorf("record %s, version %d: %w", v.ID, v.Version, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	if err := s.wrap(ctx, items); err != nil {
		return err
	}
	again, envelopes := make([]ledger.RecordVersion, len(items)), make([][]byte, len(items))
	for i, item := range items {
		again[i], envelopes[i] = item.version, item.envelope
	}
	done, err := s.ledger.Reseal(ctx, again, envelopes)
	if errors.Is(err, ErrExists) || errors.Is(err, ErrConflict) {
		return ledger.WithKind(fmt.Errorf("somebody else has changed one of these records meanwhile: look at it, and try again (%w)", err), ErrExists)
	}
	if err != nil {
		return err
	}
	for i, v := range done {
		s.covered[v.ID] = max(s.covered[v.ID], v.Version)
		s.access.Entries.Forget(v.ID, access.Managing)
		s.done = append(s.done, Resealed{ID: v.ID, Version: v.Version, Seal: v.Seal, CID: v.CID, Former: items[i].former, Policy: items[i].to.Policy,
			Warnings: items[i].to.Warnings, Time: v.SealTime, Tx: v.SealTx})
	}
	return nil
}
