package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
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
	"github.com/chartseal/chartseal/client/register"
	"github.com/chartseal/chartseal/client/trust"
)

// A resealing is one call of Reseal or Revoke.
type resealing struct {
	*Client
	r    ResealRequest
	done []Resealed

	covered map[string]int // newest version that was sealed again, by record
}

// A sealedAgain is a version on its way to its next seal.
type sealedAgain struct {
	version  ledger.RecordVersion // with the next seal
	former   string               // policy
	to       *register.Audience
	draft    envelope.Draft
	author   *envelope.Author // nil for a version from before there were signatures
	signed   ledger.Signature
	envelope []byte
}

// open opens the envelope of a version and drafts the next one.
func (s *resealing) open(ctx context.Context, v ledger.RecordVersion, accessID string) (*sealedAgain, error) {
	v, data, err := s.access.Envelope(ctx, v, accessID)
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
	if item.former, err = header.Policy(); err != nil {
		return nil, err
	}
	if item.author == nil && !v.Resealed() && header.Signature != nil {
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
	if item.to, err = s.audiences.Of(ctx, next, patient); err != nil {
		return nil, err
	}
	if s.r.Person != "" {
		if err := s.rotated(header, item.to); err != nil {
			return nil, err
		}
	}
	if item.version.Size == 0 && !s.r.NewPayload {
		if item.version.Size, err = s.payloadSize(ctx, v); err != nil {
			return nil, err
		}
	}
	if m.PatientRecipient == patient && !s.r.NewPayload {
		item.draft = m.Again()
	} else if item.draft, err = s.redraft(ctx, &item.version, *m, patient); err != nil {
		return nil, err
	}
	signed := trust.VersionOf(item.version, item.to.Policy)
	signed.Metadata = item.draft.Digest()
	item.signed, err = s.author.Signer.Sign(signed.Statement(s.ledger.Channel()))
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
func (s *resealing) rotated(header *envelope.Header, to *register.Audience) error {
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
			if to.ABE.Version(k.Attribute) > k.Version {
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

// payloadSize returns the size of a payload from before sizes were on the ledger.
func (c *Client) payloadSize(ctx context.Context, v ledger.RecordVersion) (int64, error) {
	if c.blobs == nil {
		return 0, c.noStore()
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return 0, err
	}
	defer blob.Close()
	return blob.Size(), nil
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
		to := item.to.Recipients(register.SharedBy(shared, item.to.ABE))
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
