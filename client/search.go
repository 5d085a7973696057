package client

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

const defaultLimit = 100

// Search finds the records of a scope that match the query, newest first, over all epochs
// whose key this person can unwrap. See [index.Query] for the language; a mistake in it
// is an [*index.QueryError].
//
// Hits whose record is not on the ledger (a seal that failed half way) or that another
// hospital than the record's home has indexed are left out. ErrNotSatisfied says that no
// epoch's key can be unwrapped, and what is missing.
//
// A peer that withholds or alters entries is told of in Results.Problems, beside what did
// verify.
func (c *Client) Search(ctx context.Context, query string, o SearchOptions) (Results, error) {
	q, err := index.ParseQuery(query)
	if err != nil {
		return Results{}, err
	}
	results, err := c.search(ctx, q, o)
	if err != nil {
		return Results{}, fmt.Errorf("search: %w", err)
	}
	return results, nil
}

func (c *Client) search(ctx context.Context, q *index.Query, o SearchOptions) (Results, error) {
	var none, results Results
	purpose, err := checkPurpose(o.Purpose)
	if err != nil {
		return none, err
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	if _, _, err := index.Page(nil, o.After, 0); err != nil {
		return none, err
	}
	found, err := c.find(ctx, q, o, purpose, &results)
	if err != nil {
		return none, err
	}
	results.Problems = append(results.Problems, found.problems...)
	return results, c.resolve(ctx, found.hits, o, &results)
}

// found is what the index answers, not yet compared with the ledger.
type found struct {
	hits     []index.Hit
	problems []error
}

// find asks the index. What can be searched seldom changes, so the first labels are those
// of what this client knew last, and the answer to them tells whether it still holds. If
// it does not, the index is read again.
func (c *Client) find(ctx context.Context, q *index.Query, o SearchOptions, purpose string, out *Results) (found, error) {
	if last := c.recallView(o.Scope); last != nil && o.Verify == nil {
		first := &glance{Ledger: c.ledger, known: last.generation}
		early, err := c.look(ctx, q, last, first, o)
		switch {
		case first.seen != nil && first.known != "" && first.seen.Generation == first.known:
			return early, err
		case first.seen != nil:
			v, viewErr := c.view(ctx, *first.seen, o, purpose, out)
			switch {
			case viewErr != nil:
				return found{}, viewErr
			case !v.equal(last):
				return c.look(ctx, q, v, c.ledger, o)
			}
			return early, err
		case err != nil:
			return found{}, err
		}
	}
	_, s, err := c.ledger.SearchEntries(ctx, "", nil)
	if err != nil {
		return found{}, err
	}
	v, err := c.view(ctx, s, o, purpose, out)
	if err != nil {
		return found{}, err
	}
	return c.look(ctx, q, v, c.ledger, o)
}

// look reads the index as far as a view goes.
func (c *Client) look(ctx context.Context, q *index.Query, v *view, store index.Store, o SearchOptions) (found, error) {
	searcher := &index.Searcher{Store: store, MSPs: v.hospitals, Hints: c.hints, Skip: v.skip}
	var comparison *index.Comparison
	if o.Verify != nil {
		comparison = &index.Comparison{First: store, Second: o.Verify}
		searcher.Store = comparison
	}
	session := searcher.Session(v.keys)
	hits, err := q.Evaluate(ctx, session)
	if err != nil {
		return found{}, err
	}
	problems := session.Problems()
	if comparison != nil {
		problems = append(problems, comparison.Differences()...)
	}
	return found{hits, problems}, nil
}

// A glance is an index whose first read also tells what can be searched.
type glance struct {
	Ledger
	known string // generation of it
	once  sync.Once
	seen  *ledger.Searchable
}

func (g *glance) GetEntries(ctx context.Context, batches []index.Batch) ([][][]byte, error) {
	first := false
	g.once.Do(func() { first = true })
	if !first {
		return g.Ledger.GetEntries(ctx, batches)
	}
	values, s, err := g.Ledger.SearchEntries(ctx, g.known, batches)
	if err == nil {
		g.seen = &s
	}
	return values, err
}

func (r *Results) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
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
		out.warn("%d entries were left out: another hospital than the record's home wrote them", foreign)
	}
	return nil
}

// compare adds those hits whose record is on the ledger, and counts those that another
// hospital than its home has indexed.
func (c *Client) compare(ctx context.Context, hits []index.Hit, out *Results) (foreign int, err error) {
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = hex.EncodeToString(h.Record[:])
	}
	records, err := c.ledger.Records(ctx, ids)
	if err != nil {
		return 0, err
	}
	byID := make(map[string]ledger.Record, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	for i, h := range hits {
		r, ok := byID[ids[i]]
		v := slices.IndexFunc(r.Versions, func(v ledger.RecordVersion) bool { return v.Version == int(h.Version) })
		switch {
		case !ok || v < 0:
			out.Dangling++
		case r.Home != h.Home:
			foreign++
		default:
			out.Hits = append(out.Hits, Hit{
				ID: ids[i], Version: int(h.Version), Kind: h.Kind, Date: h.Last.String(), Home: r.Home, Time: r.Versions[v].Time,
			})
		}
	}
	return foreign, nil
}
