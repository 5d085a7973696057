// Package register puts versions of records on the ledger: [Author] signs an [Item],
// [Audience] says who can unwrap it, [Registrar] shares a transaction among concurrent
// calls, and [Flusher] writes the index entries afterwards.
package register

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/groupcommit"
	"github.com/chartseal/chartseal/client/outbox"
)

// A Registry is the part of the ledger that holds records.
type Registry interface {
	// CreateRecords registers version 1 of up to [ledger.MaxNewRecords] records in one
	// transaction. envelopes stand at the positions of their records and travel in the
	// transient map.
	CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) ([]ledger.RecordVersion, error)

	// AmendRecord registers the version after the current one.
	AmendRecord(ctx context.Context, v ledger.NewVersion, envelope []byte) (ledger.RecordVersion, error)

	// Reseal writes the next seal of each version: its Seal, and the payload, commitment
	// and size that it has from then on, which are those before unless the payload is
	// another one. It purges the wrapped keys of the seals before, and takes up to
	// [ledger.MaxNewRecords] versions. It returns them with their new seals.
	Reseal(ctx context.Context, versions []ledger.RecordVersion, envelopes [][]byte) ([]ledger.RecordVersion, error)

	// Erase ends up to [ledger.MaxErasures] records, see package contract. It returns the
	// tombstones of those that are erased now. The others wait for a second person.
	Erase(ctx context.Context, reason string, erasures []ledger.NewErasure) ([]ledger.Erasure, error)

	// Receipts returns what hospitals have confirmed of erased records.
	Receipts(ctx context.Context, ids []string) ([]ledger.Receipt, error)

	// Records returns those of the named records that are on the ledger, in the order of
	// ids; unknown ids are left out. It takes any number of ids. A record among others
	// may lack its oldest versions, see [ledger.Record]; a record asked for alone has
	// all.
	Records(ctx context.Context, ids []string) ([]ledger.Record, error)

	// RecordVersions returns those of the named versions that are on the ledger, in the
	// order of names. It takes any number of names.
	RecordVersions(ctx context.Context, names []ledger.VersionName) ([]ledger.RecordVersion, error)
}

// A Batch is items of one call that are registered in one transaction, at most
// [ledger.MaxNewRecords] of them.
type Batch struct {
	Items []*Item
	To    *Audience

	Now  bool // index entries are to be written at once
	Keep bool // index entries are left in the outbox for a later flush
}

// A Registrar puts batches on the ledger. Concurrent calls share transactions: the cost
// of a transaction is mostly its signatures, which do not depend on the number of its
// records. The records of a transaction are visibly those of one person and moment; so
// are those of transactions that follow each other at once.
type Registrar struct {
	ledger  Registry
	flusher *Flusher
	group   groupcommit.Committer[*Batch]
}

// NewRegistrar returns a Registrar that writes index entries through f.
func NewRegistrar(l Registry, f *Flusher) *Registrar {
	r := &Registrar{ledger: l, flusher: f}
	r.group = groupcommit.Committer[*Batch]{
		Fits: func(group []*Batch, next *Batch) bool {
			n := len(next.Items)
			for _, b := range group {
				n += len(b.Items)
			}
			return n <= ledger.MaxNewRecords && next.Now == group[0].Now && next.Keep == group[0].Keep
		},
		Commit: func(ctx context.Context, group []*Batch) error { return r.commit(ctx, group, r.create) },
		Retry: func(_ []*Batch, err error) bool {
			return !MayStand(err) && !errors.Is(err, ledger.ErrUnavailable)
		},
	}
	return r
}

// Register puts new records on the ledger, in one transaction with those of concurrent
// calls. Its error is [MayStand] when the items are, or may be, on the ledger all the
// same.
func (r *Registrar) Register(ctx context.Context, b *Batch) error { return r.group.Do(ctx, b) }

// Amend puts a batch of one item on the ledger as the next version of its record. Its
// error is as that of Register.
func (r *Registrar) Amend(ctx context.Context, b *Batch) error {
	return r.commit(ctx, []*Batch{b}, r.addVersion)
}

