package fabric

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Reseal implements client.Ledger.
func (g *Gateway) Reseal(ctx context.Context, again []ledger.RecordVersion, envelopes [][]byte) ([]ledger.RecordVersion, error) {
	records := make([]ledger.NewRecord, len(again))
	numbers := make([]ledger.SealNumber, len(again))
	for i, v := range again {
		records[i] = ledger.NewRecord{ID: v.ID, CID: v.CID, Commitment: v.Commitment, Size: v.Size}
		numbers[i] = ledger.SealNumber{Version: v.Version, Seal: v.Seal}
	}
	packed, err := ledger.PackRecords(records)
	if err == nil && len(records) != len(envelopes) {
		err = ledger.Errorf(ledger.ErrInvalid, "%d versions and %d envelopes", len(records), len(envelopes))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ledger.RecordReseal, err)
	}
	known, err := g.seals(ctx, again)
	if err != nil {
		return nil, err
	}
	divided := ledger.DivideEnvelopes(envelopes)
	transient := map[string][]byte{
		ledger.TransientRecords: packed, ledger.TransientSeals: ledger.PackSeals(numbers), ledger.TransientEnvelopes: divided.Pack(),
	}
	versions := slices.Clone(again)
	var ended []ledger.End
	for _, v := range again {
		if was := known.payload[ledger.VersionName{ID: v.ID, Version: v.Version}]; was != v.CID {
			ended = append(ended, ledger.End{CID: was, Next: v.CID})
		}
	}
	_, err = g.submit(ctx, transient, func(s stamp) (w writes) {
		w.end(s, ended)
		after := maps.Clone(known.seals)
		for i := range versions {
			v := &versions[i]
			v.SealedBy, v.SealTime, v.SealTx = g.actor, s.time, s.tx
			w.put(ledger.SealKey(v.ID, v.Version, v.Seal), ledger.SealValue(*v))
			w.purgeWrapped(ledger.SealedKey(v.ID, v.Version, v.Seal-1))
			w.wrapped(ledger.SealedKey(v.ID, v.Version, v.Seal), divided.Value(i))
			after[v.ID] = after[v.ID].With(v.Version, v.Seal)
		}
		for id, numbers := range after {
			w.put(ledger.SealsKey(id), ledger.PackSeals(numbers))
		}
		for _, beginning := range divided.Beginnings {
			w.wrapped(ledger.BeginningKey(beginning), beginning)
		}
		return w
	}, ledger.RecordReseal)
	if err != nil {
		return nil, err
	}
	return versions, nil
}

// end expects that payloads are in a version no more.
func (w *writes) end(s stamp, ends []ledger.End) {
	if len(ends) == 0 {
		return
	}
	packed, err := ledger.PackEnds(ends)
	if err != nil {
		return // the ledger has none like this, and the transaction will not match
	}
	w.put(ledger.EndedKey(s.time, s.tx), packed)
}

// A sealState is how records are sealed.
type sealState struct {
	seals   map[string]ledger.SealNumbers // by record
	payload map[ledger.VersionName]string
}

// seals returns how the records of versions are sealed.
func (g *Gateway) seals(ctx context.Context, versions []ledger.RecordVersion) (none sealState, _ error) {
	var ids []string
	for _, v := range versions {
		ids = append(ids, v.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	records, err := g.Records(ctx, ids)
	if err != nil {
		return none, err
	}
	known := sealState{make(map[string]ledger.SealNumbers, len(ids)), make(map[ledger.VersionName]string)}
	for _, id := range ids {
		known.seals[id] = nil
	}
	for _, r := range records {
		if r.Earlier > 0 { // which it has not when it is asked for alone
			alone, err := g.Records(ctx, []string{r.ID})
			if err != nil || len(alone) == 0 {
				return none, ledger.WithKind(fmt.Errorf("record %s cannot be read: %w", r.ID, err), ledger.ErrUnavailable)
			}
			r = alone[0]
		}
		for _, v := range r.Versions {
			known.payload[ledger.VersionName{ID: v.ID, Version: v.Version}] = v.CID
			if v.Seal > 0 {
				known.seals[r.ID] = append(known.seals[r.ID], ledger.SealNumber{Version: v.Version, Seal: v.Seal})
			}
		}
	}
	return known, nil
}
