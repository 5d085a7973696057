package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Audit answers auditors: it gives the authors of record versions and the actors of
// access entries. All of it is public state, which a peer's administrator can read
// anyway. The role keeps staff from watching each other. Everybody may list the records
// that they have sealed themselves.
//
// Times are claims of clients, which endorsers with a clock check, see [Config.Clock].
// Only the order of blocks is certain.
type Audit struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Audit) GetEvaluateTransactions() []string {
	return []string{"Records", "Accesses", "History", "Erasures"}
}

// Records gives a page of record versions: of one record in the order of versions, or of
// all records in the order of time. With an author it skips the versions of others.
//
// Errors:
//   - ErrDenied unless the caller is an auditor, custodian or admin, or the author.
//   - ErrInvalid if a part of the query is malformed.
func (c *Audit) Records(ctx *Context, q ledger.RecordQuery) (ledger.RecordPage, error) {
	var none ledger.RecordPage
	who, err := ctx.caller()
	if err == nil && (q.Author == "" || q.Author != who.actor()) {
		_, err = c.admit(ctx, auditors)
	}
	if err != nil {
		return none, err
	}
	page, err := c.records(ctx, q)
	if q.Author != "" {
		page.Versions = slices.DeleteFunc(page.Versions, func(v ledger.RecordVersion) bool { return v.Author != q.Author })
	}
	return page, err
}

func (c *Audit) records(ctx *Context, q ledger.RecordQuery) (ledger.RecordPage, error) {
	var none ledger.RecordPage
	if err := checkTimes(q.Since, q.Until); err != nil {
		return none, err
	}
	if q.Record == "" {
		at, next, err := ctx.registered(timeSpan(ledger.RecordTimePrefix, q.Since, q.Until), q.PageSize, q.Bookmark)
		if err != nil {
			return none, err
		}
		return recordPage(ctx, at, next)
	}
	if err := checkRecordID(q.Record); err != nil {
		return none, err
	}
	rows, next, err := ctx.page(timeSpan(ledger.RecordPrefix(q.Record), "", ""), q.PageSize, q.Bookmark, func(key string, value []byte) (bool, error) {
		v, err := readVersion(key, value)
		return within(v.Time, q.Since, q.Until), err
	})
	if err != nil {
		return none, err
	}
	at := make([]string, len(rows))
	for i, kv := range rows {
		at[i] = kv.Key
	}
	return recordPage(ctx, at, next)
}

func recordPage(ctx *Context, at []string, next string) (ledger.RecordPage, error) {
	versions, err := readKnown(ctx, at, readVersion)
	return ledger.RecordPage{Versions: versions, Bookmark: next}, err
}

// registered gives the keys of up to size versions in the order of time. A row of the
// span has all versions of a transaction. So a bookmark has that of a row, and the number
// of its versions on earlier pages.
func (ctx *Context) registered(s span, size int, bookmark string) (at []string, next string, err error) {
	row, given, cut := strings.Cut(bookmark, ".")
	skip := 0
	if cut {
		if skip, err = strconv.Atoi(given); err != nil || skip < 0 || row == "" {
			return nil, "", refuse(ledger.ErrInvalid, "bookmark %.80q does not belong to this query", bookmark)
		}
	}
	rows, next, err := ctx.page(s, size, row, nil)
	if err != nil {
		return nil, "", err
	}
	for _, kv := range rows {
		names, err := ledger.ReadVersionNames(kv.Value)
		if err != nil {
			return nil, "", broken("read the order of records", err)
		}
		if skip > 0 && skip >= len(names) {
			return nil, "", refuse(ledger.ErrInvalid, "bookmark %.80q does not belong to this query", bookmark)
		}
		for i := skip; i < len(names); i++ {
			if len(at) == cmp.Or(size, ledger.DefaultPageSize) {
				return at, fmt.Sprintf("%s.%d", sealBookmark(kv.Key), i), nil
			}
			at = append(at, ledger.RecordKey(names[i].ID, names[i].Version))
		}
		skip = 0
	}
	return at, next, nil
}

// Accesses gives a page of access entries in the order of time: all of them, or those of
// a target, of an actor, or of both.
//
// Errors:
//   - ErrDenied unless the caller is an auditor, custodian or admin.
//   - ErrInvalid if a part of the query is malformed.
func (c *Audit) Accesses(ctx *Context, q ledger.AccessQuery) (ledger.AccessPage, error) {
	var none ledger.AccessPage
	if _, err := c.admit(ctx, auditors); err != nil {
		return none, err
	}
	if err := checkTimes(q.Since, q.Until); err != nil {
		return none, err
	}
	if q.Record != "" {
		if _, err := checkTarget(q.Record); err != nil {
			return none, err
		}
	}
	if err := checkActor(q.Actor); err != nil {
		return none, err
	}

	prefix := ledger.AccessTimePrefix
	var keep func(string, []byte) (bool, error)
	switch {
	case q.Record != "":
		prefix = ledger.AccessPrefix(q.Record)
		if q.Actor != "" {
			keep = func(key string, value []byte) (bool, error) {
				e, err := readAccess(key, value)
				return e.Actor == q.Actor, err
			}
		}
	case q.Actor != "":
		prefix = ledger.AccessActorPrefix(q.Actor)
	}
	rows, next, err := ctx.page(timeSpan(prefix, q.Since, q.Until), q.PageSize, q.Bookmark, keep)
	if err != nil {
		return none, err
	}
	at := make([]string, len(rows))
	for i, kv := range rows {
		target, id, err := ledger.ParseAnyAccessKey(kv.Key)
		if err != nil {
			return none, broken("read the order of accesses", err)
		}
		at[i] = ledger.AccessKey(target, id)
	}
	entries, err := readKnown(ctx, at, readAccess)
	return ledger.AccessPage{Entries: entries, Bookmark: next}, err
}

