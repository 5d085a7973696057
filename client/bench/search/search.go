package search

import (
	"context"
	"fmt"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/chart"
	"github.com/chartseal/chartseal/client/index"
)

// searches measures queries at each size of the index. A measurement covers all of
// [client.Client.Search], which also checks the record of each hit on the ledger. The
// yardstick is an evaluate call for one key, in turns with the search.
func (r *run) searches(ctx context.Context) error {
	first := make(map[string]bench.Times)
	curves := []chart.Curve{{Name: "one keyword"}, {Name: "two terms with and"}, {Name: "bare evaluate of one key"}}
	for k, size := range r.sizes {
		if err := r.fill(ctx, size); err != nil {
			return err
		}
		if _, err := r.SettledUsage(); err != nil { // the databases are still compacting the filled-in entries
			return err
		}
		queries := []struct{ name, text string }{{"one keyword", tenWord}, {"two terms with and", tenWord + " and " + fiftyWord}}
		searcher, err := r.members[1].Client()
		if err != nil {
			return err
		}
		raw, err := r.bareRead(ctx)
		if err != nil {
			return err
		}
		sides := []func(context.Context) error{raw}
		for _, q := range queries {
			sides = append(sides, func(ctx context.Context) error { return tenHits(ctx, searcher, q.text) })
		}
		times, used, err := bench.AlternateUsing(ctx, r.queries, r.Usage, sides...)
		if err != nil {
			return err
		}
		for i, q := range queries {
			ours := times[i+1]
			name := fmt.Sprintf("search, %s, 10 hits, %s entries", q.name, count(size))
			target := bench.Target{}
			if i == 0 {
				target = bench.AtMost(4)
			}
			p50 := bench.CompareTimes(name+", p50", 0.5, ours, times[0], target)
			p50.Note = "bare: asset:Get of one key"
			p50.Costs(used[i+1], 1, used[0], 1)
			curves[i].Add(float64(size), p50.Ours)
			if i == 0 {
				curves[2].Add(float64(size), *p50.Bare)
			}
			p95 := bench.CompareTimes(name+", p95", 0.95, ours, times[0], bench.Target{})
			p95.Note = p50.Note + ", p95"
			r.report.Add(p50, p95)
			if k == 0 {
				first[q.name] = ours
			} else if last := k == len(r.sizes)-1; last {
				name := fmt.Sprintf("search, %s, p50 at %s against %s entries", q.name, count(size), count(r.sizes[0]))
				growth := bench.CompareTimes(name, 0.5, ours, first[q.name], bench.AtMost(1.25))
				growth.Note = "bare: ours at the smaller size, minutes before"
				r.report.Add(growth)
			}
		}
	}
	r.charts = append(r.charts, chart.Chart{File: "index", Title: "Searching, 10 hits", X: "entries in the index", Y: "p50, ms", LogX: true, Curves: curves})
	return nil
}

func tenHits(ctx context.Context, c *client.Client, query string) error {
	found, err := c.Search(ctx, index.MustParseQuery(query), client.SearchOptions{Scope: scope})
	if err != nil {
		return err
	}
	if len(found.Hits) != hits || len(found.Problems) > 0 {
		return fmt.Errorf("%q finds %d records, want %d: the measurement means nothing", query, len(found.Hits), hits)
	}
	return nil
}

// bareRead returns a read of one asset through the searcher's peer. The asset has the
// size of an index entry.
func (r *run) bareRead(ctx context.Context) (func(context.Context) error, error) {
	searcher := r.members[1].Bare
	key, value := asset()
	if err := searcher.Put(ctx, key, value); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := searcher.Get(ctx, key)
		return err
	}, nil
}

func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%d million", n/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%d thousand", n/1000)
	}
	return fmt.Sprint(n)
}
