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
	var none Results
	purpose, err := checkPurpose(o.Purpose)
	if err != nil {
		return none, err
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	var keys *scopeKeys
	var hospitals []string
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		keys, err = c.scopeKeys(gctx, o.Scope, purpose, false)
		return err
	})
	g.Go(func() (err error) {
		hospitals, err = c.hospitals(gctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return none, err
	}
	usable := keys.newestFirst()
	if len(usable) == 0 {
		return none, keys.refused[keys.scope.Epoch]
	}
	var results Results
	if n := len(keys.refused); n > 0 {
		results.warn("%d of %d epochs of scope %s are not for you and were not searched", n, keys.scope.Epoch, o.Scope)
	}
	searcher := &index.Searcher{Store: c.ledger, MSPs: hospitals, Hints: c.hints}
	session := searcher.Session(usable)
	hits, err := q.Evaluate(ctx, session)
	if err != nil {
		return none, err
	}
	for _, problem := range session.Problems() {
		results.warn("the index is damaged, there may be more records: %v", problem)
	}
	return results, c.resolve(ctx, hits, o.Limit, &results)
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
func (c *Client) resolve(ctx context.Context, hits []index.Hit, limit int, out *Results) error {
	foreign := 0
	for len(hits) > 0 && len(out.Hits) < limit {
		n := min(len(hits), max(limit-len(out.Hits), 1), ledger.MaxRecordsPerCall)
		ids := make([]string, n)
		for i, h := range hits[:n] {
			ids[i] = hex.EncodeToString(h.Record[:])
		}
		records, err := c.ledger.Records(ctx, ids)
		if err != nil {
			return err
		}
		byID := make(map[string]ledger.Record, len(records))
		for _, r := range records {
			byID[r.ID] = r
		}
		for i, h := range hits[:n] {
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
		hits = hits[n:]
	}
	out.Truncated = len(hits) > 0
	if foreign > 0 {
		out.warn("%d entries were left out: another hospital than the record's home wrote them", foreign)
	}
	return nil
}