// Erasures gives a page of erasures in the order of time.
//
// Errors:
//   - ErrDenied unless the caller is an auditor, custodian, admin or authority.
//   - ErrInvalid if a part of the query is malformed.
func (c *Audit) Erasures(ctx *Context, q ledger.ErasureQuery) (ledger.ErasurePage, error) {
	var none ledger.ErasurePage
	if _, err := c.admit(ctx, confirmers); err != nil {
		return none, err
	}
	if err := checkTimes(q.Since, q.Until); err != nil {
		return none, err
	}
	rows, next, err := ctx.page(timeSpan(ledger.ErasedTimePrefix, q.Since, q.Until), q.PageSize, q.Bookmark, nil)
	if err != nil {
		return none, err
	}
	var at []string
	for _, kv := range rows {
		ids, err := ledger.UnpackRecordIDs(kv.Value)
		if err != nil {
			return none, broken("read the order of erasures", err)
		}
		for _, id := range ids {
			at = append(at, ledger.ErasedKey(id))
		}
	}
	erasures, err := readKnown(ctx, at, readErasure)
	return ledger.ErasurePage{Erasures: erasures, Bookmark: next}, err
}

// History gives all versions, seals and accesses of a record, and its erasure, in the
// order of time.
//
// Errors:
//   - ErrDenied unless the caller is an auditor, custodian or admin.
//   - ErrNotFound if there is no such record.
//   - ErrInvalid if the id is malformed, or the record has more than ledger.MaxHistory
//     events. Records and Accesses give those in pages.
func (c *Audit) History(ctx *Context, id string) ([]ledger.HistoryEvent, error) {
	if _, err := c.admit(ctx, auditors); err != nil {
		return nil, err
	}
	if err := checkRecordID(id); err != nil {
		return nil, err
	}
	records, err := ctx.records([]string{id})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, refuse(ledger.ErrNotFound, "no record %s", id)
	}
	var events []ledger.HistoryEvent
	for _, v := range records[0].Versions {
		event := "amended"
		if v.Version == 1 {
			event = "sealed"
		}
		events = append(events, ledger.HistoryEvent{Time: v.Time, Event: event, Actor: v.Author, Version: v.Version, Tx: v.Tx})
	}
	if events, err = ctx.sealHistory(records[0], events); err != nil {
		return nil, err
	}
	if e := records[0].Erasure; e != nil {
		events = append(events, ledger.HistoryEvent{Time: e.Time, Event: "erased", Actor: e.Actor, Reason: e.Reason, Tx: e.Tx})
	}
	all := timeSpan(ledger.AccessPrefix(id), "", "")
	for next := all.start; next != ""; {
		rows, after, err := ctx.chunk(span{next, all.end}, ledger.MaxPageSize)
		if err != nil {
			return nil, err
		}
		if len(events)+len(rows) > ledger.MaxHistory {
			return nil, refuse(ledger.ErrInvalid, "record %s has more than %d events: read them in pages", id, ledger.MaxHistory)
		}
		for _, kv := range rows {
			e, err := readAccess(kv.Key, kv.Value)
			if err != nil {
				return nil, err
			}
			events = append(events, ledger.HistoryEvent{Time: e.Time, Event: "accessed", Actor: e.Actor, Purpose: e.Purpose, Tx: e.Tx})
		}
		next = after
	}
	slices.SortStableFunc(events, func(a, b ledger.HistoryEvent) int { return cmp.Compare(a.Time, b.Time) })
	return events, nil
}

// sealHistory adds the seals of a record after the first ones: those that kept the
// payload as resealed, and the others as revoked.
func (ctx *Context) sealHistory(r ledger.Record, events []ledger.HistoryEvent) ([]ledger.HistoryEvent, error) {
	var first, at []string
	for _, v := range r.Versions {
		first = append(first, ledger.RecordKey(v.ID, v.Version))
		for n := 1; n <= v.Seal; n++ {
			at = append(at, ledger.SealKey(v.ID, v.Version, n))
		}
	}
	if len(events)+len(at) > ledger.MaxHistory {
		return nil, refuse(ledger.ErrInvalid, "record %s has more than %d events: read them in pages", r.ID, ledger.MaxHistory)
	}
	versions, err := readKnown(ctx, first, readVersion)
	if err != nil {
		return nil, err
	}
	seals, err := readKnown(ctx, at, readSeal)
	if err != nil {
		return nil, err
	}
	payload := make(map[int]string, len(versions)) // by version, as of the seal before
	for _, v := range versions {
		payload[v.Version] = v.CID
	}
	for _, s := range seals {
		event := "resealed"
		if s.CID != payload[s.Version] {
			event, payload[s.Version] = "revoked", s.CID
		}
		events = append(events, ledger.HistoryEvent{Time: s.Time, Event: event, Actor: s.Actor, Version: s.Version, Tx: s.Tx})
	}
	return events, nil
}

// checkActor checks an actor, MSPID/enrolment-id. None is allowed.
func checkActor(actor string) error {
	if actor == "" {
		return nil
	}
	msp, id, _ := strings.Cut(actor, "/")
	if !isWord(msp) || !isPerson(id) {
		return refuse(ledger.ErrInvalid, "actor %.80q: needs MSPID/enrolment-id", actor)
	}
	return nil
}

// readKnown reads the values of existing keys.
func readKnown[T any](ctx *Context, at []string, read func(key string, value []byte) (T, error)) ([]T, error) {
	if len(at) == 0 {
		return []T{}, nil
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	return readAll(at, values, read)
}
