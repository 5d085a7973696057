package contract

import (
	"slices"
	"strings"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Record keeps records, their versions and their wrapped keys.
type Record struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Record) GetEvaluateTransactions() []string {
	return []string{"Get", "Versions", "Envelope", "Erasing"}
}

// Create registers version 1 of the records in the transient map, with their wrapped
// keys. Their home is the caller's hospital. It sets the event [ledger.EventRecords].
//
// Errors:
//   - ErrDenied unless the caller is a clinical user or custodian of a hospital.
//   - ErrExists if an id is taken, or a shared beginning of envelopes is stored already.
//   - ErrInvalid if a record or envelope is malformed or not signed by the caller, an id
//     is given twice, or there are none or too many.
func (c *Record) Create(ctx *Context) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	records, envelopes, err := ctx.sealed(who)
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
		versions[i] = ledger.RecordVersion{ID: n.ID, Version: 1, CID: n.CID, Commitment: n.Commitment, Size: n.Size}
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

// Amend registers the next version of the one record in the transient map. Only the home
// hospital of a record may amend it: the author of the version before, and people whose
// role is one of [Config].Amenders. It sets the event [ledger.EventRecords].
//
// Errors:
//   - ErrDenied unless the caller is such a person of the home hospital.
//   - ErrNotFound if there is no such record.
//   - ErrErased if the record was erased.
//   - ErrExists if the record has the version already.
//   - ErrInvalid if the version is not the next one, the record or its envelope is
//     malformed, or there is not exactly one.
func (c *Record) Amend(ctx *Context, version int) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	if err := checkVersion("version", version); err != nil {
		return err
	}
	records, envelopes, err := ctx.sealed(who)
	if err != nil {
		return err
	}
	if len(records) != 1 {
		return refuse(ledger.ErrInvalid, "%d records: Amend takes one", len(records))
	}
	n := records[0]
	// Version 1 always exists and names the home. It is written once, like the versions
	// before and at the new one, so these reads conflict with nothing but another Amend.
	at := []string{ledger.RecordKey(n.ID, 1), ledger.RecordKey(n.ID, max(version-1, 1)), ledger.RecordKey(n.ID, version), ledger.ErasedKey(n.ID)}
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
		return refuse(ledger.ErrDenied, "record %s belongs to %s: %s cannot amend it", n.ID, first.Home, who.actor())
	case len(values[3]) > 0:
		return erased(n.ID, values[3])
	case len(values[2]) > 0:
		return refuse(ledger.ErrExists, "record %s has a version %d already", n.ID, version)
	case len(values[1]) == 0:
		return refuse(ledger.ErrInvalid, "record %s has no version %d: the next is not %d", n.ID, version-1, version)
	}
	before, err := readVersion(at[1], values[1])
	if err != nil {
		return err
	}
	if before.Author != who.actor() && !slices.Contains(c.amenders, who.role) {
		return refuse(ledger.ErrDenied, "record %s was sealed by %s: %s has the role %.64q, and other people's records are amended by %s",
			n.ID, before.Author, who.actor(), who.role, strings.Join(c.amenders, ", "))
	}
	return c.register(ctx, who, []ledger.RecordVersion{{ID: n.ID, Version: version, CID: n.CID, Commitment: n.Commitment, Size: n.Size}}, envelopes)
}

// register completes versions and writes them with their wrapped keys. It writes each
// shared beginning of wrapped keys once. Readers take the home from the author, who is
// always a member of the home hospital.
func (c *Record) register(ctx *Context, who caller, versions []ledger.RecordVersion, envelopes ledger.Envelopes) error {
	now, err := ctx.time()
	if err != nil {
		return err
	}
	tx := ctx.GetStub().GetTxID()
	var b batch
	for i, v := range versions {
		v.Author, v.Time, v.Tx = who.actor(), now, tx
		b.raw(ledger.RecordKey(v.ID, v.Version), ledger.VersionValue(v))
		b.wrapped(ledger.EnvelopeKey(v.ID, v.Version), envelopes.Value(i))
	}
	if err := ctx.beginnings(&b, envelopes); err != nil {
		return err
	}
	b.raw(ledger.RecordTimeKey(now, tx), ledger.VersionNames(versions))
	if err := c.write(ctx, &b); err != nil {
		return err
	}
	return ctx.announce(who, versions)
}

