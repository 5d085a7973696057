package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/scope"
)

const defaultLimit = 100

// SearchOptions refine a search.
type SearchOptions struct {
	Scope   string // required
	Limit   int    // hits at most; zero means 100
	After   string // the Next of the page before; empty starts with the newest
	Purpose string // of the access entry for the scope's keys, if one is needed; empty means TREAT

	// Patients also finds the records by the identifiers that are in the Patient records
	// of the patients in the query. Opening these leaves an access entry on the ledger.
	Patients bool

	// Verify is the index as another organisation's peer has it. Its answers are compared
	// with those of the own peer, which shows what either withholds, and shows the labels
	// of the query to that peer too. Nil compares nothing.
	Verify scope.Verifier
}

// A Hit is one record found by a search.
type Hit struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Kind    string `json:"kind"` // ends in "…" where the index holds only its beginning, see [index.ClipKind]
	Date    string `json:"date"` // of the record's content, YYYY-MM-DD, empty if unknown
	Home    string `json:"home"` // MSP of the hospital that sealed it
	Time    string `json:"time"` // when that version was sealed
}

// Results are the hits of a search, newest first.
type Results struct {
	Hits      []Hit  `json:"hits"`
	Truncated bool   `json:"truncated"` // there are more than the limit
	Next      string `json:"next"`      // bookmark for the page after this; empty on the last

	// Problems are proofs that a peer withholds or has altered index entries, each
	// ErrTampered (or index.ErrLayout, for an entry of a newer version of Chartseal). The
	// hits are right all the same, but there may be more.
	Problems []error `json:"-"`

	Dangling int      `json:"dangling"` // entries dropped because their record is not on the ledger (a seal that failed)
	Warnings []string `json:"warnings,omitempty"`

	// Hints tell, if there are no hits, what the query may have got wrong.
	Hints []string `json:"hints,omitempty"`
}

func (r *Results) add(f scope.Finding) {
	r.Problems = append(r.Problems, f.Problems...)
	r.Warnings = append(r.Warnings, f.Warnings...)
}

// Search finds the records of a scope that match the query, newest first, over all epochs
// whose key this person can unwrap. [index.ParseQuery] reads a query.
//
// Hits whose record is not on the ledger (a seal that failed half way), or that another
// hospital than the record's home has indexed, are left out. Results.Problems names a
// peer that withholds or alters entries, beside the hits that did verify.
//
// Errors:
//   - ErrInvalid if the purpose or the bookmark cannot be read.
//   - ErrNotFound if there is no such scope.
//   - ErrNotSatisfied if this person can unwrap no epoch's key; it says what is missing.
//   - ErrUnavailable if the own peer does not answer.
func (c *Client) Search(ctx context.Context, q *index.Query, o SearchOptions) (Results, error) {
	results, err := c.search(ctx, q, o)
	if err != nil {
		return Results{}, fmt.Errorf("search: %w", err)
	}
	return results, nil
}

