package client

import (
	"context"
	"errors"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/convoy"
)

// A shipment is the parcels of one call of Seal that are registered together, at most [ledger.MaxRecordsPerCall].
type shipment struct {
	job     *job
	parcels []*parcel
}

// newRegistrar lets calls of Seal that run at the same time share transactions. What a transaction costs is mostly its signatures, which
// the number of records in it does not change. Its records are visibly one person's, of one moment; so are those of
// transactions that follow each other at once.
func newRegistrar() *convoy.Convoy[*shipment] {
	return &convoy.Convoy[*shipment]{
		Fits: func(group []*shipment, next *shipment) bool {
			n := len(next.parcels)
			for _, s := range group {
				n += len(s.parcels)
			}
			return n <= ledger.MaxRecordsPerCall && next.job.indexesLike(group[0].job)
		},
		Send: commitTogether,
		Part: func(group []*shipment, err error) bool {
			return !group[0].job.keep && !errors.Is(err, ErrUnavailable)
		},
	}
}

func (j *job) indexesLike(other *job) bool {
	return j.request.Index == other.request.Index && j.request.KeepEntries == other.request.KeepEntries
}

// commitTogether registers a group in one transaction, as one job.
func commitTogether(ctx context.Context, group []*shipment) error {
	first := group[0].job
	shared := &job{c: first.c, request: SealRequest{Index: first.request.Index, KeepEntries: first.request.KeepEntries}}
	for _, s := range group {
		shared.parcels = append(shared.parcels, s.parcels...)
	}
	err := shared.commit(ctx, shared.parcels, func(ctx context.Context) error { return shared.register(ctx, shared.parcels) })
	for _, s := range group {
		s.job.keep = shared.keep
	}
	return err
}