// beginnings adds the shared beginnings of wrapped keys. The key of a beginning is its
// hash, so nobody can replace it. It must not be written again either: that would change
// its version, and a peer that waits for the new value could no longer hand out the old
// one.
func (ctx *Context) beginnings(b *batch, envelopes ledger.Envelopes) error {
	for _, beginning := range envelopes.Beginnings {
		at := ledger.BeginningKey(beginning)
		taken, err := ctx.hasPrivate(at)
		if err != nil {
			return err
		}
		if taken {
			return refuse(ledger.ErrExists, "the wrapped keys share a beginning that is stored already: seal them again")
		}
		b.wrapped(at, beginning)
	}
	return nil
}

// announce sets the event that tells replicators of new payloads.
func (ctx *Context) announce(who caller, versions []ledger.RecordVersion) error {
	payloads, err := ledger.PackPayloads(who.msp, versions)
	if err != nil {
		return refuse(ledger.ErrInvalid, "%v", err)
	}
	if err := ctx.GetStub().SetEvent(ledger.EventRecords, payloads); err != nil {
		return broken("set the event", err)
	}
	return nil
}

// Get gives records with all their versions, in the order of the ids. It leaves out
// unknown ones. If the records have more than ledger.MaxHistory versions together, each
// record has its newest versions only, an equal share, and says how many are left out. A
// record asked for alone is always whole. Every member of the channel may call it.
//
// Errors:
//   - ErrInvalid if an id is malformed, or there are none or too many.
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

// Versions gives named versions of records, in the order of the names. It leaves out
// unknown ones, and those of erased records. Every member of the channel may call it.
//
// Errors:
//   - ErrInvalid if an id or a version is malformed, or there are none or too many.
func (c *Record) Versions(ctx *Context, names []ledger.VersionName) ([]ledger.RecordVersion, error) {
	if err := count("versions", len(names), ledger.MaxRecordsPerCall); err != nil {
		return nil, err
	}
	at := make([]string, len(names))
	for i, n := range names {
		if err := checkRecordID(n.ID); err != nil {
			return nil, err
		}
		if err := checkVersion("version", n.Version); err != nil {
			return nil, err
		}
		at[i] = ledger.RecordKey(n.ID, n.Version)
	}
	return ctx.named(names, at)
}

// Envelope hands out the wrapped key of a version to the actor of a recent access entry
// for the record.
//
// Errors:
//   - ErrDenied unless the caller is a clinical user or custodian of a hospital.
//   - ErrDenied if this peer has no such access entry, or it is another actor's or not
//     recent.
//   - ErrNotFound if there is no such version.
//   - ErrErased if the record was erased.
//   - ErrUnavailable if the wrapped key, or its shared beginning, has not reached this
//     peer. Another hospital's peer may have it.
//   - ErrTampered if this peer has another beginning than the one stored.
//   - ErrInvalid if an argument is malformed.
func (c *Record) Envelope(ctx *Context, id string, version int, accessID string) (ledger.Envelope, error) {
	if err := checkRecordID(id); err != nil {
		return ledger.Envelope{}, err
	}
	if err := checkVersion("version", version); err != nil {
		return ledger.Envelope{}, err
	}
	values, err := ctx.many([]string{ledger.SealsKey(id), ledger.ErasedKey(id)})
	if err != nil {
		return ledger.Envelope{}, err
	}
	seals, err := readSeals(values[0])
	if err != nil {
		return ledger.Envelope{}, err
	}
	if len(values[1]) > 0 {
		return ledger.Envelope{}, erased(id, values[1])
	}
	out, err := c.handOut(ctx, id, accessID, ledger.SealedKey(id, version, seals.Of(version)))
	out.Seal = seals.Of(version)
	return out, err
}
