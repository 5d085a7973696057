package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
)

const defaultPurpose = "TREAT"

// Open opens a record: it commits an access entry, fetches the envelope and the payload,
// verifies both and writes the record to out. What out has received may be used only if
// the error is nil.
//
// Its errors: ErrNotFound, ErrInvalid for the purpose, ErrDenied by the ledger,
// ErrNotSatisfied when the held keys do not unwrap the envelope, ErrTampered,
// ErrUnavailable, and what out returns.
func (c *Client) Open(ctx context.Context, id string, out io.Writer, r OpenRequest) (Opened, error) {
	opened, err := c.open(ctx, id, out, r)
	if err != nil {
		return Opened{}, fmt.Errorf("open record %s: %w", id, err)
	}
	return opened, nil
}

// OpenRange opens a part of a record: as Open, but it fetches and writes only length
// bytes from offset on, fewer if the record ends before. An offset behind its end is
// ErrInvalid.
//
// Every byte is authenticated under the record's key, at its place, before out receives
// any of its chunk of 64 KiB. What takes the whole record cannot be checked: its digest,
// and the commitment on the ledger. Opened.Part says so.
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
		counted := &counter{w: out, name: id, total: o.Part.Length, progress: r.Progress}
		return envelope.OpenRange(counted, blob, blob.Size(), m, o.Part.Offset, o.Part.Length)
	})
}

func (c *Client) open(ctx context.Context, id string, out io.Writer, r OpenRequest) (Opened, error) {
	return c.openWith(ctx, id, r, func(blob Blob, m *envelope.Metadata, o *Opened) error {
		counted := &counter{w: out, name: id, total: m.Size, progress: r.Progress}
		return envelope.OpenPayload(counted, blob, m, o.commitment)
	})
}

// openWith leads up to an open payload, from which read takes what is wanted.
func (c *Client) openWith(ctx context.Context, id string, r OpenRequest, read func(Blob, *envelope.Metadata, *Opened) error) (Opened, error) {
	var none Opened
	h, err := c.handOutAgain(ctx, id, r.Version, r.Purpose)
	if err != nil {
		return none, err
	}
	v := h.version
	identities := c.identities
	if r.SkipPolicyCheck {
		identities = withoutPolicyCheck(identities)
	}
	m, _, err := openEnvelope(h.envelope, v, identities)
	if err != nil {
		return none, err
	}
	c.accesses.remember(id, h.access) // not before: every attempt in vain leaves its own trace
	if c.blobs == nil {               // only now, so that who is not entitled hears that
		return none, c.noStore()
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return none, err
	}
	defer blob.Close()
	opened := Opened{
		ID: v.ID, Version: v.Version, Name: m.Name, MediaType: m.MediaType, Kind: m.Kind, Size: m.Size,
		SHA256: hex.EncodeToString(m.SHA256), Patient: m.Patient, Dates: m.Dates, Codes: m.Codes,
		Author: m.Author, Sealed: m.Sealed, Home: v.Home, Access: h.access, commitment: v.Commitment,
	}
	if err := read(blob, m, &opened); err != nil {
		return none, err
	}
	return opened, nil
}

// A handedOut is an envelope that the ledger gave for an access entry.
type handedOut struct {
	version  ledger.RecordVersion
	access   ledger.AccessEntry
	envelope []byte
}

// handOut commits an access entry for a record and fetches the envelope of a version,
// zero being the current one: with [Client.handOutAgain] the only way to a wrapped key.
func (c *Client) handOut(ctx context.Context, id string, version int, purpose string) (handedOut, error) {
	h, err := c.wanted(ctx, id, version, purpose)
	if err == nil {
		err = c.request(ctx, &h)
	}
	return h, err
}

// wanted is what to ask for, after everything that can be refused without asking.
func (c *Client) wanted(ctx context.Context, id string, version int, purpose string) (h handedOut, err error) {
	if h.access.Purpose, err = checkPurpose(purpose); err != nil {
		return h, err
	}
	h.version, err = c.version(ctx, id, version)
	return h, err
}

func (c *Client) request(ctx context.Context, h *handedOut) error {
	id := h.version.ID
	entries, err := c.ledger.RequestAccess(ctx, []string{id}, h.access.Purpose)
	if err != nil {
		return err
	}
	h.access = entries[0]
	h.envelope, err = c.awaitPrivate(ctx, func() ([]byte, error) {
		return c.ledger.Envelope(ctx, id, h.version.Version, h.access.ID)
	})
	return err
}

// handOutAgain is handOut for a reader whose access entry for the record and the purpose
// may still serve.
func (c *Client) handOutAgain(ctx context.Context, id string, version int, purpose string) (handedOut, error) {
	h, err := c.wanted(ctx, id, version, purpose)
	if err != nil {
		return h, err
	}
	if own, known := c.accesses.recall(id, h.access.Purpose); known {
		if h.envelope, err = c.ledger.Envelope(ctx, id, h.version.Version, own.ID); err == nil {
			h.access = own
			return h, nil
		}
		c.accesses.forget(id, h.access.Purpose) // whatever is wrong with it, a new one will tell
	}
	return h, c.request(ctx, &h)
}

// version finds what the ledger says of a version; zero is the current one.
func (c *Client) version(ctx context.Context, id string, version int) (ledger.RecordVersion, error) {
	var none ledger.RecordVersion
	records, err := c.ledger.Records(ctx, []string{id})
	if err != nil {
		return none, err
	}
	if len(records) != 1 || records[0].ID != id {
		return none, ledger.Errorf(ErrNotFound, "there is no such record on the ledger")
	}
	if version == 0 {
		return records[0].Current(), nil
	}
	for _, v := range records[0].Versions {
		if v.Version == version {
			return v, nil
		}
	}
	return none, ledger.Errorf(ErrNotFound, "it has no version %d; the current one is %d", version, records[0].Current().Version)
}

func checkPurpose(purpose string) (string, error) {
	if purpose == "" {
		return defaultPurpose, nil
	}
	if _, ok := ledger.Purposes[purpose]; !ok {
		return "", ledger.Errorf(ErrInvalid, "%q is not a purpose of use, such as TREAT or ETREAT", purpose)
	}
	return purpose, nil
}

func (c *Client) noStore() error {
	return ledger.Errorf(ErrDenied, "organisation %s stores no records: its profile names no IPFS node", c.ledger.MSP())
}

// awaitPrivate fetches a wrapped key. Private data travels apart from the block and may
// reach the own peer a little after it.
func (c *Client) awaitPrivate(ctx context.Context, fetch func() ([]byte, error)) ([]byte, error) {
	const attempts = 6
	wait := 100 * time.Millisecond
	for i := 1; ; i++ {
		data, err := fetch()
		// Only the chaincode's own word that the key is missing is worth waiting for, not
		// a peer that is away.
		var refusal *ledger.Error
		if err == nil || i == attempts || !errors.Is(err, ErrUnavailable) || !errors.As(err, &refusal) {
			return data, err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// entitlement turns the refusal of all identities into ErrNotSatisfied.
func entitlement(err error) error {
	var refused *abe.NotSatisfiedError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("not entitled: %w", refused)
	case errors.Is(err, age.ErrIncorrectIdentity):
		return fmt.Errorf("not entitled: none of the held keys opens it: %w", ErrNotSatisfied)
	}
	return err
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

// counter reports progress.
type counter struct {
	w           io.Writer
	name        string
	done, total int64
	progress    Progress
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.name, c.done, c.total)
	}
	return n, err
}
