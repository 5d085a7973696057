package client

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// maxFlights is how many registrations of a Client are on their way at once before others wait for company.
const maxFlights = 2

// A registrar lets calls of Seal that run at the same time share transactions (group commit). What a transaction costs is
// mostly its signatures, which the number of records in it does not change. A call never waits for company that may not come: while
// few registrations are on their way its own goes at once, and otherwise with all that have come when one of those ends.
//
// A transaction's records are visibly one person's, of one moment. So are those of transactions that follow each other at once.
type registrar struct {
	mu      sync.Mutex
	flights int
	waiting []*shipment
}

// A shipment is the parcels of one call of Seal that are registered together.
type shipment struct {
	ctx    context.Context
	job    *job
	parcel []*parcel
	done   chan error // has room for one
}

// commit registers parcels of a job, at most [ledger.MaxRecordsPerCall], and returns when it is known what became of them. If ctx
// ends before they are on their way, they do not go.
func (r *registrar) commit(ctx context.Context, j *job, parcels []*parcel) error {
	s := &shipment{ctx: ctx, job: j, parcel: parcels, done: make(chan error, 1)}
	r.mu.Lock()
	alone := r.flights < maxFlights
	if alone {
		r.flights++
	} else {
		r.waiting = append(r.waiting, s)
	}
	r.mu.Unlock()
	if alone {
		err := s.commit()
		go r.land()
		return err
	}
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
	}
	r.mu.Lock()
	i := slices.Index(r.waiting, s)
	if i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	}
	r.mu.Unlock()
	if i >= 0 {
		return ctx.Err()
	}
	return <-s.done // it is on its way, with others
}

// land ends a flight: those that wait go, group after group, until nobody waits.
func (r *registrar) land() {
	for {
		group := r.next()
		if len(group) == 0 {
			return
		}
		fly(group)
	}
}

// next takes as many shipments as fit in one transaction and have the same way to be indexed as the first. When there are none it gives the
// flight back.
func (r *registrar) next() (group []*shipment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := ledger.MaxRecordsPerCall
	r.waiting = slices.DeleteFunc(r.waiting, func(s *shipment) bool {
		fits := len(s.parcel) <= room && (len(group) == 0 || s.job.indexesLike(group[0].job))
		if fits {
			room -= len(s.parcel)
			group = append(group, s)
		} else {
			room = 0 // nobody overtakes
		}
		return fits
	})
	if len(group) == 0 {
		r.flights--
	}
	return group
}

func (j *job) indexesLike(other *job) bool {
	return j.request.Index == other.request.Index && j.request.KeepEntries == other.request.KeepEntries
}

// fly registers a group in one transaction. If it is refused, each goes by itself, so that nobody fails for what another has done.
func fly(group []*shipment) {
	if len(group) == 1 {
		group[0].done <- group[0].commit()
		return
	}
	ctx, cancel := whileAnyWaits(group)
	defer cancel()
	shared := &job{c: group[0].job.c, request: SealRequest{Index: group[0].job.request.Index, KeepEntries: group[0].job.request.KeepEntries}}
	for _, s := range group {
		shared.parcels = append(shared.parcels, s.parcel...)
	}
	err := shared.commit(ctx, shared.parcels, func(ctx context.Context) error { return shared.register(ctx, shared.parcels) })
	var wg sync.WaitGroup
	for _, s := range group {
		if err != nil && !shared.keep && !errors.Is(err, ErrUnavailable) {
			wg.Go(func() { s.done <- s.commit() })
			continue
		}
		s.job.keep = shared.keep
		s.done <- err
	}
	wg.Wait()
}

func (s *shipment) commit() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return s.job.commit(s.ctx, s.parcel, func(ctx context.Context) error { return s.job.register(ctx, s.parcel) })
}

// whileAnyWaits is a context that ends when those of all shipments have ended.
func whileAnyWaits(group []*shipment) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(group[0].ctx))
	var mu sync.Mutex
	left := len(group)
	var stops []func() bool
	for _, s := range group {
		stops = append(stops, context.AfterFunc(s.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
