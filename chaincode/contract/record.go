package contract

import (
	"encoding/json"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Record keeps what the ledger says of records, and their wrapped keys.
type Record struct {
	contractapi.Contract
	house
}

// GetEvaluateTransactions names the reads, for the metadata.
func (*Record) GetEvaluateTransactions() []string { return []string{"Get", "Envelope"} }

// Create registers version 1 of records, with their wrapped keys from the transient map: all of them or none. Their home is
// the caller's hospital. It sets the event [ledger.EventRecords].
//
// Errors: ErrDenied unless the caller is a clinical user or custodian of a hospital, ErrExists when an id is taken,
// ErrInvalid.
func (c *Record) Create(ctx *Context, records []ledger.NewRecord) ([]ledger.RecordVersion, error) {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return nil, err
	}
	if err := count("records", len(records), ledger.MaxRecordsPerCall); err != nil {
		return nil, err
	}
	at := make([]string, len(records))
	seen := make(map[string]bool, len(records))
	for i, n := range records {
		if err := checkRecordID(n.ID); err != nil {
			return nil, err
		}
		if err := checkPayload(n.ID, n.CID, n.Commitment); err != nil {
			return nil, err
		}
		if seen[n.ID] {
			return nil, refuse(ledger.ErrInvalid, "record %s is given twice", n.ID)
		}
		seen[n.ID] = true
		at[i] = ledger.RecordKey(n.ID, 1)
	}
	envelopes, err := ctx.envelopes(len(records))
	if err != nil {
		return nil, err
	}
	taken, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	versions := make([]ledger.RecordVersion, len(records))
	for i, n := range records {
		if len(taken[i]) > 0 {
			return nil, refuse(ledger.ErrExists, "record %s exists already", n.ID)
		}
		versions[i] = ledger.RecordVersion{ID: n.ID, Version: 1, CID: n.CID, Commitment: n.Commitment}
	}
	return c.register(ctx, who, versions, envelopes)
}

// Amend registers the version after the current one. Only the record's home hospital may.
//
// Errors: ErrDenied unless the caller is a clinical user or custodian of the home hospital, ErrNotFound, ErrExists when
// the version is there already, ErrInvalid when one between is missing.
func (c *Record) Amend(ctx *Context, n ledger.NewVersion) (ledger.RecordVersion, error) {
	var none ledger.RecordVersion
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return none, err
	}
	if err := checkRecordID(n.ID); err != nil {
		return none, err
	}
	if err := checkVersion("version", n.Version); err != nil {
		return none, err
	}
	if err := checkPayload(n.ID, n.CID, n.Commitment); err != nil {
		return none, err
	}
	envelopes, err := ctx.envelopes(1)
	if err != nil {
		return none, err
	}
	// Version 1 is always there and says whose record it is. Reading it and the two versions around the new end touches
	// only keys that are written once.
	values, err := ctx.many([]string{
		ledger.RecordKey(n.ID, 1), ledger.RecordKey(n.ID, max(n.Version-1, 1)), ledger.RecordKey(n.ID, n.Version),
	})
	if err != nil {
		return none, err
	}
	var first ledger.RecordVersion
	if len(values[0]) == 0 {
		return none, refuse(ledger.ErrNotFound, "no record %s", n.ID)
	}
	if err := decode(values[0], &first); err != nil {
		return none, err
	}
	switch {
	case first.Home != who.msp:
		return none, refuse(ledger.ErrDenied, "record %s is of %s: %s cannot amend it", n.ID, first.Home, who.actor())
	case len(values[2]) > 0:
		return none, refuse(ledger.ErrExists, "record %s has a version %d already", n.ID, n.Version)
	case len(values[1]) == 0:
		return none, refuse(ledger.ErrInvalid, "record %s has no version %d: the next is not %d", n.ID, n.Version-1, n.Version)
	}
	versions, err := c.register(ctx, who, []ledger.RecordVersion{
		{ID: n.ID, Version: n.Version, CID: n.CID, Commitment: n.Commitment},
	}, envelopes)
	if err != nil {
		return none, err
	}
	return versions[0], nil
}

