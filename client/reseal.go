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
	"strings"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
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
// kept opens nothing that the consortium still stores. Who kept the plaintext keeps it.
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

// A resealing is one call of Reseal or Revoke.
type resealing struct {
	*Client
	r    ResealRequest
	done []Resealed

	covered map[string]int // newest version that was sealed again, by record
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
		if _, err := c.audienceOf(ctx, r.Policy, r.PatientRecipient); err != nil {
			return nil, err
		}
	}
	if err := c.author.prepare(ctx); err != nil {
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

func (c *Client) audienceOf(ctx context.Context, policy, patient string) (*audience, error) {
	return c.audiences.get(ctx, policy+"\n"+patient, func() (*audience, error) { return newAudience(ctx, c.trust, policy, patient) })
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
		accesses, err := s.ledger.RequestAccess(ctx, ids, managing)
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
		// Who amends a record at the same time may have sealed it as it was before.
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
			return nil, fmt.Errorf("record %s: %w", id, erased(*r.Erasure))
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

// A sealedAgain is a version on its way to its next seal.
type sealedAgain struct {
	version  ledger.RecordVersion // with the next seal
	former   string               // policy
	to       *audience
	draft    envelope.Draft
	author   *envelope.Author // nil for a version from before there were signatures
	signed   ledger.Signature
	envelope []byte
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
		s.access.entries.forget(v.ID, managing)
		s.done = append(s.done, Resealed{ID: v.ID, Version: v.Version, Seal: v.Seal, CID: v.CID, Former: items[i].former, Policy: items[i].to.policy,
			Warnings: items[i].to.warnings, Time: v.SealTime, Tx: v.SealTx})
	}
	return nil
}

// open opens the envelope of a version and drafts the next one.
func (s *resealing) open(ctx context.Context, v ledger.RecordVersion, accessID string) (*sealedAgain, error) {
	v, data, err := s.access.envelope(ctx, v, accessID)
	if err != nil {
		return nil, err
	}
	m, _, _, err := s.openSigned(ctx, data, v, s.identities)
	if err != nil {
		return nil, err
	}
	header, err := envelope.ReadHeader(data)
	if err != nil {
		return nil, err
	}
	item := &sealedAgain{version: v, author: header.Author}
	item.version.Seal++
	if item.former, err = sealedTo(header); err != nil {
		return nil, err
	}
	if item.author == nil && v.Seal == 0 && header.Signature != nil {
		item.author = &envelope.Author{Policy: item.former, Signature: *header.Signature}
	}
	patient, err := s.patient(m, header)
	if err != nil {
		return nil, err
	}
	next, err := s.nextPolicy(item.former)
	if err != nil {
		return nil, err
	}
	if item.to, err = s.audienceOf(ctx, next, patient); err != nil {
		return nil, err
	}
	if s.r.Person != "" {
		if err := s.rotated(header, item.to); err != nil {
			return nil, err
		}
	}
	if m.PatientRecipient == patient && !s.r.NewPayload {
		item.draft = m.Again()
	} else if item.draft, err = s.redraft(ctx, &item.version, *m, patient); err != nil {
		return nil, err
	}
	signed := signedVersion(item.version, item.to.policy)
	signed.Metadata = item.draft.Digest()
	item.signed, err = s.author.signer.Sign(signed.Statement(s.ledger.Channel()))
	return item, err
}

// nextPolicy returns who may open a version from now on.
func (s *resealing) nextPolicy(former string) (string, error) {
	if s.r.Without == "" {
		return cmp.Or(s.r.Policy, former), nil
	}
	p, err := policy.Parse(former)
	if err != nil {
		return "", ledger.WithKind(err, ErrTampered)
	}
	rest := p.Without(policy.Holding(s.r.Without))
	switch rest {
	case nil:
		return "", ledger.Errorf(ErrInvalid, "its policy is %s: nobody satisfies it without %s; name the next policy", former, s.r.Without)
	case p:
		return "", ledger.Errorf(ErrInvalid, "its policy is %s, in which %s is not", former, s.r.Without)
	}
	return rest.String(), nil
}

// rotated checks that the person's hospital has rotated an attribute of the policy since
// the version was sealed.
func (s *resealing) rotated(header *envelope.Header, to *audience) error {
	own := ledger.Organisation(s.r.Person) + ":"
	var named []string
	for _, r := range header.Recipients {
		if !abe.IsStanza(r.Type) {
			continue
		}
		was, err := abe.StanzaPolicy(r)
		if err != nil {
			return ledger.WithKind(err, ErrTampered)
		}
		for _, k := range was.Keys {
			if !strings.HasPrefix(k.Attribute, own) {
				continue
			}
			if to.abe.Version(k.Attribute) > k.Version {
				return nil
			}
			named = append(named, k.Attribute)
		}
	}
	if len(named) == 0 {
		return ledger.Errorf(ErrInvalid, "its policy names no attribute of %s: %s cannot open it", ledger.Organisation(s.r.Person), s.r.Person)
	}
	return ledger.Errorf(ErrInvalid, "no attribute of %s in its policy was rotated since it was sealed (%s): whoever held one still holds its key",
		ledger.Organisation(s.r.Person), strings.Join(slices.Compact(slices.Sorted(slices.Values(named))), ", "))
}

// patient returns the patient's own recipient of the next envelope. Envelopes of earlier
// releases do not say which it was, only that there was one: beside the custodian.
func (s *resealing) patient(m *envelope.Metadata, header *envelope.Header) (string, error) {
	if s.r.DropPatient {
		return "", nil
	}
	if known := cmp.Or(s.r.PatientRecipient, m.PatientRecipient); known != "" {
		return known, nil
	}
	own := 0
	for _, r := range header.Recipients {
		if !abe.IsStanza(r.Type) {
			own++
		}
	}
	if own > 1 {
		return "", ledger.Errorf(ErrInvalid, "it was sealed to a patient's own key by an earlier release, which did not keep the recipient: give it, or drop it")
	}
	return "", nil
}

// redraft writes the metadata anew, for another patient's key or another payload. It
// keeps what the author signed, so that readers still verify the author.
func (s *resealing) redraft(ctx context.Context, v *ledger.RecordVersion, m envelope.Metadata, patient string) (envelope.Draft, error) {
	if m.Origin == nil {
		m.Origin = &envelope.Origin{CID: v.CID, Commitment: v.Commitment, Metadata: m.Digest[:], Salt: m.Salt}
	}
	m.PatientRecipient = patient
	if s.r.NewPayload {
		if err := s.replacePayload(ctx, v, &m); err != nil {
			return envelope.Draft{}, err
		}
	}
	return m.Draft()
}

// replacePayload encrypts a record with a new key. The record streams from the store and
// back to it; nothing of it is kept.
func (s *resealing) replacePayload(ctx context.Context, v *ledger.RecordVersion, m *envelope.Metadata) error {
	blob, err := s.blobs.Open(ctx, v.CID)
	if err != nil {
		return err
	}
	defer blob.Close()
	former := *m
	m.Key, m.Salt = make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize)
	rand.Read(m.Key)
	rand.Read(m.Salt)
	plain, out := io.Pipe()
	var opened error
	opening := make(chan struct{})
	go func() {
		defer close(opening)
		opened = envelope.OpenPayload(out, blob, &former, v.Commitment)
		out.CloseWithError(opened) // nil is the end
	}()
	defer func() {
		plain.Close()
		<-opening
	}()
	sealer, err := envelope.NewSealer(plain, m.Key, m.Salt)
	if err != nil {
		return err
	}
	ahead := newReadAhead(sealer, v.Size)
	defer ahead.stop()
	cid, err := s.blobs.Put(ctx, ahead)
	if err != nil {
		return err
	}
	digest, err := sealer.Digest()
	if err != nil {
		return fmt.Errorf("the store did not take the whole payload: %w", err)
	}
	v.CID, v.Commitment, v.Size = cid, hex.EncodeToString(digest.Commitment[:]), ahead.total
	m.CID = cid
	return nil
}

// wrap seals the envelopes. Those of one policy share its encapsulation.
func (s *resealing) wrap(ctx context.Context, items []*sealedAgain) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.parallel)
	shared := map[*abe.Recipient]*abe.SharedRecipient{}
	for _, item := range items {
		to := item.to.recipients(sharedBy(shared, item.to.abe))
		var signatures []age.Recipient
		if item.author != nil {
			signatures = append(signatures, envelope.Authored(*item.author))
		}
		signatures = append(signatures, envelope.Signed(item.signed))
		g.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				item.envelope, err = item.draft.Seal(slices.Concat(to, signatures)...)
			}
			return err
		})
	}
	return g.Wait()
}
