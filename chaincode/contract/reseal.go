package contract

import (
	"slices"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Reseal seals versions of records again: it writes their new wrapped keys, and purges
// those that it replaces from every peer, with their history. A version whose payload
// stays has another policy; one with another payload has another record key, so that the
// wrapped key before opens nothing that is still kept.
//
// The transient map has the versions as records, in any order, the number of each seal,
// and the envelopes. Only the home hospital of a record may seal it again: the author of
// the version, and people whose role is one of [Config].Resealers. It sets the event
// [ledger.EventRecords] if there are new payloads.
//
// Errors:
//   - ErrDenied unless the caller is such a person of the home hospital.
//   - ErrNotFound if there is no such version.
//   - ErrErased if the record was erased.
//   - ErrExists if the version has the seal already, or a shared beginning of envelopes
//     is stored already.
//   - ErrInvalid if a number is not the next one, a version is given twice, a payload
//     stays and its commitment or size does not, a record or envelope is malformed or not
//     signed by the caller, or there are none or too many.
func (c *Record) Reseal(ctx *Context) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	records, numbers, envelopes, err := ctx.sealedAgain(who)
	if err != nil {
		return err
	}
	before, seals, err := c.resealable(ctx, who, records, numbers)
	if err != nil {
		return err
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	tx := ctx.GetStub().GetTxID()
	var b batch
	var renewed []ledger.RecordVersion // with a new payload
	var ended []ledger.End
	for i, r := range records {
		v := before[i].Again(ledger.Seal{CID: r.CID, Commitment: r.Commitment, Size: r.Size, Seal: numbers[i].Seal, Actor: who.actor(), Time: now, Tx: tx})
		if r.CID != before[i].CID {
			renewed, ended = append(renewed, v), append(ended, ledger.End{CID: before[i].CID, Next: r.CID})
		}
		b.raw(ledger.SealKey(v.ID, v.Version, v.Seal), ledger.SealValue(v))
		b.purge(ledger.SealedKey(v.ID, v.Version, before[i].Seal))
		b.wrapped(ledger.SealedKey(v.ID, v.Version, v.Seal), envelopes.Value(i))
		seals.set(v.ID, v.Version, v.Seal)
	}
	for i, id := range seals.ids {
		b.raw(ledger.SealsKey(id), ledger.PackSeals(seals.numbers[i]))
	}
	b.end(now, tx, ended)
	if err := ctx.beginnings(&b, envelopes); err != nil {
		return err
	}
	if err := c.write(ctx, &b); err != nil {
		return err
	}
	if len(renewed) == 0 {
		return nil
	}
	return ctx.announce(who, renewed)
}

// resealable checks that the caller may seal versions again, and that the numbers are the
// next ones. It gives the versions as they are, and the seals of their records.
func (c *Record) resealable(ctx *Context, who caller, records []ledger.NewRecord, numbers []ledger.SealNumber) ([]ledger.RecordVersion, sealTable, error) {
	var seals sealTable
	names := make([]ledger.VersionName, len(records))
	seen := make(map[ledger.VersionName]bool, len(records))
	at := make([]string, len(records))
	for i, r := range records {
		names[i] = ledger.VersionName{ID: r.ID, Version: numbers[i].Version}
		if err := checkVersion("version", numbers[i].Version); err != nil {
			return nil, seals, err
		}
		if err := checkVersion("seal", numbers[i].Seal); err != nil {
			return nil, seals, err
		}
		if seen[names[i]] {
			return nil, seals, refuse(ledger.ErrInvalid, "version %d of record %s is given twice", names[i].Version, r.ID)
		}
		seen[names[i]] = true
		at[i] = ledger.RecordKey(r.ID, names[i].Version)
		seals.add(r.ID)
	}
	keys := slices.Clone(at)
	for _, id := range seals.ids {
		keys = append(keys, ledger.SealsKey(id), ledger.ErasedKey(id))
	}
	values, err := ctx.many(keys)
	if err != nil {
		return nil, seals, err
	}
	for i, id := range seals.ids {
		ends := values[len(at)+2*i:]
		if len(ends[1]) > 0 {
			return nil, seals, erased(id, ends[1])
		}
		if seals.numbers[i], err = readSeals(ends[0]); err != nil {
			return nil, seals, err
		}
	}
	before := make([]ledger.RecordVersion, len(records))
	var again []*ledger.RecordVersion
	var sealed []string
	for i, n := range names {
		if len(values[i]) == 0 {
			return nil, seals, refuse(ledger.ErrNotFound, "no version %d of record %s", n.Version, n.ID)
		}
		if before[i], err = readVersion(at[i], values[i]); err != nil {
			return nil, seals, err
		}
		if err := c.mayReseal(who, before[i]); err != nil {
			return nil, seals, err
		}
		last := seals.of(n.ID).Of(n.Version)
		switch next := numbers[i].Seal; {
		case next <= last:
			return nil, seals, refuse(ledger.ErrExists, "version %d of record %s has a seal %d already", n.Version, n.ID, next)
		case next != last+1:
			return nil, seals, refuse(ledger.ErrInvalid, "version %d of record %s has %d seals after the first: the next is not %d", n.Version, n.ID, last, next)
		case last > 0:
			again, sealed = append(again, &before[i]), append(sealed, ledger.SealKey(n.ID, n.Version, last))
		}
	}
	if err := ctx.seal(again, sealed); err != nil {
		return nil, seals, err
	}
	for i, r := range records {
		b := before[i]
		if r.CID == b.CID && (r.Commitment != b.Commitment || r.Size != b.Size && b.Size != 0) {
			return nil, seals, refuse(ledger.ErrInvalid, "version %d of record %s keeps its payload: its commitment and size cannot change", b.Version, b.ID)
		}
	}
	return before, seals, nil
}

func (c *Record) mayReseal(who caller, v ledger.RecordVersion) error {
	switch {
	case v.Home != who.msp:
		return refuse(ledger.ErrDenied, "record %s belongs to %s: %s cannot change who opens it", v.ID, v.Home, who.actor())
	case v.Author != who.actor() && !slices.Contains(c.resealers, who.role):
		return refuse(ledger.ErrDenied, "record %s was sealed by %s: %s has the role %.64q, and who opens other people's records is changed by %s",
			v.ID, v.Author, who.actor(), who.role, strings.Join(c.resealers, ", "))
	}
	return nil
}

// A sealTable has the seals of several records, in the order in which they are named.
type sealTable struct {
	ids     []string
	numbers []ledger.SealNumbers
	place   map[string]int
}

func (t *sealTable) add(id string) {
	if t.place == nil {
		t.place = make(map[string]int)
	}
	if _, known := t.place[id]; !known {
		t.place[id] = len(t.ids)
		t.ids, t.numbers = append(t.ids, id), append(t.numbers, nil)
	}
}

func (t *sealTable) of(id string) ledger.SealNumbers { return t.numbers[t.place[id]] }

func (t *sealTable) set(id string, version, seal int) {
	i := t.place[id]
	t.numbers[i] = t.numbers[i].With(version, seal)
}

func readSeals(value []byte) (ledger.SealNumbers, error) {
	numbers, err := ledger.UnpackSeals(value)
	if err != nil {
		return nil, broken("read the seals of a record", err)
	}
	return numbers, nil
}

func readSeal(key string, value []byte) (ledger.Seal, error) {
	s, err := ledger.ReadSeal(key, value)
	if err != nil {
		return s, broken("read the ledger", err)
	}
	return s, nil
}
