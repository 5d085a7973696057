package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/register"
)

// A SealRequest asks to seal records under one policy.
type SealRequest struct {
	Sources []Source
	Policy  string // who may open, see package abe/policy

	// Scope names the search domain whose members can find the records. Empty means not
	// to index.
	Scope string

	// Index says when index entries are written. Empty means index.ModeBatched for a
	// Client with an Outbox, else index.ModeNow.
	Index index.Mode

	// KeepEntries leaves entries that are due to a later FlushIndex, which a bulk import
	// calls at intervals.
	KeepEntries bool

	// Keywords are indexed for every source, beside what is extracted from it: free
	// words, or terms such as "icd10:I21.4" as package client/index writes them.
	Keywords []string

	Patient          string // patient identifier, indexed and kept in the metadata; extraction finds it in known formats
	PatientRecipient string // the patient's own age recipient, age1... or age1pq1..., which can open without attributes
	Kind             string // kind of record; empty takes what extraction finds

	// Purpose is that of the access entry for the scope's key, when it is not known yet;
	// empty means TREAT.
	Purpose string

	Progress Progress
}

// Seal seals the sources as new records and returns them in the same order.
//
// Everything that can be refused is refused before anything is uploaded. Then all
// payloads are uploaded, and the records are registered, up to [ledger.MaxNewRecords] in
// one transaction, after their index entries were put in the outbox. If a later
// transaction fails, the records that are registered are returned beside the error. Calls
// that run at the same time may share a transaction, and none fails for another's fault.
// The envelopes of one transaction and policy share an encapsulation, see
// [abe.SharedRecipient].
//
// Once the records are registered, a failure to write their index entries is only a
// warning: the entries stay in the outbox, and the next call that flushes it writes them.
//
// After a failure, also by cancellation, index entries that were written resolve to
// nothing. Payloads of records that are not registered stay stored until the hospital's
// replicator unpins them, a day later by default. After ErrUnknownOutcome the records may
// yet come into force.
//
// Errors:
//   - ErrInvalid if the policy, a record id, a keyword or the purpose cannot be read.
//   - ErrNotFound if a source, the scope, or the public key of an attribute is missing.
//   - ErrNotSatisfied if the caller cannot unwrap the scope's key.
//   - ErrExists if a record id is taken.
//   - ErrDenied if the organisation stores no payloads, or the ledger refuses the caller.
//   - ErrTampered if a peer contradicts what was seen before or what a witness says.
//   - ErrUnavailable if the ledger or the store does not answer.
//   - ErrUnknownOutcome if nobody can tell whether a transaction was committed.
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
	s, err := c.newSealing(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, source := range r.Sources {
		s.items = append(s.items, &register.Item{ID: cmp.Or(source.ID, register.NewRecordID()), Version: 1})
	}
	entries := s.contribute(ctx)
	defer entries.Close(ctx)
	if err := s.prepare(ctx); err != nil {
		return nil, abandon(err)
	}
	for items := range slices.Chunk(s.items, ledger.MaxNewRecords) {
		if err := s.keep(ctx, items); err != nil {
			return s.sealed(), abandon(err)
		}
		if err := c.registrar.Register(ctx, s.batch(items)); err != nil {
			return s.sealed(), abandon(err)
		}
	}
	s.flush(ctx, entries)
	return s.sealed(), nil
}

// A sealing is one call of Seal or Amend.
type sealing struct {
	client  *Client
	request SealRequest
	given   index.Facts // stated by the caller for every record
	to      *register.Audience
	scope   *index.ScopeKey  // nil when nothing is to be indexed
	epoch   int              // of the scope
	items   []*register.Item // one a source
}