func (c *Client) search(ctx context.Context, q *index.Query, o SearchOptions) (Results, error) {
	var none, results Results
	purpose, err := access.CheckPurpose(o.Purpose)
	if err != nil {
		return none, err
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	if _, _, err := index.Page(nil, o.After, 0); err != nil {
		return none, err
	}
	if o.Patients {
		if q, err = c.throughPatients(ctx, q, o, purpose, &results); err != nil {
			return none, err
		}
	}
	answer, err := c.find(ctx, q, o, purpose, &results)
	if err != nil {
		return none, err
	}
	results.Problems = append(results.Problems, answer.problems...)
	err = c.resolve(ctx, answer.hits, o, &results)
	if len(results.Hits) == 0 && o.After == "" {
		results.Hints = q.Advice(answer.hospitals)
	}
	return results, err
}

// An indexAnswer is what the index answers, not yet compared with the ledger.
type indexAnswer struct {
	hits      []index.Hit
	problems  []error
	hospitals []string
}

// find asks the index. The searchable part of a scope seldom changes, so the first read
// uses the last view, and its answer tells whether the view still holds. If it does not,
// the index is read again.
func (c *Client) find(ctx context.Context, q *index.Query, o SearchOptions, purpose string, out *Results) (indexAnswer, error) {
	if last := c.views.Recall(o.Scope); last != nil && o.Verify == nil {
		first := &firstRead{Index: c.ledger, known: last.Generation}
		early, err := c.read(ctx, q, last, first, o)
		switch {
		case first.seen != nil && first.known != "" && first.seen.Generation == first.known:
			return early, err
		case first.seen != nil:
			v, f, viewErr := c.views.View(ctx, *first.seen, o.Scope, purpose, o.Verify)
			if viewErr != nil {
				return indexAnswer{}, viewErr
			}
			out.add(f)
			if !v.Equal(last) {
				return c.read(ctx, q, v, c.ledger, o)
			}
			return early, err
		case err != nil && !scope.TooMany(err):
			return indexAnswer{}, err
		}
	}
	_, s, err := c.ledger.SearchEntries(ctx, "", nil)
	if scope.TooMany(err) { // one member's scopes stop no search of another
		s, err = c.ledger.Searchable(ctx, o.Scope)
	}
	if err != nil {
		return indexAnswer{}, err
	}
	v, f, err := c.views.View(ctx, s, o.Scope, purpose, o.Verify)
	if err != nil {
		return indexAnswer{}, err
	}
	out.add(f)
	return c.read(ctx, q, v, c.ledger, o)
}

// read reads the index within a view.
func (c *Client) read(ctx context.Context, q *index.Query, v *scope.View, store index.Store, o SearchOptions) (indexAnswer, error) {
	searcher := &index.Searcher{Store: store, MSPs: v.Hospitals, Hints: c.hints, Skip: v.Skip}
	var comparison *index.Comparison
	if o.Verify != nil {
		comparison = &index.Comparison{First: store, Second: o.Verify}
		searcher.Store = comparison
	}
	session := searcher.Session(v.Keys)
	hits, err := q.Evaluate(ctx, session)
	if err != nil {
		return indexAnswer{}, err
	}
	problems := session.Problems()
	if comparison != nil {
		problems = append(problems, comparison.Differences()...)
	}
	return indexAnswer{hits, problems, v.Hospitals}, nil
}

// A firstRead is an index whose first read also tells what can be searched.
type firstRead struct {
	scope.Index
	known string // generation of it
	once  sync.Once
	seen  *ledger.Searchable
}

func (f *firstRead) GetEntries(ctx context.Context, batches []index.Batch) ([][][]byte, error) {
	first := false
	f.once.Do(func() { first = true })
	if !first {
		return f.Index.GetEntries(ctx, batches)
	}
	values, s, err := f.SearchEntries(ctx, f.known, batches)
	if err == nil {
		f.seen = &s
	}
	return values, err
}

// resolve compares hits with the ledger until there are enough.
func (c *Client) resolve(ctx context.Context, all []index.Hit, o SearchOptions, out *Results) error {
	hits, _, err := index.Page(all, o.After, 0)
	if err != nil {
		return err
	}
	rest, foreign := hits, 0
	for len(rest) > 0 && len(out.Hits) < o.Limit {
		n := min(len(rest), o.Limit-len(out.Hits), ledger.MaxRecordsPerCall)
		others, err := c.compare(ctx, rest[:n], out)
		if err != nil {
			return err
		}
		foreign += others
		rest = rest[n:]
	}
	if out.Truncated = len(rest) > 0; out.Truncated {
		if _, out.Next, err = index.Page(hits, "", len(hits)-len(rest)); err != nil {
			return err
		}
	}
	if foreign > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d entries were left out: another hospital than the record's home wrote them", foreign))
	}
	return nil
}