// register completes versions and writes them with their wrapped keys.
func (c *Record) register(ctx *Context, who caller, versions []ledger.RecordVersion, envelopes [][]byte) ([]ledger.RecordVersion, error) {
	now, err := ctx.time()
	if err != nil {
		return nil, err
	}
	var b batch
	for i := range versions {
		v := &versions[i]
		v.Home, v.Author, v.Time, v.Tx = who.msp, who.actor(), now, ctx.GetStub().GetTxID()
		b.put(ledger.RecordKey(v.ID, v.Version), v)
		b.mark(ledger.RecordTimeKey(v.Time, v.ID, v.Version))
		b.wrapped(ledger.EnvelopeKey(v.ID, v.Version), envelopes[i])
	}
	if err := ctx.write(&b); err != nil {
		return nil, err
	}
	event, err := json.Marshal(versions)
	if err != nil {
		return nil, broken("encode the event", err)
	}
	if err := ctx.GetStub().SetEvent(ledger.EventRecords, event); err != nil {
		return nil, broken("set the event", err)
	}
	return versions, nil
}

// Get gives records with all their versions, in the order of the ids, leaving out those that do not exist. It is open to
// every member of the channel. Errors: ErrInvalid, also when they have more than ledger.MaxHistory versions together.
func (c *Record) Get(ctx *Context, ids []string) ([]ledger.Record, error) {
	if err := count("record ids", len(ids), ledger.MaxRecordsPerCall); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := checkRecordID(id); err != nil {
			return nil, err
		}
	}
	return ctx.records(ids)
}

// records reads all versions of records. Most have one or two, so it asks for those of all records at once, and then for
// twice as many of each record that had all it was asked for. The bound keeps an answer within one message.
func (ctx *Context) records(ids []string) ([]ledger.Record, error) {
	versions := make([][]ledger.RecordVersion, len(ids))
	open := make([]int, len(ids))
	for i := range ids {
		open[i] = i
	}
	total := 0
	for from, to := 1, 2; len(open) > 0 && from <= ledger.MaxVersions; from, to = to+1, min(2*to, ledger.MaxVersions) {
		var at []string
		for _, i := range open {
			for v := from; v <= to; v++ {
				at = append(at, ledger.RecordKey(ids[i], v))
			}
		}
		values, err := ctx.many(at)
		if err != nil {
			return nil, err
		}
		var more []int
		width := to - from + 1
		for j, i := range open {
			got, err := decodeAll[ledger.RecordVersion](values[j*width : (j+1)*width])
			if err != nil {
				return nil, err
			}
			versions[i] = append(versions[i], got...)
			if total += len(got); total > ledger.MaxHistory {
				return nil, refuse(ledger.ErrInvalid, "the records have more than %d versions: ask for fewer, or read them in pages", ledger.MaxHistory)
			}
			if len(got) == width {
				more = append(more, i)
			}
		}
		open = more
	}
	records := make([]ledger.Record, 0, len(ids))
	for i, v := range versions {
		if len(v) > 0 {
			records = append(records, ledger.Record{ID: ids[i], Home: v[0].Home, Versions: v})
		}
	}
	return records, nil
}

// Envelope hands out the wrapped key of a version, to the actor of a recent access entry for the record.
//
// Errors: ErrDenied when the entry is not there, is not the caller's or is not recent, or unless the caller is a
// clinical user or custodian of a hospital; ErrNotFound when there is no such version or its key was purged; ErrUnavailable
// when this peer does not have the key, yet: another hospital's may; ErrInvalid.
func (c *Record) Envelope(ctx *Context, id string, version int, accessID string) (ledger.Envelope, error) {
	if err := checkRecordID(id); err != nil {
		return ledger.Envelope{}, err
	}
	if err := checkVersion("version", version); err != nil {
		return ledger.Envelope{}, err
	}
	return c.handOut(ctx, id, accessID, ledger.EnvelopeKey(id, version))
}
