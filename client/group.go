package client

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/groupcommit"
)

// A shipment is the parcels of one call of Seal that are registered together, at most
// [ledger.MaxNewRecords].
type shipment struct {
	job     *job
	parcels []*parcel
}

// newRegistrar lets calls of Seal that run at the same time share transactions. What a
// transaction costs is mostly its signatures, which the number of records in it does not
// change. Its records are visibly one person's, of one moment; so are those of
// transactions that follow each other at once.
func newRegistrar() *groupcommit.Committer[*shipment] {
	return &groupcommit.Committer[*shipment]{
		Fits: func(group []*shipment, next *shipment) bool {
			n := len(next.parcels)
			for _, s := range group {
				n += len(s.parcels)
			}
			return n <= ledger.MaxNewRecords && next.job.indexesLike(group[0].job)
		},
		Commit: commitTogether,
		Retry: func(group []*shipment, err error) bool {
			return !group[0].job.keep && !errors.Is(err, ErrUnavailable)
		},
	}
}

func (j *job) indexesLike(other *job) bool {
	return j.request.Index == other.request.Index && j.request.KeepEntries == other.request.KeepEntries
}

// commitTogether seals the envelopes of a group and registers it in one transaction, as
// one job.
func commitTogether(ctx context.Context, group []*shipment) error {
	if err := sealTogether(ctx, group); err != nil {
		return err
	}
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

// sealTogether seals the envelopes of a group. Those of one policy share its
// encapsulation, whoever else each has as a recipient: it is most of the work, and the
// ledger stores it once.
func sealTogether(ctx context.Context, group []*shipment) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	policies := map[*abe.Recipient]*abe.SharedRecipient{}
	for _, s := range group {
		to := s.job.seat.recipients(groupOf(policies, s.job.seat.abe))
		for _, p := range s.parcels {
			g.Go(func() error {
				err := ctx.Err()
				if err == nil {
					p.envelope, err = p.draft.Seal(to...)
				}
				return err
			})
		}
	}
	return g.Wait()
}

// groupOf finds the group of a policy, or starts it. Two calls may have compiled the same
// policy each for itself.
func groupOf(policies map[*abe.Recipient]*abe.SharedRecipient, to *abe.Recipient) *abe.SharedRecipient {
	for other, group := range policies {
		if other == to || other.Equal(to) {
			return group
		}
	}
	policies[to] = to.Shared()
	return policies[to]
}
