package fabric

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// CreateRecords implements client.Ledger.
func (g *Gateway) CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) ([]ledger.RecordVersion, error) {
	return g.register(ctx, records, envelopes, 1, ledger.RecordCreate)
}

// AmendRecord implements client.Ledger.
func (g *Gateway) AmendRecord(ctx context.Context, v ledger.NewVersion, envelope []byte) (ledger.RecordVersion, error) {
	out, err := g.register(ctx, []ledger.NewRecord{{ID: v.ID, CID: v.CID, Commitment: v.Commitment, Size: v.Size}}, [][]byte{envelope}, v.Version,
		ledger.RecordAmend, v.Version)
	if err != nil {
		return ledger.RecordVersion{}, err
	}
	return out[0], nil
}

// register writes new versions with their wrapped keys. Wrapped keys that begin alike
// share the beginning: it is sent and stored once.
func (g *Gateway) register(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte, version int, transaction string, args ...any) ([]ledger.RecordVersion, error) {
	packed, err := ledger.PackRecords(records)
	if err == nil && len(records) != len(envelopes) {
		err = ledger.Errorf(ledger.ErrInvalid, "%d records and %d envelopes", len(records), len(envelopes))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", transaction, err)
	}
	divided := ledger.DivideEnvelopes(envelopes)
	transient := map[string][]byte{ledger.TransientRecords: packed, ledger.TransientEnvelopes: divided.Pack()}
	versions := make([]ledger.RecordVersion, len(records))
	_, err = g.submit(ctx, transient, func(s stamp) (w writes) {
		for i, r := range records {
			versions[i] = ledger.RecordVersion{ID: r.ID, Version: version, Home: g.MSP(), CID: r.CID, Commitment: r.Commitment,
				Size: r.Size, Author: g.actor, Time: s.time, Tx: s.tx}
			w.put(ledger.RecordKey(r.ID, version), ledger.VersionValue(versions[i]))
			w.wrapped(ledger.EnvelopeKey(r.ID, version), divided.Value(i))
		}
		for _, beginning := range divided.Beginnings {
			w.wrapped(ledger.BeginningKey(beginning), beginning)
		}
		w.put(ledger.RecordTimeKey(s.time, s.tx), ledger.VersionNames(versions))
		return w
	}, transaction, args...)
	if err != nil {
		return nil, err
	}
	return versions, nil
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

// RecordVersions implements client.Ledger.
func (g *Gateway) RecordVersions(ctx context.Context, names []ledger.VersionName) ([]ledger.RecordVersion, error) {
	var all []ledger.RecordVersion
	for batch := range slices.Chunk(names, ledger.MaxRecordsPerCall) {
		var out []ledger.RecordVersion
		if err := g.evaluate(ctx, &out, ledger.RecordVersions, batch); err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// RequestAccess implements client.Ledger.
func (g *Gateway) RequestAccess(ctx context.Context, targets []string, purpose string) ([]ledger.AccessEntry, error) {
	entries := make([]ledger.AccessEntry, len(targets))
	_, err := g.submit(ctx, nil, func(s stamp) (w writes) {
		id := ledger.AccessID(s.time, s.tx)
		for i, t := range targets {
			entries[i] = ledger.AccessEntry{ID: id, Target: t, Actor: g.actor, Purpose: purpose, Time: s.time, Tx: s.tx}
			w.put(ledger.AccessKey(t, id), ledger.AccessValue(entries[i]))
			w.put(ledger.AccessActorKey(g.actor, id, t), ledger.Mark)
			w.put(ledger.AccessTimeKey(id, t), ledger.Mark)
		}
		return w
	}, ledger.AccessRequest, targets, purpose)
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Envelope implements client.Ledger.
func (g *Gateway) Envelope(ctx context.Context, id string, version int, accessID string) (data []byte, seal int, err error) {
	return g.envelope(ctx, ledger.RecordEnvelope, id, version, accessID)
}

// ScopeKey implements client.Ledger.
func (g *Gateway) ScopeKey(ctx context.Context, name string, epoch int, accessID string) ([]byte, error) {
	data, _, err := g.envelope(ctx, ledger.ScopeKey, name, epoch, accessID)
	return data, err
}

func (g *Gateway) envelope(ctx context.Context, transaction string, args ...any) (data []byte, seal int, err error) {
	var out ledger.Envelope
	if err := g.evaluate(ctx, &out, transaction, args...); err != nil {
		return nil, 0, err
	}
	// The peer's organisation alone was asked. A peer that passes the call on all the
	// same shows it to others, and no outage explains that.
	if out.ServedBy != g.PeerMSP() {
		return nil, 0, ledger.Errorf(ledger.ErrTampered, "%s: the peer %s of %s was asked, and %q answered", transaction,
			g.user.Profile.Peer.Address, g.PeerMSP(), out.ServedBy)
	}
	if data, err = base64.StdEncoding.DecodeString(out.Data); err != nil {
		return nil, 0, ledger.Errorf(ledger.ErrTampered, "%s: the peer's answer is not base64", transaction)
	}
	return data, out.Seal, nil
}

// DepositCertificate implements trust.Depositor.
func (g *Gateway) DepositCertificate(ctx context.Context) error {
	_, err := g.submit(ctx, nil, func(stamp) (w writes) {
		w.put(ledger.CertificateKey(g.CertificateID()), g.user.Certificate.Raw)
		return w
	}, ledger.CertificateDeposit)
	return err
}

// Certificates implements client.Ledger.
func (g *Gateway) Certificates(ctx context.Context, ids []ledger.CertificateID) (all []ledger.Certificate, err error) {
	for batch := range slices.Chunk(ids, ledger.MaxCertificates) {
		names := make([]string, len(batch))
		for i, id := range batch {
			names[i] = id.String()
		}
		var out []ledger.Certificate
		if err := g.evaluate(ctx, &out, ledger.CertificateGet, names); err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// ReportKeeping puts on the ledger what the own hospital keeps of another's payloads, see
// [ledger.ReplicaReport].
func (g *Gateway) ReportKeeping(ctx context.Context, k ledger.Keeping) error {
	if k.Newest == nil {
		k.Newest = []ledger.Refusal{}
	}
	_, err := g.submit(ctx, nil, func(s stamp) (w writes) {
		k.Keeper, k.Time = g.MSP(), s.time
		w.putJSON(ledger.KeepingKey(k.Home, k.Keeper), k)
		return w
	}, ledger.ReplicaReport, k)
	return err
}

// Keepings returns the last report of each hospital about each other.
func (g *Gateway) Keepings(ctx context.Context) (all []ledger.Keeping, err error) {
	return all, g.evaluate(ctx, &all, ledger.ReplicaReports)
}

// Announce implements client.Ledger.
func (g *Gateway) Announce(ctx context.Context, a ledger.Announcement) error {
	_, err := g.submit(ctx, nil, func(s stamp) (w writes) {
		w.putJSON(ledger.AuthorityKey(g.MSP()), ledger.Authority{MSP: g.MSP(), URL: a.URL, Custodian: a.Custodian, Time: s.time, Signature: a.Signature})
		w.own(g.MSP(), ledger.AuthorityKey(g.MSP()))
		w.put(ledger.SearchableKey, []byte(s.tx))
		return w
	}, ledger.AuthorityAnnounce, a)
	return err
}

// PublishKeys implements client.Ledger.
func (g *Gateway) PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error {
	_, err := g.submit(ctx, nil, func(stamp) (w writes) {
		w.repeated = true // a version that is current already is not written again
		for _, k := range keys {
			w.putJSON(ledger.AttributeCurrentKey(k.Name), k)
			w.putJSON(ledger.AttributeVersionKey(k.Name, k.Version), k)
			w.own(g.MSP(), ledger.AttributeCurrentKey(k.Name), ledger.AttributeVersionKey(k.Name, k.Version))
		}
		return w
	}, ledger.AuthorityPublishKeys, keys)
	return err
}

// Authorities implements client.Ledger.
func (g *Gateway) Authorities(ctx context.Context) (out []ledger.Authority, err error) {
	err = g.evaluate(ctx, &out, ledger.AuthorityList)
	return out, err
}

// CurrentKeys implements keys.Catalog.
func (g *Gateway) CurrentKeys(ctx context.Context, names []string) (keys []ledger.AttributeKey, err error) {
	for batch := range slices.Chunk(names, ledger.MaxKeysPerCall) {
		var out []ledger.AttributeKey
		if err := g.evaluate(ctx, &out, ledger.AuthorityKeys, batch); err != nil {
			return nil, err
		}
		keys = append(keys, out...)
	}
	return keys, nil
}

// AttributeKeys implements client.Ledger.
func (g *Gateway) AttributeKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error) {
	published, err := g.CurrentKeys(ctx, names)
	if err != nil {
		return nil, err
	}
	found := make(map[string]ledger.AttributeKey, len(names))
	for _, k := range published {
		found[k.Name] = k
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

// AttributesOf implements keys.Catalog.
func (g *Gateway) AttributesOf(ctx context.Context, authority string) (all []ledger.AttributeName, err error) {
	for q := (ledger.AttributeQuery{Authority: authority, PageSize: ledger.MaxPageSize}); ; {
		var page ledger.AttributePage
		if err := g.evaluate(ctx, &page, ledger.AuthorityPublished, q); err != nil {
			return nil, err
		}
		all = append(all, page.Attributes...)
		if page.Bookmark == "" {
			return all, nil
		}
		if page.Bookmark == q.Bookmark {
			return nil, ledger.Errorf(ledger.ErrTampered, "%s: the peer gives the same page twice", ledger.AuthorityPublished)
		}
		q.Bookmark = page.Bookmark
	}
}

// Scopes implements client.Ledger.
func (g *Gateway) Scopes(ctx context.Context) (out []ledger.Scope, err error) {
	err = g.evaluate(ctx, &out, ledger.ScopeList)
	return out, err
}

// Searchable implements client.Ledger.
func (g *Gateway) Searchable(ctx context.Context, name string) (out ledger.Searchable, err error) {
	err = g.evaluate(ctx, &out, ledger.ScopeSearchable, name)
	return out, err
}

// CreateScope implements client.Ledger.
func (g *Gateway) CreateScope(ctx context.Context, name string, envelope []byte) error {
	return g.startEpoch(ctx, name, 1, envelope, ledger.ScopeCreate, name)
}

// RollScope implements client.Ledger.
func (g *Gateway) RollScope(ctx context.Context, name string, epoch int, envelope []byte) error {
	return g.startEpoch(ctx, name, epoch, envelope, ledger.ScopeRoll, name, epoch)
}

func (g *Gateway) startEpoch(ctx context.Context, name string, epoch int, envelope []byte, transaction string, args ...any) error {
	transient := map[string][]byte{ledger.TransientEnvelopes: ledger.DivideEnvelopes([][]byte{envelope}).Pack()}
	_, err := g.submit(ctx, transient, func(s stamp) (w writes) {
		value := ledger.ScopeValue(ledger.Scope{Name: name, Epoch: epoch, Owner: g.MSP(), Time: s.time})
		w.put(ledger.ScopeStateKey(name), value)
		w.put(ledger.ScopeEpochKey(name, epoch), value)
		w.own(g.MSP(), ledger.ScopeStateKey(name), ledger.ScopeEpochKey(name, epoch))
		w.put(ledger.SearchableKey, []byte(s.tx))
		w.wrapped(ledger.ScopeKeyKey(name, epoch), envelope)
		return w
	}, transaction, args...)
	return err
}

// RetireScope implements client.Ledger.
func (g *Gateway) RetireScope(ctx context.Context, name string, epoch int, signature string) error {
	_, err := g.submit(ctx, nil, func(s stamp) (w writes) {
		w.putJSON(ledger.ScopeRetiredKey(name, g.MSP()), ledger.Retirement{Scope: name, MSP: g.MSP(), Epoch: epoch, Actor: g.actor, Time: s.time, Signature: signature})
		w.own(g.MSP(), ledger.ScopeRetiredKey(name, g.MSP()))
		w.put(ledger.SearchableKey, []byte(s.tx))
		return w
	}, ledger.ScopeRetire, name, epoch, signature)
	return err
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

// checkValues checks that an answer has the shape of its question, and makes what does
// not exist nil.
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
	_, err := g.submit(ctx, map[string][]byte{ledger.TransientEntries: packed}, func(stamp) (w writes) {
		for _, e := range entries {
			w.put(ledger.IndexKey(g.MSP(), e.Label[:]), e.Value[:])
		}
		return w
	}, ledger.IndexPut)
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
