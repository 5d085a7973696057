package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// An OpenRequest asks for a record.
type OpenRequest struct {
	Version int    // zero means the current one
	Purpose string // code of HL7 v3 PurposeOfUse; empty means TREAT

	// SkipPolicyCheck makes the ABE layer attempt the decryption although the held
	// attributes do not satisfy the policy. It exists to show that cryptography refuses,
	// not the client.
	SkipPolicyCheck bool

	Progress Progress
}

// An Opened describes an opened record. It is complete only if Open returned no error.
type Opened struct {
	ID        string             `json:"id"`
	Version   int                `json:"version"`
	Newest    int                `json:"newest"` // version of the record
	Name      string             `json:"name"`
	MediaType string             `json:"mediaType"`
	Kind      string             `json:"kind"`
	Size      int64              `json:"size"`
	SHA256    string             `json:"sha256"`
	Patient   string             `json:"patient,omitempty"`
	Dates     []string           `json:"dates,omitempty"`
	Codes     []string           `json:"codes,omitempty"`
	Author    string             `json:"author"` // whose signature was verified, if Signed; otherwise what the ledger says
	Signed    bool               `json:"signed"` // false for a version from before there were signatures
	Sealed    time.Time          `json:"sealed"`
	Home      string             `json:"home"`
	Access    ledger.AccessEntry `json:"access"`

	// Part is the range that OpenRange has written. It was authenticated chunk by chunk.
	// SHA256 and the ledger's commitment, which are of the whole record, were not
	// compared. It is nil for Open, which compares them.
	Part *Part `json:"part,omitempty"`

	commitment string
}

// A Part is a range of a record's bytes.
type Part struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// Open opens a record: it commits an access entry, fetches the envelope and the payload,
// verifies both, and writes the record to out. Use what out has received only if the
// error is nil.
//
// Errors:
//   - ErrInvalid if the purpose is no purpose of use.
//   - ErrNotFound if there is no such record or version.
//   - ErrDenied if the ledger refuses the caller, or the organisation stores no payloads.
//   - ErrNotSatisfied if the held keys do not unwrap the envelope.
//   - ErrTampered if the author's signature, the envelope, the payload, its size, digest,
//     padding or the ledger's commitment do not match.
//   - ErrUnavailable if the ledger or the store does not answer.
//   - the error of out.
func (c *Client) Open(ctx context.Context, id string, out io.Writer, r OpenRequest) (Opened, error) {
	opened, err := c.open(ctx, id, out, r)
	if err != nil {
		return Opened{}, fmt.Errorf("open record %s: %w", id, err)
	}
	return opened, nil
}

// OpenRange opens a part of a record: as Open, but it fetches and writes only length
// bytes from offset on, fewer if the record ends before.
//
// Every byte is authenticated under the record's key, at its place, before out receives
// any of its chunk of 64 KiB. The digest and the commitment on the ledger are of the
// whole record and cannot be checked; Opened.Part says so.
//
// Errors:
//   - ErrInvalid if the offset is behind the end of the record.
//   - those of Open.
func (c *Client) OpenRange(ctx context.Context, id string, out io.Writer, offset, length int64, r OpenRequest) (Opened, error) {
	opened, err := c.openRange(ctx, id, out, offset, length, r)
	if err != nil {
		return Opened{}, fmt.Errorf("open record %s: %w", id, err)
	}
	return opened, nil
}

func (c *Client) openRange(ctx context.Context, id string, out io.Writer, offset, length int64, r OpenRequest) (Opened, error) {
	if offset < 0 || length < 1 {
		return Opened{}, ledger.Errorf(ErrInvalid, "%d bytes from %d on are no range", length, offset)
	}
	return c.openWith(ctx, id, r, func(blob Blob, m *envelope.Metadata, o *Opened) error {
		if offset >= m.Size {
			return ledger.Errorf(ErrInvalid, "the range begins at %d, and the record has %d bytes", offset, m.Size)
		}
		o.Part = &Part{Offset: offset, Length: min(length, m.Size-offset)}
		counted := &progressWriter{w: out, name: id, total: o.Part.Length, progress: r.Progress}
		return envelope.OpenRange(counted, blob, blob.Size(), m, o.Part.Offset, o.Part.Length)
	})
}

func (c *Client) open(ctx context.Context, id string, out io.Writer, r OpenRequest) (Opened, error) {
	return c.openWith(ctx, id, r, func(blob Blob, m *envelope.Metadata, o *Opened) error {
		counted := &progressWriter{w: out, name: id, total: m.Size, progress: r.Progress}
		return envelope.OpenPayload(counted, blob, m, o.commitment)
	})
}

