package client

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/cleanup"
	"github.com/chartseal/chartseal/client/index"
)

// What undoing may take: cleanupTimeout, and stopTimeout once the caller is told to stop,
// as whoever stops a program soon kills it.
const (
	cleanupTimeout = 30 * time.Second
	stopTimeout    = 3 * time.Second
)

// Seal seals the sources as new records and returns them in the same order.
//
// Everything that can be refused is refused before anything is uploaded: the policy,
// unknown attributes (ErrNotFound), a source that cannot be read, a scope whose key the
// caller cannot unwrap (ErrNotSatisfied). Then all payloads are uploaded, and the records
// are registered, up to [ledger.MaxNewRecords] in one transaction, after their index
// entries were put in the outbox. With more sources than that and a failure between two
// transactions, the records that are registered are returned beside the error. Calls that
// run at the same time may share a transaction, and none fails for another's fault. The
// envelopes of one transaction and policy are sealed together, see abe.SharedRecipient.
//
// Once the records are registered a failure to write their index entries is only a
// warning: the entries stay in the outbox, and the next call that flushes it writes them.
//
// After a failure, also by cancellation, the payloads of records that are not registered
// are unpinned, and index entries that were written resolve to nothing. After
// ErrUnknownOutcome the payloads stay, for the records may yet come into force.
func (c *Client) Seal(ctx context.Context, r SealRequest) ([]Sealed, error) {
	sealed, err := c.seal(ctx, r)
	if err != nil {
		return sealed, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

func (c *Client) seal(ctx context.Context, r SealRequest) ([]Sealed, error) {
	if len(r.Sources) == 0 {
		return nil, ledger.Errorf(ErrInvalid, "nothing to seal")
	}
	j, err := c.newJob(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, s := range r.Sources {
		j.parcels = append(j.parcels, &parcel{id: cmp.Or(s.ID, newRecordID()), version: 1})
	}
	defer j.gather(ctx)()
	if err := j.prepare(ctx); err != nil {
		return nil, j.abandon(ctx, err)
	}
	for batch := range slices.Chunk(j.parcels, ledger.MaxNewRecords) {
		if err := c.registrar.Do(ctx, &shipment{j, batch}); err != nil {
			return j.sealed(), j.abandon(ctx, err)
		}
	}
	j.flushDue(ctx)
	return j.sealed(), nil
}

// A job is one Seal or Amend on its way.
type job struct {
	c       *Client
	request SealRequest
	given   index.Facts // what the caller says of every record
	seat    *seat
	scope   *index.ScopeKey // nil when nothing is to be indexed
	epoch   int             // of the scope
	parcels []*parcel       // one a source

	keep  bool   // the records are, or may be, on the ledger: payloads must stay
	leave func() // the gathering; nil when the call brings no entries
}

// newJob checks everything that does not need the records themselves.
func (c *Client) newJob(ctx context.Context, r SealRequest) (*job, error) {
	if c.blobs == nil {
		return nil, c.noStore()
	}
	for _, s := range r.Sources {
		if raw, err := hex.DecodeString(s.ID); s.ID != "" && (err != nil || len(raw) != ledger.RecordIDSize || hex.EncodeToString(raw) != s.ID) {
			return nil, ledger.Errorf(ErrInvalid, "%.64q is not a record id", s.ID)
		}
		if s.Check != nil {
			if err := s.Check(); err != nil {
				return nil, err
			}
		}
	}
	purpose, err := checkPurpose(r.Purpose)
	if err != nil {
		return nil, err
	}
	j := &job{c: c, request: r}
	switch j.request.Index {
	case "":
		j.request.Index = c.mode
	case IndexNow, IndexBatched:
	default:
		return nil, ledger.Errorf(ErrInvalid, "%q is not a time to index at: write now or batched", r.Index)
	}
	if j.given, err = givenFacts(r); err != nil {
		return nil, err
	}
	j.seat, err = c.seats.get(ctx, r.Policy+"\n"+r.PatientRecipient, func() (*seat, error) { return c.seat(ctx, r.Policy, r.PatientRecipient) })
	if err != nil {
		return nil, err
	}
	if r.Scope == "" {
		return j, nil
	}
	s, err := c.scopesNow.get(ctx, r.Scope, func() (ledger.Scope, error) { return c.scope(ctx, r.Scope) })
	if err != nil {
		return nil, err
	}
	keys, err := c.unwrapScope(ctx, s, purpose, true)
	if err != nil {
		return nil, err
	}
	key, err := keys.current()
	if err != nil {
		return nil, fmt.Errorf("index in scope %s: %w", r.Scope, err)
	}
	j.scope, j.epoch = &key, keys.scope.Epoch
	return j, nil
}

// A source that is known to be small takes a share of the room that a large one, or one
// of unknown size, takes.
const (
	tinySource  = 64 << 10
	smallSource = 1 << 20
	tinyShare   = 1
	smallShare  = 4
	largeShare  = 16
)

func share(s Source) int64 {
	switch {
	case s.Size < 0 || s.Size >= smallSource:
		return largeShare
	case s.Size >= tinySource:
		return smallShare
	}
	return tinyShare
}

// prepare uploads all payloads, writes their envelopes, which [sealTogether] seals, and
// makes their index entries.
func (j *job) prepare(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	room := semaphore.NewWeighted(int64(j.c.parallel) * largeShare)
	for i, p := range j.parcels {
		n := share(j.request.Sources[i])
		if room.Acquire(gctx, n) != nil {
			break // somebody has failed
		}
		g.Go(func() error {
			defer room.Release(n)
			if err := gctx.Err(); err != nil {
				return err
			}
			if err := j.pack(gctx, p, j.request.Sources[i]); err != nil {
				return fmt.Errorf("%s: %w", j.request.Sources[i].Name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil || ctx.Err() != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// register commits a batch of records.
func (j *job) register(ctx context.Context, batch []*parcel) error {
	records := make([]ledger.NewRecord, len(batch))
	envelopes := make([][]byte, len(batch))
	for i, p := range batch {
		records[i] = ledger.NewRecord{ID: p.id, CID: p.cid, Commitment: p.commitment}
		envelopes[i] = p.envelope
	}
	versions, err := j.c.ledger.CreateRecords(ctx, records, envelopes)
	if err != nil {
		j.keep = errors.Is(err, ErrUnknownOutcome)
		return err
	}
	if len(versions) != len(batch) {
		j.keep = true // they are committed
		return ledger.Errorf(ErrTampered, "%d records registered, %d confirmed", len(batch), len(versions))
	}
	for i, p := range batch {
		if versions[i].ID != p.id || versions[i].CID != p.cid || versions[i].Commitment != p.commitment {
			j.keep = true
			return ledger.Errorf(ErrTampered, "record %s was registered with other values than were sent", p.id)
		}
		p.registered = &versions[i]
	}
	return nil
}

// abandon undoes what can be undone after cause, and returns cause with what could not.
func (j *job) abandon(ctx context.Context, cause error) error {
	if j.keep {
		return fmt.Errorf("%w; the payloads stay stored, as the records may be on the ledger: ask for them before sealing again", cause)
	}
	ctx, cancel := cleanup.Context(ctx, cleanupTimeout, stopTimeout)
	defer cancel()
	var mu sync.Mutex
	var left []error
	var g errgroup.Group
	g.SetLimit(8)
	for _, p := range j.parcels {
		if p.cid == "" || p.registered != nil {
			continue
		}
		g.Go(func() error {
			if err := j.c.blobs.Unpin(ctx, p.cid); err != nil {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, fmt.Errorf("payload %s could not be unpinned: %w", p.cid, err))
			}
			return nil
		})
	}
	g.Wait()
	if len(left) > 0 {
		return &leftoverError{cause: cause, left: errors.Join(left...)}
	}
	return cause
}

// leftoverError is a failure after which something stayed behind. What went wrong first
// decides what it is.
type leftoverError struct{ cause, left error }

func (e *leftoverError) Error() string { return e.cause.Error() + "; besides, " + e.left.Error() }
func (e *leftoverError) Unwrap() error { return e.cause }

// sealed tells of the parcels that are registered.
func (j *job) sealed() []Sealed {
	var all []Sealed
	for i, p := range j.parcels {
		if p.registered == nil {
			continue
		}
		all = append(all, Sealed{
			Name: j.request.Sources[i].Name, ID: p.id, Version: p.version, CID: p.cid, Commitment: p.commitment,
			Kind: p.kind, Size: p.size, Stored: p.stored, Policy: j.seat.policy, Terms: p.terms,
			Warnings: append(slices.Clone(j.seat.warnings), p.warnings...),
			Time:     p.registered.Time, Tx: p.registered.Tx,
		})
	}
	return all
}