// commit seals the envelopes of a group, puts its index entries in the outbox, has write
// put its items on the ledger, and writes the entries at the same time when they are to
// be found at once. Only write decides whether it fails.
func (r *Registrar) commit(ctx context.Context, group []*Batch, write func(context.Context, []*Item) error) error {
	if err := sealEnvelopes(ctx, group); err != nil {
		return err
	}
	job := outbox.Job{Now: group[0].Now}
	var items []*Item
	for _, b := range group {
		for _, i := range b.Items {
			items = append(items, i)
			job.Records = append(job.Records, outbox.Record{ID: i.ID, Version: i.Version, CID: i.CID, Commitment: i.Commitment})
			job.Entries = append(job.Entries, i.Entries...)
		}
	}
	if len(job.Entries) == 0 {
		return write(ctx, items)
	}
	box := r.flusher.Box
	if err := box.Prepare(&job); err != nil {
		return err
	}
	var flushing sync.WaitGroup
	var flushErr error
	if job.Now && !group[0].Keep {
		flushing.Go(func() { flushErr = r.flusher.flushJob(ctx, job.ID) })
	}
	err := write(ctx, items)
	var noted error
	switch {
	case err == nil:
		noted = box.Registered(job.ID)
	case MayStand(err):
		box.Unknown(job.ID)
	default:
		noted = box.Drop(job.ID)
	}
	flushing.Wait()
	if err != nil {
		// A later flush asks the ledger about a job whose outcome the outbox does not
		// know.
		return err
	}
	for _, i := range items {
		if flushErr != nil {
			i.Warn("it cannot be found by its keywords yet: they are kept in the outbox, and the next command writes them (%v)", flushErr)
		}
		if noted != nil {
			i.Warn("the outbox could not be told that it is sealed, and will ask the ledger (%v)", noted)
		}
	}
	return nil
}

// create registers version 1 of each item.
func (r *Registrar) create(ctx context.Context, items []*Item) error {
	records := make([]ledger.NewRecord, len(items))
	envelopes := make([][]byte, len(items))
	for n, i := range items {
		records[n] = ledger.NewRecord{ID: i.ID, CID: i.CID, Commitment: i.Commitment, Size: i.Stored}
		envelopes[n] = i.envelope
	}
	versions, err := r.ledger.CreateRecords(ctx, records, envelopes)
	if err != nil {
		return unknownStands(err)
	}
	if len(versions) != len(items) {
		return ledger.WithKind(ledger.Errorf(ledger.ErrTampered, "%d records registered, %d confirmed", len(items), len(versions)), errMayStand)
	}
	for n, i := range items {
		if versions[n].ID != i.ID || versions[n].CID != i.CID || versions[n].Commitment != i.Commitment {
			return ledger.WithKind(ledger.Errorf(ledger.ErrTampered, "record %s was registered with other values than were sent", i.ID), errMayStand)
		}
		i.Registered = &versions[n]
	}
	return nil
}

// addVersion registers the one item as the next version of its record.
func (r *Registrar) addVersion(ctx context.Context, items []*Item) error {
	i := items[0]
	v, err := r.ledger.AmendRecord(ctx, ledger.NewVersion{ID: i.ID, Version: i.Version, CID: i.CID, Commitment: i.Commitment, Size: i.Stored}, i.envelope)
	if err != nil {
		return unknownStands(err)
	}
	i.Registered = &v
	return nil
}

// errMayStand marks failures after which items are, or may be, on the ledger: nothing
// that they refer to may be undone.
var errMayStand = errors.New("may be on the ledger")

// MayStand reports whether items are, or may be, on the ledger after a failure: nothing
// that they refer to may be undone.
func MayStand(err error) bool { return errors.Is(err, errMayStand) }

func unknownStands(err error) error {
	if errors.Is(err, ledger.ErrUnknownOutcome) {
		return ledger.WithKind(err, errMayStand)
	}
	return err
}

// sealEnvelopes seals the envelopes of a group. Those of one policy share its
// encapsulation, whatever other recipients each of them has: it is most of the work, and
// the ledger stores it once.
func sealEnvelopes(ctx context.Context, group []*Batch) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	shared := map[*abe.Recipient]*abe.SharedRecipient{}
	for _, b := range group {
		to := b.To.Recipients(SharedBy(shared, b.To.ABE))
		for _, i := range b.Items {
			g.Go(func() error {
				err := ctx.Err()
				if err == nil {
					i.envelope, err = i.Draft.Seal(append(to[:len(to):len(to)], envelope.Signed(i.signature))...)
				}
				return err
			})
		}
	}
	return g.Wait()
}

// SharedBy finds the recipient that shares a policy's encapsulation, or starts it. Two
// calls may have compiled the same policy each for itself.
func SharedBy(known map[*abe.Recipient]*abe.SharedRecipient, to *abe.Recipient) *abe.SharedRecipient {
	for other, shared := range known {
		if other == to || other.Equal(to) {
			return shared
		}
	}
	known[to] = to.Shared()
	return known[to]
}
