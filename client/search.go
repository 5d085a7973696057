package client

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

const defaultLimit = 100

// Search finds the records of a scope that match the query, newest first, over all epochs whose key this person can unwrap. See
// [index.Query] for the language; a mistake in it is an [*index.QueryError].
//
// Hits whose record is not on the ledger (a seal that failed half way) or that another hospital than the record's home has
// indexed are left out. ErrNotSatisfied says that no epoch's key can be unwrapped, and what is missing.
//
// A peer that withholds or alters entries is told of in Results.Problems, beside what did verify.
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
	view, err := c.view(ctx, o.Scope, purpose, &results)
	if err != nil {
		return none, err
	}
	searcher := &index.Searcher{Store: c.ledger, MSPs: view.hospitals, Hints: c.hints}
	var comparison *index.Comparison
	if o.Verify != nil {
		comparison = &index.Comparison{First: c.ledger, Second: o.Verify}
		searcher.Store = comparison
	}
	session := searcher.Session(view.keys)
	hits, err := q.Evaluate(ctx, session)
	if err != nil {
		return none, err
	}
	results.Problems = session.Problems()
	if comparison != nil {
		results.Problems = append(results.Problems, comparison.Differences()...)
	}
	return results, c.resolve(ctx, hits, o, &results)
}

// A view is what one person can search of a scope.
type view struct {
	keys      []index.ScopeKey // newest epoch first
	hospitals []string
}

// view finds out what can be searched, and warns of what cannot.
func (c *Client) view(ctx context.Context, scope, purpose string, out *Results) (view, error) {
	var v view
	var keys *scopeKeys
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		keys, err = c.scopeKeys(gctx, scope, purpose, false)
		return err
	})
	g.Go(func() (err error) {
		v.hospitals, err = c.hospitals(gctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return v, err
	}
	v.keys = keys.newestFirst()
	if len(v.keys) == 0 {
		return v, keys.refused[keys.scope.Epoch]
	}
	if n := len(keys.refused); n > 0 {
		out.warn("%d of %d epochs of scope %s are not for you and were not searched", n, keys.scope.Epoch, scope)
	}
	return v, nil
}

func (r *Results) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// hospitals are the MSPs whose entries to look for: those with an authority, and the own.
func (c *Client) hospitals(ctx context.Context) ([]string, error) {
	all, err := c.ledger.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	msps := []string{c.ledger.MSP()}
	for _, a := range all {
		if !slices.Contains(msps, a.MSP) {
			msps = append(msps, a.MSP)
		}
	}
	slices.Sort(msps)
	return msps, nil
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

// compare adds those hits whose record is on the ledger, and counts those that another hospital than its home has indexed.
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