// openWith leads up to an open payload, from which read takes what is wanted.
func (c *Client) openWith(ctx context.Context, id string, r OpenRequest, read func(Blob, *envelope.Metadata, *Opened) error) (Opened, error) {
	var none Opened
	h, err := c.access.HandOutAgain(ctx, id, r.Version, r.Purpose)
	if err != nil {
		return none, err
	}
	v := h.Version
	identities := c.identities
	if r.SkipPolicyCheck {
		identities = withoutPolicyCheck(identities)
	}
	m, _, signer, err := c.openSigned(ctx, h.Envelope, v, identities)
	if err != nil {
		return none, err
	}
	c.access.Entries.Remember(id, h.Access) // not before: every failed attempt leaves its own trace
	if c.blobs == nil {                     // only now, so that a person without access learns that first
		return none, c.noStore()
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return none, err
	}
	defer blob.Close()
	opened := Opened{
		ID: v.ID, Version: v.Version, Newest: h.Newest, Name: m.Name, MediaType: m.MediaType, Kind: m.Kind, Size: m.Size,
		SHA256: hex.EncodeToString(m.SHA256), Patient: m.Patient, Dates: m.Dates, Codes: m.Codes,
		Author: v.Author, Signed: signer != nil, Sealed: m.Sealed, Home: v.Home, Access: h.Access, commitment: v.Commitment,
	}
	if err := read(blob, m, &opened); err != nil {
		return none, err
	}
	return opened, nil
}

// openSigned opens an envelope, see [openEnvelope], and verifies its author, who is nil
// for a version from before there were signatures.
func (c *Client) openSigned(ctx context.Context, data []byte, v ledger.RecordVersion, identities []age.Identity) (*envelope.Metadata, index.Facts, *authority.Holder, error) {
	m, facts, err := openEnvelope(data, v, identities)
	if err != nil {
		return nil, facts, nil, err
	}
	header, err := envelope.ReadHeader(data)
	if err != nil {
		return nil, facts, nil, err
	}
	signer, err := c.verifyAuthor(ctx, v, m, header)
	if err != nil {
		return nil, facts, nil, err
	}
	return m, facts, signer, nil
}

// verifyAuthor verifies the signature of an envelope that was opened. It returns nil for
// a version from before there were signatures.
func (c *Client) verifyAuthor(ctx context.Context, v ledger.RecordVersion, m *envelope.Metadata, header *envelope.Header) (*authority.Holder, error) {
	policy, err := header.Policy()
	if err != nil {
		return nil, err
	}
	signed := trust.VersionOf(v, policy)
	signed.Metadata = m.Digest
	if !v.Resealed() {
		return c.trust.Author(ctx, signed, v, header.Signature)
	}
	if err := c.trust.Resealer(ctx, signed, v, header.Signature); err != nil {
		return nil, err
	}
	first, signature := signed.First(), (*ledger.Signature)(nil)
	if header.Author != nil {
		first.Policy, signature = header.Author.Policy, &header.Author.Signature
	}
	if o := m.Origin; o != nil {
		first.CID, first.Commitment, first.Metadata = o.CID, o.Commitment, [32]byte(o.Metadata)
	}
	return c.trust.Author(ctx, first, v, signature)
}

// openEnvelope opens an envelope. Its facts are complete if the metadata has Facts.
// Otherwise they are those that the metadata tells beside the content of the record.
func openEnvelope(data []byte, v ledger.RecordVersion, identities []age.Identity) (*envelope.Metadata, index.Facts, error) {
	m, err := envelope.Open(data, v, identities...)
	if err != nil {
		return nil, index.Facts{}, access.Entitlement(err)
	}
	if m.Facts == nil {
		return m, describedFacts(m), nil
	}
	var f index.Facts
	if err := json.Unmarshal(m.Facts, &f); err != nil {
		return nil, f, ledger.Errorf(ErrTampered, "the envelope's facts cannot be read: %v", err)
	}
	describe(m, f)
	return m, f, nil
}

// indexedFacts opens the envelope of a version, with an access entry for the record, and
// returns the facts by which the version was indexed. It reads the record itself if its
// envelope had no room for them.
func (c *Client) indexedFacts(ctx context.Context, v ledger.RecordVersion, accessID string) (*envelope.Metadata, index.Facts, error) {
	v, data, err := c.access.Envelope(ctx, v, accessID)
	if err != nil {
		return nil, index.Facts{}, err
	}
	m, facts, _, err := c.openSigned(ctx, data, v, c.identities)
	if err == nil && m.Facts == nil {
		facts, err = c.readFacts(ctx, v, m, facts)
	}
	return m, facts, err
}

// errIncomplete says that a record was given more keywords than its envelope had room
// for.
var errIncomplete = errors.New("its envelope had no room for all keywords that it was given")

func incomplete(m *envelope.Metadata) bool { return m.Facts == nil && m.Partial }

// readFacts extracts the facts from the record itself.
func (c *Client) readFacts(ctx context.Context, v ledger.RecordVersion, m *envelope.Metadata, described index.Facts) (index.Facts, error) {
	if c.blobs == nil {
		return index.Facts{}, c.noStore()
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return index.Facts{}, err
	}
	defer blob.Close()
	sink := emr.NewSink(ctx)
	err = envelope.OpenPayload(sink, blob, m, v.Commitment)
	document := sink.Close()
	if err != nil {
		return index.Facts{}, fmt.Errorf("read record %s: %w", v.ID, err)
	}
	return mergeFacts(described, document.Facts()), nil
}

// withoutPolicyCheck copies the identities, so that the Client's own stay as they are.
func withoutPolicyCheck(identities []age.Identity) []age.Identity {
	out := slices.Clone(identities)
	for i, id := range out {
		if attributes, ok := id.(*abe.Identity); ok {
			bold := *attributes
			abe.SkipPolicyCheck(&bold)
			out[i] = &bold
		}
	}
	return out
}
