package fabric

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// wrapped puts envelopes into the transient map, which no block holds.
func wrapped(envelopes ...[]byte) (map[string][]byte, error) {
	data, err := json.Marshal(envelopes)
	if err != nil {
		return nil, fmt.Errorf("encode envelopes: %w", err)
	}
	return map[string][]byte{ledger.TransientEnvelopes: data}, nil
}

// CreateRecords implements client.Ledger.
func (g *Gateway) CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) ([]ledger.RecordVersion, error) {
	transient, err := wrapped(envelopes...)
	if err != nil {
		return nil, err
	}
	var out []ledger.RecordVersion
	err = g.submit(ctx, &out, transient, ledger.RecordCreate, records)
	return out, err
}

// AmendRecord implements client.Ledger.
func (g *Gateway) AmendRecord(ctx context.Context, v ledger.NewVersion, envelope []byte) (ledger.RecordVersion, error) {
	var out ledger.RecordVersion
	transient, err := wrapped(envelope)
	if err != nil {
		return out, err
	}
	err = g.submit(ctx, &out, transient, ledger.RecordAmend, v)
	return out, err
}

// Records implements client.Ledger.
func (g *Gateway) Records(ctx context.Context, ids []string) ([]ledger.Record, error) {
	var all []ledger.Record
	for len(ids) > 0 {
		n := min(len(ids), ledger.MaxRecordsPerCall)
		var out []ledger.Record
		if err := g.evaluate(ctx, &out, ledger.RecordGet, ids[:n]); err != nil {
			return nil, err
		}
		for _, r := range out {
			if len(r.Versions) == 0 {
				return nil, ledger.Errorf(ledger.ErrTampered, "the peer gave record %s without versions", r.ID)
			}
		}
		all, ids = append(all, out...), ids[n:]
	}
	return all, nil
}

// RequestAccess implements client.Ledger.
func (g *Gateway) RequestAccess(ctx context.Context, targets []string, purpose string) ([]ledger.AccessEntry, error) {
	var out []ledger.AccessEntry
	if err := g.submit(ctx, &out, nil, ledger.AccessRequest, targets, purpose); err != nil {
		return nil, err
	}
	if len(out) != len(targets) {
		return nil, ledger.Errorf(ledger.ErrTampered, "%s: %d access entries for %d targets", ledger.AccessRequest, len(out), len(targets))
	}
	return out, nil
}

// Envelope implements client.Ledger.
func (g *Gateway) Envelope(ctx context.Context, id string, version int, accessID string) ([]byte, error) {
	return g.envelope(ctx, ledger.RecordEnvelope, id, version, accessID)
}

// ScopeKey implements client.Ledger.
func (g *Gateway) ScopeKey(ctx context.Context, name string, epoch int, accessID string) ([]byte, error) {
	return g.envelope(ctx, ledger.ScopeKey, name, epoch, accessID)
}

func (g *Gateway) envelope(ctx context.Context, transaction string, args ...any) ([]byte, error) {
	var out ledger.Envelope
	if err := g.evaluate(ctx, &out, transaction, args...); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(out.Data)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "%s: the peer's answer is not base64", transaction)
	}
	return data, nil
}

// Announce implements client.Ledger.
func (g *Gateway) Announce(ctx context.Context, a ledger.Announcement) error {
	return g.submit(ctx, nil, nil, ledger.AuthorityAnnounce, a)
}

// PublishKeys implements client.Ledger.
func (g *Gateway) PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error {
	return g.submit(ctx, nil, nil, ledger.AuthorityPublishKeys, keys)
}

// Authorities implements client.Ledger.
func (g *Gateway) Authorities(ctx context.Context) (out []ledger.Authority, err error) {
	err = g.evaluate(ctx, &out, ledger.AuthorityList)
	return out, err
}

// AttributeKeys implements client.Ledger.
func (g *Gateway) AttributeKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error) {
	found := make(map[string]ledger.AttributeKey, len(names))
	for rest := names; len(rest) > 0; {
		n := min(len(rest), ledger.MaxKeysPerCall)
		var out []ledger.AttributeKey
		if err := g.evaluate(ctx, &out, ledger.AuthorityKeys, rest[:n]); err != nil {
			return nil, err
		}
		for _, k := range out {
			found[k.Name] = k
		}
		rest = rest[n:]
	}
	keys := make([]ledger.AttributeKey, len(names))
	for i, name := range names {
		k, ok := found[name]
		if !ok {
			return nil, ledger.Errorf(ledger.ErrNotFound, "attribute %s is not published", name)
		}
		keys[i] = k
	}
	return keys, nil
}

// AttributeKeyVersions implements client.Ledger.
func (g *Gateway) AttributeKeyVersions(ctx context.Context, versions []ledger.AttributeName) (keys []ledger.AttributeKey, err error) {
	for batch := range slices.Chunk(versions, ledger.MaxKeysPerCall) {
		var out []ledger.AttributeKey
		if err := g.evaluate(ctx, &out, ledger.AuthorityKeyVersions, batch); err != nil {
			return nil, err
		}
		keys = append(keys, out...)
	}
	return keys, nil
}

