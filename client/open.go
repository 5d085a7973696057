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

// Open opens a record: it commits an access entry, fetches the envelope and the payload, verifies both and writes the record to out.
// What out has received may be used only if the error is nil.
//
// Its errors: ErrNotFound, ErrInvalid for the purpose, ErrDenied by the ledger, ErrNotSatisfied when the held keys do not
// unwrap the envelope, ErrTampered, ErrUnavailable, and what out returns.
func (c *Client) Open(ctx context.Context, id string, out io.Writer, r OpenRequest) (Opened, error) {
	opened, err := c.open(ctx, id, out, r)
	if err != nil {
		return Opened{}, fmt.Errorf("open record %s: %w", id, err)
	}
	return opened, nil
}

func (c *Client) open(ctx context.Context, id string, out io.Writer, r OpenRequest) (Opened, error) {
	var none Opened
	h, err := c.handOut(ctx, id, r.Version, r.Purpose)
	if err != nil {
		return none, err
	}
	v := h.version
	identities := c.identities
	if r.SkipPolicyCheck {
		identities = withoutPolicyCheck(identities)
	}
	m, err := envelope.Open(h.envelope, v, identities...)
	if err != nil {
		return none, entitlement(err)
	}
	if c.blobs == nil { // only now, so that who is not entitled hears that
		return none, c.noStore()
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return none, err
	}
	defer blob.Close()
	counted := &counter{w: out, name: id, total: m.Size, progress: r.Progress}
	if err := envelope.OpenPayload(counted, blob, m, v.Commitment); err != nil {
		return none, err
	}
	return Opened{
		ID: v.ID, Version: v.Version, Name: m.Name, MediaType: m.MediaType, Kind: m.Kind, Size: m.Size,
		SHA256: hex.EncodeToString(m.SHA256), Patient: m.Patient, Dates: m.Dates, Codes: m.Codes,
		Author: m.Author, Sealed: m.Sealed, Home: v.Home, Access: h.access,
	}, nil
}

// A handedOut is an envelope that the ledger gave for an access entry.
type handedOut struct {
	version  ledger.RecordVersion
	access   ledger.AccessEntry
	envelope []byte
}

// handOut commits an access entry for a record and fetches the envelope of a version, zero being the current one: the only
// way to a wrapped key.
func (c *Client) handOut(ctx context.Context, id string, version int, purpose string) (handedOut, error) {
	var h handedOut
	purpose, err := checkPurpose(purpose)
	if err != nil {
		return h, err
	}
	if h.version, err = c.version(ctx, id, version); err != nil {
		return h, err
	}
	entries, err := c.ledger.RequestAccess(ctx, []string{id}, purpose)
	if err != nil {
		return h, err
	}
	h.access = entries[0]
	h.envelope, err = c.awaitPrivate(ctx, func() ([]byte, error) {
		return c.ledger.Envelope(ctx, id, h.version.Version, h.access.ID)
	})
	return h, err
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
	return ledger.Errorf(ErrUnavailable, "organisation %s has no IPFS node", c.ledger.MSP())
}

// awaitPrivate fetches a wrapped key. Private data travels apart from the block and may reach the own peer a little after it.
func (c *Client) awaitPrivate(ctx context.Context, fetch func() ([]byte, error)) ([]byte, error) {
	const attempts = 6
	wait := 100 * time.Millisecond
	for i := 1; ; i++ {
		data, err := fetch()
		// Only the chaincode's own word that the key is missing is worth waiting for, not a peer that is away.
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
