package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// maxPatientRecords bounds the Patient records that one search opens.
const maxPatientRecords = 4

// throughPatients widens a query by the identifiers in the Patient records of the
// patients that it names. A resource that was imported without its Patient has only the
// id of that resource, which people do not know. Opening a Patient record needs an
// access entry, as everywhere.
func (c *Client) throughPatients(ctx context.Context, q *index.Query, o SearchOptions, purpose string, out *Results) (*index.Query, error) {
	further := make(map[string][]index.Identifier)
	left := maxPatientRecords
	for _, patient := range q.Patients() {
		records, err := index.ParseQuery(patient + " and kind:fhir:Patient")
		if err != nil {
			return nil, err
		}
		answer, err := c.find(ctx, records, o, purpose, out)
		if err != nil {
			return nil, err
		}
		for _, hit := range answer.hits {
			if left--; left < 0 {
				out.Warnings = append(out.Warnings, fmt.Sprintf("more than %d Patient records: the identifiers of the rest were not looked up", maxPatientRecords))
				break
			}
			ids, err := c.identifiersIn(ctx, hit, purpose)
			switch {
			case errors.Is(err, ErrNotFound), errors.Is(err, ErrNotSatisfied), errors.Is(err, ErrRevoked):
				out.Warnings = append(out.Warnings, "a Patient record could not be opened: records that only it leads to are not found")
			case err != nil:
				return nil, err
			}
			further[patient] = append(further[patient], ids...)
		}
	}
	if len(further) == 0 {
		return q, nil
	}
	return q.Widen(further), nil
}

// identifiersIn returns the identifiers in a Patient record, without opening its payload.
func (c *Client) identifiersIn(ctx context.Context, hit index.Hit, purpose string) ([]index.Identifier, error) {
	h, err := c.access.handOutAgain(ctx, ledger.FormatRecordID(hit.Record), int(hit.Version), purpose)
	if err != nil {
		return nil, err
	}
	if h.version.Home != hit.Home { // another hospital than its home has indexed it
		return nil, nil
	}
	_, facts, _, err := c.openSigned(ctx, h.envelope, h.version, c.identities)
	return facts.Patients, err
}