// newSealing checks everything that does not need the records themselves.
func (c *Client) newSealing(ctx context.Context, r SealRequest) (*sealing, error) {
	if c.blobs == nil {
		return nil, c.noStore()
	}
	for _, source := range r.Sources {
		if err := source.check(); err != nil {
			return nil, err
		}
	}
	purpose, err := access.CheckPurpose(r.Purpose)
	if err != nil {
		return nil, err
	}
	if err := c.author.Prepare(ctx); err != nil {
		return nil, err
	}
	s := &sealing{client: c, request: r}
	if s.request.Index, err = index.ParseMode(string(r.Index)); err != nil {
		return nil, err
	}
	if s.request.Index == index.ModeNone {
		s.request.Scope = ""
	}
	s.request.Index = cmp.Or(s.request.Index, c.mode)
	if s.given, err = givenFacts(r.Kind, r.Patient, r.Keywords); err != nil {
		return nil, err
	}
	if s.to, err = c.audiences.Of(ctx, r.Policy, r.PatientRecipient); err != nil {
		return nil, err
	}
	if s.request.Scope == "" {
		return s, nil
	}
	keys, err := c.scopes.CurrentKeys(ctx, r.Scope, purpose)
	if err != nil {
		return nil, err
	}
	key, err := keys.Current()
	if err != nil {
		return nil, fmt.Errorf("index in scope %s: %w", r.Scope, err)
	}
	s.scope, s.epoch = &key, keys.Scope.Epoch
	return s, nil
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

// prepare uploads all payloads, drafts their envelopes, and makes their index entries.
func (s *sealing) prepare(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	room := semaphore.NewWeighted(int64(s.client.parallel) * largeShare)
	for n, i := range s.items {
		source := s.request.Sources[n]
		weight := share(source)
		if room.Acquire(gctx, weight) != nil {
			break // another source has failed
		}
		g.Go(func() error {
			defer room.Release(weight)
			if err := gctx.Err(); err != nil {
				return err
			}
			if err := s.pack(gctx, i, source); err != nil {
				return fmt.Errorf("%s: %w", source.Name, err)
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

// keepAfter is a time in which no hospital unpins what is in no record.
const keepAfter = time.Hour

// keep pins payloads again that were stored long ago, while the sources after them were
// read: the hospital may have taken them for those of a seal that failed. A payload that
// is gone is not registered.
func (s *sealing) keep(ctx context.Context, items []*register.Item) error {
	for _, i := range items {
		if time.Since(i.Pinned) < keepAfter {
			continue
		}
		if err := s.client.blobs.Pin(ctx, i.CID); err != nil {
			return fmt.Errorf("keep what was stored %v ago: %w", time.Since(i.Pinned).Round(time.Second), err)
		}
	}
	return nil
}

// pack reads a source once: to the keyword extraction, the digests, the encryption and
// the store at the same time.
func (s *sealing) pack(ctx context.Context, i *register.Item, source Source) error {
	key, salt := make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize)
	rand.Read(key)
	rand.Read(salt)
	src, err := source.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	sink := emr.NewSink(ctx)
	plain := &progressReader{r: src, name: source.Name, total: source.Size, progress: s.request.Progress, ctx: ctx}
	sealer, err := envelope.NewSealer(io.TeeReader(plain, sink), key, salt)
	if err != nil {
		sink.Close()
		return err
	}
	ahead := newReadAhead(sealer, source.Size)
	defer ahead.stop()
	i.CID, err = s.client.blobs.Put(ctx, ahead)
	i.Pinned = time.Now()
	document := sink.Close() // a source that still hangs in a read finds its pipe closed
	if err != nil {
		return err
	}
	digest, err := sealer.Digest()
	if err != nil {
		return fmt.Errorf("the store did not take the whole payload: %w", err)
	}
	i.Commitment = hex.EncodeToString(digest.Commitment[:])
	i.Size, i.Stored = digest.Size, ahead.total
	found := document.Facts()
	if source.Further != nil {
		found.AddIdentifiers(source.Further)
	}
	i.Facts = mergeFacts(s.given, found)
	i.Kind, i.Warnings, i.Bare = i.Facts.Kind, document.Warnings, document.Bare()
	if s.scope != nil {
		if err := i.Index(*s.scope); err != nil {
			return err
		}
	}
	m, err := metadata(i.Facts)
	if err != nil {
		return err
	}
	m.Scope, m.Epoch, m.PatientRecipient = s.request.Scope, s.epoch, s.request.PatientRecipient
	m.Record, m.Version, m.CID = i.ID, i.Version, i.CID
	m.Key, m.Salt, m.Size, m.SHA256 = key, salt, digest.Size, digest.SHA256[:]
	m.Name, m.MediaType = source.Name, document.MediaType
	m.Author, m.Sealed = s.client.ledger.Actor(), time.Now().UTC().Truncate(time.Second)
	m.Patient = cmp.Or(s.request.Patient, m.Patient)
	if i.Draft, err = m.Draft(); err != nil {
		return err
	}
	return s.client.author.Sign(i, s.to.Policy)
}

// batch makes items ready for the registrar.
func (s *sealing) batch(items []*register.Item) *register.Batch {
	return &register.Batch{Items: items, To: s.to, Now: s.request.Index == index.ModeNow, Keep: s.request.KeepEntries}
}

// contribute joins the calls that bring batched entries. It returns nil when the call
// brings none or leaves them to a later flush.
func (s *sealing) contribute(ctx context.Context) *register.Contribution {
	if s.scope == nil || s.request.KeepEntries || s.request.Index == index.ModeNow {
		return nil
	}
	return s.client.flusher.Contribute(ctx)
}

// flush writes the entries that are due once all items are registered.
func (s *sealing) flush(ctx context.Context, entries *register.Contribution) {
	if err := entries.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.items[len(s.items)-1].Warn("index entries that are due could not be written yet: they are kept in the outbox (%v)", err)
	}
}

// abandon explains cause. Payloads that were uploaded stay pinned: the hospital's
// replicator unpins them if no record refers to them.
func abandon(cause error) error {
	if register.MayStand(cause) {
		return fmt.Errorf("%w; the payloads stay stored, as the records may be on the ledger: ask for them before sealing again", cause)
	}
	return cause
}

// sealed describes the items that are registered.
func (s *sealing) sealed() []Sealed {
	var all []Sealed
	for n, i := range s.items {
		if i.Registered != nil {
			all = append(all, describeSealed(i, s.request.Sources[n].Name, s.to))
		}
	}
	return all
}

// describeSealed returns what is known of an item that is registered.
func describeSealed(i *register.Item, name string, to *register.Audience) Sealed {
	return Sealed{
		Name: name, ID: i.ID, Version: i.Version, CID: i.CID, Commitment: i.Commitment,
		Kind: i.Kind, Size: i.Size, Stored: i.Stored, Policy: to.Policy, Terms: i.Terms, Bare: i.Bare,
		Warnings: append(slices.Clone(to.Warnings), i.Warnings...),
		Time:     i.Registered.Time, Tx: i.Registered.Tx,
	}
}