// Attributes implements client.Ledger.
func (g *Gateway) Attributes(ctx context.Context) (out []ledger.AttributeName, err error) {
	err = g.evaluate(ctx, &out, ledger.AuthorityAttributes)
	return out, err
}

// Scopes implements client.Ledger.
func (g *Gateway) Scopes(ctx context.Context) (out []ledger.Scope, err error) {
	err = g.evaluate(ctx, &out, ledger.ScopeList)
	return out, err
}

// CreateScope implements client.Ledger.
func (g *Gateway) CreateScope(ctx context.Context, name string, envelope []byte) error {
	transient, err := wrapped(envelope)
	if err != nil {
		return err
	}
	return g.submit(ctx, nil, transient, ledger.ScopeCreate, name)
}

// RollScope implements client.Ledger.
func (g *Gateway) RollScope(ctx context.Context, name string, epoch int, envelope []byte) error {
	transient, err := wrapped(envelope)
	if err != nil {
		return err
	}
	return g.submit(ctx, nil, transient, ledger.ScopeRoll, name, epoch)
}

// RetireScope implements client.Ledger.
func (g *Gateway) RetireScope(ctx context.Context, name string, epoch int) error {
	return g.submit(ctx, nil, nil, ledger.ScopeRetire, name, epoch)
}

// Retirements implements client.Ledger.
func (g *Gateway) Retirements(ctx context.Context, name string) (out []ledger.Retirement, err error) {
	err = g.evaluate(ctx, &out, ledger.ScopeRetired, name)
	return out, err
}

// GetEntries implements index.Store.
func (g *Gateway) GetEntries(ctx context.Context, batches []index.Batch) ([][][]byte, error) {
	var out [][][]byte // encoding/json reads base64 strings into byte slices
	if err := g.evaluate(ctx, &out, ledger.IndexGet, packLabels(batches)); err != nil {
		return nil, err
	}
	return out, checkValues(ledger.IndexGet, batches, out)
}

// SearchEntries implements client.Ledger.
func (g *Gateway) SearchEntries(ctx context.Context, known string, batches []index.Batch) ([][][]byte, ledger.Searchable, error) {
	var out struct { // a ledger.SearchAnswer, read as in GetEntries
		Values     [][][]byte        `json:"values"`
		Searchable ledger.Searchable `json:"searchable"`
	}
	if err := g.evaluate(ctx, &out, ledger.IndexSearch, known, packLabels(batches)); err != nil {
		return nil, ledger.Searchable{}, err
	}
	return out.Values, out.Searchable, checkValues(ledger.IndexSearch, batches, out.Values)
}

func packLabels(batches []index.Batch) []ledger.LabelBatch {
	ask := make([]ledger.LabelBatch, len(batches))
	for i, b := range batches {
		packed := make([]byte, 0, len(b.Labels)*index.LabelSize)
		for _, l := range b.Labels {
			packed = append(packed, l[:]...)
		}
		ask[i] = ledger.LabelBatch{MSP: b.MSP, Labels: base64.StdEncoding.EncodeToString(packed)}
	}
	return ask
}

// checkValues checks that an answer has the shape of its question, and makes what does not exist nil.
func checkValues(transaction string, batches []index.Batch, out [][][]byte) error {
	if len(out) != len(batches) {
		return ledger.Errorf(ledger.ErrTampered, "%s: %d answers for %d batches", transaction, len(out), len(batches))
	}
	for i, values := range out {
		if len(values) != len(batches[i].Labels) {
			return ledger.Errorf(ledger.ErrTampered, "%s: %d values for %d labels", transaction, len(values), len(batches[i].Labels))
		}
		for j, v := range values {
			if len(v) == 0 {
				values[j] = nil // as the interface wants what does not exist
			}
		}
	}
	return nil
}

// PutEntries implements index.Store.
func (g *Gateway) PutEntries(ctx context.Context, entries []index.Entry) error {
	packed := make([]byte, 0, len(entries)*ledger.PackedEntrySize)
	for _, e := range entries {
		packed = append(append(packed, e.Label[:]...), e.Value[:]...)
	}
	err := g.submit(ctx, nil, nil, ledger.IndexPut, base64.StdEncoding.EncodeToString(packed))
	var invalid *invalidError
	if errors.As(err, &invalid) && invalid.conflict() {
		return ledger.Errorf(ledger.ErrExists, "%v", err)
	}
	return err
}

// AuditRecords implements client.Ledger.
func (g *Gateway) AuditRecords(ctx context.Context, q ledger.RecordQuery) (out ledger.RecordPage, err error) {
	err = g.evaluate(ctx, &out, ledger.AuditRecords, q)
	return out, err
}

// AuditAccesses implements client.Ledger.
func (g *Gateway) AuditAccesses(ctx context.Context, q ledger.AccessQuery) (out ledger.AccessPage, err error) {
	err = g.evaluate(ctx, &out, ledger.AuditAccesses, q)
	return out, err
}

// AuditHistory implements client.Ledger.
func (g *Gateway) AuditHistory(ctx context.Context, id string) (out []ledger.HistoryEvent, err error) {
	err = g.evaluate(ctx, &out, ledger.AuditHistory, id)
	return out, err
}