// compare adds the hits whose record is on the ledger, and counts those that another
// hospital than the record's home has indexed.
func (c *Client) compare(ctx context.Context, hits []index.Hit, out *Results) (foreign int, err error) {
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = ledger.FormatRecordID(h.Record)
	}
	records, err := c.ledger.Records(ctx, ids)
	if err != nil {
		return 0, err
	}
	byID := make(map[string]ledger.Record, len(records))
	times := make(map[ledger.VersionName]string)
	for _, r := range records {
		byID[r.ID] = r
		for _, v := range r.Versions {
			times[ledger.VersionName{ID: r.ID, Version: v.Version}] = v.Time
		}
	}
	if err := c.earlier(ctx, hits, byID, times); err != nil {
		return 0, err
	}
	for i, h := range hits {
		r := byID[ids[i]]
		made, ok := times[ledger.VersionName{ID: ids[i], Version: int(h.Version)}]
		switch {
		case r.Erasure != nil: // the index says so soon
		case !ok:
			out.Dangling++
		case r.Home != h.Home:
			foreign++
		default:
			out.Hits = append(out.Hits, Hit{
				ID: ids[i], Version: int(h.Version), Kind: h.Kind, Date: h.Last.String(), Home: r.Home, Time: made,
			})
		}
	}
	return foreign, nil
}

// earlier adds the times of hits whose version was left out of its record's, which has
// too many.
func (c *Client) earlier(ctx context.Context, hits []index.Hit, records map[string]ledger.Record, times map[ledger.VersionName]string) error {
	var names []ledger.VersionName
	for _, h := range hits {
		if id := ledger.FormatRecordID(h.Record); int(h.Version) <= records[id].Earlier {
			names = append(names, ledger.VersionName{ID: id, Version: int(h.Version)})
		}
	}
	if len(names) == 0 {
		return nil
	}
	versions, err := c.ledger.RecordVersions(ctx, names)
	if err != nil {
		return err
	}
	for _, v := range versions {
		times[ledger.VersionName{ID: v.ID, Version: v.Version}] = v.Time
	}
	return nil
}

// maxPatientRecords bounds the Patient records that one search opens.
const maxPatientRecords = 4

// throughPatients widens a query by the identifiers in the Patient records of the
// patients that it names. A resource that was imported without its Patient has only the
// id of that resource, which people do not know. Opening a Patient record needs an
// access entry, as everywhere.
func (c *Client) throughPatients(ctx context.Context, q *index.Query, o SearchOptions, purpose string, out *Results) (*index.Query, error) {
	further := make(map[string][]index.Identifier)
	left := maxPatientRecords
	for _, patient := range q.Patients() {
		records, err := index.ParseQuery(patient + " and kind:fhir:Patient")
		if err != nil {
			return nil, err
		}
		answer, err := c.find(ctx, records, o, purpose, out)
		if err != nil {
			return nil, err
		}
		for _, hit := range answer.hits {
			if left--; left < 0 {
				out.Warnings = append(out.Warnings, fmt.Sprintf("more than %d Patient records: the identifiers of the rest were not looked up", maxPatientRecords))
				break
			}
			ids, err := c.identifiersIn(ctx, hit, purpose)
			switch {
			case errors.Is(err, ErrNotFound), errors.Is(err, ErrNotSatisfied), errors.Is(err, ErrRevoked):
				out.Warnings = append(out.Warnings, "a Patient record could not be opened: records that only it leads to are not found")
			case err != nil:
				return nil, err
			}
			further[patient] = append(further[patient], ids...)
		}
	}
	if len(further) == 0 {
		return q, nil
	}
	return q.Widen(further), nil
}

// identifiersIn returns the identifiers in a Patient record, without opening its payload.
func (c *Client) identifiersIn(ctx context.Context, hit index.Hit, purpose string) ([]index.Identifier, error) {
	h, err := c.access.HandOutAgain(ctx, ledger.FormatRecordID(hit.Record), int(hit.Version), purpose)
	if err != nil {
		return nil, err
	}
	if h.Version.Home != hit.Home { // another hospital than its home has indexed it
		return nil, nil
	}
	_, facts, _, err := c.openSigned(ctx, h.Envelope, h.Version, c.identities)
	return facts.Patients, err
}
