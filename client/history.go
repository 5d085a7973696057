package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/envelope"
)

// A History is what a clinician may see of the life of a record.
type History struct {
	ID       string           `json:"id"`
	Home     string           `json:"home"`
	Erasure  *ledger.Erasure  `json:"erasure,omitempty"`
	Versions []HistoryVersion `json:"versions"` // oldest first

	// Accesses are the entries of the access log for the record: all of them for an
	// auditor, custodian or admin, and none for others, see Partial.
	Accesses []ledger.AccessEntry `json:"accesses,omitempty"`

	// Partial says that the accesses of others are for auditors and custodians only.
	Partial bool `json:"partial,omitempty"`
}

// A HistoryVersion is one version of a record.
type HistoryVersion struct {
	ledger.RecordVersion
	Current bool   `json:"current"`
	Policy  string `json:"policy,omitempty"` // who may open it, canonical; empty if the record was erased
	Name    string `json:"name,omitempty"`   // file name, if the caller can open the version

	// Opens says that the caller can open the version. Verified is then set if its
	// author's signature, and that of who has sealed it again, are right; it is not for a
	// version from before there were signatures.
	Opens    bool `json:"opens"`
	Verified bool `json:"verified"`
}

// History returns the versions of a record with their authors, policies and seals, and
// the accesses as far as the caller may see them. It asks for the wrapped keys, to verify
// the signatures, and so commits an access entry for the purpose, unless the record was
// erased. It does not open payloads.
//
// Errors:
//   - ErrInvalid if the purpose is no purpose of use.
//   - ErrNotFound if there is no such record.
//   - ErrDenied if the ledger refuses the caller.
//   - ErrTampered if a signature or an envelope does not verify.
//   - ErrUnavailable if the ledger does not answer.
func (c *Client) History(ctx context.Context, id, purpose string) (History, error) {
	h, err := c.history(ctx, id, purpose)
	if err != nil {
		return History{}, fmt.Errorf("history of record %s: %w", id, err)
	}
	return h, nil
}

func (c *Client) history(ctx context.Context, id, purpose string) (History, error) {
	var none History
	purpose, err := access.CheckPurpose(purpose)
	if err != nil {
		return none, err
	}
	records, err := c.ledger.Records(ctx, []string{id})
	if err != nil {
		return none, err
	}
	if len(records) != 1 || records[0].ID != id {
		return none, ledger.Errorf(ErrNotFound, "there is no such record on the ledger")
	}
	r := records[0]
	h := History{ID: id, Home: r.Home, Erasure: r.Erasure, Versions: make([]HistoryVersion, len(r.Versions))}
	if r.Erasure != nil {
		if err := c.trust.Erasure(ctx, *r.Erasure, r.Home); err != nil {
			return none, err
		}
	}
	var accessID string
	if r.Erasure == nil {
		entries, err := c.ledger.RequestAccess(ctx, []string{id}, purpose)
		if err != nil {
			return none, err
		}
		accessID = entries[0].ID
	}
	for i, v := range r.Versions {
		h.Versions[i] = HistoryVersion{RecordVersion: v, Current: i == len(r.Versions)-1}
		if r.Erasure != nil {
			continue
		}
		if err := c.describeVersion(ctx, &h.Versions[i], accessID); err != nil {
			return none, fmt.Errorf("version %d: %w", v.Version, err)
		}
	}
	q := ledger.AccessQuery{Record: id}
	for e, err := range c.AuditAccesses(ctx, q) {
		if errors.Is(err, ErrDenied) {
			h.Partial = true
			break
		}
		if err != nil {
			return none, err
		}
		h.Accesses = append(h.Accesses, e)
	}
	return h, nil
}

// describeVersion adds what the envelope of a version tells.
func (c *Client) describeVersion(ctx context.Context, h *HistoryVersion, accessID string) error {
	v, data, err := c.access.Envelope(ctx, h.RecordVersion, accessID)
	if err != nil {
		return err
	}
	h.RecordVersion = v
	header, err := envelope.ReadHeader(data)
	if err != nil {
		return err
	}
	if h.Policy, err = header.Policy(); err != nil {
		return err
	}
	m, _, signer, err := c.openSigned(ctx, data, v, c.identities)
	switch {
	case errors.Is(err, ErrNotSatisfied):
		return nil
	case err != nil:
		return err
	}
	h.Opens, h.Verified, h.Name = true, signer != nil, m.Name
	return nil
}
