package contract

import (
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Record keeps what the ledger says of records, and their wrapped keys.
type Record struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions names the reads, for the metadata.
func (*Record) GetEvaluateTransactions() []string { return []string{"Get", "Envelope"} }

// Create registers version 1 of the records in the transient map, with their wrapped keys
// from there: all of them or none. Their home is the caller's hospital. It sets the event
// [ledger.EventRecords].
//
// Errors: ErrDenied unless the caller is a clinical user or custodian of a hospital,
// ErrExists when an id is taken, or the beginning of envelopes, ErrInvalid.
func (c *Record) Create(ctx *Context) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	records, envelopes, err := ctx.sealed()
	if err != nil {
		return err
	}
	at := make([]string, len(records))
	seen := make(map[string]bool, len(records))
	versions := make([]ledger.RecordVersion, len(records))
	for i, n := range records {
		if seen[n.ID] {
			return refuse(ledger.ErrInvalid, "record %s is given twice", n.ID)
		}
		seen[n.ID] = true
		at[i] = ledger.RecordKey(n.ID, 1)
		versions[i] = ledger.RecordVersion{ID: n.ID, Version: 1, CID: n.CID, Commitment: n.Commitment}
	}
	taken, err := ctx.many(at)
	if err != nil {
		return err
	}
	for i, n := range records {
		if len(taken[i]) > 0 {
			return refuse(ledger.ErrExists, "record %s exists already", n.ID)
		}
	}
	return c.register(ctx, who, versions, envelopes)
}

// Amend registers the version after the current one of the one record in the transient
// map. Only the record's home hospital may.
//
// Errors: ErrDenied unless the caller is a clinical user or custodian of the home
// hospital, ErrNotFound, ErrExists when the version is there already, ErrInvalid when one
// between is missing.
func (c *Record) Amend(ctx *Context, version int) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	if err := checkVersion("version", version); err != nil {
		return err
	}
	records, envelopes, err := ctx.sealed()
	if err != nil {
		return err
	}
	if len(records) != 1 {
		return refuse(ledger.ErrInvalid, "%d records: one is amended at a time", len(records))
	}
	n := records[0]
	// Version 1 is always there and says whose record it is. Reading it and the two
	// versions around the new end touches only keys that are written once.
	at := []string{ledger.RecordKey(n.ID, 1), ledger.RecordKey(n.ID, max(version-1, 1)), ledger.RecordKey(n.ID, version)}
	values, err := ctx.many(at)
	if err != nil {
		return err
	}
	if len(values[0]) == 0 {
		return refuse(ledger.ErrNotFound, "no record %s", n.ID)
	}
	first, err := readVersion(at[0], values[0])
	switch {
	case err != nil:
		return err
	case first.Home != who.msp:
		return refuse(ledger.ErrDenied, "record %s is of %s: %s cannot amend it", n.ID, first.Home, who.actor())
	case len(values[2]) > 0:
		return refuse(ledger.ErrExists, "record %s has a version %d already", n.ID, version)
	case len(values[1]) == 0:
		return refuse(ledger.ErrInvalid, "record %s has no version %d: the next is not %d", n.ID, version-1, version)
	}
	return c.register(ctx, who, []ledger.RecordVersion{{ID: n.ID, Version: version, CID: n.CID, Commitment: n.Commitment}}, envelopes)
}

// register completes versions and writes them with their wrapped keys, and what some of
// these begin with once. The author is of the home hospital, which is how a reader knows
// the home.
//
// A beginning is under a key that is its hash, so nobody can put another in its place,
// and it is written once: to write the same again would change its version, and keep from
// a peer that has yet to get it again what it could hand out before.
func (c *Record) register(ctx *Context, who caller, versions []ledger.RecordVersion, envelopes ledger.Envelopes) error {
	now, err := ctx.time()
	if err != nil {
		return err
	}
	tx := ctx.GetStub().GetTxID()
	var b batch
	var cids []byte
	for i, v := range versions {
		v.Author, v.Time, v.Tx = who.actor(), now, tx
		b.raw(ledger.RecordKey(v.ID, v.Version), ledger.VersionValue(v))
		b.wrapped(ledger.EnvelopeKey(v.ID, v.Version), envelopes.Value(i))
		cid, err := ledger.PackCID(v.CID)
		if err != nil {
			return refuse(ledger.ErrInvalid, "record %s: %v", v.ID, err)
		}
		cids = append(cids, cid...)
	}
	for _, beginning := range envelopes.Beginnings {
		at := ledger.BeginningKey(beginning)
		taken, err := ctx.hasPrivate(at)
		if err != nil {
			return err
		}
		if taken {
			return refuse(ledger.ErrExists, "wrapped keys begin like others that are there: seal them anew")
		}
		b.wrapped(at, beginning)
	}
	b.raw(ledger.RecordTimeKey(now, tx), ledger.VersionNames(versions))
	if err := ctx.write(&b); err != nil {
		return err
	}
	if err := ctx.GetStub().SetEvent(ledger.EventRecords, cids); err != nil {
		return broken("set the event", err)
	}
	return nil
}

// Get gives records with all their versions, in the order of the ids, leaving out those
// that do not exist. It is open to every member of the channel. Errors: ErrInvalid, also
// when they have more than ledger.MaxHistory versions together.
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

// records reads all versions of records. Most have one or two, so it asks for those of
// all records at once, and then for twice as many of each record that had all it was
// asked for. The bound keeps an answer within one message.
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
			got, err := readAll(at[j*width:(j+1)*width], values[j*width:(j+1)*width], readVersion)
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

// Envelope hands out the wrapped key of a version, to the actor of a recent access entry
// for the record.
//
// Errors: ErrDenied when the entry is not there, is not the caller's or is not recent, or
// unless the caller is a clinical user or custodian of a hospital; ErrNotFound when there
// is no such version or its key was purged; ErrUnavailable when this peer does not have
// the key, or its beginning, yet: another hospital's may; ErrTampered when the beginning
// that it has is another; ErrInvalid.
func (c *Record) Envelope(ctx *Context, id string, version int, accessID string) (ledger.Envelope, error) {
	if err := checkRecordID(id); err != nil {
		return ledger.Envelope{}, err
	}
	if err := checkVersion("version", version); err != nil {
		return ledger.Envelope{}, err
	}
	return c.handOut(ctx, id, accessID, ledger.EnvelopeKey(id, version))
}
