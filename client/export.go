package client

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// An ExportRequest asks for the age files of a record.
type ExportRequest struct {
	Version  int    // zero means the current one
	Purpose  string // code of HL7 v3 PurposeOfUse; empty means TREAT
	MaxSize  int64  // bytes of the payload that are taken; zero means DefaultMaxExport
	Progress Progress
}

// DefaultMaxExport bounds an exported payload, in bytes.
const DefaultMaxExport = 16 << 30

// An Exported describes the files that were handed out.
type Exported struct {
	ID         string
	Version    int
	Home       string
	CID        string // of the payload
	Envelope   int    // bytes
	Payload    int64  // bytes
	Policies   int    // stanzas of the envelope for attribute keys
	Recipients int    // stanzas of the envelope for age recipients: the home hospital's custodian, a patient
	Access     ledger.AccessEntry
	Proof      *trust.Proof // of the author; nil for a version from before there were signatures
}

// Export hands out a record as the two age files that it is made of, for a reader with an
// age key and without Chartseal: a patient who is a recipient of the envelope. It commits
// an access entry first, as Open does. It decrypts nothing and needs no key. The payload
// is checked against its CID. Use what the writers have received only if the error is
// nil.
//
// Errors:
//   - those of [Client.Open] but ErrNotSatisfied.
//   - ErrInvalid if the payload is larger than r.MaxSize. Nothing is written then.
//   - ErrTampered if the payload has another size than the ledger says. Nothing is
//     written then.
func (c *Client) Export(ctx context.Context, id string, wrapped, payload io.Writer, r ExportRequest) (Exported, error) {
	e, err := c.export(ctx, id, wrapped, payload, r)
	if err != nil {
		return Exported{}, fmt.Errorf("export record %s: %w", id, err)
	}
	return e, nil
}

func (c *Client) export(ctx context.Context, id string, wrapped, payload io.Writer, r ExportRequest) (Exported, error) {
	var none Exported
	h, err := c.access.HandOut(ctx, id, r.Version, r.Purpose)
	if err != nil {
		return none, err
	}
	if c.blobs == nil { // only now, so that a person without access learns that first
		return none, c.noStore()
	}
	v := h.Version
	header, err := envelope.ReadHeader(h.Envelope)
	if err != nil {
		return none, err
	}
	proof, err := c.proof(ctx, v, header)
	if err != nil {
		return none, err
	}
	blob, err := c.blobs.Open(ctx, v.CID)
	if err != nil {
		return none, err
	}
	defer blob.Close()
	if v.Size > 0 && blob.Size() != v.Size {
		return none, ledger.Errorf(ErrTampered, "payload %s has %d bytes, and the ledger says %d", v.CID, blob.Size(), v.Size)
	}
	if limit := cmp.Or(r.MaxSize, DefaultMaxExport); blob.Size() > limit {
		return none, ledger.Errorf(ErrInvalid, "payload %s has %d bytes, more than %d", v.CID, blob.Size(), limit)
	}
	counted := &progressWriter{w: payload, name: id, total: blob.Size(), progress: r.Progress}
	if _, err := io.Copy(counted, io.LimitReader(blob, blob.Size()+1)); err != nil {
		return none, err
	}
	if counted.done != blob.Size() {
		return none, ledger.Errorf(ErrTampered, "payload %s: %d bytes of %d", v.CID, counted.done, blob.Size())
	}
	if _, err := wrapped.Write(h.Envelope); err != nil {
		return none, err
	}
	e := Exported{ID: v.ID, Version: v.Version, Home: v.Home, CID: v.CID, Envelope: len(h.Envelope), Payload: counted.done, Access: h.Access, Proof: proof}
	for _, s := range header.Recipients {
		if abe.IsStanza(s.Type) {
			e.Policies++
		} else {
			e.Recipients++
		}
	}
	return e, nil
}

// proof returns what a reader needs to verify the author of a version.
func (c *Client) proof(ctx context.Context, v ledger.RecordVersion, header *envelope.Header) (*trust.Proof, error) {
	if header.Signature == nil {
		return nil, nil
	}
	policy, err := header.Policy()
	if err != nil {
		return nil, err
	}
	return c.trust.Proof(ctx, trust.VersionOf(v, policy), v.Home, *header.Signature)
}
